"""Data in: prices, forecasts, macro, news; validated at the door, kept under the data folder."""
