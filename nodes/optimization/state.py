"""What the optimisation graph is given, and what it carries from node to node.

Values are plain JSON: a checkpoint written by one version is read by the next, and Studio shows it as it is.
Prices, trades and equity curves stay in the data folder; the state carries their hashes.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import ConfigDict, Field
from typing_extensions import TypedDict

from backtest import GapPolicy, Input
from backtest.presets import PRESETS
from base.labels import Label
from base.numbers import Numeric
from nodes.further import MOST_OFFERED
from record.types import (
    Analysis,
    Approval,
    Champion,
    Debate,
    Decision,
    Dossier,
    Figures,
    Iteration,
    Judgement,
    Lesson,
    Member,
    Prices,
    Proposal,
    Strategy,
    Turn,
    Variant,
    Verdict,
)
from vault.readers.options import Reading

MOST_POOLED = 100
"""Instruments of a pool at most."""


class StrategyInput(Numeric):
    """Which strategy, on which prices: what every graph over a strategy is given."""

    model_config = ConfigDict(extra="forbid")

    data: Annotated[
        str,
        Field(
            title="Prices",
            description="A CSV, Parquet, Feather or JSON file, or sample:sp500, sample:nasdaq, "
            "or dataset:HASH for prices already registered.",
            examples=["sample:sp500"],
            min_length=1,
            # A suggestion for forms; who calls says which prices are meant.
            json_schema_extra={"default": "sample:sp500"},
        ),
    ]
    strategy: Annotated[
        str,
        Field(
            title="Strategy",
            description="Name of a preset to start from.",
            # Choices for forms; a program may write the name in any case.
            json_schema_extra={"enum": [*PRESETS]},
        ),
    ] = "ma_crossover"
    params: Annotated[
        dict[str, float | None],
        Field(
            title="Parameters",
            description="Values that differ from the preset's, risk included (stop_loss_pct in percent).",
            examples=[{"fast_period": 5, "slow_period": 20, "stop_loss_pct": 2.0}],
        ),
    ] = Field({})
    spec: Annotated[
        Strategy | None,
        Field(title="Strategy of your own", description="A complete strategy as JSON, in place of a preset."),
    ] = None
    inputs: Annotated[
        dict[Label, str],
        Field(
            title="Further series",
            description="Tables beside the prices by name, as for the prices, whose columns the strategy "
            "declares and reads: btc.close is the column close of the table btc.",
            examples=[{"btc": "BTCUSDT_30m.parquet"}],
            max_length=20,
        ),
    ] = Field({})
    symbol: Annotated[
        Label | None,
        Field(
            title="Symbol",
            description="For example BTCUSDT (default: taken from the data). If the file holds several "
            "instruments, the one to read.",
        ),
    ] = None
    timeframe: Annotated[
        Label | None,
        Field(
            title="Timeframe",
            description="For example 30m (default: measured); refused if the bars contradict it.",
        ),
    ] = None
    gaps: Annotated[
        GapPolicy,
        Field(
            title="Gaps",
            description="Treatment of missing bars: accept leaves the history as it is, fill adds flat bars "
            "without volume, refuse refuses the data.",
        ),
    ] = "accept"
    reading: Annotated[
        Reading,
        Field(title="Price file", description="Format of the price file (default: detected)."),
    ] = Reading()
    run: Annotated[
        str | None, Field(title="Run", description="Name of the run (default: from the time).")
    ] = None


class OptimizationInput(StrategyInput):
    """What to optimise, on which prices."""

    offered: Annotated[
        dict[Label, Input],
        Field(
            title="Series on offer",
            description="Further series that changes may read though the strategy to start from reads none "
            "of them, each with its kind. A table of which it reads nothing is offered with every column "
            "of numbers: what is not described here is a price or a volume by its name, or of no kind.",
            examples=[{"signal.value": {"kind": "move"}}],
            max_length=MOST_OFFERED,
        ),
    ] = Field({})
    pool: Annotated[
        list[str],
        Field(
            title="Pool",
            description="Prices of further instruments, as for the prices (a name may stand before each: "
            "ETHUSDT=eth.csv): one strategy is searched and judged on all of them together.",
            examples=[["sample:nasdaq"]],
            max_length=MOST_POOLED - 1,
        ),
    ] = Field([])
    other_data: Annotated[
        list[str],
        Field(
            title="Other instruments",
            description="Prices of other instruments, as for the prices: the final strategy is tried on the "
            "development part of each. No holdout of theirs is opened.",
            examples=[["sample:nasdaq"]],
            max_length=20,
        ),
    ] = Field([])


class ReviewInput(StrategyInput):
    """Which backtest to review, on which prices."""


def latest(known: dict[str, Variant], new: dict[str, Variant] | None) -> dict[str, Variant]:
    """Reducer of `variants`: parallel branches each add their own; those of earlier iterations go.

    What the others came to stands in `history`, and in full in the run's record. None forgets them all.
    """
    if new is None:
        return {}
    newest = max((variant["iteration"] for variant in new.values()), default=0)
    return {key: variant for key, variant in known.items() if variant["iteration"] >= newest} | new


class OptimizationState(TypedDict, total=False):
    """One writer a key, named beside it."""

    run_id: str  # load
    graph: str  # load: `optimization`, or load_review: `review`
    request: dict[str, Any]  # load: the input as JSON, with the run's name: what a resume starts from
    dataset: Prices  # load
    others: list[Prices]  # load: datasets of other instruments, for the last judgement
    initial: Strategy  # load: to start from
    baseline: Figures  # baseline: of the initial strategy
    bars_a_day: int  # baseline: of the day in which holding times are told
    dossier: Dossier  # baseline, survey, then converge: figures of an iteration's first champion, with ids
    lessons: list[Lesson]  # baseline: what finished runs on this market taught
    iteration: int  # analyst, or single in its place
    analysis: Analysis | None  # analyst, or single: None when it abstained
    proposals: list[Proposal]  # strategist, or single: usable ones; approve: as a person left them
    verdicts: list[Verdict] | None  # validator, or single: None when it abstained
    confidence: float | None  # validator, or single: 0 to 10, its trust in the iteration's evidence
    approval: Approval  # approve
    variants: Annotated[dict[str, Variant], latest]  # backtest_variant: by hash, of this iteration
    champion: Champion  # survey, then select
    archive: list[Member]  # survey, then select: the population's candidates, best first
    surveyed: int  # survey: configurations that it tested
    history: list[Iteration]  # select: one entry an iteration, older ones in short
    debate: Debate  # debate, or single
    decision: Decision  # converge
    judgement: Judgement  # judge: figures on the holdout
    result: Any  # report or review: as written to result.json, without `history`


class VariantTask(TypedDict):
    """What one parallel branch is sent."""

    run_id: str
    iteration: int
    dataset: Prices
    proposal: Proposal
    champion: Champion
    allowance: int | None  # strategies this branch may test; None without a limit


class DebateState(TypedDict, total=False):
    """The debate's own state; the keys it shares with the cycle are read, `debate` is written."""

    run_id: str
    graph: str
    request: dict[str, Any]
    iteration: int
    proposals: list[Proposal]
    dataset: Prices
    initial: Strategy
    baseline: Figures
    champion: Champion
    archive: list[Member]
    bars_a_day: int
    dossier: Dossier
    lessons: list[Lesson]
    history: list[Iteration]
    turns: list[Turn]  # speak
    debate: Debate  # consensus
