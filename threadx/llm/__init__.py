"""The roles and the cycle under the seed's import paths; they are at home in `threadx.orchestrator`."""
