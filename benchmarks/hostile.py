"""Hostile input at every parser's door: how many ends are typed, the slowest, and the memory.

    python -m benchmarks.hostile [--seconds 600] [--seed 1] [--only expressions,strategies,prices,answers]

Each case is made from a seed, so that it can be made again: `case(kind, seed)`. An end is typed where the
input is accepted or refused by an error of ours (`base.errors.TypedError`, pydantic's own for the schema of
an answer); anything else is a traceback to whoever sent it. Seconds are processor time of this process.

Exit code 0 when every end is typed, none takes more than `SLOWEST_SECONDS` and memory grows by no more than
`MOST_MIB`.
"""

from __future__ import annotations

import argparse
import gc
import gzip
import io
import json
import math
import platform
import random
import sys
import tempfile
import time
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import ValidationError

from backtest.language.functions import FUNCTIONS, SERIES
from backtest.language.phrases import SPOKEN, TIMEFRAMES
from backtest.presets import PRESETS
from backtest.strategy import StrategySpec
from base.errors import TypedError
from base.json_files import parse_json
from benchmarks.memory import peak_mib
from nodes.given import read_input
from nodes.optimization.schemas import Analysis
from nodes.optimization.state import OptimizationInput
from providers.extraction import objects_in, split_thinking
from threadx.work.sweep import grid_values
from vault.readers.prices import read_prices, read_table

SLOWEST_SECONDS = 1.0
MOST_MIB = 500
KINDS = ("expressions", "strategies", "prices", "answers")

_PATTERN_LETTERS = "\x00\x1b\u202e\ud800😀é½٣Ⅷ\u00a0\u2028~`^$#@\\'\"{}"
_TOKENS = [
    *FUNCTIONS, *SERIES, *TIMEFRAMES, *(" ".join(words) for words in SPOKEN),
    "and", "or", "not", "at", "between", "its", "their", "is", "the", "turns", "rising", "ago", "bars", "of",
    "last", "previous", "from", "line", "%k", "p", "P", "x", "shift",
    *"()[],.<>=+-*/%", "<=", ">=", "==", "!=", '"4h"', '"', "'", "&&", "||", "≥", "×",
    "0", "1", "2.5", "14", "200", "1e308", "1e999", "9" * 400, "0.0000001", "1_000", ".5", "5.", "-1",
]  # fmt: skip
_VALUES: list[Any] = [
    None, True, False, 0, -1, 1, 10**400, -(10**400), 10**5000, 2**63, 1e308, -1e308, math.nan, math.inf,
    5e-324, "", " ", "\x00", "\ud800", "a" * 100_000, "é" * 200, "1", "NaN", "close > open", "((((" * 200,
    [], {}, [[]], {"a": {}}, [None], {"": None}, {"\ud800": 1}, {"a" * 5_000: 1}, [1] * 50_000, b"bytes",
    (1, 2), {1: 2}, object,
]  # fmt: skip
_CELLS = [
    "", " ", "NaN", "inf", "-inf", "1e999", "1e308", "-1", "0", "null", "None", "9" * 400, "1" * 5_000, "1,5",
    "1.5.5", "'", '"', '""', "\x00", "\ud800", "\u202e", "é", "１２", "٣", "²", "½", "0x10", "1_000", "1e5",
    "+1", "--1", "$1", "1%", "1k", "true", "2024-01-01", "2024-13-45", "9999-12-31", "0001-01-01",
    "292277026596-12-04", "1970-01-01T00:00:00Z", "24:00", "2024-02-30", "1e18", "-1e18", "20240101",
    "01/02/03", "1700000000",
    "1700000000000000000000", "Mon", "T", "a" * 3_000, "," * 50, "\t", "\r", "=cmd()", "{}", "[1]",
]  # fmt: skip


def _nested(dice: random.Random, most: int = 3_000) -> Any:
    value: Any = dice.choice([1, None, "x"])
    for _ in range(dice.choice([5, 50, most])):
        value = [value] if dice.random() < 0.5 else {"a": value}
    return value


def expression(dice: random.Random) -> str:
    """A condition that nobody would write."""
    way = dice.random()
    glue = dice.choice(["", " ", " "])
    if way < 0.35:  # a soup
        words = [dice.choice(_TOKENS) for _ in range(dice.randint(1, 80))]
    elif way < 0.8:  # one pattern over and over
        pattern = glue.join(dice.choice(_TOKENS) for _ in range(dice.randint(1, 4))) + glue
        words = [
            dice.choice(_TOKENS),
            pattern * (dice.choice([3, 40, 3_000]) // max(1, len(pattern) // 2) + 1),
        ]
        words.append(dice.choice(["", "close", "> 1", ")", "]", *_TOKENS]))
    else:  # nearly right
        opening, closing = dice.choice(
            [("(", ")"), ("sma(", ", 5)"), ("close[", "]"), ("-", ""), ("not ", "")]
        )
        count = dice.choice([1, 10, 39, 41, 300])
        closed = dice.choice([count, count, count - 1, count + 1])
        inner = dice.choice(["close", "1", "close > open", "rsi(14)", "p"])
        words = [
            opening * count,
            inner,
            closing * closed,
            dice.choice(["", "> 1", "[1]" * dice.choice([1, 600])]),
        ]
    text = glue.join(words)[: dice.choice([2_000, 2_000, 5_000])]
    if dice.random() < 0.2 and text:
        place = dice.randrange(len(text))
        text = text[:place] + dice.choice(_PATTERN_LETTERS) + text[place:]
    return text


def try_expression(dice: random.Random) -> None:
    """As an entry of a strategy, whatever else that asks of it."""
    StrategySpec(name="x", params={"p": 5} if dice.random() < 0.3 else {}, entry_long=expression(dice))


def strategy(dice: random.Random) -> Any:
    """A strategy as JSON, some of it replaced."""
    told: Any = StrategySpec.preset(dice.choice(list(PRESETS))).model_dump(mode="json")
    for _ in range(dice.randint(1, 3)):
        place: Any = told
        while isinstance(place, dict) and place:
            key = dice.choice(list(place))
            if not isinstance(place[key], dict) or dice.random() < 0.4:
                break
            place = place[key]
        else:
            continue
        value = dice.choice(_VALUES) if dice.random() < 0.8 else _nested(dice)
        change = dice.random()
        if change < 0.6:
            place[key] = value
        elif change < 0.8:
            place[
                dice.choice(["", "\x00", "\ud800", "name", "p", "é", "a" * 300, "atr_period", "param_bounds"])
            ] = value
        else:
            del place[key]
    return dice.choice(_VALUES) if dice.random() < 0.02 else told


def try_strategy(dice: random.Random) -> None:
    """As an object, as the text of a file, as a part of a graph's input, as a grid."""
    told = strategy(dice)
    way = dice.random()
    if way < 0.5:
        StrategySpec.model_validate(told)
    elif way < 0.7:
        try:
            text = json.dumps(told)
        except (TypeError, ValueError, RecursionError):
            return  # no JSON comes to this
        text = "[" * 1_000_000 if dice.random() < 0.01 else text
        text = text[: dice.randrange(len(text) + 1)] if dice.random() < 0.1 else text
        try:
            whole = parse_json(text)
        except ValueError:
            return  # what the commands name a file that is no JSON
        StrategySpec.model_validate(whole)
    elif way < 0.9:
        symbol = dice.choice([*_VALUES, "BTC"])
        read_input(OptimizationInput, {"data": "x", "spec": told, "symbol": symbol})
        if isinstance(told, dict):
            StrategySpec.model_validate(told)
    else:
        first, second = dice.choice(_CELLS), dice.choice(_CELLS)
        grid_values(f"{dice.choice(['p', '', 'side'])}={first}{dice.choice([':', ',', ''])}{second}")


def _table(dice: random.Random) -> pd.DataFrame:
    rows = dice.randint(2, 60)
    close = 100 + np.cumsum(np.array([dice.uniform(-1, 1) for _ in range(rows)]))
    frame = pd.DataFrame({"open": close, "high": close + 1, "low": close - 1, "close": close, "volume": 10.0})
    frame.insert(
        0, dice.choice(["time", "date", "timestamp"]), pd.date_range("2024-01-01", periods=rows, freq="h")
    )
    return frame


def price_file(dice: random.Random, folder: Path) -> Path:
    """A file of prices, spoilt as text, as cells or as bytes."""
    frame, kind = _table(dice), dice.choice(["csv", "csv", "txt", "json", "jsonl", "parquet", "feather"])
    if kind in ("csv", "txt"):
        separator = dice.choice([",", ";", "\t", "|", " "])
        rows = [list(frame.columns), *frame.astype(str).to_numpy().tolist()]
        for _ in range(dice.choice([0, 1, 1, 5])):
            row = dice.choice(rows)
            if row:
                row[dice.randrange(len(row))] = dice.choice(_CELLS)
            if dice.random() < 0.1:
                rows.insert(
                    dice.randrange(len(rows) + 1), [dice.choice(_CELLS) for _ in range(dice.randint(0, 9))]
                )
        text = "\n".join(separator.join(row) for row in rows)
        if dice.random() < 0.03:
            text = dice.choice(["1,", "\n", '"', "\x00", ";;;", "2024-01-01,1,1,1,1,1\n"]) * dice.choice(
                [10, 100_000]
            )
        content = text.encode(dice.choice(["utf-8", "utf-16", "cp1252"]), errors="replace")
    elif kind in ("json", "jsonl"):
        records = json.loads(frame.to_json(orient="records", date_format="iso"))
        for _ in range(dice.choice([0, 1, 4])):
            record = dice.choice(records)
            record[dice.choice(list(record))] = dice.choice(
                [*_CELLS, None, 10**400, [], {}, [[]], True, 1e308]
            )
        shape: Any = dice.choice(
            [
                records,
                {"data": records},
                [list(one.values()) for one in records],
                {"columns": [], "data": records},
            ]
        )
        if dice.random() < 0.1:
            shape = {key: dice.choice([records, {}, [], 1, [[1] * 6] * 9]) for key in "abc"}
        text = "\n".join(map(json.dumps, records)) if kind == "jsonl" else json.dumps(shape)
        if dice.random() < 0.03:
            pattern = dice.choice(["[", '{"a":', '[{"a":1},', "1" * 5_000 + ","])
            text = pattern * (dice.choice([10_000, 5_000_000]) // len(pattern))
        content = text.encode()
    else:
        for _ in range(dice.choice([0, 0, 1])):
            column = dice.choice(list(frame.columns)[1:])
            frame[column] = dice.choice(["x", None, math.inf, True, [[1]] * len(frame), 10**18])
        buffer = io.BytesIO()
        (frame.to_parquet if kind == "parquet" else frame.to_feather)(buffer)
        content = buffer.getvalue()
        if dice.random() < 0.05:
            content = dice.choice([b"FEA1", b"PAR1", b"ARROW1\0\0"]) + content[dice.randrange(len(content)) :]
    if dice.random() < (0.7 if kind in ("parquet", "feather") else 0.2) and content:
        spoilt = bytearray(content)
        for _ in range(dice.choice([1, 3, 30])):
            spoilt[dice.randrange(len(spoilt))] = dice.randrange(256)
        content = bytes(spoilt)[: dice.choice([len(spoilt), len(spoilt), dice.randrange(len(spoilt) + 1)])]
    name, pack = f"a.{kind}", dice.random()
    if pack < 0.1:
        name, content = f"{name}.gz", gzip.compress(content)
    elif pack < 0.2:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for inner in [name, "b.csv"][: dice.choice([1, 1, 1, 2, 0])]:
                archive.writestr(inner, content)
        name, content = "a.zip", buffer.getvalue()
    if pack < 0.2 and dice.random() < 0.3 and content:
        spoilt = bytearray(content)
        spoilt[dice.randrange(len(spoilt))] = dice.randrange(256)
        content = bytes(spoilt)
    path = folder / name
    path.write_bytes(content)
    return path


def try_prices(dice: random.Random) -> None:
    """As prices, or as a table of something else."""
    with tempfile.TemporaryDirectory() as name:
        path = price_file(dice, Path(name))
        if dice.random() < 0.7:
            read_prices(str(path), Path(name), symbol=dice.choice([None, None, None, "A", "\x00"]))
        else:
            read_table(path)


def answer(dice: random.Random) -> str:
    """What a model might say that means harm."""
    good = '{"summary": "s", "strengths": ["a"], "weaknesses": ["b"], "evidence": ["E1"], "hypotheses": []}'
    parts = [
        "<think>", "</think>", "<thinking>", '{"a" 1}', '{"a":1}', "{", "}", "[", "]",
        '"', "\\", '{"a":', "[[", "[1,",
        "```json\n", "```", "\n", " ", "NaN", "1e999", "9" * 5_000, "\x00", "\ud800", "{}", '{"":',
        '"\\u', good, "é",
    ]  # fmt: skip
    if dice.random() < 0.5:
        return "".join(dice.choice(parts) for _ in range(dice.randint(1, 60)))
    pattern = "".join(dice.choice(parts) for _ in range(dice.randint(1, 3)))
    text = pattern * (dice.choice([10, 1_000, 250_000]) // len(pattern) + 1) + dice.choice(parts)
    if dice.random() < 0.2:
        found = json.loads(good)
        found[dice.choice(list(found))] = dice.choice(
            [None, 1, "x" * 9_000, [], [[]], {"a": 1}, _nested(dice, 90)]
        )
        text = json.dumps(found)
    return text


def try_answer(dice: random.Random) -> None:
    """Thoughts off, the object out, and against a schema."""
    _, rest = split_thinking(answer(dice))
    found = objects_in(rest)[-1].value
    try:
        Analysis.model_validate_json(json.dumps(found))
    except ValidationError:
        return  # what goes back to the model


_TRIED: dict[str, Callable[[random.Random], None]] = {
    "expressions": try_expression,
    "strategies": try_strategy,
    "prices": try_prices,
    "answers": try_answer,
}


@dataclass
class Count:
    """What became of the cases of one kind; `untyped` by the class and the last line, with one seed each."""

    cases: int = 0
    accepted: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    slowest_seed: int = 0
    over: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    untyped: Counter[str] = field(default_factory=Counter)
    seeds: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        typed = self.cases - self.untyped.total()
        return (
            f"{self.cases} cases, {typed} typed ({self.accepted} accepted), slowest {self.slowest:.3f} s "
            f"(seed {self.slowest_seed}), over {SLOWEST_SECONDS:g} s: {self.over}"
        )


def told(attempt: Callable[[], None]) -> TypedError | None:
    """None where it was accepted, else its refusal in words; whatever else it raises is a fault."""
    try:
        attempt()
    except TypedError as refused:
        refused.sentence("en")
        refused.sentence("fr").encode()
        return refused
    return None


def case(kind: str, seed: int) -> TypedError | None:
    """One case; see `told`."""
    return told(lambda: _TRIED[kind](random.Random(f"{kind} {seed}")))


def fault(error: BaseException) -> str:
    """An exception that is none of ours, by its class and the line that raised it."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} {Path(last.filename).name}:{last.lineno}"


def count(attempt: Callable[[int], TypedError | None], seeds: range, seconds: float = math.inf) -> Count:
    """Cases by their seeds, until there are no more or they have had so much processor time."""
    found = Count()
    gc.collect()
    gc.freeze()  # to look through every library for what can be freed takes half a second: no case's fault
    for seed in seeds:
        if found.seconds > seconds:
            break
        begun = time.process_time()
        try:
            refused = attempt(seed)
            found.accepted += refused is None
            if refused is not None:
                found.codes[refused.code] += 1
        except (Exception, RecursionError) as error:
            found.untyped[fault(error)] += 1
            found.seeds.setdefault(fault(error), seed)
        took = time.process_time() - begun
        found.cases += 1
        found.seconds += took
        found.over += took > SLOWEST_SECONDS
        if took > found.slowest:
            found.slowest, found.slowest_seed = took, seed
    return found


def main() -> int:
    """Count, and say what was found."""
    reader = argparse.ArgumentParser()
    reader.add_argument("--seconds", type=float, default=600.0)
    reader.add_argument("--seed", type=int, default=1)
    reader.add_argument("--only", default=",".join(KINDS))
    chosen = reader.parse_args()
    kinds = chosen.only.split(",")
    for kind in kinds:  # what is loaded and compiled once is no case's fault
        count(partial(case, kind), range(-50, 0))
    before, failed = peak_mib(), False
    print(f"{platform.python_version()} on {platform.system()}, seeds from {chosen.seed}")
    for kind in kinds:
        found = count(partial(case, kind), range(chosen.seed, sys.maxsize), chosen.seconds / len(kinds))
        print(f"{kind}: {found}, memory grown by {peak_mib() - before:.0f} MiB")
        for what, times in found.untyped.most_common():
            print(f"  untyped: {what}: {times}, for example seed {found.seeds[what]}")
        failed |= bool(found.untyped) or found.over > 0
    return int(failed or peak_mib() - before > MOST_MIB)


if __name__ == "__main__":
    sys.exit(main())
