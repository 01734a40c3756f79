"""Good input changed at random, for every reader of what others wrote: crashes, slow inputs, inputs a second.

    python -m benchmarks.fuzz [--inputs 1000000] [--seconds 300] [--seed 1] [--only phrases,events]
                              [--processes 2] [--guided]

`benchmarks.hostile` makes up input that means harm; here something valid is taken (what people write, files
that pandas wrote, the record of a run of ours, requests for our pages) and changed: its bytes, its words (by
a dictionary of each reader's own), and where it is JSON its values. Each input is made from a seed. Every
kind has the same processor time, `--seconds` in all, and `--inputs` at most.

A crash is any exception that is not typed (`base.errors.TypedError`), an accepted condition whose canonical
form does not read as itself, and a page that fails; slow is more than a second of processor time. Of each
crash the input is told, made smaller by cutting halves, quarters and so on while it still crashes at the same
line. With `--guided`, atheris (extra `bench`; no wheel for Windows) chooses what to change by the lines of
ours that it reaches, each kind in a process of its own, which ends at its first crash.

Exit code 0 without a crash and without a slow input.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import json
import logging
import multiprocessing
import os
import platform
import random
import re
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial, reduce
from importlib.util import find_spec
from pathlib import Path
from types import FunctionType
from typing import Any
from urllib.parse import unquote

from pydantic import BaseModel, ValidationError
from starlette.types import ASGIApp

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
from tests.attacks import OUR_ROUTES
from tests.backtest.test_informal import REFUSED, UNDERSTOOD
from tests.langgraph_server import PROJECT
from tests.prices import made_up_prices
from threadx.command import main as threadx
from threadx.web.listing import read_outcome
from threadx.web.site import build_site
from vault.readers.prices import read_prices

_MEMORY = Path("/dev/shm")
"""Where the system has it: a disk would take most of the time of short inputs."""

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
        rooms: of ours that read it; their lines guide atheris.
    """

    corpus: Sequence[bytes]
    words: Sequence[bytes]
    read: Callable[[bytes], None]
    json: str = ""
    rooms: tuple[str, ...] = ()


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
    return changed(dice, dice.choice(reader.corpus), reader)


def changed(dice: random.Random, content: bytes, reader: Reader) -> bytes:
    """The input changed in one to sixteen places."""
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


_LOGS = ("", "nicegui")
"""Where pages that fail are written down."""


class Pages:
    """The application of our pages, asked as a server asks it.

    A request is its method and address, then lines of headers, an empty line and the body.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._loop = asyncio.new_event_loop()
        self._app = app
        self._faults = _Faults()
        for name in _LOGS:
            logging.getLogger(name).addHandler(self._faults)

    def close(self) -> None:
        """Listen no more."""
        for name in _LOGS:
            logging.getLogger(name).removeHandler(self._faults)
        self._loop.close()

    def begin(self, lifespan: contextlib.AbstractAsyncContextManager[Any]) -> None:
        """What a server does before its first request."""
        self._loop.run_until_complete(lifespan.__aenter__())

    def read(self, content: bytes) -> None:
        """Answer a request; a page that fails raises what it failed of."""
        head, _, body = content.partition(b"\n\n")
        first, *lines = head.split(b"\n")
        method, _, address = first.partition(b" ")
        raw, _, query = address.partition(b"?")
        sendable = method.isalpha() and raw.startswith(b"/") and address.isascii()
        if not sendable or any(byte <= 32 or byte == 127 for byte in address):
            return  # no server hands this on
        told = [line.partition(b":")[::2] for line in lines if b":" in line and b"\0" not in line]
        self._faults.found.clear()
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "scheme": "http",
            "method": method.decode().upper(),
            "path": unquote(raw.decode()),
            "raw_path": raw,
            "root_path": "",
            "query_string": query,
            "client": ("127.0.0.1", 50_000),
            "server": ("127.0.0.1", 2024),
            "headers": [
                (b"host", b"127.0.0.1:2024"),
                *((name.strip().lower(), value.strip()) for name, value in told),
            ],
        }
        status = self._loop.run_until_complete(self._status(scope, body))
        if self._faults.found:
            raise self._faults.found[0]
        if status == 0:
            raise AssertionError("no answer")

    async def _status(self, scope: dict[str, Any], body: bytes) -> int:
        sent: list[Any] = []
        parts = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Any:
            return parts.pop() if parts else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        await self._app(scope, receive, send)
        return next((message["status"] for message in sent if message["type"] == "http.response.start"), 0)


def _pages(home: Path) -> Pages:
    """Those of a data folder, at work until this process ends."""
    app = build_site(home, "en")
    pages = Pages(app)
    pages.begin(app.router.lifespan_context(app))
    return pages


class _Faults(logging.Handler):
    """Exceptions that are logged, come through our code and are no sentence of ours."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[BaseException] = []

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if error is None or isinstance(error, TypedError | OSError):
            return
        # NiceGUI's own clock of a page that nobody came back to complains when the page is cleared away.
        files = [Path(frame.filename) for frame in traceback.extract_tb(error.__traceback__)]
        if any(file.is_relative_to(PROJECT) and "site-packages" not in file.parts for file in files):
            self.found.append(error)


_QUERIES = (
    *("archived=true", "run=one&run=two", "run=one", "data=sample:sp500", "hour=2024031413", "result=x"),
    "data=sample%3Asp500&strategy=ma_crossover&fast_period=5&slow_period=20&stop_loss_pct=2.0&side=both",
    *("width=narrow&dark&v=3", "entry_long=close%20%3E%20sma(close%2C%20n)&n=5", "max_bars=none"),
)
_PAGES = (
    "",
    "/bench",
    "/calibration",
    "/compare",
    "/data",
    "/declare",
    "/follow",
    "/models",
    "/new",
    "/runs/one",
)
_PICTURES = ("/runs/one/pictures/convergence.html", "/calibration/power.svg")
_OURS = b"origin: http://127.0.0.1:2024\nsec-fetch-site: same-origin\n"
_UPLOAD = (
    b"content-type: multipart/form-data; boundary=x\n\n--x\r\nContent-Disposition: form-data; "
    b'name="file"; filename="a.csv"\r\nContent-Type: text/csv\r\n\r\ntime,close\r\n--x--\r\n'
)


def _requests() -> list[bytes]:
    """Every route of ours, and every page with every query.

    Without sockets, which are another protocol, and without PDF and charts of prices: they take a second each
    however they are asked for, of a child process.
    """
    routes = [(method, path.replace("/runs/run", "/runs/one")) for method, path in OUR_ROUTES]
    addresses = [
        f"{method} {path}" for method, path in routes if "socket.io" not in path and ".pdf" not in path
    ]
    addresses += [f"GET /threadx{path}" for path in _PICTURES]
    addresses += [f"GET /threadx{path}?{query}" for path in _PAGES for query in _QUERIES]
    addresses += ["GET /llm_summary?hour=2024031413", "GET /llm_summary/outlooks.svg?width=wide&dark"]
    accepts = b"accept: text/html\n"
    return [
        one.encode() + b"\n" + _OURS + (_UPLOAD if one.startswith("POST") else accepts + b"\n")
        for one in addresses
    ]


def recorded(home: Path) -> None:
    """A run of ours with its result, in an empty data folder."""
    data = home / "TEST_1h.csv"
    made_up_prices(rows=600, cycle=0.05).to_csv(data)
    roles = [part for role in ("analyst", "strategist", "validator") for part in (f"--{role}", "rules")]
    asked = ["optimize", str(data), *roles, "--max-iterations", "1", "--run", "one", "--home", str(home)]
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        contextlib.suppress(SystemExit),
    ):
        threadx(asked)


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


def readers(folder: Path, kinds: Sequence[str]) -> dict[str, Reader]:
    """Those of some kinds, in a data folder that has what `recorded` leaves if `RECORDED` has one of them."""
    return {kind: _MADE[kind](folder) for kind in kinds}


def _phrases(folder: Path) -> Reader:
    spoken = [
        word.encode() for word in (*PHRASES, *SIGNS, "at entry", "rising", "ago", "its", "n", "4h", "[")
    ]
    conditions = [
        *(entry for name in PRESETS if (entry := StrategySpec.preset(name).entry_long)),
        *UNDERSTOOD,
        *REFUSED,
    ]
    return Reader([one.encode() for one in conditions], spoken, _condition, rooms=("backtest.language",))


def _price_reader(kind: str, folder: Path) -> Reader:
    frame = made_up_prices(rows=12)  # what is asked of a file is asked of every row
    plain = frame.reset_index(names="time")
    match kind:
        case "csv":
            comma = plain.to_csv(index=False, sep=";", decimal=",")
            corpus = [plain.to_csv(index=False).encode(), comma.encode()]
        case "json":
            ways = ("records", "columns", "split")
            corpus = [plain.to_json(orient=way, date_format="iso").encode() for way in ways]
        case _:
            parquet = io.BytesIO()
            frame.to_parquet(parquet)
            corpus = [parquet.getvalue()]
    columns = [b"open", b"date", b"2024-01-01", b"1,5", b";", b",", b"\t", b"null", b"-", b"T00:00:00Z"]
    read = partial(_prices, f"a.{kind}", folder)
    rooms = ("vault.readers", "backtest.data")
    return Reader(corpus, columns, read, "whole" if kind == "json" else "", rooms)


def _events(folder: Path) -> list[Any]:
    return [json.loads(line) for line in RunRecord(folder, "one").events_path.read_bytes().splitlines()]


def _answer_reader(folder: Path) -> Reader:
    answers = [json.dumps(one) for one in _answers(_events(folder))]
    answers += [f"<think>so</think>\nHere:\n```json\n{answer}\n```\nDone." for answer in answers]
    words = [b"```", b"</think>", b"7/10", b"45 %", b"{"]
    return Reader(
        [one.encode() for one in answers],
        words,
        _answer,
        "whole",
        ("providers.extraction", "nodes.seam.reading", "nodes.optimization.schemas"),
    )


def _run_reader(name: str, folder: Path) -> Reader:
    record = RunRecord(folder, "one")
    names = sorted({key.encode() for event in _events(folder) for key in event["data"]})
    read = partial(_run_file, name, record)
    lines = "lines" if name.endswith("l") else "whole"
    return Reader(
        [(record.folder / name).read_bytes()],
        names,
        read,
        lines,
        ("record", "reports", "threadx.web.listing"),
    )


def _settings_reader(folder: Path) -> Reader:
    chosen = {"analyst": ["rules"], "deadlines": "hosted=30, local=900", "allow_code": False}
    (place := folder / "chosen").mkdir()
    words = [name.encode() for name in sorted(SETTINGS)]
    return Reader([json.dumps(chosen).encode()], words, partial(_settings, place), "whole", ("nodes",))


def _context_reader(folder: Path) -> Reader:
    given = OptimizationContext(home=str(folder)).model_dump(mode="json")
    return Reader(
        [json.dumps(given).encode()], [b"rules", b"true"], partial(_given, folder), "whole", ("nodes",)
    )


def _page_reader(folder: Path) -> Reader:
    words = [*_WORDS_OF_ADDRESSES, *(query.partition("=")[0].encode() for query in _QUERIES)]
    return Reader(_requests(), words, _pages(folder).read, rooms=("record", "reports", "threadx.web"))


_MADE: dict[str, Callable[[Path], Reader]] = {
    "phrases": _phrases,
    **{kind: partial(_price_reader, kind) for kind in ("csv", "json", "parquet")},
    "answers": _answer_reader,
    **{
        name.partition(".")[0]: partial(_run_reader, name)
        for name in ("events.jsonl", "result.json", "run.json")
    },
    "settings": _settings_reader,
    "context": _context_reader,
    "routes": _page_reader,
}
RECORDED = frozenset({"answers", "events", "result", "run", "routes"})
"""Kinds that begin with what a run of ours has left."""

_WORDS_OF_ADDRESSES = (
    *(
        b"/",
        b"..",
        b"%2e%2e",
        b"%00",
        b"%2f",
        b"%ff",
        b"%",
        b"&",
        b"?",
        b"=",
        b";",
        b"#",
        b"/threadx",
        b"POST",
    ),
    *(
        b"HEAD",
        b"one",
        b"sample:sp500",
        b"1e999",
        b"none",
        b"NaN",
        b"accept:",
        b"cookie:",
        b"range: bytes=1-",
    ),
    *(b"content-type:", b"content-length:", b"transfer-encoding: chunked", b"--x", b"\r\n", b"%F0%9F%98%80"),
)


def tried(reader: Reader, seeds: range, seconds: float) -> Count:
    """Inputs of one reader by their seeds, until there are no more or the processor time is over."""
    return count(lambda seed: told(lambda: reader.read(made(reader, seed))), seeds, seconds)


def _crashes_alike(reader: Reader, what: str, content: bytes) -> bool:
    try:
        told(lambda: reader.read(content))
    except Exception as error:
        return fault(error) == what
    return False


def _rate(inputs: int, seconds: float) -> str:
    return f"{inputs / max(seconds, 1e-9):,.0f}"


_here: dict[str, Reader] = {}
"""Of a process that tries."""


def _ready(template: Path, kinds: Sequence[str]) -> None:
    """Everybody in this process's own copy of the folder; what is loaded once is no input's fault."""
    assert conftest.LOCAL, "imported for the environment that it clears"
    folder = template.with_name(f"{template.name}-{os.getpid()}")
    shutil.copytree(template, folder)
    _here.update(readers(folder, kinds))
    for reader in _here.values():
        for content in reader.corpus:
            with contextlib.suppress(TypedError):
                reader.read(content)


def _tried_here(kind: str, seeds: range, seconds: float) -> Count:
    return tried(_here[kind], seeds, seconds)


def _smallest_here(kind: str, seed: int, what: str) -> bytes:
    return smallest(made(_here[kind], seed), partial(_crashes_alike, _here[kind], what))


def _together(one: Count, other: Count) -> Count:
    slow = max(one, other, key=lambda count: count.slowest)
    return Count(
        cases=one.cases + other.cases,
        accepted=one.accepted + other.accepted,
        seconds=one.seconds + other.seconds,
        slowest=slow.slowest,
        slowest_seed=slow.slowest_seed,
        over=one.over + other.over,
        codes=one.codes + other.codes,
        untyped=one.untyped + other.untyped,
        seeds={**other.seeds, **one.seeds},
    )


def try_all(chosen: argparse.Namespace, kinds: Sequence[str], template: Path) -> bool:
    """Every kind for as long, in several processes, told as it ends; whether all is well."""
    inputs, worked, failed = 0, 0.0, False
    apart = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(chosen.processes, apart, _ready, (template, kinds)) as pool:
        for kind in kinds:
            last, seconds = chosen.seed + chosen.inputs, chosen.seconds / len(kinds)
            going = [
                pool.submit(_tried_here, kind, range(chosen.seed + number, last, chosen.processes), seconds)
                for number in range(chosen.processes)
            ]
            found = reduce(_together, (one.result() for one in going))
            inputs, worked = inputs + found.cases, worked + found.seconds
            print(f"{kind}: {found}, {_rate(found.cases, found.seconds)} a second of processor", flush=True)
            for what, times in found.untyped.most_common():
                seed = found.seeds[what]
                least = pool.submit(_smallest_here, kind, seed, what).result()
                print(f"  crash: {what}: {times}, seed {seed}, {len(least)} bytes: {least[:400]!r}")
            failed |= bool(found.untyped) or found.over > 0
    print(f"all: {inputs} inputs, {_rate(inputs, worked)} a second of processor, crash or slow: {failed}")
    return not failed


def functions(rooms: tuple[str, ...]) -> list[FunctionType]:
    """Functions and methods of modules whose names begin so, without what only stands there by an import."""
    found: list[FunctionType] = []
    for name, module in sorted(sys.modules.items()):
        if name.startswith(rooms):
            own = [one for one in vars(module).values() if isinstance(one, type) and one.__module__ == name]
            found += [
                one
                for holder in (module, *own)
                for one in vars(holder).values()
                if isinstance(one, FunctionType) and one.__module__ == name
            ]
    return found


def guide(seconds: float, seed: int, kind: str, template: Path) -> None:
    """Let atheris choose what to change; returns by the end of this process alone."""
    import atheris  # noqa: PLC0415 only where it is asked for: it has no wheel for Windows

    _ready(template, [kind])
    reader = _here[kind]
    watched = functions(reader.rooms)
    for function in watched:
        atheris.instrument_func(function)
    print(
        f"{kind}: {len(watched)} functions of {', '.join(reader.rooms)} tell which lines are reached",
        flush=True,
    )
    (seeds := template.with_name(f"seeds-{kind}")).mkdir()
    for number, content in enumerate(reader.corpus):
        (seeds / str(number)).write_bytes(content)

    def change(content: bytes, most: int, seed: int) -> bytes:
        return changed(random.Random(seed), content, reader)[:most]

    arguments = [f"-max_total_time={seconds:.0f}", f"-seed={seed}", f"-max_len={LARGEST}"]
    arguments += ["-timeout=600", f"-artifact_prefix={Path.cwd() / 'crash-'}", "-print_final_stats=1"]
    atheris.Setup(
        ["fuzz", *arguments, str(seeds)],
        lambda content: told(lambda: reader.read(content)),
        custom_mutator=change,
    )
    atheris.Fuzz()


def guide_all(chosen: argparse.Namespace, kinds: Sequence[str], template: Path) -> bool:
    """Every kind in a process of its own, one after the other; whether all ended well."""
    codes = []
    for kind in kinds:
        given = (chosen.seconds / len(kinds), chosen.seed, kind, template)
        child = multiprocessing.get_context("spawn").Process(target=guide, args=given)
        child.start()
        child.join()
        codes.append(child.exitcode)
    return not any(codes)


def main() -> int:
    """Try, and say what was found."""
    options = argparse.ArgumentParser()
    options.add_argument("--inputs", type=int, default=1_000_000, help="of each kind at most")
    options.add_argument("--seconds", type=float, default=300.0)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--only", default=",".join(_MADE))
    options.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options.add_argument("--guided", action="store_true")
    chosen = options.parse_args()
    kinds = chosen.only.split(",")
    print(f"{platform.python_version()} on {platform.system()}, seeds from {chosen.seed}", flush=True)
    if chosen.guided and find_spec("atheris") is None:
        print("atheris is not installed; on Linux and macOS: pip install atheris")
        return 2
    with tempfile.TemporaryDirectory(dir=_MEMORY if os.access(_MEMORY, os.W_OK) else None) as name:
        template = Path(name) / "home"
        template.mkdir()
        if RECORDED & {*kinds}:
            recorded(template)
        return int(not (guide_all if chosen.guided else try_all)(chosen, kinds, template))


if __name__ == "__main__":
    sys.exit(main())
