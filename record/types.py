"""What has a name in the optimisation cycle, as the plain JSON that state, events and results carry.

Typed dictionaries, because a checkpoint keeps nothing but plain JSON. Keys that records of earlier versions
lack are `NotRequired`; what else stands in a record is kept as it is.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired

from pydantic import ConfigDict, with_config
from typing_extensions import TypedDict

_OPEN = ConfigDict(extra="allow", strict=True)

Strategy = dict[str, Any]
"""A `backtest.StrategySpec` as JSON."""

OWN = "own"
"""Name of a strategy that a person gives by its conditions."""

Grid = dict[str, list[float]]
"""Values by name that each fold of a walk-forward test chooses among."""

Metrics = dict[str, float | int | None]
"""Of a backtest, by name; None where undefined."""

Budget = Literal["budget_model_calls", "budget_tokens", "budget_seconds", "budget_backtests"]
"""A limit of a run that is used up."""

Stance = Literal["continue", "stop"]


class Parent(TypedDict):
    """What a fork comes from."""

    run: str
    checkpoint: str


class About(TypedDict):
    """What `run.json` tells of a run: enough to resume and to repeat it.

    `input` and `context` are what it was asked and set to, `source` where its prices came from, `thread` of
    the graph's checkpoints.
    """

    graph: str
    started: str
    input: dict[str, Any]
    context: dict[str, Any]
    run: NotRequired[str]
    thread: NotRequired[str | None]
    versions: NotRequired[dict[str, str]]
    source: NotRequired[str]
    parent: NotRequired[Parent]


@with_config(_OPEN)
class Prices(TypedDict):
    """A `vault.datasets.Dataset` as JSON."""

    symbol: str
    timeframe: str
    development_hash: str
    development_rows: int
    holdout_rows: int
    family: NotRequired[str]
    boundary: NotRequired[str]
    first: NotRequired[str]
    development_last: NotRequired[str]
    last: NotRequired[str]
    advances: NotRequired[list[dict[str, Any]]]
    notices: NotRequired[list[dict[str, Any]]]
    instruments: NotRequired[list[Prices]]


_Dated = TypedDict("_Dated", {"from": NotRequired[Any]})
"""Apart, because `from` is a word of the language."""


@with_config(_OPEN)
class Finding(_Dated):
    """One figure of the evidence before it has an id; its interval where it has one.

    A candidate's parameters stand beside these keys under names of their own, so most types are open.
    """

    name: str
    value: NotRequired[Any]
    of: NotRequired[Any]
    values: NotRequired[Any]
    sharpe: NotRequired[Any]
    from_bar: NotRequired[Any]
    bars: NotRequired[Any]
    recovered: NotRequired[Any]
    standard_errors: NotRequired[Any]
    n: NotRequired[Any]
    average_return: NotRequired[Any]
    win_rate: NotRequired[Any]
    profit: NotRequired[Any]
    low: NotRequired[float | None]
    high: NotRequired[float | None]


@with_config(_OPEN)
class Item(Finding):
    """The same with the id that claims cite."""

    id: str


@with_config(_OPEN)
class Dossier(TypedDict):
    """Every figure about one strategy, by the strategy's hash, and that strategy as the champion it was."""

    hash: str
    items: list[Item]
    champion: NotRequired[Champion]


@with_config(_OPEN)
class Lesson(TypedDict):
    """What finished runs taught about a kind of change: how often it was tested, and how often it helped."""

    change: str
    tested: int
    helped: int
    market: NotRequired[str]


@with_config(_OPEN)
class Attempt(TypedDict):
    """One try of one model; see `nodes.seam.provenance.Attempt`."""

    model: str
    outcome: str
    code: NotRequired[str]
    fields: NotRequired[dict[str, Any]]
    repeated: NotRequired[bool]


@with_config(_OPEN)
class Provenance(TypedDict):
    """Where an answer, or its absence, comes from; see `nodes.seam.provenance.Provenance`."""

    model: str
    degraded: bool
    attempts: list[Attempt]
    role: NotRequired[str]
    prompt_tokens: NotRequired[int | None]
    answer_tokens: NotRequired[int | None]
    cached: NotRequired[bool]
    unsaid: NotRequired[list[str]]
    repairs: NotRequired[list[str]]


@with_config(_OPEN)
class Doubt(TypedDict):
    """A claim with the numbers that no evidence bears out."""

    claim: str
    numbers: list[str]


@with_config(_OPEN)
class LostAccount(TypedDict):
    """The exit that took all an account was worth: its bar, ISO time and price."""

    bar: int
    time: str
    price: float | None


@with_config(_OPEN)
class Fold(TypedDict):
    """One walk-forward test; see `nodes.optimization.evidence.figures`."""

    train_start: NotRequired[str]
    train_end: NotRequired[str]
    train_bars: NotRequired[int]
    test_start: NotRequired[str]
    test_end: NotRequired[str]
    test_bars: NotRequired[int]
    fitted: NotRequired[bool]
    values: NotRequired[dict[str, float | None]]
    train_sharpe_ratio: NotRequired[float | None]
    sharpe_ratio: NotRequired[float | None]
    total_return: NotRequired[float | None]
    n_trades: NotRequired[int]
    account_lost: NotRequired[LostAccount | None]


@with_config(_OPEN)
class WalkForward(TypedDict):
    """The walk-forward test of a strategy; see `nodes.optimization.evidence.figures.trial_figures`."""

    configurations: int
    metrics: Metrics
    folds: NotRequired[int]
    efficiency: NotRequired[float | None]
    account_lost: NotRequired[LostAccount | None]
    other_values: NotRequired[list[dict[str, float]]]
    per_fold: NotRequired[list[Fold]]


@with_config(_OPEN)
class Exits(TypedDict):
    """Trades that ended for one reason; the average return is a fraction."""

    trades: int
    average_return: float


@with_config(_OPEN)
class Figures(TypedDict):
    """Of one backtest; see `nodes.optimization.evidence.figures.figures`.

    `walk_forward` where the strategy was tried on development data.
    """

    score: float
    hash: NotRequired[str]
    blocks: NotRequired[list[float | None]]
    metrics: NotRequired[Metrics]
    account_lost: NotRequired[LostAccount | None]
    parts: NotRequired[dict[str, Any]]
    exits: NotRequired[dict[str, Exits]]
    bars_per_year: NotRequired[dict[str, Any]]
    walk_forward: NotRequired[WalkForward]


def earlier_score(figures: Figures) -> bool:
    """Whether a score is of an earlier version: Sharpe, Calmar, profit and consistency, not skill."""
    return "skill" not in figures.get("parts", {})


@with_config(_OPEN)
class Hypothesis(TypedDict):
    """Something that may explain a weakness and can be tested."""

    statement: str
    test: NotRequired[str]
    evidence: NotRequired[list[str]]


@with_config(_OPEN)
class Analysis(TypedDict):
    """The analyst's reading of a backtest."""

    quality_score: float
    strengths: list[str]
    weaknesses: list[str]
    hypotheses: NotRequired[list[Hypothesis]]
    anomalies: NotRequired[list[str]]
    unfounded: NotRequired[list[Doubt]]
    unknown_evidence: NotRequired[list[str]]


@with_config(_OPEN)
class Refused(TypedDict):
    """A proposal that cannot be tested, and why not."""

    sentence: str
    reason_refused: str


@with_config(_OPEN)
class Change(TypedDict):
    """A typed change as JSON; what it has besides is told by the class of its kind."""

    kind: str
    value: NotRequired[Any]
    strategy: NotRequired[Strategy]


@with_config(_OPEN)
class Proposal(TypedDict):
    """One typed change, the reason for it and what it leads to.

    `number` counts from 1 in its iteration; `spec`, `grid` and `hash` are what is tested; `conditions` how
    many it adds; `base` the candidate that it changes, 0 for the champion; a person may have `declined` it,
    or edited it: `proposed` is then the proposal before.
    """

    number: int
    sentence: str
    reason: str
    hypothesis: NotRequired[int]
    change: NotRequired[Change]
    expected_effect: NotRequired[str]
    change_hash: NotRequired[str]
    hash: NotRequired[str]
    spec: NotRequired[Strategy]
    grid: NotRequired[Grid]
    conditions: NotRequired[int]
    decision: NotRequired[Literal["validated", "rejected"]]
    objection: NotRequired[str]
    against: NotRequired[list[str]]
    declined: NotRequired[bool]
    proposed: NotRequired[dict[str, Any]]
    base: NotRequired[int]


@with_config(_OPEN)
class Verdict(TypedDict):
    """The validator's word on one proposal; a veto without grounds is an abstention, which vetoes nothing."""

    proposal: int
    decision: Literal["validated", "rejected", "abstained"]
    priority: NotRequired[int]
    reason: str
    evidence: NotRequired[list[str]]


@with_config(_OPEN)
class Trial(TypedDict):
    """What became of a proposal in its iteration; older iterations of a state keep it in short.

    `code_length` is that of written functions beyond the champion's, in elementary conditions, where there
    are some; `gain_bits` what a population's variant gains.
    """

    number: int
    sentence: str
    outcome: str
    backtests: NotRequired[int]
    score: float | None
    reason: NotRequired[str]
    kind: NotRequired[str]
    change: NotRequired[Change]
    hypothesis: NotRequired[int]
    hash: NotRequired[str]
    settled: NotRequired[str | None]
    verdict: NotRequired[str | None]
    verdict_reason: NotRequired[str | None]
    sharpe_ratio: NotRequired[float | None]
    account_lost: NotRequired[Any]
    p_value: NotRequired[float | None]
    folds_held: NotRequired[int | None]
    allowed: NotRequired[float | None]
    excess_t: NotRequired[float | None]
    code_length: NotRequired[int]
    gain_bits: NotRequired[float]


@with_config(_OPEN)
class Iteration(TypedDict):
    """One iteration as `select` closes it; scores are the champion's, 0–10, and so are the t-statistics."""

    iteration: int
    trials: list[Trial]
    adopted: str | None
    score_before: float
    score: float
    analyst_score: NotRequired[float | None]
    confidence: NotRequired[float | None]
    excess_t_before: NotRequired[float]
    excess_t: NotRequired[float]


@with_config(_OPEN)
class Selection(Iteration):
    """The same with the hash of the champion that it leaves."""

    champion: NotRequired[str]


@with_config(_OPEN)
class AskedProposal(TypedDict):
    """A proposal as a person is asked about it."""

    number: int
    sentence: str
    reason: str
    expected_effect: str
    change: Change
    verdict: Verdict | None


@with_config(_OPEN)
class Approval(TypedDict):
    """Numbers of the proposals that a person let through."""

    iteration: int
    accepted: list[int]


@with_config(_OPEN)
class Variant(TypedDict):
    """A proposal's test: `figures`, or the `error` that the engine refused it with."""

    figures: Figures | None
    error: dict[str, Any] | None
    backtests: NotRequired[int]
    iteration: NotRequired[int]
    spec: NotRequired[Strategy]
    grid: NotRequired[Grid]
    p_value: NotRequired[float | None]
    folds_held: NotRequired[int]
    excess_t: NotRequired[float]
    bars_held: NotRequired[float]


@with_config(_OPEN)
class TestedVariant(Variant):
    """The same with the proposal: `given` is its strategy before values were searched."""

    number: int
    sentence: str
    given: NotRequired[Strategy]


@with_config(_OPEN)
class Searched(TypedDict):
    """A strategy: `given` before values were searched among `grid`, `spec` with those found."""

    spec: Strategy
    given: Strategy
    grid: Grid


@with_config(_OPEN)
class Champion(Searched):
    """The best strategy so far, and the iteration that found it."""

    figures: Figures
    iteration: int
    excess_t: NotRequired[float]


@with_config(_OPEN)
class Member(Searched):
    """A candidate of the population, in the order of `number` from 1.

    `excess_t` is the t-statistic of its excess over holding on the development part, `bars_held` how long it
    is in a trade on average, `iteration` when it was found (0: by the survey), `given_first` whether it is
    the strategy that the run began with.
    """

    number: int
    hash: str
    family: str
    side: Literal["long", "short", "both"]
    bars_held: float
    trades: int
    excess_t: float
    iteration: int
    given_first: bool


@with_config(_OPEN)
class Claim(TypedDict):
    """One argument of a voice, and ids of the evidence it rests on."""

    statement: str
    evidence: list[str]


@with_config(_OPEN)
class Turn(TypedDict):
    """What a voice said in the debate; stance, statement and confidence are None where it abstained."""

    voice: str
    stance: Stance | None
    statement: str | None
    confidence: float | None
    claims: NotRequired[list[Claim]]
    unfounded: NotRequired[list[Doubt]]


@with_config(_OPEN)
class RecordedTurn(Turn):
    """The same with its round, from 1, and who spoke."""

    round: NotRequired[int]
    provenance: Provenance


@with_config(_OPEN)
class Debate(TypedDict):
    """A debate that has ended: `dissent` names the voices against the decision."""

    iteration: int
    decision: Stance
    turns: list[Turn]
    dissent: list[str]


@with_config(_OPEN)
class Decision(TypedDict):
    """Whether the search goes on, and why; `gain` is relative to the score before."""

    stop: bool
    reason: str
    score: float
    gain: float


@with_config(_OPEN)
class Interval(TypedDict):
    """95 % interval of a metric; None where it is not finite."""

    low: float | None
    high: float | None


@with_config(_OPEN)
class Snooping(TypedDict, total=False):
    """p-values of White's reality check and of Hansen's test of superior predictive ability."""

    reality_check: float | None
    spa_lower: float | None
    spa_consistent: float | None
    spa_upper: float | None


@with_config(_OPEN)
class SearchFigures(TypedDict):
    """Statistics of a search; see `nodes.optimization.trials.ledger.search_figures`."""

    trials: int
    compared: int
    effective_trials: int | None
    trials_before: NotRequired[int]
    trials_by_origin: NotRequired[dict[str, int]]
    minimum_backtest_years: NotRequired[float | None]
    sharpe_variance: NotRequired[float]
    familywise_p: NotRequired[float | None]
    independent_trials: NotRequired[float | None]
    cluster_variance: NotRequired[float | None]
    pbo: NotRequired[float | None]
    pbo_splits: NotRequired[int | None]
    data_snooping: NotRequired[Snooping | None]


@with_config(_OPEN)
class Haircut(TypedDict):
    """A Sharpe ratio after one correction for multiple tests."""

    adjusted_p_value: float | None
    sharpe_annual: float | None
    haircut: float | None


@with_config(_OPEN)
class Overfitting(SearchFigures):
    """Every statistic of the development result; see `nodes.optimization.trials.judging`."""

    observations: NotRequired[int]
    excess_sharpe: NotRequired[float | None]
    excess_sharpe_annual: NotRequired[float | None]
    skew: NotRequired[float | None]
    kurtosis: NotRequired[float | None]
    average_exposure: NotRequired[float | None]
    luck_sharpe: NotRequired[float | None]
    luck_sharpe_annual: NotRequired[float | None]
    probabilistic_sharpe: NotRequired[float | None]
    probabilistic_sharpe_2025: NotRequired[float | None]
    deflated_sharpe: NotRequired[float | None]
    deflated_sharpe_clusters: NotRequired[float | None]
    minimum_track_record_bars: NotRequired[float | None]
    haircuts: NotRequired[dict[str, Haircut]]
    autocorrelation_adjusted_sharpe_annual: NotRequired[float | None]
    intervals: NotRequired[dict[str, Interval | None]]


@with_config(_OPEN)
class HoldoutFigures(TypedDict):
    """What the holdout says of the champion: which opening it was, what that weighs, and its excess."""

    opening: int
    weight: NotRequired[float | None]
    p_value: NotRequired[float | None]
    observations: NotRequired[int]
    excess_sharpe: NotRequired[float | None]
    excess_sharpe_annual: NotRequired[float | None]
    average_exposure: NotRequired[float | None]
    intervals: NotRequired[dict[str, Interval | None]]


@with_config(_OPEN)
class CrossValidation(TypedDict):
    """Sharpe ratios of the paths of a combinatorial cross-validation."""

    paths: int
    sharpe_ratios: list[float | None]


@with_config(_OPEN)
class EarlierOpenings(TypedDict):
    """Openings of a holdout that count, of one name of its market; see `vault.datasets.Earlier`."""

    symbol: str
    timeframe: str
    readers: int
    correlation: float | None
    like: str


@with_config(_OPEN)
class DeclaredHypothesis(TypedDict):
    """A hypothesis that was declared before anybody looked, and its verdict; see `vault.declared`."""

    text: str
    direction: Literal["above", "below"]
    strategy: Strategy
    description: str
    declared_by: str
    declared_at: str
    fingerprint: str
    verdict: dict[str, Any]
    attribution: dict[str, Any]


@with_config(_OPEN)
class MissingEvidence(TypedDict):
    """What of the evidence is missing: its text is `verdict.missing.<code>`.

    `present` and `witnessed` are counts of today and of the records, `runs` those that witness it, `count`
    how many lines or links.
    """

    code: str
    present: NotRequired[int]
    witnessed: NotRequired[int]
    count: NotRequired[int]
    runs: NotRequired[list[str]]


@with_config(_OPEN)
class Reason(TypedDict):
    """One condition of the verdict; its sentence is `verdict.reason.<code>`, which tells `fields`."""

    code: str
    speaks_for: bool
    fields: dict[str, Any]


@with_config(_OPEN)
class JudgedVerdict(TypedDict):
    """A `backtest.validation.verdict.Verdict` as JSON."""

    value: str
    reasons: NotRequired[list[Reason]]
    development_p: NotRequired[float | None]
    naive_p: NotRequired[float | None]
    holdout_p: NotRequired[float | None]
    combined_p: NotRequired[float | None]
    luck_sharpe: NotRequired[float | None]


@with_config(_OPEN)
class Edge(TypedDict):
    """The true yearly excess Sharpe ratio after everything that was seen: mean and 90 % interval."""

    expected: float
    low: float
    high: float
    positive: NotRequired[float]


@with_config(_OPEN)
class Sight(TypedDict):
    """A `backtest.validation.power.Sight` as JSON."""

    edge: NotRequired[Edge]
    power: NotRequired[dict[str, float | None]]
    years_needed: NotRequired[float | None]
    outcome: NotRequired[str]


@with_config(_OPEN)
class Attribution(TypedDict):
    """A `backtest.validation.attribution.Attribution` as JSON."""

    exposure: float | None
    holding: float | None
    timing: float | None
    low: float | None
    high: float | None


@with_config(_OPEN)
class StressFinding(TypedDict):
    """A `backtest.validation.stress.Finding` as JSON."""

    name: str
    outcome: str
    figure: NotRequired[float | None]
    fields: NotRequired[dict[str, Any]]


@with_config(_OPEN)
class Belief(TypedDict):
    """What may be believed of a champion, and everything that rests on."""

    verdict: NotRequired[JudgedVerdict]
    overfitting: NotRequired[Overfitting]
    sight: NotRequired[Sight]
    attribution: NotRequired[dict[str, Attribution]]
    stress: NotRequired[list[StressFinding]]
    holdout: NotRequired[HoldoutFigures]


@with_config(_OPEN)
class InstrumentPart(TypedDict):
    """One instrument of a pool on one part: bars, trades, and what the strategy and holding earned there."""

    first: str
    last: str
    bars: int
    trades: int
    total_return: float | None
    holding_return: float | None
    sharpe_ratio: float | None
    excess_sharpe_annual: float | None
    max_drawdown: float | None


@with_config(_OPEN)
class InstrumentBelief(TypedDict):
    """What may be believed of the champion on one instrument of a pool.

    `combined_p` is that of the instrument alone, the search counted; `adjusted_p` counts the instruments too;
    both, the verdict and `holdout` are None where it has no bar behind the boundary.
    """

    symbol: str
    development: InstrumentPart
    holdout: InstrumentPart | None
    combined_p: float | None
    adjusted_p: float | None
    verdict: str | None


@with_config(_OPEN)
class Judgement(Belief):
    """What the last judgement says of champion and initial strategy on the holdout."""

    champion: Figures
    initial: Figures
    holdout_hash: NotRequired[str]
    cross_validation: NotRequired[CrossValidation]
    missing_evidence: NotRequired[list[MissingEvidence]]
    earlier_openings: NotRequired[list[EarlierOpenings]]
    declared: NotRequired[DeclaredHypothesis]
    instruments: NotRequired[list[InstrumentBelief]]


@with_config(_OPEN)
class Brain(TypedDict):
    """Which models did a role: answers by model, those `repaired`, abstentions (`refused`: by a budget).

    `failures` counts by kind; `said` has the last words of the server about each, where it said any.
    """

    calls: int
    answers: dict[str, int]
    repaired: NotRequired[int]
    degraded: int
    abstentions: int
    refused: int
    failures: dict[str, int]
    said: NotRequired[dict[str, str]]


class Proposer(TypedDict):
    """Who proposed a modification."""

    role: str
    model: str
    degraded: bool


class Objection(TypedDict):
    """Who was against a test or a consensus, and why."""

    by: str
    against: Literal["test", "consensus"]
    why: str | None


class Modification(TypedDict):
    """A proposal followed through the record; figures are those of development data.

    `decided_by` is the test and what it gave, `events` are ids to follow back.
    """

    iteration: int
    number: int
    sentence: str
    kind: str
    change: Change
    outcome: str
    reason: str
    expected_effect: str | None
    hypotheses: list[Hypothesis]
    proposed_by: Proposer | None
    objections: list[Objection]
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    decided_by: dict[str, Any]
    events: list[str]


class Start(TypedDict):
    """The initial strategy with its figures."""

    strategy: Strategy | None
    figures: dict[str, Any] | None


class Evolution(TypedDict):
    """How the strategy of a run came to be what it is.

    `stop` is why the search ended, `holdout` the champion's figures there, once judged.
    """

    start: Start
    modifications: list[Modification]
    stop: Decision | None
    holdout: dict[str, Any] | None
