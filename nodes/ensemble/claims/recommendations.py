"""What is wrong with recommendations: against each other, against the outlook, and what none may say."""

from __future__ import annotations

import re
from collections.abc import Sequence

from feeds.news import GENERAL
from nodes.ensemble.claims.claims import Known, named_in, strangers
from nodes.ensemble.claims.languages import is_in
from nodes.ensemble.policies.pooling import OUTLOOKS
from nodes.ensemble.types import Draft, Forecasted, Proposal
from prompts import Language, Words
from reports.tables import instrument

_AGREE = (
    {"keep", "wait"},
    {"keep", "hedge"},
    {"wait", "hedge"},
    {"reduce", "hedge"},
)
"""Acts that one may do with one instrument at once; any other two contradict each other."""

_AGAINST = {"add": ("negative", "baissier"), "reduce": ("positive", "haussier")}
"""An act, and the outlook and forecast that speak against it."""

_NEGATED = re.compile(
    r"(?:\b(?:rien|aucun[e]?|jamais|nul(?:le)?|personne|pas|nothing|nobody|none|never|not|no)\b|\b\w+n[’']t\b)"
    r"[^.;:!?]*$",
    re.IGNORECASE,
)
_PROMISES: dict[Language, re.Pattern[str]] = {
    "fr": re.compile(
        r"\bcertaine?\b(?<!\bun certain)(?<!\bune certaine)|\bcertaine?s\b(?=\s*(?:$|[.,;:!?]))"
        r"|\bcertainement\b"
        r"|à coup sûr|sans (?:aucun |nul )?(?:doute|risque)s?\b|\b(?:aucun|nul|zéro) (?:risque|doute)\b"
        r"|\bgaranti\w*"
        r"|\binfaillibles?\b|\bassurée?s?\b(?= (?:de|d[’'])|\s*(?:$|[.,;:!?]))|\bimmanquablement\b"
        r"|\binévitable\w*",
        re.IGNORECASE,
    ),
    "en": re.compile(
        r"\bcertain\b(?<!\ba certain)(?!\s+\w+s\b)|\bcertain(?:ly|ty)\b|\bguarante\w+|\brisk[- ]?free\b"
        r"|\bsure(?:ly| thing)\b"
        r"|\b(?:for|make) sure\b|\bwithout (?:any )?(?:risk|doubt)s?\b|\b(?:no|zero) (?:risk|doubt)\b"
        r"|\bsafe bet\b"
        r"|\bfoolproof\b|\b(?:cannot|can[’']t) (?:lose|fail)\b|\binevitabl\w+|\bno[- ]brainer\b",
        re.IGNORECASE,
    ),
}
_DEBT: dict[Language, re.Pattern[str]] = {
    "fr": re.compile(
        r"\bemprunt(?:er|ez|ant|ée?s?)\b|\b(?:un|l[’']|votre|par) ?emprunt\b(?! (?:d[’']État"
        r"|obligataire))|\bà crédit\b"
        r"|\bcrédits? (?:à la consommation|bancaires?|lombard)|\bprêts? (?:bancaires?|personnels?"
        r"|immobiliers?)"
        r"|\b(?:un|d[’']un|votre) (?:prêt|crédit)\b|\bleviers?\b|\bsur marge\b|\bendett\w+"
        r"|\bà découvert\b|\bdette\b",
        re.IGNORECASE,
    ),
    "en": re.compile(
        r"\bborrow\w*|\bleverag\w*|\b(?:on|a|use|using) margin\b|\bmargin (?:account|loan|debt)\b"
        r"|\bloans?\b|\bon credit\b"
        r"|\bcredit line\b|\binto debt\b|\bindebted\b|\bshort[- ]sell\w*|\bsell short\b|\bmortgag\w+",
        re.IGNORECASE,
    ),
}
_WARNED = re.compile(
    r"(?:\b(?:ne pas|ne jamais|n[’']|ni|sans|pas|jamais|aucune?|évite[rz]|exclu\w*|without|not|never|no"
    r"|avoid\w*"
    r"|neither|nor)|\b\w+n[’']t)[ \u00a0]?(?:(?:d[’']|de |du |l[’']|le |la |les |un |une |tout "
    r"|recourir |recours |à |au "
    r"|aux |utiliser |user |effet de |effet |the |any |use |using |employ |of |with |more |to |take "
    r"|taking |out |a |on |buy "
    r"|go |an |acheter |investir |s[’'])\s?)*$",
    re.IGNORECASE,
)
"""« Sans emprunter » warns; so does "never use leverage"."""

_LACK = (
    r"manqu\w+|absen\w+|incompl\w+|périmée?s?|en retard|insuffisan\w+|peu fiables?|obsolètes?|compléter"
    r"|autres?|recoup\w+"
    r"|missing|incomplete|stale|late|outdated|insufficient|unreliable|lack\w*|other|another"
    r"|cross-check\w*|scarce"
)
_DATA = r"données|sources?|agents?|fichiers?|couverture|data|feeds?|files?|coverage"
_GAP = re.compile(rf"\b(?:{_LACK})\b.*\b(?:{_DATA})\b|\b(?:{_DATA})\b.*\b(?:{_LACK})\b", re.IGNORECASE)
_BUYS = re.compile(
    r"(?:achet|renforc|accroît|augment|investi[rs]|ajout|buy|add|increas|accumulat|invest)\w*", re.IGNORECASE
)
_SELLS = re.compile(r"(?:vend|allég|rédui|céde[rz]|liquid|sell|reduc|trim|exit|cut)\w*", re.IGNORECASE)


def recommendation_errors(
    draft: Draft, instruments: Forecasted, known: Known, words: Words
) -> dict[int, list[str]]:
    """What is wrong with each recommendation, by its place.

    Args:
        draft: the arbiter's answer, its outlooks within reach of the weighted mean.
        instruments: what is forecast, as `policies.instruments` gives it.
        known: what a sentence may name.
        words: language that was asked for.
    """
    found: dict[int, list[str]] = {}
    before: list[Proposal] = []
    for place, one in enumerate(draft["recommendations"]):
        errors = [
            words(f"ensemble.check.{code}", **fields)
            for code, fields in (
                *_against_others(one, before, words),
                *_against_views(one, draft, instruments, words),
                *_in_words(one, known, words),
            )
        ]
        if errors:
            head = words("ensemble.check.recommendation", place=place + 1, text=one["sentence"])
            found[place] = [f"{head} {error}" for error in errors]
        else:
            before.append(one)  # what is refused contradicts nobody
    return found


def is_data_gap(sentence: str) -> bool:
    """Whether a sentence is about what the data lack: that is a limit, nothing to do."""
    return _GAP.search(sentence) is not None


_Found = list[tuple[str, dict[str, str]]]
"""What is wrong, and what its text `ensemble.check.<code>` shows."""


def _against_others(one: Proposal, before: Sequence[Proposal], words: Words) -> _Found:
    found: _Found = []
    for other in before:
        if _bare(other["sentence"]) == _bare(one["sentence"]):
            found.append(("duplicate", {}))
        elif other["instrument"] == one["instrument"]:
            if other["act"] == one["act"]:
                found.append(("duplicate", {}))
            elif {other["act"], one["act"]} not in _AGREE:
                acts = {
                    "act": words(f"ensemble.act.{one['act']}"),
                    "other": words(f"ensemble.act.{other['act']}"),
                }
                found.append(("contradiction", {**acts, "symbol": instrument(one["instrument"], words)}))
    return found[:1]


def _against_views(one: Proposal, draft: Draft, instruments: Forecasted, words: Words) -> _Found:
    """An act against the instrument's own forecast over its horizon, or, where it has none, the outlook."""
    outlook, forecast = _AGAINST.get(one["act"], ("", ""))
    own = instruments.get(one["instrument"], {}).get(one["horizon"])
    over = words(f"ensemble.horizon.{one['horizon']}")
    act = words(f"ensemble.act.{one['act']}")
    if own is not None and one["instrument"] != GENERAL:
        if own["prediction"] != forecast:
            return []
        expected = words(f"ensemble.expected.{forecast}")
        symbol = instrument(one["instrument"], words)
        return [("against_forecast", {"act": act, "symbol": symbol, "horizon": over, "expected": expected})]
    (name,) = (name for name, horizon in OUTLOOKS.items() if horizon == one["horizon"])
    if draft[name] != outlook:
        return []
    return [("against_outlook", {"act": act, "horizon": over, "outlook": words(f"ensemble.value.{outlook}")})]


def _in_words(one: Proposal, known: Known, words: Words) -> _Found:
    """What the sentences say that they must not."""
    found: _Found = []
    sentence, whole = one["sentence"], f"{one['sentence']} {one['reversal']}"
    if not (is_in(sentence, words.language) and is_in(whole, words.language)):
        return [("language", {})]
    for language in _PROMISES:  # a sentence may slip into the other language for a word
        for pattern, warned, code in (
            (_PROMISES[language], _NEGATED, "promise"),
            (_DEBT[language], _WARNED, "borrowing"),
        ):
            for match in pattern.finditer(whole):
                # Both languages have "certain", each with harmless uses of its own.
                foreign = language != words.language and match[0].casefold().startswith("certain")
                if not foreign and not warned.search(whole[: match.start()]):
                    found.append((code, {"found": match[0]}))
    if is_data_gap(sentence):
        found.append(("data_gap", {}))
    buys, sells = _BUYS.match(sentence) is not None, _SELLS.match(sentence) is not None
    if (buys and one["act"] not in ("add", "hedge")) or (sells and one["act"] not in ("reduce", "hedge")):
        found.append(("other_act", {"act": words(f"ensemble.act.{one['act']}")}))
    named = named_in(sentence, known)
    if one["instrument"] != GENERAL and named and one["instrument"] not in named:
        found.append(("other_instrument", {"symbol": instrument(one["instrument"], words)}))
    strange = [*strangers(sentence, known, "proposal"), *strangers(one["reversal"], known, "condition")]
    if strange:
        found.append(("strange", {"found": ", ".join(strange)}))
    return found


def _bare(sentence: str) -> str:
    return " ".join(re.findall(r"\w+", sentence.casefold()))
