"""Sectors by the names that news sources use: the eleven of the Global Industry Classification Standard."""

from __future__ import annotations

import re

_WORDS: dict[str, str] = {
    "energy": r"energy|énergie|oil|pétrole",
    "materials": r"materials?|matériaux|mining|mines|chemicals?|chimie",
    "industrials": r"industrials?|industrie|industry|aerospace|aéronautique",
    "discretionary": r"discretionary|discrétionnaire|cyclical|retail|automotive|automobile|luxe|luxury",
    "staples": r"staples|defensive|consommation de base|food|alimentation",
    "health": r"health ?care|health|santé|pharma\w*|biotech\w*",
    "financials": r"financials?|finance|banks?|banking|banques?|insurance|assurance",
    "technology": r"tech|technology|technologies|technologie|semiconductors?|semi-conducteurs?|software",
    "communication": r"communications?|communication services|telecoms?|télécoms?|media|médias",
    "utilities": r"utilities|utility|services aux collectivités|services publics|electricity",
    "real_estate": r"real estate|reits?|immobilier",
}
SECTORS = tuple(_WORDS)
"""Every sector, in the standard's order."""

_PATTERNS = {name: re.compile(rf"(?<!\w)(?:{words})(?!\w)", re.IGNORECASE) for name, words in _WORDS.items()}
# « Consumer Defensive » and "Consumer Cyclical" come before what their words may also mean.
_ORDER = ("real_estate", "utilities", "staples", "discretionary", *_WORDS)


def sector_of(hint: str | None) -> str | None:
    """The sector that a source's hint names; None where it names none."""
    if not hint:
        return None
    words = hint.replace("_", " ")
    return next((name for name in _ORDER if _PATTERNS[name].search(words)), None)
