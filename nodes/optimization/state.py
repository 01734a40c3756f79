"""What the optimisation graph is given, and what it carries from node to node.

Values are plain JSON: a checkpoint written by one version is read by the next, and Studio shows it as it is.
Prices, trades and equity curves stay in the data folder; the state carries their hashes.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from backtest import GapPolicy


class OptimizationInput(BaseModel):
    """What to optimise, on which prices."""

    model_config = ConfigDict(extra="forbid")

    data: Annotated[
        str,
        Field(
            title="Prices",
            description="A CSV, Parquet, Feather or JSON file, or sample:sp500, sample:nasdaq, "
            "or dataset:HASH for prices already registered.",
            examples=["sample:sp500"],
            min_length=1,
        ),
    ] = "sample:sp500"
    strategy: Annotated[
        str,
        Field(
            title="Strategy",
            description="Name of a preset to start from.",
            examples=["ma_crossover", "rsi_reversion"],
        ),
    ] = "ma_crossover"
    params: Annotated[
        dict[str, float | None],
        Field(
            title="Parameters",
            description="Values that differ from the preset's, risk included (stop_loss_pct in percent).",
            examples=[{"fast_period": 5, "slow_period": 20, "stop_loss_pct": 2.0}],
        ),
    ] = {}
    spec: Annotated[
        dict[str, Any] | None,
        Field(title="Strategy of your own", description="A whole strategy as JSON, in place of a preset."),
    ] = None
    symbol: Annotated[
        str | None, Field(title="Symbol", description="For example BTCUSDT; taken from the data if left out.")
    ] = None
    timeframe: Annotated[
        str | None,
        Field(
            title="Timeframe",
            description="For example 30m; measured if left out, refused where the bars contradict it.",
        ),
    ] = None
    gaps: Annotated[
        GapPolicy,
        Field(
            title="Gaps",
            description="Where bars are missing: accept leaves the history as it is, fill puts flat bars "
            "without volume there, refuse refuses the data.",
        ),
    ] = "accept"
    run: Annotated[
        str | None, Field(title="Run", description="Name of the run; made from the time if left out.")
    ] = None


def merge(known: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Reducer of `variants`: parallel branches each add their own key."""
    return {**known, **new}


class OptimizationState(TypedDict, total=False):
    """One writer a key, named beside it."""

    run_id: str  # load
    request: dict[str, Any]  # load: OptimizationInput as JSON, with the run's name: what a resume starts from
    dataset: dict[str, Any]  # load: market.datasets.Dataset as JSON
    initial: dict[str, Any]  # load: the StrategySpec to start from, as JSON
    baseline: dict[str, Any]  # baseline: figures of the initial strategy
    iteration: int  # analyst
    analysis: dict[str, Any] | None  # analyst: Analysis as JSON, None when it abstained
    proposals: list[dict[str, Any]]  # strategist: usable proposals, see `nodes.optimization.strategist`
    verdicts: list[dict[str, Any]] | None  # validator: Verdict as JSON, None when it abstained
    variants: Annotated[dict[str, dict[str, Any]], merge]  # backtest_variant: by hash, of all iterations
    champion: dict[str, Any]  # select: {"spec", "figures", "iteration"}
    history: list[dict[str, Any]]  # select: one entry an iteration
    debate: dict[str, Any]  # debate: {"iteration", "decision", "turns", "dissent"}
    decision: dict[str, Any]  # converge: {"stop", "reason", "gain", "score"}
    judgement: dict[str, Any]  # judge: figures on the holdout
    result: dict[str, Any]  # report: the result as written to result.json


class VariantTask(TypedDict):
    """What one parallel branch is sent."""

    run_id: str
    iteration: int
    dataset: dict[str, Any]
    proposal: dict[str, Any]


class DebateState(TypedDict, total=False):
    """The debate's own state; the keys it shares with the cycle are read, `debate` is written."""

    run_id: str
    iteration: int
    dataset: dict[str, Any]
    initial: dict[str, Any]
    baseline: dict[str, Any]
    champion: dict[str, Any]
    history: list[dict[str, Any]]
    turns: list[dict[str, Any]]  # speak
    debate: dict[str, Any]  # consensus
