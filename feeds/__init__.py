"""Forecasts, macro figures and news, read as of an hour."""
