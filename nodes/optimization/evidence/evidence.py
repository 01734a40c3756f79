"""The evidence a role is given: built by code, the same for a model's prompt and for the rules.

`gather_evidence` gathers what `rules` read; `*_lines` render parts of it as the compact text of a
prompt, each line behind the id that answers cite; the block that all roles are shown is `evidence.block`'s.
Only figures of the development part enter.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, cast, get_args

from backtest import PRESETS, StrategySpec
from backtest.cage.source import Source
from backtest.types import RISK_BOUNDS, Bounds
from base.same import Same
from nodes.errors import ChangeError
from nodes.further import on_offer
from nodes.optimization.changes import PERSONAL, Change, NewIndicator, NewStrategy, RiskRule, present
from nodes.optimization.evidence.lessons import kind_of_change
from nodes.optimization.parsed import parsed
from nodes.optimization.state import DebateState, OptimizationState
from prompts import Language, text
from record.types import (
    Analysis,
    Champion,
    Dossier,
    Figures,
    Grid,
    Item,
    Iteration,
    Lesson,
    Member,
    Prices,
    Proposal,
    Trial,
    Turn,
)

MEMORY = 5
"""Iterations that `rules` know whole."""
WHOLE = 2
"""Iterations that a prompt tells whole; older ones are folded."""
_NEW_CHAMPION = ("total_return", "max_drawdown", "profit_factor", "n_trades")
LONGEST_QUOTE = 200
_READ = ("request", "initial", "baseline", "dataset", "champion", "dossier", "history", "lessons", "archive")
"""Parts of the state that evidence is drawn from."""


def no_code(change: Change) -> None:
    """Refuse what brings code.

    Raises:
        ChangeError: `code_not_allowed`.
    """
    if change.code():
        raise ChangeError("code_not_allowed")


Cell = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class Elite:
    """A written function that was tested.

    Attributes:
        source: the function.
        change: that brought it.
        fitness: t-statistic of its excess, or its score where the search has one champion.
        cell: classes of trade frequency, holding time and the third of the history that was its best.
    """

    source: Source
    change: NewIndicator | NewStrategy
    fitness: float
    cell: Cell


@dataclass(frozen=True, kw_only=True)
class Folded:
    """What one subject of changes came to in older iterations; the best score is as a prompt tells it."""

    change: str
    tested: int
    helped: int
    best: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """Everything a role may know in an iteration.

    `spec`, `grid`, `champion` and `items` are of the champion that the iteration began with, `now` of the one
    that its tests have left: the debate goes on from what the others were shown.

    Attributes:
        iteration: the one at work.
        prices: what is traded.
        spec: the champion; its changes may read what the strategy that the run began with reads.
        grid: what its values are searched among.
        bounds: of its settings that a change may touch and that do something as things stand.
        champion, now, baseline: figures; see above, and of the strategy the run began with.
        items: every figure, with the id that claims cite.
        lessons: of finished runs.
        history: the last iterations, and what there is of this one.
        folded: those that no prompt tells whole, by what was changed.
        offered: ids that the block of a prompt has room for; None for all.
        archive: candidates of a population.
        tried: hashes of every strategy and search tried in this run.
        own_names: names a person gave to strategies, which a blind prompt leaves out.
        named: whether prompts name the instrument and tell calendar dates.
        language: of what rules say.
        hypotheses: the analyst's, in its words; the strategist alone is told.
        proposals: to be judged by the validator.
        target_score, patience: when the debate is to end the search.
        voice: whose turn it is in the debate.
        turns: what was said in it.
        cited: what the rules argue from in it.
        allow_code: whether changes may bring code.
        admit: takes the code of a change into the language, before the change is looked at; refuses it by its
            error (`nodes.optimization.trials.workshop`).
        elites: written functions that new ones can be made from.
        seed: of what rules draw.
    """

    iteration: int
    prices: Prices
    spec: StrategySpec
    grid: Grid
    bounds: dict[str, Bounds]
    champion: Figures
    now: Figures
    baseline: Figures
    items: Sequence[Item]
    lessons: Sequence[Lesson]
    history: Sequence[Iteration]
    archive: Sequence[Member]
    tried: frozenset[str]
    own_names: Sequence[str]
    named: bool
    language: Language
    hypotheses: Sequence[str] = ()
    proposals: Sequence[Proposal] = ()
    target_score: float = math.inf
    patience: int = 0
    voice: str = ""
    turns: Sequence[Turn] = ()
    cited: Sequence[str] = ()
    folded: Sequence[Folded] = ()
    offered: Sequence[str] | None = None
    allow_code: bool = False
    admit: Callable[[Change], None] = no_code
    elites: Sequence[Elite] = ()
    seed: int = 0

    @cached_property
    def ids(self) -> list[str]:
        """Ids that an answer may cite: figures, earlier trials (`I2.1`), lessons of other runs (`L1`)."""
        if self.offered is not None:
            return [*self.offered]
        trials = [
            f"I{entry['iteration']}.{trial['number']}" for entry in self.history for trial in entry["trials"]
        ]
        lessons = [f"L{number}" for number, _ in enumerate(self.lessons, start=1)]
        return [item["id"] for item in self.items] + trials + lessons

    def figure(self, name: str) -> Item | None:
        """The item of a name, if there is one."""
        return next((item for item in self.items if item["name"] == name), None)

    def on_candidate(self, number: int) -> Evidence:
        """The same with a candidate of the archive in the champion's place; figures stay the champion's."""
        candidate = next(one for one in self.archive if one["number"] == number)
        spec = parsed(candidate["spec"]).offering(self.spec.readable)
        return replace(self, spec=spec, grid=candidate["grid"], bounds=_bounds(spec))


def reigning(state: OptimizationState | DebateState) -> Champion:
    """The champion: the last variant adopted, or the strategy the run began with."""
    if champion := state.get("champion"):
        return champion
    initial = state["initial"]
    return {"spec": initial, "given": initial, "grid": {}, "figures": state["baseline"], "iteration": 0}


def gather_evidence(
    state: OptimizationState | DebateState,
    iteration: int,
    *,
    named: bool = False,
    language: Language = "en",
) -> Evidence:
    """Everything a role may know in this iteration; the same object while the state has the same parts.

    Args:
        state: of the graph.
        iteration: the one at work.
        named: whether prompts name the instrument and tell calendar dates.
        language: of what rules say; of no use to who asks none.
    """
    parts = tuple(Same(state.get(name)) for name in _READ)
    return _gathered(parts, iteration, named, language)


@lru_cache(maxsize=4)
def _gathered(parts: tuple[Same[Any], ...], iteration: int, named: bool, language: Language) -> Evidence:
    """`gather_evidence` of the parts `_READ`: all roles of an iteration are told the same."""
    state = cast(OptimizationState, {name: part.it for name, part in zip(_READ, parts, strict=True)})
    dossier = state["dossier"] or Dossier(hash="", items=[])
    champion = dossier.get("champion") or reigning(state)
    spec = parsed(champion["spec"]).offering(
        on_offer(state["request"] or {}) | parsed(state["initial"]).inputs
    )
    entries = state["history"] or []
    before = [entry for entry in entries if entry["iteration"] < iteration]
    return Evidence(
        iteration=iteration,
        prices=state["dataset"],
        spec=spec,
        grid=champion["grid"],
        bounds=_bounds(spec),
        champion=champion["figures"],
        now=reigning(state)["figures"],
        baseline=state["baseline"],
        items=dossier["items"],
        lessons=state["lessons"] or [],
        history=[*before[-MEMORY:], *entries[len(before) :]],
        folded=_folded(before[:-WHOLE]),
        archive=state["archive"] or [],
        tried=frozenset(tried_hashes(state)),
        own_names=[] if named else sorted({spec.name, state["initial"]["name"]} - PRESETS.keys()),
        named=named,
        language=language,
    )


def _folded(entries: Sequence[Iteration]) -> list[Folded]:
    """The tests of some iterations by what was changed, the most tested first."""
    found: dict[str, list[Trial]] = {}
    for entry in entries:
        for trial in entry["trials"]:
            if trial.get("backtests") and "change" in trial:
                found.setdefault(kind_of_change(trial["change"]), []).append(trial)
    return [
        Folded(
            change=change,
            tested=len(trials),
            helped=sum(trial["outcome"] == "adopted" for trial in trials),
            best=_number(max((one["score"] for one in trials if one["score"] is not None), default=None)),
        )
        for change, trials in sorted(found.items(), key=lambda one: (-len(one[1]), one[0]))
    ]


def _bounds(spec: StrategySpec) -> dict[str, Bounds]:
    return {
        name: bound
        for name, bound in sorted(spec.bounds().items())
        if name in spec.params or name not in _idle(spec)
    }


def _idle(spec: StrategySpec) -> set[str]:
    """Settings that do nothing as things stand, or that no change may touch: a prompt leaves them out."""
    idle = {*PERSONAL, *RISK_BOUNDS.keys() - {*get_args(RiskRule), "atr_period"}}
    if not spec.risk.needs_atr:
        idle.add("atr_period")
    if spec.sizing.volatility_target_pct is None:
        idle.add("volatility_period")
    return idle


def tried_hashes(state: OptimizationState | DebateState) -> set[str]:
    """Hashes of every strategy and search tried in this run, and of what searches settled on."""
    found = {state["baseline"]["hash"], *(one["hash"] for one in state.get("archive") or [])}
    for entry in state.get("history") or []:
        for trial in entry["trials"]:
            if trial["backtests"]:
                found |= {one for one in (trial["hash"], trial["settled"]) if one is not None}
    return found


def quoted(words: str) -> str:
    """Text of others for a prompt: one line, no marks that could end the block it stands in, not too long."""
    if not words.isprintable():
        words = "".join(letter if letter.isprintable() else " " for letter in words)
    plain = " ".join(words.split())
    plain = plain.replace("<", "‹").replace(">", "›")
    return plain if len(plain) <= LONGEST_QUOTE else plain[: LONGEST_QUOTE - 1] + "…"


def blind(sentence: str, evidence: Evidence, language: Language) -> str:
    """A sentence without names that a person gave to strategies: one may tell the instrument or a year."""
    if not evidence.own_names:
        return sentence
    names = "|".join(re.escape(name) for name in evidence.own_names)
    return re.sub(
        rf"(?<!\w)(?:{names})(?!\w)", text("optimization.evidence.own_strategy", language), sentence
    )


def _number(value: Any) -> str:
    """A figure with three significant digits, what is above 1,000 without decimals: more says no more."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1000.0 else f"{value:.0f}"
    return str(value)


def _listed(lines: Iterable[str], language: Language) -> str:
    return "\n".join(lines) or text("optimization.evidence.nothing", language)


def place(spec: StrategySpec, name: str) -> tuple[str, float | None]:
    """(`param`, `risk` or `sizing`, the present value) of a name with bounds; None where it is off."""
    if name in spec.params:
        return "param", spec.params[name]
    kind = "risk" if hasattr(spec.risk, name) else "sizing"
    return kind, present(spec, name)


def item_line(item: Item | Mapping[str, Any]) -> str:
    """One item: `M1 sharpe_ratio = -3.49 [-5.6, -1.3]`, `S1 side long (n 12, profit -0.2)`."""
    told = dict(item)
    head = f"{told.pop('id')} {told.pop('name')}"
    if "value" in told:
        head += f" = {_value(told.pop('value'))}"
    if "low" in told and "high" in told:
        head += f" [{_value(told.pop('low'))}, {_value(told.pop('high'))}]"
    more = ", ".join(f"{name} {_value(value)}" for name, value in told.items())
    return f"{head} ({more})" if more else head


def _value(value: Any) -> str:
    return "/".join(_number(part) for part in value) if isinstance(value, list) else _number(value)


def result_lines(evidence: Evidence, language: Language) -> str:
    """What came of this iteration's proposals, and the walk-forward tests of a new champion."""
    ended = [entry for entry in evidence.history if entry["iteration"] == evidence.iteration]
    lines = [line for entry in ended for line in iteration_lines(entry, evidence, language)]
    if any(entry["adopted"] for entry in ended):
        walked = evidence.now["walk_forward"]["metrics"]
        told = ", ".join(f"{name} {_number(walked[name])}" for name in _NEW_CHAMPION)
        lines.append(text("optimization.evidence.new_champion", language, figures=told))
    return _listed(lines, language)


def iteration_lines(entry: Iteration, evidence: Evidence, language: Language) -> Iterator[str]:
    """One iteration, then its trials, a line each."""
    yield text(
        "optimization.evidence.iteration",
        language,
        iteration=entry["iteration"],
        score=f"{entry['score']:.2f}",
        adopted=blind(entry["adopted"] or "", evidence, language)
        or text("optimization.evidence.nothing_adopted", language),
    )
    for trial in entry["trials"]:
        outcome = text(f"optimization.outcome.{trial['outcome']}", language)
        told = "".join(
            f", {name} {_number(trial[name])}"
            for name in ("score", "sharpe_ratio", "p_value", "code_length", "gain_bits")
            if trial.get(name) is not None
        )
        sentence = blind(trial["sentence"], evidence, language)
        yield f"I{entry['iteration']}.{trial['number']} {sentence} ({outcome}{told})"


def proposal_lines(proposals: Iterable[Proposal], evidence: Evidence, language: Language) -> str:
    """Numbered proposals with their reasons."""
    lines = []
    for proposal in proposals:
        sentence = blind(proposal["sentence"], evidence, language)
        reason, effect = (quoted(proposal[name]) or "-" for name in ("reason", "expected_effect"))
        lines.append(f"{proposal['number']}. {sentence} — {reason} ({effect})")
    return "\n".join(lines)


def analysis_lines(analysis: Analysis | None, language: Language) -> str:
    """The analyst's hypotheses and weaknesses, or that there are none because it abstained."""
    if analysis is None:
        return text("optimization.evidence.analyst_abstained", language)
    doubtful = {claim["claim"] for claim in analysis.get("unfounded", [])}

    def told(words: str) -> str:
        mark = f" [{text('optimization.evidence.unfounded', language)}]" if words in doubtful else ""
        return quoted(words) + mark

    lines = [f"- {told(claim)}" for claim in [*analysis["weaknesses"], *analysis["anomalies"]]]
    for number, hypothesis in enumerate(analysis["hypotheses"], start=1):
        cited = ", ".join(hypothesis["evidence"])
        test = told(hypothesis["test"]) or "-"
        lines.append(f"H{number}. {told(hypothesis['statement'])} → {test} [{quoted(cited)}]")
    return "\n".join(lines)


def turn_lines(turns: Iterable[Turn], language: Language) -> str:
    """What has been said in the debate so far."""
    return _listed(
        (
            f"{turn['voice']} ({turn['stance']}, {turn['confidence']:.2f}): {quoted(turn['statement'] or '')}"
            for turn in turns
            if turn["stance"] is not None
        ),
        language,
    )
