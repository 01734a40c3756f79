"""The reference page of the strategy language says what the code does."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from backtest import StrategySpec
from backtest.language.functions import FUNCTIONS, SERIES, usage
from nodes.optimization.changes import CHANGE, apply_change
from nodes.optimization.trials.approval import Edit
from tests.prices import made_up_prices
from threadx.commands.edits import CHANGES, example

DOCS = Path(__file__).resolve().parents[1] / "docs"


def builder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_language", DOCS / "build_language.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


BUILDER = builder()
PAGE = (DOCS / "language.md").read_text(encoding="utf-8")


def test_the_tables_are_those_of_the_code() -> None:
    for path, blocks in BUILDER.PAGES.items():
        page = path.read_text(encoding="utf-8")
        assert BUILDER.built(page, blocks) == page, "run `make docs`"


def test_every_function_and_series_is_told() -> None:
    assert not [name for name in FUNCTIONS if f"| `{usage(name)}` |" not in PAGE]
    assert set(BUILDER.FACTS["series"]) == set(SERIES)


def test_every_refusal_told_has_a_text() -> None:
    for code in BUILDER.STATIC:
        assert BUILDER.text_of(code)


def test_the_examples_run() -> None:
    found: dict[str, Any] = {"df": made_up_prices(3_000, drift=0.001), "btc": made_up_prices(3_000, seed=9)}
    found["sentiment"] = found["btc"]["close"].rank(pct=True) * 100.0
    for snippet in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(snippet, found)
    assert found["result"].metrics.n_trades > 0
    assert found["table"]["n_trades"].gt(0).all()
    assert found["calm"].metrics.n_trades > 0
    assert found["followed"].metrics.n_trades > 0
    assert all(one.metrics.n_trades > 0 for one in (*found["gates"], *found["orders"]))
    assert set(found["orders"][1].trades["side"]) == {"long", "short"}
    assert {"stop", "target"} <= set(found["swings"].trades["exit_reason"])
    assert {"partial_target", "target"} <= set(found["steps"].trades["exit_reason"])
    assert len(found["tables"]) == 9


def test_every_kind_of_change_has_an_example() -> None:
    assert set(CHANGES) == set(CHANGE.json_schema()["discriminator"]["mapping"])
    assert all(f"```json\n{example(kind)}\n```" in PAGE for kind in CHANGES)


@pytest.mark.parametrize("kind", CHANGES)
def test_an_example_of_a_change_is_taken_and_changes_something(kind: str) -> None:
    edit = Edit.model_validate({"proposal": 1, "change": json.loads(example(kind))})
    assert edit.change.kind == kind
    spec = StrategySpec.preset("ma_crossover", stop_loss_pct=2).with_filter("adx(14) > 25")
    if kind == "add_filter":
        spec = StrategySpec.preset("ma_crossover")
    assert edit.change.grid(spec) or apply_change(spec, edit.change).hash != spec.hash
