"""`threadx models`: what is there, what fits, and a choice that every run reads."""

import json
import os
import subprocess
import sys

import pytest

from nodes.context import OptimizationContext
from nodes.ensemble.context import EnsembleContext
from nodes.errors import SettingError
from prompts import Words
from providers import Health, memory
from providers.installed import Installed, suggestion
from record.scorecards import kept_cards
from tests.gguf_files import gguf
from tests.ollama_emulator import Scripted, ollama_emulator
from threadx.command import main
from threadx.web import relaunch
from threadx.web.order import Order, arguments, check
from threadx.work import doctor

GIB = 1024**3
MODELS = {
    "deepseek-r1:8b": Scripted(size=5 * GIB, thinks=True, context_length=131072),
    "gemma3:12b": Scripted(size=8 * GIB, context_length=131072, quantisation="Q8_0"),
    "llama3.3:70b": Scripted(size=42 * GIB, context_length=131072),
}


@pytest.fixture
def server(monkeypatch):
    with ollama_emulator(dict(MODELS)) as emulator:
        monkeypatch.setenv("OLLAMA_HOST", emulator.url)
        yield emulator


@pytest.fixture
def threadx(tmp_path, capsys):
    def call(*arguments, code=0):
        with pytest.raises(SystemExit) as left:
            main([*arguments, "--home", str(tmp_path), "--language", "en"])
        told = capsys.readouterr()
        assert left.value.code == code, told.err
        return " ".join((told.out if code == 0 else told.err).split())

    return call


@pytest.mark.model
def test_list_tells_size_quantisation_window_thoughts_and_what_is_in_memory(server, threadx):
    server.take("gemma3:12b", 8192)
    told = threadx("models", "list")
    assert "ollama:deepseek-r1:8b: 5.0 GiB, Q4_K_M, window of 131,072 tokens, thinks" in told
    assert "ollama:gemma3:12b: 8.0 GiB, Q8_0, window of 131,072 tokens, in memory" in told
    assert "embedded:smollm2" in told
    listed = json.loads(threadx("models", "list", "--json", "-"))["models"]
    assert [one["reference"] for one in listed if one["loaded"]] == ["ollama:gemma3:12b"]


@pytest.mark.model
@pytest.mark.parametrize(
    ("card", "analyst", "others"),
    [
        ("24576\n", "ollama:deepseek-r1:8b", "ollama:gemma3:12b"),  # both fit together
        ("12288\n", "ollama:gemma3:12b", "ollama:gemma3:12b"),  # one does: no change of model
        ("8192\n", "ollama:deepseek-r1:8b", "ollama:deepseek-r1:8b"),
        ("24576\n40960\n", "ollama:deepseek-r1:8b", "ollama:llama3.3:70b"),
    ],
    ids=["24 GiB", "12 GiB", "8 GiB", "two cards"],
)
def test_suggest_follows_the_memory(server, threadx, monkeypatch, card, analyst, others):
    monkeypatch.setattr(memory, "cards", lambda: card)
    roles = json.loads(threadx("models", "suggest", "--json", "-"))["roles"]
    assert roles == {"analyst": analyst, "strategist": others, "validator": others}
    assert f"threadx models use {others}" in threadx("models", "suggest")


@pytest.mark.model
@pytest.mark.parametrize(("card", "fits"), [("8192", False), ("11264", True)], ids=["8 GiB", "11 GiB"])
def test_the_memory_of_the_window_counts_beside_the_weights(server, threadx, monkeypatch, card, fits):
    """80 layers of 8 heads of 128 in half precision, keys and values: 320 KiB a token, 5 GiB at 16,384."""
    layers = {"block_count": 80, "attention.head_count": 64, "attention.head_count_kv": 8}
    heads = {"embedding_length": 8192}
    server.models.clear()
    server.models["deep:5b"] = Scripted(size=5 * GIB, context_length=131072, info={**layers, **heads})
    monkeypatch.setattr(memory, "cards", lambda: card)
    told = threadx("models", "suggest")
    assert ("threadx models use ollama:deep:5b" in told) is fits
    assert fits or "No installed model fits" in told
    if fits:
        assert "about 10.3 GiB" in told or "about 10.2 GiB" in told


@pytest.mark.model
def test_nothing_is_suggested_where_nothing_fits(server, threadx, monkeypatch):
    monkeypatch.setattr(memory, "cards", lambda: "4096")
    assert "No installed model fits" in threadx("models", "suggest")


def test_a_machine_without_a_card_has_most_of_its_own_memory(monkeypatch):
    monkeypatch.setattr(memory, "cards", lambda: "")
    size, is_card = memory.model_bytes()
    assert size > 0
    assert not is_card
    monkeypatch.setattr(memory, "cards", lambda: "[N/A]\n")
    assert memory.model_bytes() == (size, False)


def test_what_has_no_size_or_no_worth_is_suggested_for_nothing():
    embedded = Installed(reference="embedded:smollm2", size=1)
    assert suggestion([embedded, Installed(reference="openai:x")], GIB) == {}


@pytest.mark.model
def test_a_choice_is_read_by_every_run_until_it_is_forgotten(server, threadx, tmp_path, monkeypatch):
    home = str(tmp_path)
    threadx("models", "use", "ollama:gemma3:12b", "--role", "strategist")
    threadx("models", "use", "ollama:a,ollama:b", "--role", "models", "--role", "analyst")
    cycle, ensemble = OptimizationContext(home=home), EnsembleContext(home=home)
    assert cycle.strategist == ("ollama:gemma3:12b", "rules")
    assert cycle.analyst == ensemble.models == ("ollama:a", "ollama:b")
    assert cycle.validator == OptimizationContext(home=str(tmp_path / "other")).validator
    assert OptimizationContext(home=home, strategist="rules").strategist == ("rules",)
    monkeypatch.setenv("THREADX_HOME", home)
    assert OptimizationContext().strategist == cycle.strategist
    threadx("models", "use", "--forget", "--role", "strategist")
    assert OptimizationContext().strategist == OptimizationContext(home=str(tmp_path / "other")).strategist
    assert OptimizationContext().analyst == cycle.analyst


def test_the_environment_comes_before_the_file(tmp_path, monkeypatch):
    (tmp_path / "settings.json").write_text('{"deadlines": "local=1200"}', encoding="utf-8")
    assert OptimizationContext(home=str(tmp_path)).seconds == {"local_seconds": 1200.0}
    monkeypatch.setenv("THREADX_DEADLINES", "local=60")
    assert OptimizationContext(home=str(tmp_path)).seconds == {"local_seconds": 60.0}


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("ollama_base_url", "OLLAMA_HOST"),
        ("OLLAMA_HOST", "OLLAMA_HOST"),
        ("openai_base_url", "OPENAI_BASE_URL"),
        ("g4f_base_url", "THREADX_G4F_BASE_URL"),
        ("home", "THREADX_HOME"),
        ("openai_api_key", "OPENAI_API_KEY"),
    ],
)
@pytest.mark.model
def test_a_data_folder_chooses_no_address_folder_or_key(
    server, tmp_path, threadx, monkeypatch, name, variable
):
    """The emulator stands for the server of whoever sent the folder: nothing is asked of it."""
    monkeypatch.delenv("OLLAMA_HOST")
    said = json.dumps({"analyst": ["ollama:gemma3:12b"], name: server.url})
    (tmp_path / "settings.json").write_text(said, encoding="utf-8")
    for command in (["models", "list"], ["models", "use", "rules"], ["doctor"], ["review", "sample:sp500"]):
        told = threadx(*command, code=2)
        assert f"has {name}, which the environment alone may set" in told
        assert f"the environment variable {variable}" in told
    assert server.keys == []
    assert (tmp_path / "settings.json").read_text(encoding="utf-8") == said


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("[1]", "settings.json"),
        ("{", "settings.json"),
        ('{"analist": ["x"]}', "analist"),
        ('{"models": {"analyst": 5}}', "models must be a model or a list of models"),
        ('{"technical": ["rules", 5]}', "technical must be a model"),
        ('{"analyst": " "}', "analyst must be a model"),
        ('{"deadlines": 900}', "deadlines must be text"),
        ('{"deadlines": "abc"}', "deadlines takes this: NAME=SECONDS"),
        ('{"deadlines": "local=100,first=200"}', "no longer than local"),
        ("\udcff", "settings"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_sentence(tmp_path, threadx, content, told):
    (tmp_path / "settings.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(SettingError):
        OptimizationContext(home=str(tmp_path))
    for command in (("models", "use", "rules"), ("models", "list"), ("optimize", "sample:sp500")):
        assert told in threadx(*command, code=2)


@pytest.mark.model
@pytest.mark.parametrize(
    ("card", "told"),
    [
        ("24576", "15.6 GiB of 24.0 GiB for 2 models, each loaded once."),
        ("12288", "The 2 models need 15.6 GiB together, 12.0 GiB are there: each change of model is a load"),
        ("8192", "A model does not fit"),
    ],
    ids=["both fit", "in turn", "too large"],
)
def test_doctor_judges_the_models_that_were_chosen(server, threadx, monkeypatch, card, told):
    monkeypatch.setattr(memory, "cards", lambda: card)
    ready = [
        Health(name, True, "ready", server.url, {"model": name, "detail": server.url})
        for name in ("ollama:deepseek-r1:8b", "ollama:gemma3:12b")
    ]
    monkeypatch.setattr(doctor, "check_all", lambda references, settings: ready)  # hosted ones need a network
    threadx("models", "use", "ollama:gemma3:12b")
    threadx("models", "use", "ollama:deepseek-r1:8b", "--role", "analyst")
    assert told in threadx("doctor")


def test_what_names_no_model_is_not_kept(tmp_path, threadx):
    assert "ollama" in threadx("models", "use", "olama:x", code=2)
    assert not (tmp_path / "settings.json").exists()
    threadx("models", "use", code=2)


@pytest.mark.parametrize(
    "told",
    [
        "local=10,first=1200",
        "local=abc",
        "local",
        "local=0",
        "local=-1",
        "foo=3",
        "local=3,local=4",
        "local=1,5",
    ],
)
@pytest.mark.parametrize("language", ["fr", "en"])
def test_a_deadline_that_is_none_is_refused_with_an_example(tmp_path, capsys, told, language):
    asked = ["optimize", "sample:sp500", "--deadlines", told, "--home", str(tmp_path), "--language", language]
    with pytest.raises(SystemExit) as left:
        main(asked)
    assert left.value.code == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "local=900,first=600" in line
    assert "(?:" not in line


COMMANDS = {
    "optimize": ["optimize", "sample:sp500", "--strategist"],
    "review": ["review", "sample:sp500", "--analyst"],
    "ensemble": ["ensemble", "run", "--data", "sample", "--models"],
    "use": ["models", "use"],
    "test": ["models", "test"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_model_file_that_cannot_be_used_ends_the_command_before_anything_is_begun(
    command, tmp_path, threadx
):
    (tmp_path / "of mine, 1.gguf").write_bytes(b"PK")
    path = str(tmp_path / "of mine, 1.gguf")
    named = f"embedded:{path}" if command == "test" else f'"embedded:{path}",rules'
    assert threadx(*COMMANDS[command], named, code=2) == f"embedded:{path}: {path} is not a GGUF file."
    assert not [*(tmp_path / "runs").glob("*/*")]
    assert not (tmp_path / "settings.json").exists()


@pytest.mark.parametrize("command", COMMANDS)
def test_what_no_model_of_ollamas_can_be_called_is_refused_as_that(command, tmp_path, threadx):
    told = threadx(*COMMANDS[command], "embedded:ollama/../../../etc/passwd", code=2)
    assert "no model of Ollama’s can be called ../../../etc/passwd" in told
    assert not [*(tmp_path / "runs").glob("*/*")]
    assert not (tmp_path / "settings.json").exists()


@pytest.mark.model
def test_a_file_without_weights_is_neither_chosen_nor_suggested(server, tmp_path, threadx, monkeypatch):
    monkeypatch.setattr(memory, "cards", lambda: "4096")  # too little for the others
    path = gguf(tmp_path / "models" / "vocabulary.gguf", tensors=())
    assert f"{path} holds no model" in threadx("models", "use", f"embedded:{path}", code=2)
    assert "vocabulary" not in threadx("models", "list")
    assert "No installed model fits" in threadx("models", "suggest")


@pytest.mark.model
def test_a_file_chosen_by_a_relative_path_is_kept_by_its_whole_path(server, tmp_path, threadx, monkeypatch):
    gguf(tmp_path / "m" / "mine.gguf")
    monkeypatch.chdir(tmp_path / "m")
    threadx("models", "use", "embedded:mine.gguf", "--role", "analyst")
    monkeypatch.chdir(tmp_path)
    assert OptimizationContext(home=str(tmp_path)).analyst == (
        f"embedded:{tmp_path / 'm' / 'mine.gguf'}",
        "rules",
    )
    (tmp_path / "m" / "mine.gguf").write_bytes(b"GGUF")  # the copy broke since
    told = threadx("doctor")
    assert f"{tmp_path / 'm' / 'mine.gguf'} cannot be loaded: it is damaged" in told


def test_a_page_names_no_file_of_its_own_choice(tmp_path):
    gguf(tmp_path / "models" / "laid.gguf")
    gguf(tmp_path / "other" / "mine.gguf")

    def order(path):
        named = {"analyst": f'"embedded:{path}", rules', "strategist": "rules", "validator": "rules"}
        return Order(data="sample:sp500", strategy="ma_crossover", models=named)

    check(order(tmp_path / "models" / "laid.gguf"), "en", tmp_path)
    told = arguments(order(tmp_path / "models" / "a, b.gguf"), "r", "en", tmp_path)
    assert f'--analyst="embedded:{tmp_path / "models" / "a, b.gguf"}", rules' in told
    for path in (tmp_path / "other" / "mine.gguf", "models/laid.gguf"):
        with pytest.raises(SettingError) as caught:
            check(order(path), "en", tmp_path)
        assert caught.value.code == "model_file_of_request"
    with pytest.raises(SettingError):
        relaunch.start(
            tmp_path, Words("en"), sample=True, models=f"embedded:{tmp_path / 'other' / 'mine.gguf'}"
        )
    assert not (tmp_path / "jobs").exists()


@pytest.mark.model
def test_a_name_that_nobody_knows_is_not_kept_and_an_absent_model_is_told(server, tmp_path, threadx):
    told = threadx("models", "use", "gema3:12b", code=2)
    assert "the nearest first: gemma3:12b" in told
    assert "write ollama:gema3:12b" in told
    assert not (tmp_path / "settings.json").exists()
    assert "ollama pull gema3:12b" in threadx("models", "use", "ollama:gema3:12b", "--role", "analyst")
    threadx("models", "use", "gemma3:12b, RULES", "--role", "strategist")
    chosen = OptimizationContext(home=str(tmp_path))
    assert chosen.analyst == ("ollama:gema3:12b", "rules")
    assert chosen.strategist == ("ollama:gemma3:12b", "rules")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("use", "rules,RULES"), "rules stands twice in the chain"),
        (("use", "rules", "--forget"), "--forget returns to the default and takes no model"),
        (("use", ","), "No model is named"),
        (("use", ""), "it is empty"),
        (("test", ""), "it is empty"),
        (("reset", "nosuch"), "ollama:nosuch has not been asked in the last seven days"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence(threadx, tmp_path, arguments, says):
    assert says in threadx("models", *arguments, code=2)
    assert not (tmp_path / "settings.json").exists()


def test_a_settings_file_that_is_a_folder_is_named(threadx, tmp_path):
    (tmp_path / "settings.json").mkdir()
    told = threadx("models", "use", "rules", code=2)
    assert f"{tmp_path / 'settings.json'} cannot be used: this is a folder" in told


@pytest.mark.posix
def test_a_pipe_in_the_place_of_the_settings_is_one_sentence(threadx, tmp_path):
    os.mkfifo(tmp_path / "settings.json")
    for command in (["models", "use", "rules"], ["models", "list"], ["optimize", "sample:sp500"]):
        assert f"{tmp_path / 'settings.json'} cannot be used: this is a device or a pipe" in threadx(
            *command, code=2
        )
    threadx("runs", "list")  # who only looks needs no settings


@pytest.mark.model
@pytest.mark.posix
def test_a_pipe_in_the_place_of_a_model_or_card_is_none(server, threadx, tmp_path, monkeypatch):
    monkeypatch.setenv("OLLAMA_MODELS", str(tmp_path / "ollama"))
    (tmp_path / "ollama" / "manifests" / "h" / "o" / "n").mkdir(parents=True)
    (tmp_path / "scorecard" / "cards").mkdir(parents=True)
    gguf(tmp_path / "models" / "whole.gguf")
    pipe = tmp_path / "models" / "pipe.gguf"
    for path in (pipe, tmp_path / "ollama/manifests/h/o/n/t", tmp_path / "scorecard/cards/y.json"):
        os.mkfifo(path)
    told = threadx("models", "list")
    assert "whole.gguf" in told
    assert "pipe.gguf" not in told
    assert f"there is no readable file {pipe}" in threadx("models", "use", f"embedded:{pipe}", code=2)
    assert kept_cards(tmp_path, "en") == []


def test_choosing_a_model_waits_for_no_engine_and_no_client():
    heavy = "{'numba', 'pandas', 'langgraph', 'langchain_core'}"
    code = f"import sys, threadx.work.models; print(sorted({heavy} & set(sys.modules)))"
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, encoding="utf-8", check=True
    )
    assert told.stdout.strip() == "[]"
