"""A person before the tests: asked once, taken at their word, from this process or another."""

import json
import math
import re

import pytest
from langgraph.checkpoint.memory import MemorySaver
from langgraph.types import Command

import threadx
from backtest import StrategySpec
from graphs.optimization import builder, graph
from nodes.context import OptimizationContext
from nodes.errors import SettingError
from nodes.optimization.schemas import Proposals
from nodes.optimization.trials.approval import read_approval
from nodes.optimization.trials.proposing import sort_proposals
from record.errors import ReportError
from record.record import RunRecord
from tests.answers import adjust, by_role, proposals, risk, verdicts
from tests.optimization_runs import ALL_RULES
from tests.prices import made_up_prices
from tests.run_lines import lines
from tests.scripted import scripted_models
from threadx import ThreadxError
from threadx.command import main
from threadx.commands.edits import CHANGES
from threadx.results import OptimizationResult, Waiting
from threadx.runner import make_input, resume_run, start_run
from threadx.settings import make_context

SPEC = StrategySpec.preset("ma_crossover", fast_period=5, slow_period=20, stop_loss_pct=2.0)
EDIT = {"proposal": 2, "change": risk(4.0, "trailing_stop_pct")}


@pytest.fixture
def listed():
    usable, _ = sort_proposals(Proposals.model_validate_json(proposals()).proposals, SPEC, {SPEC.hash}, "en")
    return usable


@pytest.mark.parametrize(
    ("word", "accepted", "declined"),
    [
        pytest.param({"accept": [1, 2, 3]}, [1, 2, 3], [], id="every one named"),
        pytest.param({"accept": "all"}, [1, 2, 3], [], id="all"),
        pytest.param({"reject": "all"}, [], [1, 2, 3], id="none"),
        pytest.param({"accept": [3, 1], "reject": [2]}, [1, 3], [2], id="some"),
        pytest.param({"accept": [1], "reject": [3], "edit": [EDIT]}, [1, 2], [3], id="one edited"),
    ],
)
def test_a_word_that_fits_is_taken(listed, word, accepted, declined):
    left, problems = read_approval(word, listed, SPEC, {SPEC.hash}, "en")
    assert problems == []
    assert [p["number"] for p in left if not p.get("declined")] == accepted
    assert [p["number"] for p in left if p.get("declined")] == declined


def test_an_edited_proposal_leads_somewhere_else_and_keeps_what_it_was(listed):
    word = {"accept": [1], "reject": [3], "edit": [EDIT]}
    left, _ = read_approval(word, listed, SPEC, {SPEC.hash}, "en")
    edited = left[1]
    assert edited["hash"] != listed[1]["hash"]
    assert StrategySpec.model_validate(edited["spec"]).risk.trailing_stop_pct == 4.0
    assert edited["proposed"]["sentence"] == listed[1]["sentence"]
    assert edited["number"] == 2


@pytest.mark.parametrize(
    ("word", "said"),
    [
        pytest.param({"accept": [1]}, ["2", "3"], id="two left undecided"),
        pytest.param({"accept": [1, 2, 3, 4]}, ["no proposal 4"], id="a number that is not there"),
        pytest.param({"accept": [1, 2, 3], "reject": [2]}, ["Proposal 2 is decided twice"], id="twice"),
        pytest.param({"accept": "all", "reject": "all"}, ["twice"], id="both at once"),
        pytest.param({}, ["not decided"], id="nothing said"),
        pytest.param("yes", ["an object"], id="no object"),
        pytest.param(None, ["an object"], id="nothing at all"),
        pytest.param({"accept": ["one"]}, ["accept"], id="no numbers"),
        pytest.param({"accept": "all", "why": "x"}, ["why"], id="an unknown word"),
        pytest.param(
            {"accept": [1, 3], "edit": [{"proposal": 2, "change": adjust(99)}]}, ["99"], id="out of bounds"
        ),
        pytest.param(
            {"accept": [1, 3], "edit": [{"proposal": 2, "change": adjust(8)}]}, ["tried"], id="a repeat"
        ),
        pytest.param(
            {"accept": [1, 3], "edit": [{"proposal": 2, "change": {"kind": "magic"}}]},
            ["kind"],
            id="no change",
        ),
    ],
)
def test_a_word_that_does_not_fit_changes_nothing_and_says_why(listed, word, said):
    before = json.dumps(listed)
    left, problems = read_approval(word, listed, SPEC, {SPEC.hash}, "en")
    assert left == []
    assert all(any(part in problem for problem in problems) for part in said), problems
    assert json.dumps(listed) == before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param({"kind": "magic"}, ["edit.0.change", *CHANGES], id="no such kind"),
        pytest.param({"parameter": "fast_period", "value": 8}, ["edit.0.change", *CHANGES], id="no kind"),
        pytest.param(
            adjust("eight"), ["edit.0.change.value: ", "number", "or"], id="neither number nor range"
        ),
        pytest.param(
            {**adjust(8), "why": 1}, ["edit.0.change.why", "parameter, value"], id="a field too many"
        ),
        pytest.param(
            adjust({"low": 3, "hi": 9}), ["edit.0.change.value", "low, high"], id="a range misspelt"
        ),
        pytest.param(risk(2, "stop"), ["edit.0.change.parameter", "stop_loss_pct"], id="no such rule"),
        pytest.param(
            {"kind": "add_filter", "side": "up", "condition": "close > 1"},
            ["edit.0.change.side", "'long', 'short'"],
            id="no such side",
        ),
        pytest.param(
            {"kind": "sizing", "method": "all in", "value": 1},
            ["edit.0.change.method", "equity_pct"],
            id="no method",
        ),
        pytest.param({"kind": "switch_preset"}, ["edit.0.change.preset", "missing"], id="a field too few"),
        pytest.param(
            {"kind": "replace_condition", "side": 1}, ["edit.0.change.side", "'both'"], id="no text"
        ),
    ],
)
def test_a_wrong_edit_names_the_field_and_what_is_allowed(listed, change, said):
    word = {"accept": [1, 3], "edit": [{"proposal": 2, "change": change}]}
    _, problems = read_approval(word, listed, SPEC, {SPEC.hash}, "en")
    told = "; ".join(problems)
    assert all(part in told for part in said), told
    assert not any(f".{kind}" in told for kind in (*CHANGES, "float", "SearchRange")), told
    assert len(problems) <= 3
    french = read_approval(word, listed, SPEC, {SPEC.hash}, "fr")[1]
    assert len(french) == len(problems)
    assert not set(french) & set(problems)


MISSPELT = [
    ({"kind": "param_ajustment", "parameter": "fast_period", "value": 3}, "param_adjustment"),
    ({"kind": "param_adjustment", "parametre": "fast_period", "value": 3}, "parameter"),
    ({"kind": "param_adjustment", "parameter": "fast_perod", "value": 3}, "fast_period"),
    ({"kind": "param_adjustment", "parameter": "stop_los_pct", "value": 3}, "stop_loss_pct"),
    ({"kind": "param_adjustment", "parameter": "fast_period", "value": {"lo": 3, "high": 4}}, "low"),
    ({"kind": "risk_management", "parameter": "tralling_stop_pct", "value": 3}, "trailing_stop_pct"),
    ({"kind": "switch_preset", "preset": "rsi_revertion"}, "rsi_reversion"),
    ({"kind": "sizing", "method": "equity_pc", "value": 3}, "equity_pct"),
    ({"kind": "add_filter", "side": "shrt", "condition": "close > 1"}, "short"),
    ({"kind": "add_filter", "side": "long", "condition": "close > smaa(close, 3)"}, "sma"),
]


@pytest.mark.parametrize(("change", "meant"), MISSPELT)
def test_a_misspelt_name_anywhere_in_an_edit_gets_the_nearest(listed, change, meant):
    word = {"accept": [1, 3], "edit": [{"proposal": 2, "change": change}]}
    for language, told in (
        ("en", rf"(the nearest one: |the nearest first: |did you mean ){meant}\b"),
        ("fr", rf"(plus proche(\xa0| d’abord\xa0): |vouliez-vous dire ){meant}\b"),
    ):
        _, problems = read_approval(word, listed, SPEC, {SPEC.hash}, language)
        assert any(re.search(told, problem) for problem in problems), problems
    word = {"acept": [1, 3]}
    assert "the nearest one: accept" in read_approval(word, listed, SPEC, {SPEC.hash}, "en")[1][0]


# --- whole runs ---------------------------------------------------------------------------------


@pytest.fixture
def prices(tmp_path):
    path = tmp_path / "TEST_1h.csv"
    made_up_prices(700, cycle=0.05).to_csv(path)
    return str(path)


def nested(levels, inside):
    for _ in range(levels):
        inside = {"accept": [inside]}
    return inside


def edited(**change):
    return {"accept": [2, 3, 4], "edit": [{"proposal": 1, "change": change}]}


ODD_WORDS = {
    "nothing": None,
    "a number": 0,
    "a number that no database takes": {"accept": [2**64]},
    "more digits than Python writes": {"accept": [10**4_400]},
    "no finite number": {"accept": [math.nan]},
    "too deep": nested(900, 1),
    "too deep for Python": nested(4_000, 1),
    "half a letter": {"accept": "\ud800"},
    "half a letter as a name": {"\ud800": 1},
    "a control character as a name": {"\x1b[31m": 1},
    "a long name": {"x" * 1_000_000: 1},
    "many names": {str(number): 1 for number in range(20_000)},
    "many numbers": {"accept": list(range(200_000))},
    "many edits": {"edit": [{"proposal": 1, "change": {"kind": "x"}}] * 5_000},
    "bytes": b"accept",
    "a set": {1, 2},
    "truth": {"accept": True},
    "a condition of parentheses": edited(kind="add_filter", side="long", condition="(" * 200),
    "a long name of a preset": edited(kind="switch_preset", preset="x" * 60),
    "a value beyond any bar": edited(kind="risk_management", parameter="max_bars", value=2**62),
}


def test_no_odd_word_ends_a_run_that_waits(tmp_path, prices):
    """Each is refused in one sentence or asked for again, and the run can still be told a good one."""
    waiting = graph.copy(update={"checkpointer": MemorySaver()})
    context = OptimizationContext(
        **ALL_RULES, home=str(tmp_path), max_iterations=1, search="single", approve=True
    )
    thread = {"configurable": {"thread_id": "t"}, "recursion_limit": 100}
    asked = waiting.invoke({"data": prices, "run": "r"}, thread, context=context)["__interrupt__"][0].value
    refused = []
    for name, word in ODD_WORDS.items():
        try:
            told = waiting.invoke(Command(resume=word), thread, context=context)["__interrupt__"][0].value[
                "problems"
            ]
        except SettingError as error:
            refused.append(error.code)
            continue
        assert 0 < len(told) <= 20, name
        assert all(len(line) < 1_000 and "\x1b" not in line for line in told), name
    assert set(refused) == {"unusable_word"}
    assert 5 < len(refused) < len(ODD_WORDS) - 5
    assert len(asked["proposals"]) == 4
    good = Command(resume={"accept": [1], "reject": [2, 3, 4]})
    assert waiting.invoke(good, thread, context=context)["result"]


def start(tmp_path, prices, **settings):
    given = {
        "home": str(tmp_path / "home"),
        "approve": True,
        "max_iterations": 1,
        "language": "en",
        "search": "single",
    }
    context = make_context(**{**given, **ALL_RULES, **settings})
    return start_run(make_input(data=prices, run="r"), context), tmp_path / "home"


def test_nothing_is_tested_before_the_word_and_only_what_it_says_after(tmp_path, prices):
    waiting, home = start(tmp_path, prices)
    assert isinstance(waiting, Waiting)
    assert [proposal["number"] for proposal in waiting.question["proposals"]][:3] == [1, 2, 3]
    assert all(proposal["verdict"] for proposal in waiting.question["proposals"])
    assert not [e for e in lines(RunRecord(home, "r")) if e["node"] == "backtest_variant"]
    others = [proposal["number"] for proposal in waiting.question["proposals"] if proposal["number"] != 2]
    result = resume_run("r", home, word={"accept": [2], "reject": others})
    assert isinstance(result, OptimizationResult)
    outcomes = {trial["number"]: trial["outcome"] for trial in result.details["history"][0]["trials"]}
    assert {number for number, outcome in outcomes.items() if outcome == "declined"} == set(others)
    tested = [e["data"]["number"] for e in lines(RunRecord(home, "r")) if e["node"] == "backtest_variant"]
    assert tested == [2]


def test_the_run_is_free_while_it_waits_and_asking_again_changes_nothing(tmp_path, prices):
    waiting, home = start(tmp_path, prices)
    record = RunRecord(home, "r")
    before = record.events_path.read_bytes()
    assert resume_run("r", home) == waiting
    assert record.events_path.read_bytes() == before
    with pytest.raises(ThreadxError) as caught:
        resume_run("r", home, word={"accept": [1]})
    assert caught.value.code == "bad_word"
    assert record.events_path.read_bytes() == before
    record.hold("another thread")  # nobody holds it
    with pytest.raises(ReportError) as busy:
        resume_run("r", home, word={"accept": "all"})
    assert busy.value.code == "run_busy"
    record.release()


def test_a_person_is_asked_in_every_iteration_and_can_be_a_function(tmp_path, prices):
    asked = []

    def decide(waiting):
        asked.append(waiting.question["iteration"])
        return {"accept": "all"}

    limits = {"max_iterations": 3, "patience": 3, "target_score": 10.0}
    settings = {"home": str(tmp_path), "approve": True, "search": "single", **limits, **ALL_RULES}
    with_person = threadx.optimize(prices, decide=decide, run="a", **settings)
    alone = threadx.optimize(prices, run="b", **{**settings, "approve": False, "home": str(tmp_path / "b")})
    assert asked == [1, 2, 3]
    assert with_person.champion == alone.champion, "who accepts everything changes nothing"
    assert with_person.final_score == alone.final_score


def test_without_a_person_python_says_that_the_run_waits(tmp_path, prices):
    with pytest.raises(ThreadxError) as caught:
        threadx.optimize(prices, run="a", home=str(tmp_path), approve=True, **ALL_RULES)
    assert (caught.value.code, caught.value.fields["run"]) == ("run_waits", "a")


def test_a_person_may_test_what_the_validator_vetoed(tmp_path, prices, monkeypatch):
    vetoes = verdicts(*["rejected"] * 3, confidence=2)
    scripted_models(monkeypatch, {"ollama:m": [lambda request: by_role(request, verdicts=vetoes)] * 20})
    team = {"analyst": "m", "strategist": "m", "validator": "m", "use_debate": False, "cache_hours": 0.0}
    waiting, home = start(tmp_path, prices, search="single", **team)
    assert {p["verdict"]["decision"] for p in waiting.question["proposals"]} == {"rejected"}
    result = resume_run("r", home, word={"accept": [1], "reject": [2, 3]})
    trials = result.details["history"][0]["trials"]
    assert trials[0]["score"] is not None
    assert [trial["outcome"] for trial in trials[1:]] == ["declined", "declined"]


def threadx_command(capsys, *arguments):
    with pytest.raises(SystemExit) as left:
        main([*map(str, arguments)])
    told = capsys.readouterr()
    return left.value.code, told.out, told.err


def test_the_command_pauses_and_takes_the_word(tmp_path, prices, capsys):
    rules = [part for role, model in ALL_RULES.items() for part in (f"--{role}", model)]
    where = ("--home", tmp_path / "h", "--language", "en")
    code, out, _ = threadx_command(
        capsys, "optimize", prices, *rules, "--approve", "--max-iterations", "1", "--run", "r", *where
    )
    assert code == 0
    assert "threadx runs resume r --accept" in out
    code, out, _ = threadx_command(capsys, "runs", "list", *where)
    assert "waiting for" in out
    for wrong, said in (
        (("--accept", "1"), "not decided"),
        (("--accept", "x"), "x"),
        (("--edit", "nowhere.json"), "nowhere.json"),
        (("--edit", prices), "JSON"),
    ):
        code, out, err = threadx_command(capsys, "runs", "resume", "r", *wrong, *where)
        assert (code, out) == (2, "")
        assert len(err.strip().splitlines()) == 1
        assert said in err
    edit = tmp_path / "edit.json"
    others = [p["number"] for p in resume_run("r", tmp_path / "h").question["proposals"]][1:]
    edit.write_text(json.dumps([{"proposal": 1, "change": risk(4.5, "trailing_stop_pct")}]), encoding="utf-8")
    code, out, _ = threadx_command(
        capsys,
        "runs",
        "resume",
        "r",
        "--reject",
        ",".join(map(str, others)),
        "--edit",
        edit,
        "--json",
        "-",
        *where,
    )
    assert code == 0
    first = json.loads(out)["history"][0]["trials"][0]
    assert first["change"]["value"] == 4.5
    code, _, err = threadx_command(capsys, "runs", "resume", "r", "--accept", "all", *where)
    assert code == 2
    assert "is not waiting for a decision" in err


def test_a_graph_that_cannot_wait_refuses_at_its_door(tmp_path):
    """The plain graph keeps no checkpoints: a run that waited there could never be taken up again."""
    prices = tmp_path / "TEST_1h.csv"
    made_up_prices(400, cycle=0.05).to_csv(prices)
    context = {"home": str(tmp_path / "home"), "approve": True, "max_iterations": 1, "language": "en"}
    rules = {role: [model] for role, model in ALL_RULES.items()}
    with pytest.raises(SettingError, match="keeps no checkpoints"):
        graph.invoke({"data": str(prices)}, context={**context, **rules})
    assert not (tmp_path / "home" / "runs").exists()
    kept = builder.compile(checkpointer=MemorySaver())
    place = {"configurable": {"thread_id": "t"}}
    said = kept.invoke({"data": str(prices), "run": "r"}, place, context={**context, **rules})
    assert said["__interrupt__"]
