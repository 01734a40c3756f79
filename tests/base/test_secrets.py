"""No key and no password stands in any file of the data folder, and every file there is the user's alone.

The walk: a server that gives the key back in every form a server could, to every role of real runs; then
every byte of every file, read as it is and with escapes, base64 and hexadecimal undone.
"""

from __future__ import annotations

import base64
import html
import json
import os
import re
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, unquote

import pytest

from base.errors import LANGUAGES
from base.files import write_text_atomically
from base.secrets import masked_text
from graphs.ensemble import graph as ensemble
from nodes.context import OptimizationContext
from nodes.ensemble.context import EnsembleContext
from nodes.errors import SettingError
from nodes.forking import settings_of
from nodes.optimization.state import OptimizationInput
from prompts import Words
from providers import calling
from record.record import RunRecord
from tests.openai_server import Scripted, openai_server
from tests.prices import made_up_prices
from threadx.runner import start_run
from threadx.web import jobs
from threadx.web.uploads import keep

KEY = 'sk-Ab/9+x"yz\\Q_echo12345'
TOKEN = "Tok-7-of-the-pages-xyz"
PASSWORD = "p4ss:word+42"

pytestmark = [pytest.mark.model, pytest.mark.long]


def said(text: str, status: int) -> tuple[int, bytes]:
    return status, text.encode()


def answer(content: str, **more: str) -> tuple[int, bytes]:
    message = {"role": "assistant", "content": content, **more}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    told = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    return 200, json.dumps(told).encode()


def error(message: str, status: int = 401) -> tuple[int, bytes]:
    return status, json.dumps({"error": {"message": message}}).encode()


def in_letters(text: str, form: str) -> str:
    return "".join(form.format(ord(letter)) for letter in text)


ECHOES: dict[str, Callable[[str], tuple[int, bytes]]] = {
    "message": lambda key: error(f"Incorrect API key provided: {key}."),
    "header": lambda key: error(json.dumps({"Authorization": f"Bearer {key}"}), 403),
    "cut in the middle": lambda key: error("x" * 285 + key),
    "plain": lambda key: said(f"who is {key}?", 400),
    "JSON in JSON": lambda key: said(json.dumps(json.dumps({"k": key})), 400),
    "slashes": lambda key: said(json.dumps(key).replace("/", "\\/"), 400),
    "address": lambda key: said(f"GET /?key={quote(key, safe='')}", 400),
    "address by letters": lambda key: said(in_letters(key, "%{:02X}"), 400),
    "letters": lambda key: said("see " + in_letters(key, "\\u{:04x}"), 400),
    "page": lambda key: said(f"<p>{in_letters(key, '&#{};')}{in_letters(key, '&#x{:X};')}</p>", 400),
    "page by names": lambda key: said(f"<p>{html.escape(key)} {in_letters(key, '&#0{};')}</p>", 400),
    "base64": lambda key: said(base64.b64encode(f"user:{key}".encode()).decode(), 400),
    "base64 for addresses": lambda key: said(base64.urlsafe_b64encode(f"u:{key}".encode()).decode(), 400),
    "hexadecimal": lambda key: said(key.encode().hex(), 400),
    "answer": lambda key: answer(f"My key is {key}"),
    "answer in JSON": lambda key: answer(json.dumps({"analysis": key, key: [key]})),
    "thoughts": lambda key: answer("{}", reasoning_content=f"They gave me {key}."),
    "token": lambda key: answer(f"The pages open with {TOKEN} and {PASSWORD}"),
    "no protocol": lambda key: said(json.dumps([key]), 200),
}


def answers() -> list[Scripted]:
    """Each form in turn, over and over."""

    def of_header(echo: Callable[[str], tuple[int, bytes]]) -> Scripted:
        return Scripted(echo=lambda header: echo(header.partition(" ")[2]))

    return [of_header(echo) for echo in ECHOES.values()] * 40


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder after an optimisation, a summary and an upload, all with the echoing server."""
    folder = tmp_path_factory.mktemp("secrets")
    home, prices = folder / "new" / "home", folder / "prices.csv"
    made_up_prices().to_csv(prices)
    before = os.umask(0)
    with pytest.MonkeyPatch.context() as patch, openai_server(*answers()) as server:
        with_password = server.url.replace("//", f"//someone:{quote(PASSWORD, safe='')}@").removesuffix("/v1")
        for name, value in {
            **{"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": server.url},
            **{"OLLAMA_HOST": with_password, "THREADX_TOKEN": TOKEN},
        }.items():
            patch.setenv(name, value)
        patch.setattr(calling, "pause", lambda seconds: None)
        chain = [f"openai:m{number}" for number in range(len(ECHOES))]
        keep(home, "mine.csv", prices.read_bytes())
        settings = OptimizationContext(
            home=str(home),
            analyst=[*chain, "rules"],
            strategist=["ollama:m1", "ollama:m2", "ollama:m3", "openai:m", "rules"],
            validator=["openai:v", "rules"],
            use_debate=False,
            max_iterations=1,
        )
        start_run(OptimizationInput(data=str(prices), run="echoed"), settings)
        context = EnsembleContext(home=str(home), models=[*chain[:4], "rules"])
        ensemble.invoke({"data": "sample"}, context=context)
        assert any(KEY in sent for sent in server.keys)
        assert any(sent.startswith("Basic ") for sent in server.keys)
        yield home
    os.umask(before)


def files(home: Path) -> list[Path]:
    return sorted(path for path in home.rglob("*") if path.is_file())


def readings(content: bytes) -> Iterator[str]:
    """The content as it is, and as whoever looks for a secret would undo what hides it."""
    text = content.decode("utf-8", "replace")
    yield text
    yield unquote(text)
    plain = re.sub(r"\\u00([0-9a-fA-F]{2})", lambda found: chr(int(found[1], 16)), text)
    plain = re.sub(r"&#(\d+);", lambda found: chr(int(found[1]) % 0x110000), plain)
    plain = re.sub(r"&#x([0-9a-fA-F]+);", lambda found: chr(int(found[1], 16) % 0x110000), plain)
    for _ in range(4):
        yield plain
        plain = re.sub(r'\\(["\\/])', r"\1", plain)
    for run in re.findall(r"[A-Za-z0-9+/_-]{16,}", text):
        for offset in range(4):
            cut = run[offset : offset + (len(run) - offset) // 4 * 4]
            yield base64.b64decode(cut.replace("-", "+").replace("_", "/")).decode("latin-1")
        if re.fullmatch(r"(?:[0-9a-fA-F]{2})+", run):
            yield bytes.fromhex(run).decode("latin-1")


@pytest.mark.parametrize("secret", [KEY, TOKEN, PASSWORD], ids=["key", "token", "password"])
def test_no_file_holds_a_secret(home: Path, secret: str) -> None:
    found = {
        str(path.relative_to(home))
        for path in files(home)
        for text in readings(path.read_bytes())
        # Half of a key is too much, too.
        if secret[: len(secret) * 2 // 3] in text
    }
    assert found == set()
    events = (home / "runs" / "echoed" / "events.jsonl").read_text(encoding="utf-8")
    assert "***" in events
    assert events.count('"unauthorized"') > 0


@pytest.mark.skipif(sys.platform == "win32", reason="access lists stand in the place of modes")
def test_every_file_and_folder_is_the_users_alone(home: Path) -> None:
    wrong = {
        str(path.relative_to(home)): oct(stat.S_IMODE(path.stat().st_mode))
        for path in [home, *home.rglob("*")]
        if stat.S_IMODE(path.stat().st_mode) & 0o077
    }
    assert wrong == {}
    assert len(files(home)) > 20


def test_what_others_may_read_stays_so(tmp_path: Path) -> None:
    shown = tmp_path / "shown"
    shown.mkdir()
    shown.chmod(0o755)
    write_text_atomically(shown / "result.json", "{}\n")
    if sys.platform != "win32":
        assert stat.S_IMODE((shown / "result.json").stat().st_mode) == 0o644


def test_a_run_goes_on_with_its_password_from_the_environment(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = RunRecord(home, "echoed")
    kept = record.about()["context"]["ollama_base_url"]
    address = kept.replace("***", f"someone:{quote(PASSWORD, safe='')}")
    assert "***@" in kept
    monkeypatch.setenv("OLLAMA_HOST", address)
    assert settings_of(record, None, OptimizationContext).ollama_base_url == address
    monkeypatch.delenv("OLLAMA_HOST")
    for language in LANGUAGES:
        with pytest.raises(SettingError) as caught:
            settings_of(record, None, OptimizationContext)
        assert caught.value.sentence(language) == Words(language)(
            "nodes.error.server_elsewhere", run="echoed", count=1, servers=f"OLLAMA_HOST={kept}"
        )


def test_words_that_are_no_secrets_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"OPENAI_API_KEY": "none", "LM_API_KEY": "lm-studio", "X_TOKEN": "ensemble"}.items():
        monkeypatch.setenv(name, value)
    for text in (
        "none of the ensemble by lm-studio",
        "basic information on bearer instruments; FDA authorization: treatment",
        "gained 5 %25 at https://example.com/a@b?x=%20y",
        '{"a": "\\u00e9"}',
    ):
        assert masked_text(text) == text


def test_a_secret_is_masked_where_its_variable_is_of_any_name(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MY_API_KEY", "HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "PGPASSWORD", "CLIENT_SECRET"):
        monkeypatch.setenv(name, f"{name}-value-1")
        assert masked_text(f"a {name}-value-1 b") == "a *** b"
    assert masked_text("postgres://me:pw@host/x?y=a@b") == "postgres://***@host/x?y=a@b"
    assert masked_text("Authorization: Basic dTpwdzE=") == "Authorization: Basic ***"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ('Authorization: Token token="TkSecretValue123"', 'Authorization: Token token="***"'),
        ("Authorization: Bearer OnlyLettersSecretKeyHere", "Authorization: Bearer ***"),
        ("Bearer\u00a0abcdef123456", "Bearer\u00a0***"),
        (r"http:\/\/bob:BobPassw0rd1@db\/x", r"http:\/\/***@db\/x"),
        ("http://bob:p%40ss%2Fw0rd@db:5432/x", "http://***@db:5432/x"),
        ("see http:%2F%2Fbob:BobPassw0rd1@db", "see http:%2F%2F***@db"),
    ],
)
def test_a_secret_is_masked_by_its_place(text: str, kept: str) -> None:
    assert masked_text(text) == kept


SAYS = """
import atexit, os, sys

def broken():
    key = os.environ["HUGGINGFACE_API_KEY"]
    sys.stderr.write("half " + key[:9])
    sys.stderr.write(key[9:] + " a line\\n")
    print("asked with", key)
    raise ValueError(f"401 for Bearer {key}")

atexit.register(broken)
"""


def test_the_log_of_work_that_a_page_started_holds_no_secret_that_a_library_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "hf_Zp4kQ8sW2nLx7Yt1"
    (tmp_path / "sitecustomize.py").write_text(SAYS, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("HUGGINGFACE_API_KEY", key)
    log = tmp_path / "job.log"
    jobs.start(tmp_path, "optimization", "one", ["--version"], log)
    (child,) = jobs._children
    child.wait()
    told = log.read_text(encoding="utf-8")
    assert "half *** a line" in told
    assert "asked with ***" in told
    assert "ValueError" in told
    assert key not in told
    assert jobs.at_work(tmp_path, "optimization") is None


@pytest.mark.parametrize(
    "name",
    [
        "G4F_AGENT_API_KEY",
        "HUGGINGFACE_API_KEY",
        "GITHUB_TOKEN",
        "LANGFUSE_SECRET_KEY",
        "GOOGLE_CLIENT_SECRET",
    ],
)
def test_the_keys_that_g4f_reads_by_itself_are_masked_like_others(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "Zp4kQ8sW2nLx7Yt1")
    assert masked_text("refused: Zp4kQ8sW2nLx7Yt1") == "refused: ***"
