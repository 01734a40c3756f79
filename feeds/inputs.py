"""What the macro figures are computed from: inputs by name, and the series of each."""

from __future__ import annotations

INPUTS: dict[str, tuple[str, ...]] = {
    "growth": ("INDPRO", "GDPC1", "PAYEMS"),
    "inflation": ("CPIAUCSL", "CPILFESL", "PCEPI", "PCEPILFE"),
    "unemployment": ("UNRATE",),
    "slope": ("DGS10-DGS2", "T10Y2Y"),
    "recession": ("DGS10-DGS3MO", "T10Y3M", "DGS10-DGS2", "T10Y2Y", "BAA-AAA"),
    "credit_spread": ("BAA10Y", "BAA-DGS10", "BAA-AAA", "BAMLH0A0HYM2"),
    "volatility": ("VIXCLS", "VIX"),
}
"""What each input is taken from: the first of the series, or differences of two, that is there and fresh."""
