"""The verdict on a result: `real`, `promising`, `unproven` or `overfit`, computed from the figures alone.

All tests use the excess over buy and hold at the same exposure (`backtest.validation.trials`), so that a
drift of the prices alone gives no verdict. Ratios are per bar; every test has the null hypothesis's own
variance (the 2025 form of `backtest.statistics.sharpe`), one-sided.

1. Development. `p_d` is the probability that the best of all trials, if none had an edge, does as well as the
   chosen one, by a bootstrap that keeps their dependence (`familywise_p_value`); trials that could not be
   compared count as much as those drawn of them say, or in full. Where none could be, the expected maximum
   under the null is `L = √V · E[max N]` and p_d the tail beyond it, V the variance of the trials' Sharpe
   ratios but no more than 1/T: trials without skill cannot differ more than independent ones do. `z_d` is the
   normal quantile of p_d.
2. Holdout. `p_h = n (n + 1) · P(Z ≥ SR_h · √T_h)` for the n-th opening: the chances of error spent on all
   openings, α/2 + α/6 + α/12 + …, sum to α (alpha spending). After `MOST_OPENINGS` it is 1: who has seen so
   many answers can build a strategy out of them that fits these bars. `z_h` is its quantile.
3. Both. `z = (√T_d · z_d + √T_h · z_h) / √(T_d + T_h)` (Stouffer), `p = P(Z ≥ z)`.

overfit    look-ahead bias; or the development result is significant for a single trial (p ≤ 5 % against 0)
           but not after correction for the number of trials (p_d > 5 %), or it is but the holdout shows no
           excess or loses the account
real       p ≤ 0.2 %, p_h ≤ 5 %, 30 trades or more, and no essential stress test failed
promising  p ≤ 2 %, p_h ≤ 50 %, 10 trades or more
unproven   everything else

A strategy that loses its account on either part is neither real nor promising, whatever its mean return. One
that was proposed by a model which was told the market and may remember the holdout is promising at best.
A `real` or `promising` result is never `overfit`, except with look-ahead bias. `threadx calibrate` measures
the false positive rate and the power of this procedure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from backtest.statistics.deflated_sharpe import expected_maximum_sharpe
from backtest.statistics.returns import Moments
from backtest.statistics.sharpe import NORMAL, sampling_variance
from backtest.validation.stress import STRESS_TESTS, Finding

Value = Literal["real", "promising", "unproven", "overfit"]
VALUES: tuple[Value, ...] = get_args(Value)
Part = Literal["development", "holdout"]

REAL_P, PROMISING_P = 0.002, 0.02
REAL_HOLDOUT_P, PROMISING_HOLDOUT_P = 0.05, 0.5
REAL_TRADES, PROMISING_TRADES = 30, 10
NAIVE_P = 0.05
MOST_OPENINGS = 10
"""A holdout answers so often; then it proves nothing more, and newer bars are needed."""

FATAL_TESTS = tuple(name for name, test in STRESS_TESTS.items() if test.failing == "fatal")
"""Failing one of these is knowing the future: no other figure then means anything."""
ESSENTIAL_TESTS = tuple(name for name, test in STRESS_TESTS.items() if test.failing == "essential")
"""Failing one of these keeps a result from being called real."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Search:
    """The search that a result was chosen from.

    Attributes:
        trials: configurations that were looked at, the chosen one among them.
        sharpe_variance: variance of their excess Sharpe ratios, per bar.
        pbo: probability of backtest overfitting; None where there was too little to compare.
        familywise_p: chance that the best of them does as well without an edge; None where there was too
            little to compare.
    """

    trials: int
    sharpe_variance: float
    pbo: float | None = None
    familywise_p: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """One condition of the verdict.

    Attributes:
        code: its sentence is `verdict.reason.<code>`.
        speaks_for: whether it speaks for the result.
        fields: what the sentence tells: fractions under names that end in `_percent`, else plain numbers or
            names.
    """

    code: str
    speaks_for: bool
    fields: dict[str, float | int | str]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A verdict and the figures it was reached by.

    Attributes:
        value: the verdict.
        reasons: every condition, in the order of evaluation.
        development_p: chance of the development result, the search counted.
        naive_p: the same as if nothing had been searched.
        holdout_p: chance of the holdout result, the openings counted.
        combined_p: chance of both.
        luck_sharpe: expected maximum Sharpe ratio under the null, per bar.
    """

    value: Value
    reasons: tuple[Reason, ...]
    development_p: float
    naive_p: float
    holdout_p: float
    combined_p: float
    luck_sharpe: float

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "value": self.value,
            "reasons": [
                {"code": one.code, "speaks_for": one.speaks_for, "fields": dict(one.fields)}
                for one in self.reasons
            ],
            "development_p": self.development_p,
            "naive_p": self.naive_p,
            "holdout_p": self.holdout_p,
            "combined_p": self.combined_p,
            "luck_sharpe": self.luck_sharpe,
        }


def variance_of_luck(sharpe_variance: float, n_observations: int) -> float:
    """Variance of trials' Sharpe ratios, per bar, that luck can explain: V of the module's docstring."""
    return min(sharpe_variance, 1.0 / n_observations)


def luck_of_search(search: Search, n_observations: int) -> float:
    """Expected maximum Sharpe ratio under the null, per bar: L of the module's docstring."""
    return expected_maximum_sharpe(
        max(1, search.trials), variance_of_luck(search.sharpe_variance, n_observations)
    )


def _z(sharpe: float, benchmark: float, moments: Moments) -> float:
    variance = sampling_variance(benchmark, moments.skew, moments.kurtosis)
    return (sharpe - benchmark) / math.sqrt(variance / moments.n_observations)


def _quantile(p_value: float) -> float:
    """The standard normal quantile that leaves `p_value` above it, within ten deviations."""
    return -NORMAL.inv_cdf(min(max(p_value, 1e-23), 1.0 - 1e-16))


def decide(
    *,
    development: Moments,
    holdout: Moments,
    search: Search,
    opening: int,
    trades: int,
    findings: Sequence[Finding],
    lost: Sequence[Part] = (),
    remembering: Sequence[str] = (),
) -> Verdict:
    """The verdict on one result, by the table in this file's text.

    Args:
        development: moments of the excess over holding on the development part.
        holdout: the same on the holdout.
        search: what the result was chosen from.
        opening: how many have looked into the holdout, this time included.
        trades: closed on both parts.
        findings: of the stress tests on the development part.
        lost: parts on which the account was lost.
        remembering: models that took part and may have known what happened on the holdout.

    Raises:
        RequestError: `impossible_moments`, `too_few_trials`.
    """
    luck = luck_of_search(search, development.n_observations)
    if search.familywise_p is not None:
        development_p = search.familywise_p
    else:
        development_p = NORMAL.cdf(-_z(development.sharpe, luck, development))
    naive_p = NORMAL.cdf(-_z(development.sharpe, 0.0, development))
    holdout_p, _ = evidence_of_opening(opening, holdout.sharpe, holdout.n_observations)
    weights = math.sqrt(development.n_observations), math.sqrt(holdout.n_observations)
    combined = weights[0] * _quantile(development_p) + weights[1] * _quantile(holdout_p)
    combined_p = NORMAL.cdf(-combined / math.hypot(*weights))

    failed = {one.name for one in findings if one.outcome == "failed"}
    fatal = [name for name in FATAL_TESTS if name in failed]
    essential = [name for name in ESSENTIAL_TESTS if name in failed]

    if fatal:
        value: Value = "overfit"
    elif (
        combined_p <= REAL_P
        and holdout_p <= REAL_HOLDOUT_P
        and trades >= REAL_TRADES
        and not essential
        and not lost
        and not remembering
    ):
        value = "real"
    elif (
        combined_p <= PROMISING_P
        and holdout_p <= PROMISING_HOLDOUT_P
        and trades >= PROMISING_TRADES
        and not lost
    ):
        value = "promising"
    elif naive_p <= NAIVE_P and (development_p > NAIVE_P or holdout.sharpe <= 0.0 or "holdout" in lost):
        value = "overfit"
    else:
        value = "unproven"

    reasons = [
        Reason(
            code="development",
            speaks_for=development_p <= NAIVE_P,
            fields={
                "p_percent": development_p,
                "naive_percent": naive_p,
                "trials": max(1, search.trials),
            },
        ),
        Reason(
            code="holdout_spent" if opening > MOST_OPENINGS else "holdout_opened",
            speaks_for=holdout_p <= REAL_HOLDOUT_P,
            fields={
                "p_percent": holdout_p,
                "single_percent": NORMAL.cdf(-holdout.sharpe * math.sqrt(holdout.n_observations)),
                "times": share_of_error(opening),
                "opening": max(1, opening),
                "openings": MOST_OPENINGS,
            },
        ),
        Reason(code="combined", speaks_for=combined_p <= PROMISING_P, fields={"p_percent": combined_p}),
        Reason(code="trades", speaks_for=trades >= REAL_TRADES, fields={"trades": trades}),
    ]
    if search.pbo is not None:
        reasons.append(Reason(code="pbo", speaks_for=search.pbo < 0.5, fields={"pbo_percent": search.pbo}))
    reasons += [Reason(code=f"account_lost_{part}", speaks_for=False, fields={}) for part in lost]
    if remembering:
        reasons.append(Reason(code="memory", speaks_for=False, fields={"models": ", ".join(remembering)}))
    reasons += [Reason(code="fatal", speaks_for=False, fields={"test": name}) for name in fatal]
    reasons += [Reason(code="essential", speaks_for=False, fields={"test": name}) for name in essential]
    if not fatal and not essential:
        tested = [one for one in findings if one.outcome != "skipped"]
        passed = sum(one.outcome == "passed" for one in tested)
        reasons.append(
            Reason(code="stress", speaks_for=True, fields={"passed": passed, "tests": len(tested)})
        )
    return Verdict(
        value=value,
        reasons=tuple(reasons),
        development_p=development_p,
        naive_p=naive_p,
        holdout_p=holdout_p,
        combined_p=combined_p,
        luck_sharpe=luck,
    )


def among(value: Value, adjusted_p: float) -> Value:
    """A verdict on one instrument of a pool, its p-value adjusted for their number; never a better one.

    `overfit` speaks of a search, and none was made on one of them alone: there it is `unproven`.
    """
    return "unproven" if value == "overfit" else counted_among(value, adjusted_p)


def counted_among(value: Value, adjusted_p: float) -> Value:
    """A verdict that stands among others, its p-value adjusted for their number; never a better one."""
    if value == "real" and adjusted_p > REAL_P:
        value = "promising"
    if value == "promising" and adjusted_p > PROMISING_P:
        value = "unproven"
    return value


def share_of_error(opening: int) -> int:
    """By what the p-value of the n-th opening is multiplied: n (n + 1)."""
    return max(1, opening) * (max(1, opening) + 1)


def evidence_of_opening(opening: int, sharpe: float, n_observations: int) -> tuple[float, float]:
    """What the n-th look into a holdout is worth: (p-value, share of a first look's weight).

    The null hypothesis's own variance of a Sharpe ratio is 1/T. The n-th look has α / (n (n + 1)) of the
    chance of error α that all looks together may have: Σ 1 / (n (n + 1)) = 1. That holds while the answers
    of earlier looks hardly shape later strategies; after `MOST_OPENINGS` a look proves nothing.
    """
    if opening > MOST_OPENINGS:
        return 1.0, 0.0
    single = NORMAL.cdf(-sharpe * math.sqrt(n_observations))
    return min(1.0, share_of_error(opening) * single), share_of_error(1) / share_of_error(opening)
