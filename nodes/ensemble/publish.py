"""Node `publish`: removes what was invented, adds what code knows, validates, writes the hour."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal, TypeVar, cast

from langgraph.config import get_config
from langgraph.runtime import Runtime

from base.files import write_text_atomically
from feeds.news import GENERAL
from nodes.ensemble.agents import AGENTS
from nodes.ensemble.changes import changes_between, last_published
from nodes.ensemble.check import SENTENCES, sentence_errors, summary_facts
from nodes.ensemble.claims.limits import Removed, known_limits
from nodes.ensemble.claims.recommendations import is_data_gap, recommendation_errors
from nodes.ensemble.context import EnsembleContext
from nodes.ensemble.operation import run_log
from nodes.ensemble.operation.lease import lease_of
from nodes.ensemble.operation.partition import write_hour
from nodes.ensemble.operation.run_events import note
from nodes.ensemble.policies.arbiter import arbiter_policy, cite, contributors, tensions
from nodes.ensemble.policies.evidence import arbiter_evidence, candidates
from nodes.ensemble.policies.instruments import ROUND_TRIP, TRADES, instruments_of
from nodes.ensemble.policies.pooling import QUORUM, factors, pool
from nodes.ensemble.schemas import DAYS, LLMEnsembleSummary
from nodes.ensemble.scores.memory import memories
from nodes.ensemble.scores.stances import ARBITER, keep_stances, stances_of
from nodes.ensemble.state import Answer, Consultation, EnsembleState, Message, reports_of
from nodes.ensemble.types import Contributor, Draft, Memory, Proposal, Recommendation, Trace, TraceRun
from prompts import Words
from record.events import EnsembleFinished
from record.record import RunRecord, canonical_json

T = TypeVar("T")

_MOST_LIMITS = 20
_FEWEST = 3


def publish(state: EnsembleState, runtime: Runtime[EnsembleContext]) -> EnsembleState:
    """Write summary and trace whole; without a draft nothing can be said and no hour is written.

    Raises:
        PublishError: the hour cannot be written, or another process has taken this run's lock over; no half
            of a summary is left.
    """
    if (lease := lease_of(get_config())) is not None:
        lease.require()
    context = EnsembleContext.of(runtime.context)
    draft, turns = state["draft"], [state["agents"][name] for name in AGENTS]
    found: EnsembleState
    if draft is None:
        found = {
            "status": "failed",
            "degraded": True,
            "failure": state["arbiter"]["code"],
            "summary": None,
            "summary_path": None,
            "stances": None,
        }
        _close(state, context, found)
        return found
    pooled = pool(reports_of(state), factors(state["evidence"]["quality"]), state["record"])
    stances = stances_of(state, pooled, made=datetime.now(UTC), back_run=context.back_run)
    memory = memories(stances)
    summary, removed = finished(state, draft, Words(context.language), memory)
    summary = _compared(summary, state, context)
    degraded = any(turn["degraded"] for turn in (*turns, state["arbiter"]))
    speaking = sum(turn["status"] == "answered" for turn in turns)
    status: Literal["degraded", "finished"] = "degraded" if degraded or speaking < QUORUM else "finished"
    content = summary.model_dump(mode="json")
    hour = datetime.fromisoformat(state["hour"])
    trace: Trace = {
        "run": {
            "run": state["run"],
            **_parent(state, context),
            "hour": state["hour"],
            "language": context.language,
            "sample": state["sample"],
            "memory": memory,
            "status": status,
            "degraded": degraded,
            "speaking": speaking,
            "removed_contributors": removed.rows,
            "removed_sentences": removed.sentences,
            "completed": removed.completed,
        },
        "inputs": {
            "evidence": state["evidence"],
            "coverage": state["coverage"],
            "record": state["record"],
            "notices": state["notices"],
            "instruments": instruments_of(state),
        },
        "pooled": pooled,
        "stances": stances,
        "messages": [_message(turn) for turn in (*turns, *state["turns"])],
        "raw": [_raw(turn) for turn in (*turns, *state["turns"])],
    }
    path = write_hour(context.home_path, hour, content, trace, compact=context.back_run)
    if not state["sample"]:  # 2018 must not pass for a forecast of today
        keep_stances(context.home_path, stances)
    found = {
        "status": status,
        "degraded": degraded,
        "failure": "",
        "summary": content,
        "summary_path": str(path),
        "stances": stances,
    }
    _close(state, context, found)
    return found


def finished(
    state: EnsembleState, draft: Draft, words: Words, memory: Memory | None
) -> tuple[LLMEnsembleSummary, Removed]:
    """The draft without inventions, completed from the evidence where too little is left.

    Args:
        state: of the graph.
        draft: the arbiter's.
        words: of the reader.
        memory: what the models of the hour may remember (`scores.memory.memories`).
    """
    invented = {name: set(places) for name, places in state["invented"].items()}

    def kept(field: str, given: Sequence[T]) -> list[T]:
        return [one for place, one in enumerate(given) if place not in invented.get(field, ())]

    named = invented.get("rationale", ())
    rows = kept(
        "contributors",
        [
            _own_rationale(row, words) if place in named else row
            for place, row in enumerate(draft["contributors"])
        ],
    )
    drivers = kept("key_drivers", draft["key_drivers"])
    advised = kept("recommendations", draft["recommendations"])
    completed = 0
    if len(rows) < _FEWEST:
        whole = contributors(candidates(state["evidence"]), words, rows)
        completed += len(whole) - len(rows)
        rows = whole
    if min(len(drivers), len(advised)) < _FEWEST:
        completed += _complete(drivers, advised, draft, state, words)
    removed = Removed(
        rows=len(invented.get("contributors", ())),
        sentences=sum(len(invented.get(name, ())) for name in (*SENTENCES, "recommendations", "rationale")),
        completed=completed,
    )
    # Last of all, and by code: what the check and every model have seen holds no headline.
    quoted = {
        bare: full
        for agent in AGENTS.values()
        for bare, full in agent.quoted({**state["evidence"], "language": words.language}).items()
    }
    known = known_limits(state, words, removed, memory)
    told = [limit.text for limit in known]
    refused = [draft["recommendations"][place] for place in sorted(invented.get("recommendations", ()))]
    gaps = [one["sentence"] for one in refused if is_data_gap(one["sentence"])]
    own = [sentence for sentence in (*kept("limits", draft["limits"]), *gaps) if sentence not in told]
    fields = {
        "key_drivers": [quoted.get(sentence, sentence) for sentence in drivers],
        "tensions": kept("tensions", draft["tensions"]) or tensions(reports_of(state), words),
        "contributors": rows,
        "limits": [*told, *own][:_MOST_LIMITS],
        "limit_codes": [limit.code for limit in known],
        "recommendations": [one["sentence"] for one in advised],
        "recommendation_details": [detailed(one, state) for one in advised],
    }
    return LLMEnsembleSummary.model_validate({**draft, **fields}), removed


def _compared(
    summary: LLMEnsembleSummary, state: EnsembleState, context: EnsembleContext
) -> LLMEnsembleSummary:
    """The summary with the alerts of now and what has changed since the one published before."""
    home, hour = context.home_path, datetime.fromisoformat(state["hour"])
    alerts = () if context.back_run else run_log.statistics(home).alerts
    told = summary.model_copy(update={"alerts": [alert.code for alert in alerts]})
    if (last := last_published(home, hour, sample=state["sample"])) is None:
        return told
    before, earlier = last
    found = {"since": before.isoformat(), "changes": changes_between(earlier, told)}
    return LLMEnsembleSummary.model_validate({**told.model_dump(), **found})


def detailed(proposal: Proposal, state: EnsembleState) -> Recommendation:
    """A proposal with its end date, the move that is forecast, its costs and its voice's record."""
    symbol, horizon = proposal["instrument"], proposal["horizon"]
    known = instruments_of(state)
    voice = ARBITER if symbol == GENERAL or not known.get(symbol) else "technical"
    record = state["scored"].get(voice) if "scored" in state else None
    until = datetime.fromisoformat(state["hour"]) + timedelta(days=DAYS[horizon])
    expected = known.get(symbol, {}).get(horizon)
    return {
        **proposal,
        "until": f"{until:%Y-%m-%d}",
        "expected_move": None if expected is None else expected["expected_return"],
        "costs": ROUND_TRIP if proposal["act"] in TRADES else 0.0,
        "voice": voice,
        "skill": record["skill"] if record and record["windows"] else None,
        "windows": record["windows"] if record else 0,
    }


def _own_rationale(row: Contributor, words: Words) -> Contributor:
    """A contributor whose reason named something nobody gave keeps its row, with the program's reason."""
    return {**row, "rationale": cite(row, words)["rationale"]}


def _complete(
    drivers: list[str], advised: list[Proposal], draft: Draft, state: EnsembleState, words: Words
) -> int:
    """Fill drivers and advice up with the program's own, which rest on the same evidence."""
    reports = reports_of(state)
    pooled = pool(reports, factors(state["evidence"]["quality"]), state["record"])
    known, advisable = summary_facts(state, words), instruments_of(state)
    policy = arbiter_policy(arbiter_evidence(state["evidence"], reports, pooled, advisable, words.language))
    own = cast(Draft, policy.model_dump(mode="json"))
    # A report's own sentence may be worded by a model: here only what passes the same check.
    bad = sentence_errors({**own, "limits": [], "tensions": []}, known, words)
    added = 0
    for place, sentence in enumerate(own["key_drivers"]):
        if len(drivers) >= _FEWEST:
            break
        if ("key_drivers", place) not in bad and sentence not in drivers:
            drivers.append(sentence)
            added += 1
    for one in own["recommendations"]:
        if len(advised) < _FEWEST:
            tried: Draft = {**draft, "recommendations": [*advised, one]}
            if not recommendation_errors(tried, advisable, known, words):
                advised.append(one)
                added += 1
    return added


def _parent(state: EnsembleState, context: EnsembleContext) -> TraceRun:
    """Where a fork comes from."""
    parent = RunRecord(context.home_path, state["run"]).about().get("parent") if state["run"] else None
    return {"parent": parent} if parent else {}


def _close(state: EnsembleState, context: EnsembleContext, found: EnsembleState) -> None:
    """The run's result and last event, and its line in the log of runs; none of it for a back-run."""
    if not state["run"]:
        return
    result = {
        "run": state["run"],
        **_parent(state, context),
        "graph": "ensemble",
        "hour": state["hour"],
        **found,
    }
    folder = RunRecord(context.home_path, state["run"]).folder
    write_text_atomically(folder / "result.json", canonical_json(result))
    note(
        state,
        context,
        "finished",
        "publish",
        EnsembleFinished(
            status=found["status"],
            degraded=found["degraded"],
            failure=found["failure"],
            summary_path=found["summary_path"],
        ),
    )
    run_log.append_run(
        context.home_path, run_log.run_line(state, found, seconds=max(time.time() - state["began"], 0.0))
    )


def _message(turn: Consultation) -> Message:
    return {"role": turn["role"], "status": turn["status"], "prompt": turn["prompt"]}


def _raw(turn: Consultation) -> Answer:
    return {
        "role": turn["role"],
        "status": turn["status"],
        "code": turn["code"],
        "degraded": turn["degraded"],
        "coverage": turn["coverage"],
        "report": turn["report"],
        "brought_back": turn["brought_back"],
        "said": turn["said"],
        "provenance": turn["provenance"],
    }
