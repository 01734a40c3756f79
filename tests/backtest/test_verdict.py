"""The verdict: its table, its laws, and how often it errs where nothing is to be found."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from backtest import Costs, StrategySpec
from backtest.kernels.simulation import ENTER_LONG, EXIT_LONG
from backtest.statistics.overfitting import familywise_p_value
from backtest.statistics.returns import Moments, moments
from backtest.validation.stress import Finding, StressCase, stress_tests
from backtest.validation.verdict import VALUES, Search, decide, evidence_of_opening, luck_of_search
from prompts.texts import catalogue
from tests.laws import cases
from tests.prices import made_up_prices

DEVELOPMENT, HOLDOUT = 1_000, 250


def normal(t_statistic, observations):
    """Moments of normal returns with this t-statistic."""
    sharpe = t_statistic / observations**0.5
    return Moments(
        n_observations=observations, mean=sharpe, deviation=1.0, sharpe=sharpe, skew=0.0, kurtosis=3.0
    )


def finding(name, outcome):
    return Finding(name=name, outcome=outcome, figure=0.0, fields={})


def verdict(
    inside=4.0,
    outside=2.5,
    *,
    p=None,
    trials=1,
    opening=1,
    trades=100,
    findings=(),
    pbo=None,
    lost=(),
    remembering=(),
):
    search = Search(trials=trials, sharpe_variance=1.0, pbo=pbo, familywise_p=p)
    return decide(
        development=normal(inside, DEVELOPMENT),
        holdout=normal(outside, HOLDOUT),
        search=search,
        opening=opening,
        trades=trades,
        findings=findings,
        lost=lost,
        remembering=remembering,
    )


@pytest.mark.parametrize(
    ("given_", "value"),
    [
        pytest.param({}, "real", id="both parts strong"),
        pytest.param({"findings": [finding("costs", "failed")]}, "promising", id="an essential test failed"),
        pytest.param({"findings": [finding("regimes", "failed")]}, "real", id="another test failed"),
        pytest.param({"lost": ["development"]}, "unproven", id="the account was lost in development"),
        pytest.param({"lost": ["holdout"]}, "overfit", id="good in development, lost on the holdout"),
        pytest.param({"inside": 1.0, "lost": ["holdout"]}, "unproven", id="nothing, and lost"),
        pytest.param({"findings": [finding("look_ahead", "failed")]}, "overfit", id="looks ahead"),
        pytest.param({"findings": [finding("foresight", "failed")]}, "overfit", id="knows the next bar"),
        pytest.param({"trades": 20}, "promising", id="few trades"),
        pytest.param({"remembering": ["ollama:m"]}, "promising", id="a model may remember the holdout"),
        pytest.param({"trades": 5}, "unproven", id="hardly a trade"),
        pytest.param({"outside": 1.0}, "promising", id="holdout weak"),
        pytest.param({"outside": 0.3}, "unproven", id="holdout next to nothing"),
        pytest.param({"outside": -0.5}, "overfit", id="holdout negative"),
        pytest.param({"inside": 0.5, "outside": 0.5}, "unproven", id="nothing anywhere"),
        pytest.param({"inside": -1.0, "outside": 1.0}, "unproven", id="development negative"),
        pytest.param({"p": 0.4, "trials": 300, "outside": 1.0}, "overfit", id="explained by the search"),
        pytest.param({"p": 0.4, "trials": 300, "outside": 4.5}, "promising", id="saved by its holdout"),
        pytest.param({"opening": 2}, "real", id="second look into the holdout"),
        pytest.param({"opening": 5}, "promising", id="fifth look"),
        pytest.param({"opening": 10}, "unproven", id="tenth look"),
        pytest.param({"opening": 10, "outside": 4.0}, "real", id="tenth look, holdout very strong"),
        pytest.param({"opening": 11, "outside": 9.0}, "unproven", id="the holdout has answered often enough"),
    ],
)
def test_the_table(given_, value):
    assert verdict(**given_).value == value


@settings(max_examples=cases(45), deadline=None)
@given(
    inside=st.floats(-2.0, 6.0),
    outside=st.floats(-2.0, 4.0),
    p=st.floats(0.001, 1.0),
    trials=st.integers(1, 5_000),
    opening=st.integers(1, 20),
)
def test_searching_or_looking_more_never_helps(inside, outside, p, trials, opening):
    first = verdict(inside, outside, p=p, trials=trials, opening=opening)
    searched = verdict(inside, outside, p=min(1.0, 2 * p), trials=2 * trials, opening=opening)
    looked = verdict(inside, outside, p=p, trials=trials, opening=opening + 1)
    for later in (searched, looked):
        assert later.combined_p >= first.combined_p - 1e-12
        if later.value in ("real", "promising"):
            assert first.value in ("real", "promising")


@settings(max_examples=cases(60), deadline=None)
@given(
    inside=st.floats(-3, 12),
    outside=st.floats(-3, 12),
    p=st.sampled_from([None, 0.0, 0.001, 0.3]),
    lost=st.sampled_from([["development"], ["holdout"], ["development", "holdout"]]),
)
def test_a_lost_account_is_never_believed(inside, outside, p, lost):
    found = verdict(inside, outside, p=p, lost=lost)
    assert found.value in ("unproven", "overfit")
    told = {one.code: one.speaks_for for one in found.reasons}
    assert [told[f"account_lost_{part}"] for part in lost] == [False] * len(lost)


def test_its_p_values_are_those_of_the_normal_distribution():
    found = verdict(2.0, 1.5, opening=2)
    assert found.naive_p == pytest.approx(stats.norm.sf(2.0))
    assert found.development_p == pytest.approx(stats.norm.sf(2.0))  # one trial: luck has no choice
    assert found.holdout_p == pytest.approx(6 * stats.norm.sf(1.5))
    _, expected = stats.combine_pvalues(
        [found.development_p, found.holdout_p], "stouffer", weights=[DEVELOPMENT**0.5, HOLDOUT**0.5]
    )
    assert found.combined_p == pytest.approx(expected)


def test_luck_is_bounded_by_what_unskilled_trials_can_differ():
    wide = luck_of_search(Search(trials=100, sharpe_variance=5.0), 1_000)
    independent = luck_of_search(Search(trials=100, sharpe_variance=1.0 / 1_000), 1_000)
    alike = luck_of_search(Search(trials=100, sharpe_variance=0.1 / 1_000), 1_000)
    assert wide == independent > alike > 0.0
    assert luck_of_search(Search(trials=1, sharpe_variance=5.0), 1_000) == 0.0


def test_every_reason_and_value_has_its_words():
    codes = {
        reason.code
        for one in (
            verdict(pbo=0.3),
            verdict(findings=[finding("costs", "failed"), finding("look_ahead", "failed")]),
            verdict(lost=["development", "holdout"]),
            verdict(opening=11, remembering=["ollama:m"]),
        )
        for reason in one.reasons
    }
    assert codes == {
        "development", "holdout_opened", "holdout_spent", "combined", "memory", "trades", "pbo", "fatal",
        "essential", "stress", "account_lost_development", "account_lost_holdout",
    }  # fmt: skip
    for language in ("fr", "en"):
        texts = catalogue("verdict", language)
        assert all(f"reason.{code}" in texts for code in codes)
        assert all(f"value.{value}" in texts for value in VALUES)


def test_the_best_of_many_is_judged_with_their_dependence():
    random = np.random.default_rng(0)
    noise = random.normal(0.0, 1.0, (200, 40))
    copies = noise[:, :1] + random.normal(0.0, 0.05, (200, 40))
    noise[:, 0] += 0.16
    copies += 0.16
    alone = familywise_p_value(noise[:, :1], 0, np.random.default_rng(1))
    among = familywise_p_value(noise, 0, np.random.default_rng(1))
    among_copies = familywise_p_value(copies, 0, np.random.default_rng(1))
    # Alone as Student's t says; forty unrelated trials cost forty times as much, copies next to nothing.
    assert alone == pytest.approx(stats.ttest_1samp(noise[:, 0], 0, alternative="greater").pvalue, rel=0.4)
    assert among > 10 * alone
    assert among_copies < 3 * familywise_p_value(copies[:, :1], 0, np.random.default_rng(1))


def test_where_nothing_is_to_be_found_little_is_believed():
    # Three hundred searches among twenty related trials without an edge, the best of each judged.
    random = np.random.default_rng(2)
    believed = 0
    for _ in range(300):
        market, ideas = random.normal(0, 1, (1250, 1)), random.normal(0, 1, (1250, 20))
        returns = 0.6 * market + 0.8 * ideas
        inside, outside = returns[:1000], returns[1000:]
        best = int((inside.mean(axis=0) / inside.std(axis=0)).argmax())
        blocks = inside.reshape(250, 4, 20).sum(axis=1)
        p = familywise_p_value(blocks, best, random, replications=300)
        found = decide(
            development=moments(inside[:, best]),
            holdout=moments(outside[:, best]),
            search=Search(trials=20, sharpe_variance=1e-3, familywise_p=p),
            opening=1,
            trades=100,
            findings=(),
        )
        believed += found.value in ("real", "promising")
    # 2 % by design: 6 of 300, give or take 2.4.
    assert believed <= 14


def test_an_edge_that_is_there_is_believed():
    random = np.random.default_rng(3)
    believed = 0
    for _ in range(50):
        returns = random.normal(0, 1, (1250, 20))
        returns[:, 4] += 3.0 / 252**0.5
        blocks = returns[:1000].reshape(250, 4, 20).sum(axis=1)
        found = decide(
            development=moments(returns[:1000, 4]),
            holdout=moments(returns[1000:, 4]),
            search=Search(
                trials=20,
                sharpe_variance=1e-3,
                familywise_p=familywise_p_value(blocks, 4, random, replications=500),
            ),
            opening=1,
            trades=100,
            findings=(),
        )
        believed += found.value in ("real", "promising")
    assert believed >= 45


@pytest.mark.parametrize("seed", range(5))
def test_knowing_the_next_bar_is_rejected_every_time(seed):
    prices = made_up_prices(rows=1200, seed=seed, frequency="1D")

    def peeking(part):
        close = part["close"].to_numpy()
        return np.where(np.append(close[1:] > close[:-1], False), ENTER_LONG, EXIT_LONG).astype(np.uint8)

    leaking = prices.assign(volume=prices["close"].shift(-1).ffill())
    leak = StrategySpec(name="leak", entry_long="volume > close", exit_long="volume <= close")
    spec = StrategySpec.preset("ma_crossover")
    for case in (
        StressCase.open(prices, spec, Costs(), generator=np.random.default_rng(0), source=peeking),
        StressCase.open(leaking, leak, Costs(fee_bps=1), generator=np.random.default_rng(0)),
    ):
        # A cheat looks better than anything honest, inside and outside.
        assert case.excess_sharpe(case.result) > 10
        assert verdict(20.0, 10.0, findings=stress_tests(case)).value == "overfit"


def test_openings_share_the_chance_of_error_of_one():
    single = stats.norm.sf(0.15 * 250**0.5)
    told = [evidence_of_opening(opening, 0.15, 250) for opening in range(1, 11)]
    assert [p / single for p, _ in told[:4]] == pytest.approx([2, 6, 12, 20])
    assert [weight for _, weight in told[:4]] == pytest.approx([1, 1 / 3, 1 / 6, 1 / 10])
    assert sum(single / p for p, _ in told) < 1.0


def test_a_strong_holdout_still_weighs_at_the_last_opening():
    # Far in the tail a difference from 1 would be lost: 9 deviations are 1.1e-19.
    found, _ = evidence_of_opening(10, 9.0 / 1000**0.5, 1000)
    assert found == pytest.approx(110 * stats.norm.sf(9.0), rel=1e-9)
    assert evidence_of_opening(11, 9.0 / 1000**0.5, 1000) == (1.0, 0.0)


def test_building_on_the_answers_of_earlier_openings_is_not_believed():
    # Whoever averages the ideas that did well on the holdout gets a strategy that does well there.
    random = np.random.default_rng(11)
    believed, people = 0, 400
    for _ in range(people):
        kept = []
        for opening in range(1, 41):
            returns = random.normal(0.0, 1.0, 1250) if opening % 2 else sum(kept, np.zeros(1250))
            inside, outside = moments(returns[:1000]), moments(returns[1000:])
            if opening % 2:
                kept.append(returns if outside.sharpe > 0 else -returns)
            found = decide(
                development=inside,
                holdout=outside,
                search=Search(trials=1, sharpe_variance=0.0),
                opening=opening,
                trades=100,
                findings=(),
            )
            if found.value in ("real", "promising"):
                believed += 1
                break
    # 2.5 % by design, give or take 0.8.
    assert believed <= 0.025 * people + 6
