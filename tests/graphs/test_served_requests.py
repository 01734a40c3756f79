"""What a request to the LangGraph server may not choose: addresses, the data folder, files outside of it.

The walk: every graph that `langgraph.json` names × every setting that is an address or a path × every way in
which the server hands a client's words on; and every path that leads out of the data folder.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.errors import EmptyInputError, InvalidUpdateError
from langgraph.types import Command

from base.errors import TypedError
from graphs import ensemble, optimization, review
from nodes.context import OptimizationContext
from nodes.ensemble.context import EnsembleContext
from nodes.errors import SettingError
from nodes.forking import REPLAYED, RUN
from nodes.serving import SERVED
from prompts import Words
from providers import ProviderError
from tests import damage
from tests.gguf_files import gguf
from tests.langgraph_server import PROJECT
from tests.prices import made_up_prices
from vault.datasets import register
from vault.errors import MarketError

pytestmark = pytest.mark.long

RULES = {
    "analyst": ["rules"],
    "strategist": ["rules"],
    "validator": ["rules"],
    "max_iterations": 1,
    "search": "single",
}
ENSEMBLE = {"models": ["rules"]}
MARK = {"metadata": {"langgraph_api_version": "0"}}


def served() -> dict[str, Any]:
    """The graphs as the server has them."""
    told = json.loads((PROJECT / "langgraph.json").read_text(encoding="utf-8"))["graphs"]
    found = {}
    for name, entry in told.items():
        module, _, variable = entry["path"].partition(":")
        found[name] = getattr(import_module(module), variable)
    return found


GRAPHS = served()
OF_OTHERS = {
    name: module.graph for name, module in zip(GRAPHS, (optimization, review, ensemble), strict=True)
}


def settings(name: str) -> dict[str, Any]:
    return dict(ENSEMBLE if name == "ensemble" else RULES)


def sample(name: str) -> str:
    return "sample" if name == "ensemble" else "sample:sp500"


def test_no_request_waits_for_a_search_through_all_that_is_loaded() -> None:
    assert gc.get_freeze_count() > len(sys.modules)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("THREADX_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def ask(name: str, given: Any, config: Any = None, graph: Any = None, **context: Any) -> Any:
    return asyncio.run((graph or GRAPHS[name]).ainvoke(given, config, context=settings(name) | context))


def places() -> list[str]:
    """Every setting that says where something is: by its name, or by what its default looks like."""
    fields = OptimizationContext.model_fields | EnsembleContext.model_fields
    made = OptimizationContext().model_dump() | EnsembleContext().model_dump()
    return [
        name
        for name in fields
        if name.endswith(("_url", "_path", "home")) or ("/" in str(made[name]) or "\\" in str(made[name]))
    ]


def test_there_are_no_other_settings_that_say_where() -> None:
    assert places() == ["home", "ollama_base_url", "openai_base_url"]


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("field", places())
@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("way", ["context", "configurable", "another langgraph.json"])
def test_no_request_says_where(name: str, field: str, way: str, language: Any, home: Path) -> None:
    elsewhere = str(home.parent / "elsewhere") if field == "home" else "http://127.0.0.1:9"
    graph, config, context = GRAPHS[name], {}, {field: elsewhere}
    if way == "configurable":
        config, context = {"configurable": context}, {}
    if way == "another langgraph.json":
        graph, config = OF_OTHERS[name], MARK
    with pytest.raises(SettingError) as caught:
        ask(name, {"data": sample(name)}, config, graph, **context, language=language)
    assert caught.value.code == "not_from_a_request"
    assert str(caught.value) == Words(language)(
        "nodes.error.not_from_a_request", name=field, variable=caught.value.fields["variable"]
    )
    assert not home.exists()
    assert not (home.parent / "elsewhere").exists()
    assert field not in [*graph.get_context_jsonschema()["properties"]] or way == "another langgraph.json"


CHAINS = {"optimization": ["analyst", "strategist", "validator"], "review": ["analyst"]}
CHAINS["ensemble"] = ["models", "technical", "arbiter"]


@pytest.mark.parametrize("way", ["context", "configurable", "another langgraph.json"])
@pytest.mark.parametrize(("name", "field"), [(name, field) for name in GRAPHS for field in CHAINS[name]])
def test_no_request_names_a_model_file_of_its_choice(name: str, field: str, way: str, home: Path) -> None:
    """One that exists and one that does not are refused alike, in the data folder too."""
    gguf(home.parent / "mine.gguf")
    gguf(home / "uploads" / "mine.gguf")
    tries = [
        str(home.parent / "mine.gguf"),
        str(home.parent / "none.gguf"),
        str(home / "uploads" / "mine.gguf"),
    ]
    tries += ["mine.gguf", "~/x.gguf", str(home / "models" / ".." / "x.gguf"), "\\\\host\\share\\x.gguf"]
    tries += ["C:\\x.gguf", f"{home}-twin/models/x.gguf"]
    for path in tries:
        graph, config, context = GRAPHS[name], {}, {field: ["rules", f"Embedded: {path}"]}
        if way == "configurable":
            config, context = {"configurable": {field: f'"embedded:{path}", rules'}}, {}
        if way == "another langgraph.json":
            graph, config = OF_OTHERS[name], MARK
        asked = settings(name) | context
        if way == "configurable":
            asked.pop(field, None)
        with pytest.raises(SettingError) as caught:
            asyncio.run(graph.ainvoke({"data": sample(name)}, config, context=asked))
        assert caught.value.code == "model_file_of_request", path
    assert not (home / "runs").exists()


def test_a_request_may_name_the_files_that_the_operator_chose(home: Path) -> None:
    """They are refused for what they are: a broken file in the folder of models, and a chosen one."""
    chosen, laid = home.parent / "mine, too.gguf", home / "models" / "x.gguf"
    for path in (chosen, laid):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"GGUF")
    (home / "settings.json").write_text(
        json.dumps({"models": [f"embedded:{chosen}", "rules"]}), encoding="utf-8"
    )
    for path in (chosen, laid):
        with pytest.raises(ProviderError) as caught:
            ask("review", {"data": "sample:sp500"}, analyst=[f"embedded:{path}"])
        assert caught.value.code == "broken_gguf"


@pytest.mark.parametrize("key", [RUN, REPLAYED, "__threadx_of_tomorrow"])
@pytest.mark.parametrize("way", ["configurable", "another langgraph.json"])
def test_no_request_sets_a_mark_of_ours(way: str, key: str) -> None:
    for name in GRAPHS:
        graph, config = (GRAPHS[name], {}) if way == "configurable" else (OF_OTHERS[name], MARK)
        received = graph.received(
            {**config, "configurable": {key: True, SERVED: False, "thread_id": "t"}}, None
        )
        assert received["configurable"] == {SERVED: True, "thread_id": "t"}


@pytest.mark.parametrize("name", ["optimization", "review"])
def test_no_request_passes_for_a_replay_to_skip_the_wait_for_a_person(name: str, home: Path) -> None:
    with pytest.raises(SettingError) as caught:
        ask(name, {"data": f"dataset:{registered(home)}"}, {"configurable": {REPLAYED: True}}, approve=True)
    assert caught.value.code == "approve_without_checkpoints"


def registered(home: Path) -> str:
    """Hash of prices that the data folder has."""
    return register(made_up_prices(), symbol="MINE", timeframe="1h", home=home).development_hash


def outside(home: Path) -> list[str]:
    """Ways out of the data folder, to what exists and to what does not."""
    secret = home.parent / "secret.csv"
    secret.write_text("not,for\nyou,1\n", encoding="utf-8")
    (home / "in").mkdir(parents=True, exist_ok=True)
    found = [
        *(str(secret), str(home / ".." / "secret.csv"), "../secret.csv", "in/../../secret.csv"),
        *(
            str(home.parent / "none.csv"),
            "../none.csv",
            "~/none.csv/../../..",
            "/etc/passwd",
            "/proc/self/environ",
        ),
        *("\\\\host\\share\\prices.csv", str(home) + "-twin/prices.csv", f"file://{secret}", "a\0b"),
    ]
    if sys.platform != "win32":
        (home / "link.csv").symlink_to(secret)
        (home / "dead.csv").symlink_to(home.parent / "none.csv")
        (home / "up").symlink_to(home.parent)
        found += ["link.csv", "dead.csv", "up/secret.csv", str(home / "up" / "none.csv")]
    return found


@pytest.mark.parametrize("name", GRAPHS)
def test_files_outside_the_data_folder_are_refused_whether_they_exist_or_not(name: str, home: Path) -> None:
    known = "" if name == "ensemble" else registered(home)
    for reference in outside(home):
        tries = [{"data": reference}]
        if name == "optimization" and "secret" in reference:
            tries = [{"data": f"dataset:{known}", "other_data": [reference]}]
        for given in tries:
            with pytest.raises((SettingError, MarketError)) as caught:
                ask(name, given)
            told = str(caught.value)
            # A name without a way out is one in the data folder, and missing there.
            inside = reference.startswith(("~", "\\\\", "file:")) and sys.platform != "win32"
            assert caught.value.code in (
                ("missing_file", "missing_folder", "unknown_extension", "outside_home")
                if inside
                else ("outside_home",)
            ), (reference, told)
            assert "not,for" not in told
    assert not (home / "runs").exists()


@pytest.mark.parametrize("hash_", ["../../secret", "..", "0" * 15 + "g", "0" * 17, "", "a\0b", "C:x"])
def test_no_dataset_is_named_by_a_way_out(hash_: str, home: Path) -> None:
    (home / "datasets").mkdir(parents=True)
    (home.parent / "secret.json").write_text("{}", encoding="utf-8")
    with pytest.raises(MarketError) as caught:
        ask("optimization", {"data": f"dataset:{hash_}"})
    assert caught.value.code == "missing_dataset"


def on_a_thread() -> tuple[Any, Any]:
    """A graph with checkpoints, and a thread of it."""
    return GRAPHS["review"].copy({"checkpointer": InMemorySaver()}), {"configurable": {"thread_id": "t"}}


def test_no_step_that_a_client_chooses_leads_out_either(home: Path) -> None:
    """LangGraph lets a client write into a thread and choose the step that comes next."""
    graph, thread = on_a_thread()
    with pytest.raises(SettingError):
        ask("review", {"data": "/etc/passwd"}, thread, graph)
    command: Any = Command(update={"data": str(home.parent / "none.parquet")}, goto="load_review")
    with pytest.raises(SettingError) as caught:
        ask("review", command, thread, graph)
    assert caught.value.code == "outside_home"


@pytest.mark.parametrize("name", ["optimization", "review", "ensemble"])
def test_a_thread_on_which_nothing_ever_began_refuses_in_one_sentence(name: str, home: Path) -> None:
    """What a client sends there is stored before it is refused; the next request must not stumble over it."""
    graph, thread = GRAPHS[name].copy({"checkpointer": InMemorySaver()}), on_a_thread()[1]
    asked: list[Any] = [
        Command(resume={"accept": "all"}),
        None,
        Command(goto="nowhere"),
        Command(resume=None),
    ]
    asked += [Command(goto="judge"), Command(update={"data": 5})]
    for later in (False, True):
        for one in asked:
            problem: Exception | None = None
            try:
                if later:
                    asyncio.run(graph.ainvoke(one, thread, context=settings(name)))
                else:
                    graph.invoke(one, thread, context=settings(name))
            except (TypedError, InvalidUpdateError, EmptyInputError):
                continue
            except Exception as error:
                problem = error
            assert problem is None, one


def test_no_changed_state_leads_out_either(home: Path) -> None:
    graph, thread = on_a_thread()
    ask("review", {"data": f"dataset:{registered(home)}", "run": "mine"}, thread, graph)
    (home.parent / "secret.parquet").write_bytes(b"PAR1")
    values = graph.get_state(thread).values
    told = []
    for away in ("../../../secret", "../../../none"):
        changed = {"dataset": {**values["dataset"], "development_hash": away}, "run_id": "mine"}
        graph.update_state(thread, changed, as_node="load_review")
        with pytest.raises(Exception) as failed:  # noqa: PT011 - which one does not matter, that both are equal does
            ask("review", None, thread, graph)
        told.append((type(failed.value), str(failed.value).replace(away, "")))
    assert told[0] == told[1]


def test_a_state_that_a_client_forged_ends_in_one_clear_error_or_in_a_result(home: Path) -> None:
    graph, thread = on_a_thread()
    ask("review", {"data": f"dataset:{registered(home)}", "run": "mine"}, thread, graph)
    first = [one for one in graph.get_state_history(thread) if one.next == ("analyst",)]
    values, ended = graph.get_state(first[0].config).values, {"result": 0, "refused": 0}
    tried = [
        (label, name, changed)
        for name, value in values.items()
        for label, changed in damage.mutations({name: value})
    ]
    assert len(tried) > 200
    for label, name, changed in tried[:: len(tried) // 24]:
        problem: Exception | None = None
        try:
            place = graph.update_state(first[0].config, {name: changed.get(name)}, as_node="load_review")
            ask("review", None, place, graph)
        except Exception as error:
            problem = error
        assert problem is None or isinstance(problem, TypedError), (label, problem)
        assert "\n" not in str(problem), label
        ended["result" if problem is None else "refused"] += 1
    assert min(ended.values()) > 3, ended


@pytest.mark.parametrize("name", ["review", "ensemble"])
def test_samples_registered_prices_and_files_of_the_data_folder_are_open(name: str, home: Path) -> None:
    if name == "ensemble":
        assert ask(name, {"data": "sample"})["summary"]
        return
    (home / "uploads").mkdir(parents=True)
    made_up_prices().to_csv(home / "uploads" / "mine.csv")
    for data in ("uploads/mine.csv", str(home / "uploads" / "mine.csv"), f"dataset:{registered(home)}"):
        assert ask(name, {"data": data}, use_debate=False)["result"]


@pytest.mark.parametrize("name", ["review", "ensemble"])
def test_python_keeps_its_freedom(name: str, tmp_path: Path) -> None:
    own = tmp_path / "own"
    made_up_prices().to_csv(tmp_path / "mine.csv")
    data = "sample" if name == "ensemble" else str(tmp_path / "mine.csv")
    found = ask(
        name, {"data": data}, graph=OF_OTHERS[name], home=str(own), ollama_base_url="http://127.0.0.1:9"
    )
    assert found.get("summary") or found.get("result")
    assert (own / "runs").is_dir()
