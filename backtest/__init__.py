"""The numeric engine: strategy language, indicators, simulation, metrics. No model, no network."""
