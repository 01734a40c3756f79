"""Holds free text against what was given: every figure, date and instrument it names must come from there.

A figure counts as given when some given number, rounded to the digits shown, is the same: as it stands, as a
percentage, or in basis points, whatever its sign; in figures or in letters (`spelled.py`). A sentence that
names instruments may use their figures and the general ones (economy, quality, weights), not those of other
instruments. Whole numbers up to four without a unit count things and pass; a number of agents must be one
that the run can count. Instruments are found by symbol, or by the names that `feeds/names.toml` knows; other
names, and what is said without a figure, are not seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache
from typing import Any, Literal, NamedTuple, get_args

from feeds.tagging import Names, base_of, load_names
from nodes.ensemble.agent import TRACE
from nodes.ensemble.claims.number_words import Rough, in_figures
from nodes.ensemble.claims.proposed import claimed
from prompts import Language, Words
from reports.tables import instrument

_MONTHS = {
    name: number
    for names in (
        "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
        "january february march april may june july august september october november december",
    )
    for number, name in enumerate(names.split(), start=1)
}
_MONTH = "|".join(_MONTHS)
_DATES = (
    re.compile(r"\b(?P<y>\d{4})-(?P<m>\d{2})-(?P<d>\d{2})(?:T\d{2}(?::\d{2})*)?(?:\+00:00|Z)?"),
    re.compile(r"\b(?P<d>\d{1,2})/(?P<m>\d{1,2})/(?P<y>\d{4})\b"),
    re.compile(
        rf"\b(?P<d>\d{{1,2}})(?:er|st|nd|rd|th)?\s+(?P<m>{_MONTH})\b(?:,?\s+(?P<y>\d{{4}}))?", re.IGNORECASE
    ),
    re.compile(
        rf"\b(?P<m>{_MONTH})\s+(?P<d>\d{{1,2}})(?:st|nd|rd|th)?\b(?!\d)(?:,?\s+(?P<y>\d{{4}}))?",
        re.IGNORECASE,
    ),
    re.compile(rf"\b(?P<m>{_MONTH})\s+(?P<y>\d{{4}})\b(?P<d>)", re.IGNORECASE),
)
_NUMBER = re.compile(
    r"(?<![\w.,^])[-+−]?(?P<number>\d{1,3}(?:[\u00a0\u202f ]\d{3})+(?:[.,]\d+)?|\d{1,3}(?:,\d{3})+\.\d+"
    r"|\d+(?:[.,]\d+)?)"
    r"(?![\d])[\s\u00a0\u202f-]*"
    r"(?:(?:(?:derni|procha|premi)[a-zè]+\s+|trading\s+|calendar\s+)?"
    r"(?P<unit>%|pour[ \u00a0-]?cent|per ?cent|points? de base|basis points?|bps?\b|pb\b|jours?\b|days?\b"
    r"|semaines?\b|weeks?\b|mois\b|months?\b|ans?\b|années?\b|years?\b|heures?\b|hours?\b|h\b))?",
    re.IGNORECASE,
)
_SPANS: dict[str, frozenset[float]] = {
    "j": frozenset({1, 7, 30}),
    "d": frozenset({1, 7, 30}),
    "s": frozenset({1}),
    "w": frozenset({1}),
    "m": frozenset({1, 3, 12}),
    "a": frozenset({1, 2, 10}),
    "y": frozenset({1, 2, 10}),
    "h": frozenset({24, 48}),
}
"""Horizons, the news window and the two ends of the yield curve, by the first letter of their unit."""

_SCALED = ("%", "pour", "per", "point", "basis", "bp", "pb")
"""Units of a figure; the others are spans of time, which are given as they stand or not at all."""

_COUNTED = 4.0
_TICKER = re.compile(r"(?<![\w^.&’'-])\^?[A-Z][A-Z0-9]{1,9}(?:[-./=][A-Z0-9]{1,6})?(?![\w&])")
# fmt: off
_ACRONYMS = frozenset(
    {
        "MARKET", "US", "USA", "UE", "EU", "UK", "FED", "BCE", "ECB", "BOE", "BOJ", "PIB", "GDP", "CPI",
        "IPC", "PCE", "PMI", "ISM", "NFP", "ETF", "NBER", "OPEP", "OPEC", "FMI", "IMF", "OCDE", "OECD",
        "ONU", "UN", "UTC", "IA", "AI", "LLM", "JSON", "ESG", "PME", "PEA", "NB", "PS", "USD", "EUR",
        "OK", "SEC", "G7", "G20", "FOMC",
    }
)
# fmt: on
"""Words in capitals that name no instrument."""

_ALSO = {"GLD": "GC=F", "IAU": "GC=F", "USO": "CL=F", "BZ=F": "CL=F", "^NDX": "QQQ", "^RUT": "IWM"}
"""Instruments that stand for another one of `feeds/names.toml`."""

_DIGIT = re.compile(r"\d")
_AGENTS = re.compile(r"(?<![\w.,])(?P<number>\d{1,2})\s+(?:autres\s+|other\s+)?agents?\b", re.IGNORECASE)


@dataclass
class Known:
    """What a text may name.

    Attributes:
        language: of the sentences that are held against it.
        general: figures that belong to no instrument.
        by_symbol: figures of each instrument.
        dates: (year, month, day).
        years: of the dates, and of texts given.
        texts: every text given, in small letters.
        capitals: words in capitals that were given.
        plain: symbol of each instrument by its symbol and by its plain name.
        spoken: instruments that texts given name, by their symbol in `feeds/names.toml`.
        agents: numbers of agents that the run can count; None where they are not known.
        today: day of the hour: a review is proposed for a later one.
    """

    language: Language
    general: set[float] = field(default_factory=set)
    by_symbol: dict[str, set[float]] = field(default_factory=dict)
    dates: set[tuple[int, int, int]] = field(default_factory=set)
    years: set[int] = field(default_factory=set)
    texts: list[str] = field(default_factory=list)
    capitals: set[str] = field(default_factory=set)
    plain: dict[str, str] = field(default_factory=dict)
    spoken: set[str] = field(default_factory=set)
    agents: frozenset[int] | None = None
    today: tuple[int, int, int] = (0, 0, 0)

    def add(self, value: Any, symbol: str | None = None) -> None:
        """Take in a value with everything inside it, for one instrument or for all."""
        if isinstance(value, str):
            self._take_text(value, symbol)
        elif isinstance(value, bool) or value is None:
            return
        elif isinstance(value, int | float):
            self._figures(symbol).add(abs(float(value)))
        elif isinstance(value, Mapping):
            for part in value.values():
                self.add(part, symbol)
        else:
            for part in value:
                self.add(part, symbol)

    def add_row(self, row: Mapping[str, Any], words: Words) -> None:
        """Take in a row of evidence: its own instrument's, or general where it is about a source."""
        symbol = row.get("symbol")
        if symbol is None or "factor" in row or "message" in row:
            self.add(_told(row))
            return
        self.plain[str(symbol)] = str(symbol)
        self._figures(str(symbol))  # it may be named even where no figure is known of it
        self.plain[instrument(str(symbol), words)] = str(symbol)
        self.add(_told(row), str(symbol))

    @cached_property
    def parts(self) -> frozenset[str]:
        """Symbols and what they are made of: BTC-USD is BTC and USD too."""
        return frozenset(
            part for symbol in self.by_symbol for part in (symbol, *re.split(r"[-./=^]", symbol))
        )

    @cached_property
    def mentions(self) -> re.Pattern[str] | None:
        """Finds any instrument by its symbol or plain name, the longest first."""
        names = "|".join(re.escape(plain) for plain in sorted(self.plain, key=len, reverse=True))
        return re.compile(rf"(?<![\w^])(?:{names})(?!\w)") if names else None

    @cached_property
    def carriers(self) -> dict[str, set[str]]:
        """Symbols given by the symbol under which `feeds/names.toml` names the same instrument."""
        found: dict[str, set[str]] = {}
        for plain, symbol in self.plain.items():
            for ticker in _instruments(plain):
                found.setdefault(ticker, set()).add(symbol)
        return found

    @cached_property
    def corpus(self) -> str:
        """Every text given, to look a quotation up in; asked for once everything has been taken in."""
        return "\n".join(self.texts)

    def _figures(self, symbol: str | None) -> set[float]:
        return self.general if symbol is None else self.by_symbol.setdefault(symbol, set())

    def _take_text(self, text: str, symbol: str | None) -> None:
        found = _read_text(text)
        self.texts.append(found.small)
        self.capitals |= found.capitals
        self.dates |= found.dates
        self.years |= found.years
        self.spoken |= found.instruments
        if found.figures:
            self._figures(symbol).update(found.figures)


class _Text(NamedTuple):
    """What one text names."""

    small: str
    capitals: frozenset[str]
    dates: frozenset[tuple[int, int, int]]
    years: frozenset[int]
    figures: frozenset[float]
    instruments: frozenset[str]


@lru_cache(maxsize=1024)
def _read_text(text: str) -> _Text:
    """A headline stands in many hours' evidence, and is read once."""
    small, capitals = text.casefold(), frozenset(_TICKER.findall(text))
    named = _names().mentions(text)
    text = _blanked(text, named)  # the 40 of « CAC 40 » is no figure
    dates = {
        (year, month, day)
        for year, month, day, _ in _dates(text)
        if year is not None and month is not None and day is not None
    }
    for pattern in _DATES:
        text = pattern.sub(" ", text)
    figures: set[float] = set()
    for language in get_args(Language):  # headlines come in any language
        told = in_figures(text, language)
        figures.update(value for one in _NUMBER.finditer(told.text) for value, _ in _readings(one["number"]))
        figures.update(one.value for one in told.rough)
    years = {int(value) for value in figures if 1900 <= value < 2200 and value.is_integer()}
    years |= {year for year, _, _ in dates}
    instruments = frozenset(ticker for _, _, ticker in named)
    return _Text(small, capitals, frozenset(dates), frozenset(years), frozenset(figures), instruments)


def _blanked(text: str, mentions: Iterable[tuple[int, int, str]]) -> str:
    """A text with spaces where names of instruments stood."""
    rest = list(text)
    for start, end, _ in mentions:
        rest[start:end] = " " * (end - start)
    return "".join(rest)


@cache
def _packaged() -> dict[str, list[str]]:
    return load_names(None)


@cache
def _names() -> Names:
    return Names(_packaged())


@lru_cache(maxsize=1024)
def _instruments(plain: str) -> frozenset[str]:
    """What `feeds/names.toml` calls an instrument that goes by this symbol or plain name."""
    base = base_of(plain)
    same = {ticker for ticker in _packaged() if ticker == plain or base_of(ticker) == base}
    also = {_ALSO[plain]} if plain in _ALSO else set()
    return frozenset({*_names().tickers(plain), *same, *also})


def _told(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """A row without what only the audit reads."""
    return {name: value for name, value in row.items() if name not in ("id", *TRACE)}


def agent_facts(rows: Iterable[Mapping[str, Any]], hour: str, words: Words) -> Known:
    """What an agent's sentences may name: its own rows and the hour."""
    known = Known(words.language)
    known.add(hour)
    known.today = (int(hour[:4]), int(hour[5:7]), int(hour[8:10]))
    for row in rows:
        known.add_row(row, words)
    return known


def strangers(
    text: str, known: Known, as_what: Literal["claim", "proposal", "condition"] = "claim"
) -> list[str]:
    """The figures, dates and instruments of a text that nothing given carries, as they stand in it.

    Args:
        text: a sentence or more.
        known: what was given.
        as_what: a proposal, or what would change it, has figures and dates of its own (`proposed.py`); what
            it says of the market besides is a claim.
    """
    rest = _without_quotes(text, known)
    if as_what != "claim":
        rest = claimed(
            rest,
            known.language,
            names=lambda clause: _names_in(clause, known),
            dates=lambda clause: _without_dates(clause, known),
            condition=as_what == "condition",
        )
    found: list[str] = []
    for year, month, day, raw in _dates(rest):
        if not _known_date(year, month, day, known):
            found.append(raw)
    for pattern in _DATES:
        rest = pattern.sub(" ", rest)
    named: set[str] = set()
    if (mentions := known.mentions) is not None:
        named = {known.plain[mention] for mention in mentions.findall(rest)}
        rest = mentions.sub(" ", rest)
    rest, carried, unknown = _named(rest, known)
    named |= carried
    found += unknown
    found += _strange_symbols(rest, known)
    allowed = set(known.general)
    for symbol in named or known.by_symbol.keys():
        allowed |= known.by_symbol.get(symbol, set())
    told = in_figures(rest, known.language)
    found += [one.written for one in told.rough if not _is_near(one, allowed, known)]
    rest = told.text
    if known.agents is not None:
        counted = [one for one in _AGENTS.finditer(rest) if int(one["number"]) not in known.agents]
        found += [told.as_written(*one.span()) for one in counted]
    for match in _NUMBER.finditer(rest):
        if not _given(match["number"], (match["unit"] or "").casefold(), allowed, known.years):
            found.append(told.as_written(*match.span()).strip(" \u00a0\u202f-"))
    return list(dict.fromkeys(found))


def _named(text: str, known: Known) -> tuple[str, set[str], list[str]]:
    """The text without names of instruments, the given symbols that carry them, the names nobody gave."""
    carried: set[str] = set()
    unknown: list[tuple[int, str]] = []
    mentions = _names().mentions(text)
    for start, end, ticker in mentions:
        if symbols := known.carriers.get(ticker):
            carried |= symbols
        elif ticker not in known.spoken:
            unknown.append((start, text[start:end]))
    return _blanked(text, mentions), carried, [name for _, name in sorted(unknown)]


def named_in(text: str, known: Known) -> set[str]:
    """The given instruments that a text names, by their symbols."""
    found = (
        {known.plain[name] for name in known.mentions.findall(text)} if known.mentions is not None else set()
    )
    return found | _named(text, known)[1]


def _names_in(text: str, known: Known) -> str:
    """Everything in a text that names an instrument, given or not, a name a line."""
    found = [text[start:end] for start, end, _ in _names().mentions(text)]
    found += known.mentions.findall(text) if known.mentions is not None else []
    return "\n".join([*found, *_TICKER.findall(text)])


def _without_dates(text: str, known: Known) -> tuple[str, bool]:
    """The text without its dates, and whether one of them lies before the hour."""
    over = any(
        year is not None and month is not None and known.today > (year, month, day or 31)
        for year, month, day, _ in _dates(text)
    )
    for pattern in _DATES:
        text = pattern.sub(" ", text)
    return text, over


def _without_quotes(text: str, known: Known) -> str:
    """The text without its quotations of given texts; a quotation of anything else stays to be checked."""

    def dropped(match: re.Match[str]) -> str:
        inner = match[1].strip().removesuffix("…").casefold()
        return " " if inner and inner in known.corpus else match[0]

    return re.sub(r"[«“\"]([^»”\"]+)[»”\"]", dropped, text)


def _dates(text: str) -> Iterable[tuple[int | None, int | None, int | None, str]]:
    rest = text if _DIGIT.search(text) else ""
    for pattern in _DATES:
        for match in pattern.finditer(rest):
            month = match["m"].casefold()
            yield (
                int(match["y"]) if match["y"] else None,
                _MONTHS[month] if month in _MONTHS else int(month),
                int(match["d"]) if match["d"] else None,
                match[0],
            )
        rest = pattern.sub(" ", rest)


def _known_date(year: int | None, month: int | None, day: int | None, known: Known) -> bool:
    return any(
        (year is None or year == date[0]) and month == date[1] and (day is None or day == date[2])
        for date in known.dates
    )


def _strange_symbols(text: str, known: Known) -> list[str]:
    return [
        word
        for word in _TICKER.findall(text)
        if word not in known.parts and word not in known.capitals and word not in _ACRONYMS
    ]


def _is_near(claim: Rough, allowed: set[float], known: Known) -> bool:
    """Whether a given figure lies where a share or round count says; of agents, a share of those counted."""
    figures = allowed
    if claim.of_agents and known.agents is not None:
        figures = {part / whole for part in known.agents for whole in known.agents if part < whole}
    return any(abs(figure - claim.value) <= claim.within for figure in figures)


def _readings(written: str) -> list[tuple[float, int]]:
    """(value, decimals shown) of a number as French or English writes it; a comma may be either."""
    bare = re.sub(r"[\u00a0\u202f ]", "", written)
    if "," in bare and "." in bare:
        bare = bare.replace(",", "")
    whole, _, decimals = bare.replace(",", ".").partition(".")
    found = [(float(f"{whole}.{decimals or 0}"), len(decimals))]
    if "," in bare and len(decimals) == 3:
        found.append((float(f"{whole}{decimals}"), 0))
    return found


def _given(written: str, unit: str, allowed: set[float], years: set[int]) -> bool:
    for value, decimals in _readings(written):
        if not unit and decimals == 0 and value <= _COUNTED:
            return True
        if unit and not unit.startswith(_SCALED):
            # An age in hours is told rounded; other spans are given as they stand or not at all.
            half = 0.5 * 10.0**-decimals + 1e-6 if unit[0] == "h" else 0.0
            if value in _SPANS[unit[0]] or any(abs(figure - value) <= half for figure in allowed):
                return True
            continue
        if not unit and decimals == 0 and value in years:
            return True
        scales = (10_000.0,) if unit.startswith(("point", "basis", "bp", "pb")) else (1.0, 100.0)
        half = 0.5 * 10.0**-decimals + 1e-6
        if any(abs(figure * scale - value) <= half for figure in allowed for scale in scales):
            return True
    return False
