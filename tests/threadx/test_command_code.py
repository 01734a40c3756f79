"""A strategy's Python file at the command: backtested, tuned, kept with its run, and asked for again."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from backtest import ExpressionError, StrategySpec
from record.record import RunRecord
from tests.commands import threadx
from tests.prices import made_up_prices

MINE = """
import pandas as pd
from backtesting import Strategy
from backtesting.lib import crossover


class Mine(Strategy):
    n = 8
    bounds = {"n": (4, 30)}

    def init(self):
        print("what a strategy prints is no part of an answer")
        self.mean = self.I(lambda closes, n: pd.Series(closes).rolling(n).mean(), self.data.Close, self.n)

    def next(self):
        if crossover(self.data.Close, self.mean):
            self.buy(sl=0.995 * self.data.Close[-1])
        elif crossover(self.mean, self.data.Close):
            self.position.close()
"""


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    made_up_prices(700, cycle=0.05).to_csv(tmp_path / "TEST_1h.csv")
    (tmp_path / "mine.py").write_text(MINE, encoding="utf-8")
    return tmp_path / "mine.py", tmp_path / "TEST_1h.csv"


def called(tmp_path: Path, *arguments: Any) -> tuple[int, str, str]:
    return threadx(*arguments, "--home", tmp_path / "home", "--language", "en")


def test_a_file_among_the_arguments_is_the_strategy(tmp_path: Path, files: tuple[Path, Path]) -> None:
    mine, prices = files
    code, out, err = called(tmp_path, "backtest", mine, prices, "-p", "n=12", "--json", "-")
    assert code == 0, err
    told = json.loads(out)
    assert told["strategy"]["params"] == {"n": 12}
    assert told["strategy"]["param_bounds"]["n"]["high"] == 30
    assert {one["exit_reason"] for one in told["trades"]} >= {"signal", "stop"}
    code, again, _ = called(tmp_path, "backtest", prices, "-s", f"{mine}:Mine", "-p", "n=12", "--json", "-")
    assert json.loads(again) == told
    for arguments, wanted in (
        (("backtest", tmp_path / "gone.py", prices), "no strategy file"),
        (("backtest", f"{mine}:Yours", prices), "Yours"),
        (("backtest", mine, prices, "-p", "n=31"), "outside its bounds 4 to 30"),
        (("backtest", mine, prices, "--entry-long", "close > 1"), "entry_long"),
    ):
        code, _, err = called(tmp_path, *arguments)
        assert (code, err.count("\n")) == (2, 1)
        assert wanted in err


@pytest.mark.long
def test_a_run_keeps_the_source_and_is_repeated_only_with_it(
    tmp_path: Path, files: tuple[Path, Path]
) -> None:
    mine, prices = files
    roles = [part for role in ("analyst", "strategist", "validator") for part in (f"--{role}", "rules")]
    run = ("optimize", mine, prices, *roles, "--search", "single", "--max-iterations", "1", "--run", "r")
    code, out, _ = called(tmp_path, *run)
    assert code == 0, out
    record = RunRecord(tmp_path / "home", "r")
    assert (record.folder / "code" / "mine.py").read_text(encoding="utf-8") == MINE
    log = record.events_path.read_text(encoding="utf-8")
    assert {int(one) for one in re.findall(r'"n": ?(\d+)', log)} > {8}  # its own parameter was tuned
    # In a process that does not know the code: named as what it lacks; with it, the same to the byte.
    environment = {**os.environ, "THREADX_HOME": str(tmp_path / "home"), "THREADX_LANGUAGE": "en"}
    command = [sys.executable, "-m", "threadx"]
    alone = subprocess.run(
        [*command, "runs", "replay", "r"], env=environment, capture_output=True, encoding="utf-8"
    )
    assert (alone.returncode, "--plugin FILE.py" in alone.stderr) == (2, True)
    given = subprocess.run(
        [*command, "--plugin", str(mine), "runs", "replay", "r"],
        env=environment,
        capture_output=True,
        encoding="utf-8",
    )
    assert given.returncode == 0, given.stdout + given.stderr


def test_a_strategy_whose_code_is_not_there_says_so() -> None:
    with pytest.raises(ExpressionError) as raised:
        StrategySpec(name="x", entry_long="mine_0123abcd_entry_long(8) > 0")
    assert raised.value.code == "unknown_code"
    assert "--plugin FILE.py" in raised.value.sentence("en")
