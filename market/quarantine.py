"""Text from outside that tries to give a language model orders."""

from __future__ import annotations

import re

_INJECTION = re.compile(
    r"(ignore[sz]?|disregard|forget|oublie[sz]?)\b.{0,40}\b(instructions?|prompts?|consignes?)"
    r"|system\s*prompt|you are now|(tu es|vous [êe]tes) d[ée]sormais|<\|?\s*(system|im_start|assistant)"
    r"|\b(answer|respond|reply|r[ée]ponde?[sz]?)\s+(only\s+|always\s+|toujours\s+)?(with\s+|par\s+)?[\"'«]?\s*"
    r"(positive|negative|bullish|bearish|positif|n[ée]gatif|haussier|baissier)",
    re.IGNORECASE | re.DOTALL,
)


def addresses_model(text: str) -> bool:
    """Whether a text speaks to a language model instead of telling news; such text never reaches one."""
    return _INJECTION.search(text) is not None
