"""Whether the numbers a role cites stand in the evidence it was given.

A number is founded if some number of the evidence, rounded as the role rounded it, is the same; a fraction
may be told as a percentage and the other way round, and the sign may be put in words ("a loss of 12 %").
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from prompts import Language

_SPACES = "\u00a0\u202f\u2009"
_NUMBER = re.compile(
    rf"(?<![\w.,])[-+\u2212]?(?:\d{{1,3}}(?:[ {_SPACES}]\d{{3}})+(?:[.,]\d+)?|\d+(?:[.,]\d+)*)(?![\d])"
    rf"(?P<percent>[ {_SPACES}]?(?:%|percent|per cent|pour cent))?(?![A-Za-z_])"
)
_DATE = re.compile(r"\b\d{4}-\d{2}(?:-\d{2})?\b")
_PLAIN_NUMBER = re.compile(r"(?<![\w.])[-\u2212]?\d+(?:\.\d+)?(?:e[-+]?\d+)?")
_SLACK = 1e-9
_KEPT_TEXTS = 64


@dataclass(frozen=True)
class Cited:
    """One number as a role wrote it.

    Attributes:
        words: as written.
        readings: what it may mean: (value, half a unit of its last digit).
        percent: a percent sign follows.
    """

    words: str
    readings: tuple[tuple[float, float], ...]
    percent: bool


def numbers_in(words: str, language: Language) -> Iterator[Cited]:
    """The numbers in a text: French and English marks of decimals and thousands; dates and ids left out."""
    for found in _NUMBER.finditer(_DATE.sub(" ", words)):
        percent = found.group("percent")
        written = found.group(0)[: len(found.group(0)) - len(percent or "")].strip()
        plain = re.sub(rf"[ {_SPACES}+]", "", written).replace("\u2212", "-")
        readings = tuple(_reading(text) for text in _texts(plain, language))
        yield Cited(found.group(0).strip(), readings, percent is not None)


def _texts(plain: str, language: Language) -> list[str]:
    """A number with a point for decimals, in each way in which it may be read."""
    commas, points = plain.count(","), plain.count(".")
    if commas == 0 and points <= 1:
        return [plain]
    if commas == 1 and points == 0:
        decimal, thousands = plain.replace(",", "."), plain.replace(",", "")
        grouped = re.fullmatch(r"-?\d{1,3},\d{3}", plain) is not None
        if language == "fr":
            return [decimal]
        return [thousands, decimal] if grouped else [decimal]
    if points > 1 and commas == 0:
        return [plain.replace(".", "")]
    # Both marks: the last one is the decimal's.
    last = max(plain.rfind(","), plain.rfind("."))
    return [re.sub(r"[.,]", "", plain[:last]) + "." + plain[last + 1 :].replace(",", "").replace(".", "")]


def _reading(text: str) -> tuple[float, float]:
    """A value and half a unit of its last digit; zeros that end a long whole number may be rounding."""
    whole, _, decimals = text.partition(".")
    if decimals:
        return float(text), 0.5 * 10.0 ** -len(decimals)
    digits = whole.lstrip("-")
    zeros = len(digits) - len(digits.rstrip("0")) if len(digits) >= 3 else 0
    return float(text), 0.5 * 10.0 ** min(zeros, len(digits) - 1)


def unfounded(words: str, evidence: Sequence[float], language: Language) -> list[str]:
    """The numbers of a text that no number of the evidence bears out, as written.

    Args:
        words: what a role said.
        evidence: every number that it was given.
        language: of the words.
    """
    return [cited.words for cited in numbers_in(words, language) if not _founded(cited, evidence)]


def _founded(cited: Cited, evidence: Sequence[float]) -> bool:
    for value, unit in cited.readings:
        # 12 % may stand as 0.12 or, of a parameter in percent, as 12; 0.12 may stand as 12 (percent).
        for factor in (1.0, 100.0 if cited.percent else 0.01):
            if any(
                abs(abs(value) - abs(known) * factor) <= unit * (1.0 + _SLACK) + _SLACK for known in evidence
            ):
                return True
    return False


def known_numbers(*texts: str) -> list[float]:
    """Every number that stands in the texts a role was shown, written with points for decimals."""
    return sorted(frozenset().union(*map(_numbers_of, texts)))


@lru_cache(maxsize=_KEPT_TEXTS)
def _numbers_of(words: str) -> frozenset[float]:
    """Of one text, in absolute value; the roles of an iteration are shown the same texts."""
    return frozenset(abs(float(found.replace("\u2212", "-"))) for found in _PLAIN_NUMBER.findall(words))
