"""The arbiter without a model: the pooled arithmetic, put into the summary's own words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nodes.ensemble.policies.pooling import OUTLOOKS, agreements, clashes, direction
from nodes.ensemble.policies.words import HIGH, LOW, MEDIUM, UNCERTAIN, agent_name, instrument, opened
from nodes.ensemble.schemas import Contributor, LLMEnsembleSummary
from prompts import Words

Evidence = Mapping[str, Any]

_CITED = (("quality", 1), ("technique", 4), ("sentiment", 3), ("macro", 2))
"""Rows cited of each source, in the order of their weights."""


def arbiter_policy(evidence: Evidence) -> LLMEnsembleSummary:
    """Reconcile the agents' reports by the pooled view."""
    words = Words(evidence["language"])
    reports, pooled = evidence["reports"], evidence["pooled"]
    outlook = {name: direction(pooled[name]) for name in OUTLOOKS}
    macro = reports.get("macro")
    return LLMEnsembleSummary.model_validate(
        {
            "regime": macro["regime"] if macro else UNCERTAIN,
            "risk_level": _risk(macro, pooled["outlook_days_30"]),
            **outlook,
            "key_drivers": _drivers(evidence, words),
            "contributors": contributors(evidence["candidates"], words),
            "limits": [],
            "recommendations": _recommendations(evidence, outlook["outlook_days_30"], words),
            "tensions": tensions(reports, words),
        }
    )


def contributors(
    rows: list[dict[str, Any]], words: Words, known: list[dict[str, Any]] | None = None
) -> list[dict[str, Any]]:
    """Rows of evidence worth citing, the strongest of each source, beside those already cited."""
    cited = {(row["source"], row["symbol"], row["horizon"]) for row in known or []}
    found = list(known or [])
    for source, most in _CITED:
        fresh = [
            row
            for row in rows
            if row["source"] == source and (row["source"], row["symbol"], row["horizon"]) not in cited
        ]
        # Of quality the weakest source matters, of the others the strongest row.
        fresh.sort(key=lambda row: row["score"] if source == "quality" else -row["score"])
        found += [cite(row, words) for row in fresh[:most]]
    if len(found) < 3:  # few sources: the rest of quality's rows make up the number
        cited = {(row["source"], row["symbol"], row["horizon"]) for row in found}
        rest = [row for row in rows if (row["source"], row["symbol"], row["horizon"]) not in cited]
        found += [cite(row, words) for row in rest[: 3 - len(found)]]
    return found[:12]


def cite(row: Mapping[str, Any], words: Words) -> dict[str, Any]:
    """A candidate as a contributor, with a rationale in the catalogue's words."""
    source, prediction = row["source"], row["prediction"]
    name = f"rationale_{source}"
    if source == "macro":  # its score is the larger of recession or no recession
        name += "_risk" if prediction == "baissier" else "_calm"
    told = "tone" if source == "sentiment" else "expected"
    rationale = words(
        f"ensemble.rules.{name}",
        symbol=_name(row, words),
        horizon=words(f"ensemble.horizon.{row['horizon']}"),
        score=words.percent(row["score"], 0),
        prediction=words(f"ensemble.{told}.{prediction}"),
    )
    fields = {name: row[name] for name in Contributor.model_fields if name != "rationale"}
    return {**fields, "rationale": opened(rationale)}


def _name(row: Mapping[str, Any], words: Words) -> str:
    if row["source"] == "quality":
        return words(f"ensemble.source.{row['symbol']}")
    return instrument(row["symbol"], words)


def _risk(macro: Mapping[str, Any] | None, stance: Mapping[str, float]) -> str:
    """The economy's risk, one step higher where the pool is clearly negative."""
    level = macro["risk_level"] if macro else MEDIUM
    if direction(stance) != "negative":
        return str(level)
    return MEDIUM if level == LOW else HIGH


def _drivers(evidence: Evidence, words: Words) -> list[str]:
    """Where agents agree, each one's first reasons in the order of weights, what quality doubts."""
    reports = evidence["reports"]
    found = _agreement(reports, words)[:1]
    found += [driver["text"] for driver in reports.get("technical", {}).get("drivers", [])[: 2 - len(found)]]
    found += [driver["text"] for driver in reports.get("sentiment", {}).get("drivers", [])[:1]]
    found += [driver["text"] for driver in reports.get("macro", {}).get("drivers", [])[:1]]
    found += [concern["text"] for concern in reports.get("quality", {}).get("concerns", [])[:1]]
    spare = [driver["text"] for report in reports.values() for driver in report.get("drivers", [])]
    spare += [cite(row, words)["rationale"] for row in evidence["candidates"]]
    for sentence in spare:
        if len(found) >= 4:
            break
        if sentence not in found:
            found.append(sentence)
    return found[:5]


def _agreement(reports: Mapping[str, Any], words: Words) -> list[str]:
    """One sentence for each direction that two or more agents see, horizons taken together."""
    together: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for outlook, way, agents in agreements(reports):
        together.setdefault((way, tuple(agents)), []).append(outlook)
    return [
        words(
            f"ensemble.rules.agreement_{way}",
            agents=words.join([agent_name(agent, words) for agent in agents]),
            horizon=_horizons(outlooks, words),
        )
        for (way, agents), outlooks in together.items()
    ]


def _horizons(outlooks: list[str], words: Words) -> str:
    return words.join([words(f"ensemble.horizon.{OUTLOOKS[outlook]}") for outlook in outlooks])


def tensions(reports: Mapping[str, Any], words: Words) -> list[str]:
    """One sentence a pair of agents that contradict each other."""
    return [
        words(
            "ensemble.rules.tension",
            bull=agent_name(bull, words),
            bear=agent_name(bear, words),
            horizon=_horizons(outlooks, words),
        )
        for (bull, bear), outlooks in clashes(reports).items()
    ][:6]


def _recommendations(evidence: Evidence, outlook: str, words: Words) -> list[str]:
    """What follows from the pool, contradictions, the most telling rows and the weakest source."""
    rows, reports = evidence["candidates"], evidence["reports"]
    technique = [row for row in rows if row["source"] == "technique"]
    wanted = {"positive": "haussier", "negative": "baissier", "neutral": "neutre"}[outlook]
    agreeing = list(dict.fromkeys(row["symbol"] for row in technique if row["prediction"] == wanted))
    named = words.join([instrument(symbol, words) for symbol in agreeing[:3]])
    pooled = {name: words.percent(share, 0) for name, share in evidence["pooled"]["outlook_days_30"].items()}
    key = f"advice_{outlook}" if named or outlook == "neutral" else f"advice_{outlook}_market"
    found = [opened(words(f"ensemble.rules.{key}", symbols=named, **pooled))]
    if tension := clashes(reports):
        bull, bear = next(iter(tension))
        agents = {"bull": agent_name(bull, words), "bear": agent_name(bear, words)}
        found.append(words("ensemble.rules.advice_tension", **agents))
    tones = [row for row in rows if row["source"] == "sentiment" and row["prediction"] != "neutre"]
    if tones:
        strongest = max(tones, key=lambda row: row["score"])
        tone = words(f"ensemble.tone.{strongest['prediction']}")
        advice = words("ensemble.rules.advice_news", symbol=_name(strongest, words), tone=tone)
        found.append(opened(advice))
    economy = [row for row in rows if row["source"] == "macro"]
    if economy:
        row = economy[-1]
        odds = row["score"] if row["prediction"] == "baissier" else evidence["recession_prob"]
        horizon = words(f"ensemble.horizon.{row['horizon']}")
        found.append(words("ensemble.rules.advice_macro", odds=words.percent(odds, 0), horizon=horizon))
    weakest = min((row for row in rows if row["source"] == "quality"), key=lambda row: row["score"])
    source, trust = _name(weakest, words), words.percent(weakest["score"], 0)
    name = "quality" if 0.0 < weakest["score"] < 1.0 else "fresh" if weakest["score"] else "missing"
    found.append(words(f"ensemble.rules.advice_{name}", source=source, trust=trust))
    if len(found) < 3:
        found.append(words("ensemble.rules.advice_sources", agents=len(reports)))
    if len(found) < 3:
        found.append(words("ensemble.rules.advice_wait"))
    return found[:5]
