"""Hostile input ends typed and soon: the first cases of `benchmarks.hostile`, which counts a million."""

from __future__ import annotations

import json
import logging
import math
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from backtest.data.times import read_times
from backtest.errors import ExpressionError, PriceError
from backtest.language.parser import LONGEST_EXPRESSION, parse
from backtest.strategy import StrategySpec
from base.errors import TypedError
from base.json_files import DEEPEST, LARGEST
from benchmarks.fuzz import Pages, Reader, functions, made, readers, smallest, tried
from benchmarks.hostile import KINDS, case, count
from threadx.command import main
from vault.errors import MarketError

CASES = {"expressions": 300, "strategies": 150, "prices": 25, "answers": 100}


@pytest.mark.filterwarnings("ignore")  # what pandas says of dates that are none
@pytest.mark.parametrize("kind", KINDS)
def test_hostile_input_ends_typed(kind: str) -> None:
    found = count(partial(case, kind), range(1_000_000, 1_000_000 + CASES[kind]))
    assert found.seeds == {}
    assert found.codes


def test_fuzzing_finds_a_crash_again_by_its_seed_and_makes_it_smaller() -> None:
    def crashes(content: bytes) -> bool:
        return b"7" in content and b"x" in content

    def read(content: bytes) -> None:
        if crashes(content):
            raise KeyError(content)

    reader = Reader(corpus=[b'{"a": 7, "b": [1, "y"]}'], words=[b"x"], read=read, json="whole")
    found = tried(reader, range(300), math.inf)
    (seed,) = found.seeds.values()
    assert crashes(made(reader, seed))
    assert sorted(smallest(made(reader, seed), crashes)) == sorted(b"7x")
    assert found.untyped.total() < found.cases == 300


@pytest.mark.parametrize("kind", ["phrases", "csv", "settings"])
def test_a_reader_is_made_alone_and_the_rooms_that_guide_it_have_functions(kind: str, tmp_path: Path) -> None:
    ((made_kind, reader),) = readers(tmp_path, [kind]).items()
    assert made_kind == kind
    assert tried(reader, range(20), math.inf).untyped == {}
    for room in reader.rooms:
        assert len(functions((room,))) > 20, room


def test_a_page_that_fails_is_a_crash_whether_it_raises_or_writes_it_down() -> None:
    asked = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        asked.append((scope["method"], scope["path"], scope["query_string"], (await receive())["body"]))
        match scope["path"]:
            case "/raises":
                raise KeyError(1)
            case "/writes it down":
                try:
                    raise ValueError(2)
                except ValueError as error:
                    logging.getLogger("nicegui").exception(error)
            case "/refuses":
                logging.getLogger("nicegui").error("x", exc_info=MarketError("missing_file", path="x"))
        if scope["path"] != "/silent":
            await send({"type": "http.response.start", "status": 200, "headers": []})

    with closing(Pages(app)) as pages:
        pages.read(b"post /good%20one?a=%ff HTTP\n\nbody")  # no server hands on an address with a blank
        pages.read(b"post /good%20one?a=%ff\norigin: x\n\nbody")
        pages.read(b"GET /refuses")
        failing = {"raises": KeyError, "writes%20it%20down": ValueError, "silent": AssertionError}
        for address, error in failing.items():
            with pytest.raises(error):
                pages.read(f"GET /{address}".encode())
    assert asked[:2] == [("POST", "/good one", b"a=%ff", b"body"), ("GET", "/refuses", b"", b"")]


def test_half_an_offset_in_one_row_is_a_bad_time() -> None:
    with pytest.raises(PriceError) as caught:
        read_times(pd.Series(["2024-01-01 18:00:00", "2024-01-01 17:00:0-1"]))
    assert (caught.value.code, caught.value.fields["row"]) == ("bad_time", 2)


NESTED = {
    "lags": "close" + "[1]" * 600 + " > 1",
    "lags of lags": "close[" * 300 + "1" + "]" * 300 + " > 1",
    "minus signs": "-" * 900 + "close < 0",
    "parentheses": "(" * 900 + "close > 1" + ")" * 900,
    "calls": "sma(" * 300 + "close" + ", 2)" * 300 + " > 1",
    "a long sum": "close" + " + 1" * 450 + " > 1",
    "not": "not " * 450 + "close > 1",
    "timeframes": "daily rsi(" * 190 + "close > 1",
    "rising": "close" + " rising" * 280,
    "too long": "close > 1 or " * 200 + "close > 2",
}


@pytest.mark.parametrize("text", NESTED.values(), ids=NESTED.keys())
def test_what_is_nested_too_deeply_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert 1 <= caught.value.fields["position"] <= LONGEST_EXPRESSION


def test_what_people_write_is_not_too_deep() -> None:
    parse(" and ".join(["rsi(14) < 30"] * 100))
    parse("close" + " + close[1]" * 60 + " > 1")
    parse("(" * 30 + "close > 1" + ")" * 30)


def strategies() -> dict[str, bytes]:
    """Files that are no strategies, or hardly."""
    told = StrategySpec.preset("ma_crossover").model_dump(mode="json")
    files = {
        "a megabyte of brackets": b"[" * 1_000_000,
        "deep": b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1),
        "large": b" " * (LARGEST + 1),
        "half a letter": json.dumps({**told, "name": "\ud800"}).encode(),
        "a control character": json.dumps({**told, "name": "a\x1b[2J"}).encode(),
        "no letters": b"\xff\xfe\x00",
        "no entry": json.dumps({**told, "entry_long": ""}).encode(),
    }
    numbers = {
        "NaN": b"NaN",
        "infinity": b"-Infinity",
        "digits": b"9" * 5_000,
        "power": b"1e999",
        "null": b"null",
    }
    whole = json.dumps({**told, "params": {"fast_period": "HERE", "slow_period": 20}}).encode()
    return {**files, **{name: whole.replace(b'"HERE"', written) for name, written in numbers.items()}}


@pytest.mark.parametrize("name", strategies())
def test_a_strategy_file_is_refused_in_one_line(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "s.json").write_bytes(strategies()[name])
    with pytest.raises(SystemExit) as ended:
        main(
            ["backtest", "sample:sp500", "--strategy-file", str(tmp_path / "s.json"), "--home", str(tmp_path)]
        )
    told = capsys.readouterr()
    assert ended.value.code == 2
    assert (told.out, len(told.err.strip().splitlines())) == ("", 1)


def test_names_of_parameters_are_bounded() -> None:
    with pytest.raises(TypedError):
        StrategySpec(name="x", entry_long=f"close > {'a' * 61}", params={"a" * 61: 1})
