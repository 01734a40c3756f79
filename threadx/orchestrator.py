"""The cycle with its roles as objects, for notebooks and programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from backtest import GapPolicy
from base.reasons import nearest
from nodes.context import DEFAULT_ANALYST, DEFAULT_STRATEGIST, DEFAULT_VALIDATOR, OptimizationContext
from nodes.errors import SettingError
from prompts import Language, Words
from record.record import RunRecord
from threadx.api import Decider, optimize
from threadx.errors import ThreadxError
from threadx.results import OptimizationResult
from threadx.runner import nobody_watches
from threadx.settings import Models, chain
from threadx.views import (
    StrategyEvolution,
    View,
    convergence_view,
    debate_view,
    evolution_view,
    folds_view,
    holdout_view,
)
from threadx.watching import Watcher


@dataclass(frozen=True)
class Analyst:
    """Reads the backtest. `model`: `provider:model` (default provider: Ollama), or several."""

    model: Models = DEFAULT_ANALYST


@dataclass(frozen=True)
class Strategist:
    """Proposes the changes. `model` as for `Analyst`."""

    model: Models = DEFAULT_STRATEGIST


@dataclass(frozen=True)
class Validator:
    """Judges the proposals. `model` as for `Analyst`."""

    model: Models = DEFAULT_VALIDATOR


_ANALYST, _STRATEGIST, _VALIDATOR = Analyst(), Strategist(), Validator()

Role = TypeVar("Role", Analyst, Strategist, Validator)


def _chosen(given: Role, default: Role, kind: type[Role], model: Models | None, name: str) -> Role:
    """The role as it was given, or with the model that `config["models"]` names for it.

    Raises:
        ThreadxError: `models_differ`, where both were given and are not the same.
    """
    if model is None:
        return given
    if given is not default and chain(given.model) != chain(model):
        raise ThreadxError("models_differ", role=name, first=_told(given.model), second=_told(model))
    return kind(model)


def _told(model: Models) -> str:
    return model if isinstance(model, str) else ", ".join(model)


class OptimizationOrchestrator:
    """Runs the optimisation cycle with chosen roles.

    Args:
        analyst: reads the backtest.
        strategist: proposes the changes.
        validator: judges the proposals; None: no validator.
        config: fields of `nodes.context.OptimizationContext` (max_iterations, convergence_threshold,
            target_score, patience, fee_bps, home, language, ...); and `models`, a mapping of roles to their
            models for roles that are not given as objects.

    Raises:
        SettingError: `unknown_setting`: it does not exist, or belongs to a role.
        ThreadxError: `unknown_role` in `models`; `models_differ`: a role as an object and another model for
            it in `models`.
    """

    def __init__(
        self,
        analyst: Analyst = _ANALYST,
        strategist: Strategist = _STRATEGIST,
        validator: Validator | None = _VALIDATOR,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        self.config = dict(config or {})
        models = dict(self.config.pop("models", None) or {})
        if strange := sorted(models.keys() - {"analyst", "strategist", "validator"}):
            raise ThreadxError("unknown_role", name=strange[0])
        self.analyst = _chosen(analyst, _ANALYST, Analyst, models.get("analyst"), "analyst")
        self.strategist = _chosen(strategist, _STRATEGIST, Strategist, models.get("strategist"), "strategist")
        self.validator = validator and _chosen(
            validator, _VALIDATOR, Validator, models.get("validator"), "validator"
        )
        self.result: OptimizationResult | None = None
        roles = {"analyst", "strategist", "validator", "use_validator"}
        known = OptimizationContext.model_fields.keys() - roles
        for name in sorted(self.config.keys() - known):
            meant = "models" if name in roles else nearest(name, known)
            raise SettingError("unknown_setting", name=name, nearest=meant)

    def optimize(
        self,
        initial_strategy: str,
        initial_params: Mapping[str, float | None],
        data: pd.DataFrame | str | Path,
        symbol: str | None = None,
        timeframe: str | None = None,
        gaps: GapPolicy = "accept",
        others: Sequence[str | Path] = (),
        watch: Watcher = nobody_watches,
        decide: Decider | None = None,
        progress: bool | None = None,
        **reading: Any,
    ) -> OptimizationResult:
        """Run the cycle; see `threadx.optimize` for the arguments and the errors."""
        self.result = optimize(
            data,
            strategy=initial_strategy,
            params=initial_params,
            symbol=symbol,
            timeframe=timeframe,
            gaps=gaps,
            others=others,
            watch=watch,
            decide=decide,
            progress=progress,
            analyst=chain(self.analyst.model),
            strategist=chain(self.strategist.model),
            validator=chain(self.validator.model) if self.validator else None,
            use_validator=self.validator is not None,
            **reading,
            **self.config,
        )
        return self.result

    def plot_convergence(self) -> View:
        """The score from iteration to iteration, the variants and the analyst's own score.

        Raises:
            ThreadxError: `nothing_run`, before the first run.
        """
        result = self._last()
        return convergence_view(
            self._record(), Words(self._language()), result.details["settings"]["target_score"]
        )

    def plot_folds(self) -> View:
        """The champion's walk-forward tests: what each was fitted on and judged on, and both Sharpe ratios.

        Raises:
            ThreadxError: `nothing_run`, before the first run.
        """
        return folds_view(self._last().details, Words(self._language()))

    def plot_holdout(self) -> View:
        """What champion, initial strategy and holding gained on the holdout, and how each metric fared.

        Raises:
            ThreadxError: `nothing_run`, before the first run.
        """
        return holdout_view(self._record(), self._last().details, Words(self._language()))

    def show_debate_tree(self) -> View:
        """Who said what in the debates, and which way it went.

        Raises:
            ThreadxError: `nothing_run`, before the first run.
        """
        return debate_view(self._record(), Words(self._language()))

    def export_strategy_evolution(self) -> StrategyEvolution:
        """Every modification with its reasons, objections and figures, as data that draws itself.

        Raises:
            ThreadxError: `nothing_run`, before the first run.
        """
        return evolution_view(self._record(), Words(self._language()))

    def _last(self) -> OptimizationResult:
        if self.result is None:
            raise ThreadxError("nothing_run")
        return self.result

    def _record(self) -> RunRecord:
        result = self._last()
        return RunRecord(result.folder.parent.parent, result.run)

    def _language(self) -> Language:
        language: Language = self._last().details["settings"]["language"]
        return language
