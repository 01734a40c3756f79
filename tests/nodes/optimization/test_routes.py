"""Every router of the optimisation, the review and the debate: each branch, and the drawings."""

from pathlib import Path

import pytest
from langgraph.runtime import Runtime

from graphs import debate, optimization, review
from nodes.context import OptimizationContext
from nodes.optimization.consensus import consensus
from nodes.optimization.converge import stop_reason
from tests.optimization_runs import ALL_RULES

DRAWINGS = Path(__file__).parents[2] / "drawings"


@pytest.mark.parametrize("module", [optimization, review, debate], ids=lambda module: module.graph.name)
def test_the_drawing_is_the_one_that_was_agreed(module):
    """A change of the graph shows as a change of its drawing, to be read in review."""
    drawn = module.graph.get_graph().draw_mermaid()
    assert drawn == (DRAWINGS / f"{module.graph.name}.mmd").read_text(encoding="utf-8")


def test_a_review_cannot_reach_a_test_a_selection_or_the_holdout():
    nodes = set(review.graph.get_graph(xray=True).nodes)
    assert not nodes & {"backtest_variant", "select", "converge", "judge", "approve"}


def runtime(**settings):
    return Runtime(context=OptimizationContext(**{**ALL_RULES, **settings}))


def trial(number, backtests=1):
    return {"number": number, "hash": f"t{number}", "outcome": "kept_out", "backtests": backtests}


def state_with(count, done=0, **more):
    listed = [{"number": n, "hash": f"h{n}"} for n in range(1, count + 1)]
    history = [{"iteration": 1, "trials": [trial(n) for n in range(done)]}] if done else []
    kept = {"dataset": {}, "champion": {"spec": {}}, "history": history}
    return {"run_id": "r", "iteration": 2, "proposals": listed, **kept, **more}


def verdict(number, decision="validated", priority=None):
    return {"proposal": number, "decision": decision, "priority": priority or number}


def sent(route):
    return route if isinstance(route, str) else [task.arg["proposal"]["number"] for task in route]


def allowances(route):
    return [task.arg["allowance"] for task in route]


@pytest.mark.parametrize(
    ("settings", "proposals", "following"),
    [
        pytest.param({}, 2, "validator", id="the validator judges"),
        pytest.param({"approve": True}, 2, "validator", id="the validator comes before the person"),
        pytest.param({}, 0, "select", id="nothing to judge"),
        pytest.param({"use_validator": False}, 2, [1, 2], id="no validator: to the tests"),
        pytest.param({"use_validator": False}, 0, "select", id="no validator, nothing to test"),
        pytest.param({"use_validator": False, "approve": True}, 2, "approve", id="no validator: the person"),
        pytest.param({"use_validator": False, "approve": True}, 0, "select", id="nothing to approve"),
    ],
)
def test_where_proposals_go(settings, proposals, following):
    assert sent(optimization.route_proposals(state_with(proposals), runtime(**settings))) == following


@pytest.mark.parametrize(
    ("verdicts", "settings", "following"),
    [
        pytest.param([verdict(1, priority=2), verdict(2, priority=1)], {}, [2, 1], id="in order of priority"),
        pytest.param([verdict(1, "rejected"), verdict(2)], {}, [2], id="a veto"),
        pytest.param([verdict(1, "rejected"), verdict(2, "rejected")], {}, "select", id="all vetoed"),
        pytest.param(None, {}, [1, 2], id="an abstention vetoes nothing"),
        pytest.param([verdict(1), verdict(2, "rejected")], {"approve": True}, "approve", id="to the person"),
    ],
)
def test_verdicts_decide_what_is_tested(verdicts, settings, following):
    state = state_with(2, verdicts=verdicts)
    assert sent(optimization.route_verdicts(state, runtime(**settings))) == following


def test_a_single_agent_without_proposals_pauses_for_nobody():
    assert optimization.route_verdicts(state_with(0, verdicts=None), runtime(approve=True)) == "select"


@pytest.mark.parametrize(
    ("accepted", "verdicts", "following"),
    [
        pytest.param([1, 3], [verdict(1), verdict(2), verdict(3, priority=1)], [1, 3], id="as accepted"),
        pytest.param([1, 2], [verdict(1, "rejected"), verdict(2)], [2, 1], id="vetoed ones come last"),
        pytest.param([1, 2], None, [1, 2], id="nobody judged"),
        pytest.param([], [verdict(1)], "select", id="nothing accepted"),
    ],
)
def test_a_person_decides_what_is_tested(accepted, verdicts, following):
    state = state_with(3, verdicts=verdicts, approval={"accepted": accepted})
    assert sent(optimization.route_approval(state, runtime(approve=True))) == following


@pytest.mark.parametrize(
    ("limit", "done", "following", "dealt"),
    [
        pytest.param(None, 3, [1, 2, 3], [None, None, None], id="no limit"),
        pytest.param(20, 3, [1, 2, 3], [6, 5, 5], id="what is left is dealt out evenly"),
        pytest.param(7, 3, [1, 2, 3], [1, 1, 1], id="just enough"),
        pytest.param(6, 3, [1, 2], [1, 1], id="one too few: the first ones"),
        pytest.param(4, 3, "select", None, id="nothing left"),
        pytest.param(2, 3, "select", None, id="less than nothing left"),
    ],
)
def test_the_backtest_budget_is_dealt_out_before_the_branches_part(limit, done, following, dealt):
    state = state_with(3, done=done, verdicts=None)
    route = optimization.route_verdicts(state, runtime(max_backtests=limit))
    assert sent(route) == following
    if dealt is not None:
        assert allowances(route) == dealt
        assert limit is None or sum(dealt) + done + 1 <= limit


@pytest.mark.parametrize("roles", ["team", "single"])
def test_who_opens_an_iteration(roles):
    opening = "single" if roles == "single" else "analyst"
    assert optimization.route_roles({}, runtime(roles=roles)) == opening
    going_on, ended = ({**state_with(0, done=1), "decision": {"stop": stop}} for stop in (False, True))
    assert optimization.route_convergence(going_on, runtime(roles=roles)) == opening
    assert optimization.route_convergence(ended, runtime(roles=roles)) == "judge"
    untested = {**ended, "history": [{"iteration": 1, "trials": [trial(1, backtests=0)]}]}
    assert optimization.route_convergence(untested, runtime(roles=roles)) == "report"


@pytest.mark.parametrize(
    ("settings", "following"),
    [({}, "debate"), ({"use_debate": False}, "converge"), ({"roles": "single"}, "converge")],
)
def test_the_debate_can_be_left_out(settings, following):
    assert optimization.route_selection({}, runtime(**settings)) == following


@pytest.mark.parametrize(
    ("settings", "proposals", "following"),
    [
        ({}, 3, "validator"),
        ({"use_validator": False}, 3, "debate"),
        ({}, 0, "debate"),
        ({"use_validator": False, "use_debate": False}, 3, "review"),
        ({"use_debate": False}, 0, "review"),
    ],
)
def test_where_a_review_goes_with_its_proposals(settings, proposals, following):
    assert review.route_proposals(state_with(proposals), runtime(**settings)) == following


@pytest.mark.parametrize(("use_debate", "following"), [(True, "debate"), (False, "review")])
def test_where_a_review_goes_with_its_verdicts(use_debate, following):
    assert review.route_verdicts(state_with(3), runtime(use_debate=use_debate)) == following


@pytest.mark.parametrize(
    ("stances", "rounds", "following"),
    [
        pytest.param(["stop"], 1, "speak", id="the round is not over"),
        pytest.param(["stop", "continue", "stop"], 1, "consensus", id="the rounds are used up"),
        pytest.param(["stop", "continue", "stop"], 2, "speak", id="no agreement, another round"),
        pytest.param(["stop", "stop", "stop"], 5, "consensus", id="agreement ends it early"),
        pytest.param(["stop", None, "stop"], 2, "consensus", id="a silence does not hinder agreement"),
        pytest.param([None, None, None], 5, "consensus", id="nobody speaks: another round brings nothing"),
        pytest.param(["stop", "continue", "stop", "stop", "stop", "stop"], 5, "consensus", id="convinced"),
    ],
)
def test_who_speaks_next(stances, rounds, following):
    turns = [{"voice": "v", "stance": stance} for stance in stances]
    assert debate.next_speaker({"turns": turns}, runtime(debate_rounds=rounds)) == following


@pytest.mark.parametrize(
    ("scores", "stopped", "budget", "reason"),
    [
        pytest.param([1.0, 8.0], False, None, "target_score", id="target"),
        pytest.param([1.0, 8.0], False, "budget_tokens", "target_score", id="reached with the last token"),
        pytest.param([1.0, 2.0], False, None, "going_on", id="progress"),
        pytest.param([1.0, 2.0], True, None, "debate", id="stopped by debate"),
        pytest.param([1.0, 2.0], True, "budget_model_calls", "budget_model_calls", id="calls"),
        pytest.param([1.0, 2.0], False, "budget_tokens", "budget_tokens", id="tokens"),
        pytest.param([1.0, 2.0], False, "budget_seconds", "budget_seconds", id="seconds"),
        pytest.param([4.0] * 4, False, "budget_backtests", "budget_backtests", id="backtests"),
        pytest.param([4.0, 4.0, 4.0, 4.07], False, None, "no_gain", id="under 2 % over three iterations"),
        pytest.param([4.0, 4.0, 4.0, 4.08], False, None, "going_on", id="2 % over three is progress"),
        pytest.param([4.0, 4.0, 4.0], False, None, "going_on", id="not three iterations yet"),
        pytest.param([0.1 * n for n in range(11)], False, None, "max_iterations", id="ten iterations"),
    ],
)
def test_why_the_cycle_stops(scores, stopped, budget, reason):
    assert stop_reason(scores, stopped, budget, OptimizationContext(**ALL_RULES)) == reason


@pytest.mark.parametrize(
    ("stances", "decision", "dissent"),
    [
        pytest.param(["stop", "stop", "continue"], "stop", ["validator"], id="most say stop"),
        pytest.param(["stop", "continue", "continue"], "continue", ["analyst"], id="most say continue"),
        pytest.param(["stop", None, None], "continue", ["analyst"], id="one voice is not most"),
        pytest.param([None, None, None], "continue", [], id="silence stops nothing"),
    ],
)
def test_the_consensus_is_a_count(monkeypatch, stances, decision, dissent):
    told = {}
    told_by = "nodes.optimization.consensus.record"
    monkeypatch.setattr(told_by, lambda *args, **more: told.update(args[4].model_dump()))
    voices = ("analyst", "strategist", "validator")
    turns = [{"voice": voice, "stance": stance} for voice, stance in zip(voices, stances, strict=True)]
    found = consensus({"run_id": "r", "iteration": 1, "turns": turns}, runtime())["debate"]
    assert (found["decision"], found["dissent"]) == (decision, dissent)
    assert (told["dissent"], told["silent"]) == (
        dissent,
        [voice for voice, stance in zip(voices, stances, strict=True) if stance is None],
    )
    assert told["agreed"] is (len({stance for stance in stances if stance}) == 1)


@pytest.mark.parametrize(
    ("stances", "decision"), [(["stop", "continue"], "continue"), (["stop"] * 2, "stop")]
)
def test_two_voices_stop_only_together(monkeypatch, stances, decision):
    monkeypatch.setattr("nodes.optimization.consensus.record", lambda *args, **more: None)
    turns = [{"voice": voice, "stance": stance} for voice, stance in zip("ab", stances, strict=True)]
    state = {"run_id": "r", "iteration": 1, "turns": turns}
    assert consensus(state, runtime(use_validator=False))["debate"]["decision"] == decision
