"""The arbiter without a model: the pooled arithmetic, put into the summary's own words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from feeds.news import GENERAL
from nodes.ensemble.agent import Citation
from nodes.ensemble.agents import AGENTS, VIEWS, WEIGHED
from nodes.ensemble.policies.instruments import ROUND_TRIP
from nodes.ensemble.policies.pooling import OUTLOOKS, agreements, clashes, direction
from nodes.ensemble.policies.words import HIGH, LOW, MEDIUM, UNCERTAIN, agent_name, opened
from nodes.ensemble.schemas import Act, ArbiterAnswer, Size
from nodes.ensemble.types import ArbiterEvidence, Candidate, Expected, Outlook, Proposal, Report, Sourced
from nodes.ensemble.types import Contributor as Cited
from prompts import Words
from reports.tables import instrument

_CITED: dict[str, Citation[Any]] = {
    agent.cites.source: agent.cites for agent in WEIGHED if agent.cites is not None
}
"""How rows are cited, by their source, in the order of the agents' weights."""

_MOST_ADVICE, _MOST_TRADES = 4, 2

_TELLING = (*VIEWS, *(agent.name for agent in WEIGHED if agent.name not in VIEWS))
"""Agents in the order in which a summary tells what they say: views on markets, then doubts about data."""


def arbiter_policy(evidence: ArbiterEvidence) -> ArbiterAnswer:
    """Reconcile the agents' reports by the pooled view."""
    words = Words(evidence["language"])
    reports, pooled = evidence["reports"], evidence["pooled"]
    outlook = {name: direction(pooled[name]) for name in OUTLOOKS}
    economy = next((report for report in reports.values() if "regime" in report), None)
    return ArbiterAnswer.model_validate(
        {
            "regime": economy["regime"] if economy else UNCERTAIN,
            "risk_level": _risk(economy, pooled["outlook_days_30"]),
            **outlook,
            "key_drivers": _drivers(evidence, words),
            "contributors": contributors(evidence["candidates"], words),
            "limits": [],
            "recommendations": _recommendations(evidence, outlook["outlook_days_30"], words),
            "tensions": tensions(reports, words),
        }
    )


def contributors(rows: list[Candidate], words: Words, known: list[Cited] | None = None) -> list[Cited]:
    """Rows worth citing, the strongest of each source, a year's last, beside those already cited."""
    cited = {(row["source"], row["symbol"], row["horizon"]) for row in known or []}
    found = list(known or [])
    for source, citation in _CITED.items():
        fresh = [
            row
            for row in rows
            if row["source"] == source and (row["source"], row["symbol"], row["horizon"]) not in cited
        ]
        # A year's forecasts are the surest, and say least of the weeks that are judged.
        way = 1.0 if citation.weakest_first else -1.0
        fresh.sort(key=lambda row: (row["horizon"] == "1y", way * row["score"]))
        found += [cite(row, words) for row in fresh[: citation.most]]
    if len(found) < 3:  # few sources: the rest of quality's rows make up the number
        cited = {(row["source"], row["symbol"], row["horizon"]) for row in found}
        rest = [row for row in rows if (row["source"], row["symbol"], row["horizon"]) not in cited]
        found += [cite(row, words) for row in rest[: 3 - len(found)]]
    return found[:12]


def cite(row: Sourced, words: Words) -> Cited:
    """A row as a contributor, with a rationale in the catalogue's words."""
    return {
        "source": row["source"],
        "model": row["model"],
        "horizon": row["horizon"],
        "symbol": row["symbol"],
        "score": row["score"],
        "prediction": row["prediction"],
        "rationale": opened(_CITED[row["source"]].rationale(row, words)),
    }


def _risk(economy: Report | None, stance: Mapping[str, float]) -> str:
    """The economy's risk, one step higher where the pool is clearly negative."""
    level = economy["risk_level"] if economy else MEDIUM
    if direction(stance) != "negative":
        return str(level)
    return MEDIUM if level == LOW else HIGH


def _drivers(evidence: ArbiterEvidence, words: Words) -> list[str]:
    """Where agents agree, each one's first reasons in the order of weights, what quality doubts."""
    reports = evidence["reports"]
    found = _agreement(reports, words)[:1]
    for place, agent in enumerate(_TELLING):
        report: Report = reports.get(agent, {})
        reasons = report.get("drivers") or report.get("concerns") or []
        found += [reason["text"] for reason in reasons[: 1 if place else 2 - len(found)]]
    spare = [driver["text"] for report in reports.values() for driver in report.get("drivers", [])]
    spare += [cite(row, words)["rationale"] for row in evidence["candidates"]]
    for sentence in spare:
        if len(found) >= 4:
            break
        if sentence not in found:
            found.append(sentence)
    return found[:5]


def _agreement(reports: Mapping[str, Report], words: Words) -> list[str]:
    """One sentence for each direction that two or more agents see, horizons taken together."""
    together: dict[tuple[str, tuple[str, ...]], list[Outlook]] = {}
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


def _horizons(outlooks: Sequence[Outlook], words: Words) -> str:
    return words.join([words(f"ensemble.horizon.{OUTLOOKS[outlook]}") for outlook in outlooks])


def tensions(reports: Mapping[str, Report], words: Words) -> list[str]:
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


def _recommendations(evidence: ArbiterEvidence, outlook: str, words: Words) -> list[Proposal]:
    """What follows from the pool, forecasts worth their costs, contradictions and the most telling rows."""
    rows, reports, known = evidence["candidates"], evidence["reports"], evidence["instruments"]
    wanted = {"positive": "haussier", "negative": "baissier", "neutral": "neutre"}[outlook]
    agreeing = list(
        dict.fromkeys(
            row["symbol"]
            for row in rows
            if _CITED[row["source"]].instruments
            and row["horizon"] == "30d"  # the outlook that is advised on
            and row["prediction"] == wanted
        )
    )
    trades = [
        symbol
        for symbol in agreeing
        if outlook != "neutral" and _pays(known.get(symbol, {}).get("30d"), wanted)
    ][:_MOST_TRADES]
    # Who has advice of its own is not named twice.
    rest = [symbol for symbol in agreeing if symbol not in trades]
    named = words.join([instrument(symbol, words) for symbol in rest[:3]])
    pooled = {name: words.percent(share, 0) for name, share in evidence["pooled"]["outlook_days_30"].items()}
    key = f"advice_{outlook}" if named or outlook == "neutral" else f"advice_{outlook}_market"
    sentence = opened(words(f"ensemble.rules.{key}", symbols=named, **pooled))
    turned = words(f"ensemble.rules.turned_{outlook}")
    found = [_proposal("wait" if outlook == "negative" else "keep", sentence, turned, size="medium")]
    act: Act = "add" if outlook == "positive" else "reduce"
    for symbol in trades:
        told = words(f"ensemble.rules.advice_{act}", symbol=instrument(symbol, words))
        found.append(_proposal(act, opened(told), words("ensemble.rules.turned_forecast"), symbol))
    if tension := clashes(reports):
        bull, bear = next(iter(tension))
        agents = {"bull": agent_name(bull, words), "bear": agent_name(bear, words)}
        sentence = words("ensemble.rules.advice_tension", **agents)
        found.append(_proposal("wait", sentence, words("ensemble.rules.turned_tension", **agents)))
    for name in _TELLING:
        citation = AGENTS[name].cites
        cited = [row for row in rows if citation is not None and row["source"] == citation.source]
        if citation is not None and cited and (advice := citation.advice(cited, evidence, words)):
            about = (row["symbol"] for row in cited if instrument(row["symbol"], words) in advice)
            symbol = next((one for one in about if one in known), GENERAL)
            found.append(_proposal("wait", opened(advice), words("ensemble.rules.turned_rows"), symbol))
    always: tuple[Act, ...] = ("hedge", "wait", "keep")
    for act in always:
        sentence = words(f"ensemble.rules.advice_{act}_always")
        found.append(_proposal(act, sentence, words("ensemble.rules.turned_next")))
    once: dict[tuple[str, str], Proposal] = {}
    for one in found:  # a second of the same act and instrument would say the same twice
        once.setdefault((one["act"], one["instrument"]), one)
    return list(once.values())[:_MOST_ADVICE]


def _proposal(
    act: Act, sentence: str, reversal: str, symbol: str = GENERAL, size: Size = "small"
) -> Proposal:
    return {
        "act": act,
        "instrument": symbol,
        "horizon": "30d",
        "size": size,
        "sentence": sentence,
        "reversal": reversal,
    }


def _pays(forecast: Expected | None, wanted: str) -> bool:
    """Whether a forecast goes the wanted way, and farther than buying and selling again would cost."""
    move = forecast["expected_return"] if forecast and forecast["prediction"] == wanted else None
    return move is not None and abs(move) > ROUND_TRIP
