"""A provider is one entry: from it alone it is read, asked, cached, watched and told; half one is refused."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage

from base.entries import EntryError
from nodes.context import Context
from nodes.seam.ask import Abstention, Answer, ask
from providers import PROVIDERS, ProviderError, ProviderSettings, Reference, parse_reference
from providers.cache import key
from providers.chat_model import OpenedModel
from providers.entry import Provider, collected
from providers.errors import UnavailableError
from providers.request import Request
from tests.commands import threadx
from tests.langgraph_server import PROJECT, clean_environment
from tests.nodes.test_ask import GOOD, question
from tests.raise_sites import ROOMS
from tests.scripted import ScriptedChat

NOTICE = "You have reached your daily limit."
SAVED = next(
    code
    for code in re.findall(
        r"```python\n(.*?)```", (PROJECT / "docs" / "extending.md").read_text(encoding="utf-8"), re.DOTALL
    )
    if code.startswith('"""saved.py')
)
LATER = """
import contextlib, io, json, sys
from dataclasses import replace
from pydantic import BaseModel
from nodes.context import OptimizationContext
from nodes.seam.ask import Question, ask
from prompts import Prompt
from providers import PROVIDERS, ProviderError, parse_reference
from threadx.command import main

sys.path.insert(0, "docs")
import build_language

class Number(BaseModel):
    value: int

heavy = "langchain_core.language_models.fake" in sys.modules
context = OptimizationContext(home="home", language="en", analyst="saved:answer.json,rules")
prompt = Prompt(name="optimization/analyst", language="en", system="s", user="u")
zero = lambda given: Number(value=0)
question = Question(role="analyst", prompt=prompt, schema=Number, evidence={}, policy=zero)
said = [ask(question, chain=chain, context=context) for chain in (context.analyst, ["saved:gone", "rules"])]
try:
    parse_reference("savd:answer.json")
except ProviderError as error:
    nearest = error.fields["nearest"]
for name in PROVIDERS.keys() - {"saved"}:  # they would ask the network
    PROVIDERS[name] = replace(PROVIDERS[name], health=lambda reference, settings: "another")
import threadx.work.doctor
threadx.work.doctor.installed = lambda settings: ([], [])  # and so would this
with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.suppress(SystemExit):
    main(["doctor", "--home", "home", "--language", "en"])
print(json.dumps({
    "heavy": heavy,
    "answers": [[one.value.value, one.provenance.model, one.provenance.degraded] for one in said],
    "code": said[1].provenance.attempts[0].code,
    "nearest": nearest,
    "doctor": "saved:answer.json would answer (12 characters)." in " ".join(out.getvalue().split()),
    "docs": build_language.models().splitlines()[-1],
}))
"""


class Abacus:
    """A made-up provider: its server, and what it was asked."""

    def __init__(self) -> None:
        self.says = GOOD
        self.up = True
        self.address = "http://10.0.0.1"
        self.asked: list[str] = []

    def probe(self, reference: Reference, settings: ProviderSettings) -> int:
        if not self.up:
            raise UnavailableError("unreachable", model=str(reference), address=self.address)
        return 10

    def open(
        self, reference: Reference, beads: int, request: Request, settings: ProviderSettings
    ) -> OpenedModel:
        self.asked.append(f"{reference} of {beads}: {request.user}")
        return OpenedModel(model=ScriptedChat(give=lambda messages: AIMessage(self.says)))

    def health(self, reference: Reference, settings: ProviderSettings) -> str:
        return f"{self.probe(reference, settings)} beads"

    def said(self) -> dict[str, Any]:
        return {
            "name": "abacus",
            "models": ("small", "large"),
            "sample": "abacus:small",
            "about": "beads on wires",
            "sends": "nothing",
            "hosted": True,
            "probe": self.probe,
            "open": self.open,
            "health": self.health,
            "address": lambda settings: self.address,
            "content": None,
            "window": None,
            "local": lambda settings: False,
        }


@pytest.fixture
def abacus(monkeypatch: pytest.MonkeyPatch) -> Abacus:
    made = Abacus()
    monkeypatch.setitem(PROVIDERS, "abacus", Provider(**made.said()))
    monkeypatch.setattr("providers.calling.pause", lambda seconds: None)
    return made


def context(home: Path) -> Context:
    return Context(home=str(home), language="en")


def test_one_entry_answers_through_the_seam_and_its_answer_is_kept_for_its_address(
    abacus: Abacus, tmp_path: Path
) -> None:
    def asked() -> Answer[Any] | Abstention:
        return ask(question(watched=True), chain=["abacus:large", "rules"], context=context(tmp_path))

    first = asked()
    assert isinstance(first, Answer)
    assert (first.value.score, first.provenance.model, first.provenance.degraded) == (
        7,
        "abacus:large",
        False,
    )
    assert abacus.asked == ["abacus:large of 10: Sharpe 1.2"]
    again = asked()
    assert again.provenance.cached
    assert len(abacus.asked) == 1
    abacus.address = "http://10.0.0.2"
    assert not asked().provenance.cached
    assert len(abacus.asked) == 2


def test_where_nobody_answers_the_next_of_the_chain_does_and_nothing_is_opened(
    abacus: Abacus, tmp_path: Path
) -> None:
    abacus.up = False
    answer = ask(question(), chain=["abacus:small", "rules"], context=context(tmp_path))
    assert isinstance(answer, Answer)
    assert (answer.provenance.model, answer.provenance.attempts[0].code) == ("rules", "unreachable")
    assert abacus.asked == []


@pytest.mark.parametrize("hosted", [True, False])
def test_a_hosted_one_has_the_time_of_its_chain_and_its_notices_are_known(
    hosted: bool, abacus: Abacus, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(PROVIDERS, "abacus", Provider(**{**abacus.said(), "hosted": hosted}))
    abacus.says = NOTICE
    answer = ask(question(), chain=["abacus:small", "rules"], context=context(tmp_path))
    assert answer.provenance.attempts[0].code == ("limit_notice" if hosted else "no_json")
    out_of_time = ask(
        question(hosted_seconds=0.0), chain=["abacus:small", "rules"], context=context(tmp_path)
    )
    codes = [tried.code for tried in out_of_time.provenance.attempts]
    assert ("no_time_left" in codes) == hosted


def test_it_is_read_as_a_reference_and_suggested_where_it_is_misspelt(abacus: Abacus) -> None:
    assert parse_reference("Abacus:small") == Reference("abacus", "small")
    for text, code, told in [
        ("abacuss:small", "misspelt_provider", {"nearest": "abacus"}),
        ("abacus:huge", "unknown_model", {"known": "small, large"}),
        ("abacus", "empty_reference", {"providers": ", ".join(PROVIDERS)}),
    ]:
        with pytest.raises(ProviderError) as caught:
            parse_reference(text)
        assert caught.value.code == code
        assert told.items() <= caught.value.fields.items()


def test_doctor_lists_it_and_says_what_answers(
    abacus: Abacus, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in PROVIDERS.keys() - {"abacus"}:  # they would ask the network
        others = replace(PROVIDERS[name], health=lambda reference, settings: "another")
        monkeypatch.setitem(PROVIDERS, name, others)
    monkeypatch.setattr("threadx.work.doctor.installed", lambda settings: ([], []))  # and so would this
    ready = threadx("doctor", "--home", str(tmp_path), "--language", "en")[1]
    assert "abacus:small would answer (10 beads)." in " ".join(ready.split())
    abacus.up = False
    gone = threadx("doctor", "--home", str(tmp_path), "--language", "en")[1]
    assert "abacus:small: no answer at http://10.0.0.1." in " ".join(gone.split())


@pytest.mark.parametrize("left_out", [field.name for field in fields(Provider)])
def test_half_an_entry_is_refused_by_its_name(left_out: str) -> None:
    half = {name: value for name, value in Abacus().said().items() if name != left_out}
    name = "a provider without a name" if left_out == "name" else "abacus"
    with pytest.raises(EntryError, match=f"^{name}: {left_out} not said$"):
        Provider(**half)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"name": "Aba:cus"}, "a name is small letters"),
        ({"sample": "ollama:small"}, "is not one of its references"),
        ({"about": ""}, "about not said"),
        ({"name": "ollama", "sample": "ollama:x"}, "two entries of this name"),
    ],
)
def test_an_entry_that_contradicts_itself_or_others_is_refused_by_its_name(
    wrong: dict[str, Any], told: str
) -> None:
    name = wrong.get("name", "abacus")
    with pytest.raises(EntryError, match=f"^{name}: .*{told}"):
        collected((*PROVIDERS.values(), Provider(**{**Abacus().said(), **wrong})))


@pytest.mark.parametrize("name", PROVIDERS)
def test_the_sample_of_each_entry_is_a_reference_to_it(name: str) -> None:
    assert parse_reference(PROVIDERS[name].sample).provider == name


def test_entries_import_no_providers_library() -> None:
    walk = "import sys, providers.registry; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", walk], capture_output=True, text=True, check=True, encoding="utf-8"
    )
    heavy = {"ollama", "openai", "g4f", "xllamacpp", "langchain_ollama", "langchain_openai", "aiohttp"}
    assert not set(done.stdout.split()) & heavy


@pytest.mark.parametrize(
    ("reference", "settings"),
    [
        ("ollama:m", lambda address: ProviderSettings(ollama_base_url=address)),
        ("openai:m", lambda address: ProviderSettings(openai_base_url=address)),
        ("g4f:glm-4.5", lambda address: ProviderSettings(g4f_base_url=address)),
    ],
)
def test_an_answer_belongs_to_the_server_that_gave_it(
    reference: str, settings: Callable[[str], ProviderSettings]
) -> None:
    request = Request(role="r", system="s", user="u", schema={}, schema_words="", prompt_hash="")
    keys = {key(parse_reference(reference), request, settings(f"http://10.0.0.{one}")) for one in (1, 2)}
    assert len(keys) == 2


def test_a_provider_added_by_three_files_is_known_everywhere(tmp_path: Path) -> None:
    """Its entry, its client and a line: the documentation's plugin as one of ours."""
    for room in ROOMS:
        shutil.copytree(PROJECT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "docs").mkdir()
    for name in ("build_language.py", "language.toml"):
        shutil.copy(PROJECT / "docs" / name, tmp_path / "docs")
    entry, _, rest = SAVED.partition("def open_model")
    client, _, provider = rest.partition("PROVIDER = ")
    providers = tmp_path / "providers"
    (providers / "saved.py").write_text(
        entry.replace("chat_model import OpenedModel", "entry import lazily")
        + "PROVIDER = "
        + provider.replace("open=open_model", 'open=lazily("providers.clients.saved")'),
        encoding="utf-8",
    )
    (providers / "clients" / "saved.py").write_text(
        f"from providers.chat_model import OpenedModel\n\n\ndef open_model{client}", encoding="utf-8"
    )
    registry = (providers / "registry.py").read_text(encoding="utf-8")
    registry = registry.replace("openai, rules\n", "openai, rules, saved\n").replace(
        "rules.PROVIDER)", "rules.PROVIDER, saved.PROVIDER)"
    )
    (providers / "registry.py").write_text(registry, encoding="utf-8")
    (tmp_path / "answer.json").write_text('{"value": 7}', encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", LATER],
        cwd=tmp_path,
        env=clean_environment(PYTHONPATH=str(tmp_path)),
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "heavy": False,
        "answers": [[7, "saved:answer.json", False], [0, "rules", True]],
        "code": "unreachable",
        "nearest": "saved",
        "doctor": True,
        "docs": "| `saved` | answers in a file | nothing |",
    }
