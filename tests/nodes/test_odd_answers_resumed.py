"""Odd answers on record: a run that died after it had them, taken up again, and repeated; in both graphs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver

import threadx
from graphs.ensemble import graph as ensemble
from graphs.optimization import graph as optimization
from nodes.context import OptimizationContext
from nodes.ensemble.context import EnsembleContext
from nodes.seam.ask import _Asking
from record.record import RunRecord
from tests.laws import some
from tests.optimization_runs import ALL_RULES, dataset_reference
from tests.partitions import AS_OF, fill
from tests.prices import made_up_prices
from tests.providers.test_extraction import REFUSED
from tests.scripted import scripted_models

pytestmark = pytest.mark.long

NAMES = some([*REFUSED], [*REFUSED][1::3])
"""Of the odd answers, without the one that takes long to read as often as it is asked for here;
`tests.test_odd_answers` gives every one of them to every way of asking."""

CHAIN = tuple(f"ollama:m{place}" for place in range(len(NAMES)))
SAID = {model: REFUSED[name] for model, name in zip(CHAIN, NAMES, strict=True)}
"""Each model gives one odd answer, and gives it again whenever it is asked to try anew."""


class Gone(Exception):
    """The process has died."""


def optimized(home: Path) -> tuple[Any, Any, Any]:
    data = dataset_reference(home, made_up_prices(300, cycle=0.05))
    settings = {
        **ALL_RULES,
        "max_iterations": 1,
        "use_debate": False,
        "search": "single",
        "analyst": (*CHAIN, "rules"),
    }
    return optimization, {"data": data, "run": "r"}, OptimizationContext(home=str(home), **settings)


def summarized(home: Path) -> tuple[Any, Any, Any]:
    fill(home)
    settings = {"models": "rules", "arbiter": (*CHAIN, "rules")}
    return ensemble, {"as_of": AS_OF.isoformat()}, EnsembleContext(home=str(home), **settings)


@pytest.mark.parametrize("made", [optimized, summarized])
def test_odd_answers_on_record_are_refused_as_they_were_and_nobody_is_asked_twice(
    made: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph, given, context = made(tmp_path)
    script = scripted_models(monkeypatch, {name: [text] * 6 for name, (text, _) in SAID.items()})
    kept = graph.copy(update={"checkpointer": InMemorySaver()})
    thread: Any = {"configurable": {"thread_id": "t"}, "recursion_limit": 100}
    rules = _Asking.rules

    def dies(asking: Any) -> Any:
        if asking.calls.attempts:
            raise Gone
        return rules(asking)

    with monkeypatch.context() as death:
        death.setattr(_Asking, "rules", dies)
        with pytest.raises(Gone):
            kept.invoke(given, thread, context=context)
    asked = len(script.order)
    assert asked >= len(CHAIN)
    found = kept.invoke(None, thread, context=context)
    # The ensemble keeps no calls: what it lost it asks for again.
    assert len(script.order) == asked * (1 if graph is optimization else 2)
    (folder,) = (tmp_path / "runs").iterdir()
    record = RunRecord(tmp_path, folder.name)
    assert record.result()["status"] in ("finished", "degraded")
    assert found.get("result") or found.get("summary")
    if graph is optimization:
        lines = map(json.loads, record.events_path.read_text(encoding="utf-8").splitlines())
        (answer,) = (line for line in lines if line["id"] == "i01.analyst.answer")
        attempts = answer["data"]["provenance"]["attempts"]
    else:
        attempts = found["arbiter"]["provenance"]["attempts"]
    codes = {attempt["model"]: attempt["code"] for attempt in attempts if attempt["model"] in SAID}
    # What the call itself refuses never comes to be read.
    called = {"nothing": "empty_answer", "a long decimal": "answer_too_large"}
    assert codes == {
        model: called.get(name, REFUSED[name][1]) for model, name in zip(CHAIN, NAMES, strict=True)
    }
    if graph is optimization:
        repeated = threadx.replay(folder.name, home=tmp_path)
        assert repeated.same, repeated.differences
