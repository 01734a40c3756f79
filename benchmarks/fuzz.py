"""Good input changed at random, for every reader of what others wrote: crashes, slow inputs, inputs a second.

    python -m benchmarks.fuzz [--inputs 1000000] [--seconds 300] [--seed 1] [--only phrases,events]

`benchmarks.hostile` makes up input that means harm; here something valid is taken (what people write, files
that pandas wrote, the record of a run of ours) and changed: its bytes, its words (by a dictionary of each
reader's own), and where it is JSON its values. Each input is made from a seed.

A crash is any exception that is not typed (`base.errors.TypedError`), and an accepted condition whose
canonical form does not read as itself; slow is more than a second of processor time. Of each crash the input
is told, made smaller by cutting halves, quarters and so on while it still crashes at the same line.

Exit code 0 without a crash and without a slow input.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import platform
import random
import re
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from backtest import canonical_expression
from backtest.language.phrases import PHRASES, SIGNS
from backtest.presets import PRESETS
from backtest.strategy import StrategySpec
from base.errors import TypedError
from benchmarks.hostile import Count, count, fault, told
from nodes.chosen import FILE, SETTINGS
from nodes.context import OptimizationContext
from nodes.given import read_context
from nodes.optimization.schemas import Analysis, Proposals, Verdicts
from nodes.seam.reading import read
from prompts import Words
from providers.extraction import objects_in, split_thinking
from record.evolution import strategy_evolution
from record.record import RunRecord, as_recorded
from record.run_list import run_line
from reports.explanation import explanation
from tests import conftest
from tests.backtest.test_informal import REFUSED, UNDERSTOOD
from tests.prices import made_up_prices
from threadx.command import main as threadx
from threadx.web.listing import read_outcome
from vault.readers.prices import read_prices

LARGEST = 200_000
"""Bytes of an input; repetitions would double it without end."""

SMALLER_SECONDS = 20.0
"""Processor time for making one crash smaller."""

_PARAMETERS = frozenset(name for preset in PRESETS for name in StrategySpec.preset(preset).params)

_PIECE = re.compile(rb"\w+|\s+|.", re.DOTALL)
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")
_NUMBERS = [b"0", b"-1", b"1e308", b"1e999", b"-0.0", b"9" * 30, b"NaN", b"0.1", b"2147483648", b"00"]
_BYTES = [
    b"\0",
    b"\n",
    b"\r",
    b'"',
    b"'",
    b"\\",
    b"\xff",
    b"\xc3",
    b"\xe2\x80\xa8",
    b"\xf0\x9f\x98\x80",
    b" ",
]
_VALUES: list[Any] = [
    *(None, True, False, 0, -1, 1, 2**63, 10**400, 1e308, 0.5, "", "x", "1", "\0", "{word}", "2024-01-01"),
    *([], {}, [[]], [None], {"x": 1}, [1, "x"], "é" * 300),
]


@dataclass(frozen=True)
class Reader:
    """Who reads something, and what it may look like.

    Attributes:
        corpus: valid input.
        words: that mean something in it.
        read: reads one input.
        json: how its JSON is written: not at all, whole or a value a line.
    """

    corpus: Sequence[bytes]
    words: Sequence[bytes]
    read: Callable[[bytes], None]
    json: str = ""


def _slice(dice: random.Random, content: bytes) -> tuple[int, int]:
    start = dice.randrange(len(content) + 1)
    return start, min(len(content), start + dice.choice([1, 2, 8, 64, 1_024]))


def _byte(dice: random.Random, content: bytes, reader: Reader) -> bytes:
    """One byte flipped, replaced or put in."""
    place = dice.randrange(len(content) + 1)
    put = dice.choice(_BYTES) if dice.random() < 0.5 else bytes([dice.randrange(256)])
    if place < len(content) and dice.random() < 0.3:
        put = bytes([content[place] ^ 1 << dice.randrange(8)])
    return content[:place] + put + content[place + dice.randrange(2) :]


def _cut(dice: random.Random, content: bytes, reader: Reader) -> bytes:
    start, end = _slice(dice, content)
    return content[:start] + (content[end:] if dice.random() < 0.9 else b"")


def _again(dice: random.Random, content: bytes, reader: Reader) -> bytes:
    """A part of it repeated, here or elsewhere."""
    start, end = _slice(dice, content)
    place = end if dice.random() < 0.5 else dice.randrange(len(content) + 1)
    times = dice.choice([1, 1, 2, 30, 600])
    return content[:place] + content[start:end] * times + content[place:]


def _spliced(dice: random.Random, content: bytes, reader: Reader) -> bytes:
    """Its beginning, and the end of another."""
    other = dice.choice(reader.corpus)
    return content[: dice.randrange(len(content) + 1)] + other[dice.randrange(len(other) + 1) :]


def _word(dice: random.Random, content: bytes, reader: Reader) -> bytes:
    """One piece replaced by a word of the reader's, or one put in before it."""
    place = dice.randrange(len(content) + 1)
    piece = _PIECE.search(content, place)
    start, end = piece.span() if piece else (len(content), len(content))
    word = dice.choice(reader.words) if reader.words else b"x"
    return content[:start] + (word if dice.random() < 0.5 else word + b" ") + content[end:]


def _number(dice: random.Random, content: bytes, reader: Reader) -> bytes:
    found = _NUMBER.search(content, dice.randrange(len(content) + 1)) or _NUMBER.search(content)
    if found is None:
        return content
    return content[: found.start()] + dice.choice(_NUMBERS) + content[found.end() :]


def _value(dice: random.Random, content: bytes, reader: Reader) -> bytes:
    """One value of the JSON replaced, taken away, renamed or exchanged for another; no JSON stays."""
    lines = content.splitlines() if reader.json == "lines" else [content]
    chosen = dice.randrange(len(lines)) if lines else 0
    try:
        value = json.loads(lines[chosen])
    except (ValueError, IndexError, RecursionError):
        return content
    holders: list[Any] = []
    open_: list[Any] = [value]
    while open_:
        one = open_.pop()
        if isinstance(one, dict | list) and one:
            holders.append(one)
            open_ += one.values() if isinstance(one, dict) else one
    if not holders:
        return content
    (holder, other) = dice.choice(holders), dice.choice(holders)
    key = dice.choice(list(holder)) if isinstance(holder, dict) else dice.randrange(len(holder))
    way = dice.random()
    if way < 0.5:
        holder[key] = dice.choice(_VALUES)
    elif way < 0.65:
        holder[key] = json.loads(json.dumps(other))
    elif way < 0.8:
        del holder[key]
    elif isinstance(holder, dict):
        holder[dice.choice(["", "x", "name", "value", "kind", key + "x"])] = holder.pop(key)
    else:
        holder *= dice.choice([2, 30])
    lines[chosen] = json.dumps(value, ensure_ascii=dice.random() < 0.5).encode("utf-8", "surrogatepass")
    return b"\n".join(lines) + (b"\n" if reader.json == "lines" else b"")


_WAYS = (_byte, _cut, _again, _spliced, _word, _word, _number)


def made(reader: Reader, seed: int) -> bytes:
    """One input: something valid, changed in one to sixteen places."""
    dice = random.Random(seed)
    content = dice.choice(reader.corpus)
    for _ in range(dice.choice([1, 1, 1, 2, 4, 16])):
        way = _value if reader.json and dice.random() < 0.7 else dice.choice(_WAYS)
        content = way(dice, content, reader)[:LARGEST]
    return content


def smallest(content: bytes, crashes: Callable[[bytes], bool]) -> bytes:
    """The input without whatever it can do without: halves are left out, then quarters, down to bytes."""
    until, part = time.process_time() + SMALLER_SECONDS, len(content) // 2
    while part:
        place = 0
        while place < len(content) and time.process_time() < until:
            less = content[:place] + content[place + part :]
            if crashes(less):
                content = less
            else:
                place += part
        part //= 2
    return content


def _text(content: bytes) -> str:
    return content.decode("utf-8", "replace")


def _condition(content: bytes) -> None:
    found = canonical_expression(_text(content), _PARAMETERS)
    if canonical_expression(found, _PARAMETERS) != found:
        raise AssertionError(found)


def _prices(name: str, folder: Path, content: bytes) -> None:
    path = folder / name
    path.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what pandas says of dates that are none
        read_prices(str(path), folder)


_SCHEMAS: dict[type[BaseModel], Any] = {
    one: one.model_json_schema() for one in (Analysis, Proposals, Verdicts)
}


def _answer(content: bytes) -> None:
    found = objects_in(split_thinking(_text(content))[1])[-1].value
    for model, schema in _SCHEMAS.items():
        value, _ = read(found, schema)
        with contextlib.suppress(ValidationError):  # what goes back to the model
            model.model_validate(value)


def _run_file(name: str, record: RunRecord, content: bytes) -> None:
    """As the list of runs, `runs show --explain` and the run's page read it; each alone may refuse."""
    path, words = record.folder / name, Words("en")
    good = path.read_bytes()
    refusals: list[TypedError] = []
    path.write_bytes(content)

    def explained() -> None:
        with as_recorded(record.events_path):
            explanation(strategy_evolution(record.events()), words)

    try:
        run_line(record)
        for look in (record.about, explained, partial(read_outcome, record, words)):
            try:
                look()
            except TypedError as refused:
                refusals.append(refused)
    finally:
        path.write_bytes(good)
    if refusals:
        raise refusals[0]


def _settings(folder: Path, content: bytes) -> None:
    (folder / FILE).write_bytes(content)
    read_context(OptimizationContext, {"home": str(folder)})


def _given(folder: Path, content: bytes) -> None:
    """As somebody's request gives it."""
    try:
        context = json.loads(content)
    except (ValueError, RecursionError):
        return  # no server hands this on
    read_context(
        OptimizationContext, {**context, "home": str(folder)} if isinstance(context, dict) else context
    )


def _recorded(home: Path) -> RunRecord:
    """A run of ours with its result."""
    data = home / "TEST_1h.csv"
    made_up_prices(rows=600, cycle=0.05).to_csv(data)
    roles = [part for role in ("analyst", "strategist", "validator") for part in (f"--{role}", "rules")]
    asked = ["optimize", str(data), *roles, "--max-iterations", "1", "--run", "one", "--home", str(home)]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        threadx(asked)
    return RunRecord(home, "one")


def _answers(events: Sequence[Any]) -> list[Any]:
    """What the roles of a run answered: analysis, proposals, verdicts."""
    told = [event["data"] for event in events if event["kind"] == "answer"]
    asked = ("change", "reason", "hypothesis", "expected_effect")
    proposed = [
        {name: event["data"][name] for name in asked} for event in events if event["kind"] == "proposal"
    ]
    judged = ("verdicts", "confidence", "concerns")
    return [
        *(one["answer"] for one in told if "answer" in one),
        {"proposals": proposed},
        *({name: one[name] for name in judged} for one in told if "verdicts" in one),
    ]


def readers(folder: Path) -> dict[str, Reader]:
    """Everybody, with a run of ours and price files in a folder."""
    record = _recorded(folder)
    spoken = [
        word.encode() for word in (*PHRASES, *SIGNS, "at entry", "rising", "ago", "its", "n", "4h", "[")
    ]
    conditions = [
        *(entry for name in PRESETS if (entry := StrategySpec.preset(name).entry_long)),
        *UNDERSTOOD,
        *REFUSED,
    ]
    frame = made_up_prices(rows=40)
    columns = [b"open", b"date", b"2024-01-01", b"1,5", b";", b",", b"\t", b"null", b"-", b"T00:00:00Z"]
    parquet = io.BytesIO()
    frame.to_parquet(parquet)
    plain = frame.reset_index(names="time")
    found = {
        "csv": (
            [plain.to_csv(index=False).encode(), plain.to_csv(index=False, sep=";", decimal=",").encode()],
            "",
        ),
        "json": (
            [
                plain.to_json(orient=way, date_format="iso").encode()
                for way in ("records", "columns", "split")
            ],
            "whole",
        ),
        "parquet": ([parquet.getvalue()], ""),
    }
    events = [json.loads(line) for line in record.events_path.read_bytes().splitlines()]
    answers = [json.dumps(one) for one in _answers(events)]
    answers += [f"<think>so</think>\nHere:\n```json\n{answer}\n```\nDone." for answer in answers]
    settings = [{"analyst": ["rules"], "deadlines": "hosted=30, local=900", "allow_code": False}]
    given = OptimizationContext(home=str(folder)).model_dump(mode="json")
    names = sorted({key.encode() for event in events for key in event["data"]})
    return {
        "phrases": Reader([one.encode() for one in conditions], spoken, _condition),
        **{
            kind: Reader(corpus, columns, partial(_prices, f"a.{kind}", folder), written)
            for kind, (corpus, written) in found.items()
        },
        "answers": Reader(
            [one.encode() for one in answers], [b"```", b"</think>", b"7/10", b"45 %", b"{"], _answer, "whole"
        ),
        **{
            name.partition(".")[0]: Reader(
                [(record.folder / name).read_bytes()],
                names,
                partial(_run_file, name, record),
                "lines" if name.endswith("l") else "whole",
            )
            for name in ("events.jsonl", "result.json", "run.json")
        },
        "settings": Reader(
            [json.dumps(one).encode() for one in settings],
            [name.encode() for name in sorted(SETTINGS)],
            partial(_settings, _made(folder / "chosen")),
            "whole",
        ),
        "context": Reader(
            [json.dumps(given).encode()], [b"rules", b"true"], partial(_given, folder), "whole"
        ),
    }  # fmt: skip


KINDS = ("phrases", "csv", "json", "parquet", "answers", "events", "result", "run", "settings", "context")


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def tried(reader: Reader, seeds: range, until: float) -> Count:
    """Inputs of one reader by their seeds, until there are no more or the time is over."""
    return count(lambda seed: told(lambda: reader.read(made(reader, seed))), seeds, until)


def _crashes_alike(reader: Reader, what: str, content: bytes) -> bool:
    try:
        told(lambda: reader.read(content))
    except Exception as error:
        return fault(error) == what
    return False


def _rate(inputs: int, seconds: float) -> str:
    return f"{inputs / max(seconds, 1e-9):,.0f}"


def main() -> int:
    """Try, and say what was found."""
    options = argparse.ArgumentParser()
    options.add_argument("--inputs", type=int, default=1_000_000)
    options.add_argument("--seconds", type=float, default=300.0)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--only", default=",".join(KINDS))
    chosen = options.parse_args()
    assert conftest.LOCAL, "imported for the environment that it clears"
    kinds = chosen.only.split(",")
    inputs, worked, failed = 0, 0.0, False
    with tempfile.TemporaryDirectory() as name:
        everybody = readers(Path(name))
        for kind in kinds:  # what is loaded once is no input's fault
            for content in everybody[kind].corpus:
                with contextlib.suppress(TypedError):
                    everybody[kind].read(content)
        print(f"{platform.python_version()} on {platform.system()}, seeds from {chosen.seed}")
        for kind in kinds:
            until = time.monotonic() + chosen.seconds / len(kinds)
            seeds = range(chosen.seed, chosen.seed + chosen.inputs // len(kinds))
            found = tried(everybody[kind], seeds, until)
            inputs, worked = inputs + found.cases, worked + found.seconds
            print(f"{kind}: {found}, {_rate(found.cases, found.seconds)} a second of processor", flush=True)
            for what, times in found.untyped.most_common():
                seed = found.seeds[what]
                least = smallest(made(everybody[kind], seed), partial(_crashes_alike, everybody[kind], what))
                print(f"  crash: {what}: {times}, seed {seed}, {len(least)} bytes: {least[:400]!r}")
            failed |= bool(found.untyped) or found.over > 0
    print(f"all: {inputs} inputs, {_rate(inputs, worked)} a second of processor, crash or slow: {failed}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
