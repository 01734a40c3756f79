"""Backtests and declarations as LangChain tools for anybody's agent: `backtest_strategy`, `declare_tool`.

    from langchain.agents import create_agent
    from threadx.tools import backtest_strategy
    agent = create_agent("ollama:gpt-oss:20b", tools=[backtest_strategy])

The backtest uses only development data and counts every strategy in the trial ledger. Tools answer an invalid
request with a sentence, never with an exception, so that the agent can correct it.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from langchain_core.tools import BaseTool, StructuredTool, ToolException
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model, field_validator

from backtest import PRESETS, Costs, StrategySpec
from backtest.types import PLACES, Fill, Risk, Settings, Sizing
from base.errors import Language, readers_language, text
from base.json_files import parse_json
from base.numbers import Numeric
from base.paths import typed_path
from base.reasons import ENDINGS, ReasonError, complaint, whole
from nodes.counted import tried
from nodes.optimization.evidence.figures import figures
from prompts import Words
from record.types import OWN
from threadx.api import declare
from threadx.home import chosen_home
from vault.declared import MOST_TEXT, Direction
from vault.ledger import Ledger
from vault.readers.prices import SAMPLES

DESCRIPTION = (
    "Backtest one trading strategy on price history and return its score (0-10), metrics and exits as JSON. "
    "Only the development part of the prices is used; the newest fifth is held out. Every different "
    "strategy you try is counted and makes the final verdict stricter, so try few and think first."
)
DECLARE = (
    "Declare one hypothesis about a market before anybody has looked at it: text, strategy and direction are "
    "sealed, nothing is tested now, and the first optimisation on this market judges it as a single trial. "
    "Call it before any backtest of these prices: after one it is refused, and a market has only one."
)
_CONDITION = (
    "Condition at the close of a bar, for example "
    "'crosses_above(ema(close, 20), ema(close, 50)) and adx(14) > 25' or 'close < lowest(low, n)[1]', "
    "where n is one of params. Series: open, high, low, close, volume."
)
_EXIT_LEVEL = "A price level such as 'close - 2 * atr(14)', read on the bar whose signal opened it."
_LEVEL = "A price level such as 'lowest(low, 20)': entry signals of the side then place an order there."


def _told(kind: type[BaseModel]) -> dict[str, str]:
    """What each attribute of a class is, from its docstring: the one place that says so."""
    told = (kind.__doc__ or "").partition("Attributes:")[2]
    entries = re.findall(r"^ {4,8}(\w+): (.+?)(?=^ {4,8}\w+:|\Z)", told, re.MULTILINE | re.DOTALL)
    return {name: " ".join(words.split()) for name, words in entries}


def _settings(name: str, kind: type[Settings]) -> type[BaseModel]:
    """The settings of a class as a form: each with what it means and its bounds, all of them optional."""
    told = _told(kind)
    fields: dict[str, Any] = {}
    for key, field in kind.model_fields.items():
        bounds = kind.bounds.get(key)
        limits: dict[str, Any] = {} if bounds is None else {"ge": bounds.low, "le": bounds.high}
        fields[key] = (
            field.annotation | None if field.annotation is not None else Any,
            Field(default=None, description=f"{told[key]} Default: {field.default}.", **limits),
        )
    return create_model(name, __config__=ConfigDict(extra="forbid"), **fields)


RiskForm = _settings("RiskForm", Risk)
SizingForm = _settings("SizingForm", Sizing)


class StrategyForm(Numeric):
    """A preset with parameters, or conditions of one's own."""

    model_config = ConfigDict(extra="forbid")

    preset: str | None = Field(
        default=None,
        description="Name of a built-in strategy; leave out to write conditions.",
        json_schema_extra={"enum": [*PRESETS, None]},
    )
    params: dict[str, float] = Field(
        default_factory=dict,
        description="Parameters by name: those of the preset ("
        + "; ".join(f"{name}: {', '.join(one.bounds) or 'none'}" for name, one in PRESETS.items())
        + "), or the names that your conditions use.",
    )
    entry_long: str | None = Field(default=None, description=f"Opens a long position. {_CONDITION}")
    exit_long: str | None = Field(default=None, description="Closes a long position. Written likewise.")
    entry_short: str | None = Field(default=None, description="Opens a short position. Written likewise.")
    exit_short: str | None = Field(default=None, description="Closes a short position. Written likewise.")
    entry_limit_long: str | None = Field(default=None, description=f"Buys at or below it. {_LEVEL}")
    entry_stop_long: str | None = Field(default=None, description=f"Buys at or above it. {_LEVEL}")
    entry_limit_short: str | None = Field(default=None, description=f"Sells short at or above it. {_LEVEL}")
    entry_stop_short: str | None = Field(default=None, description=f"Sells short at or below it. {_LEVEL}")
    exit_stop_long: str | None = Field(default=None, description=f"Stop of a long. {_EXIT_LEVEL}")
    exit_limit_long: str | None = Field(default=None, description=f"Target of a long. {_EXIT_LEVEL}")
    exit_stop_short: str | None = Field(default=None, description=f"Stop of a short. {_EXIT_LEVEL}")
    exit_limit_short: str | None = Field(default=None, description=f"Target of a short. {_EXIT_LEVEL}")
    cancel_long: str | None = Field(default=None, description="A condition that cancels an order to buy.")
    cancel_short: str | None = Field(
        default=None, description="A condition that cancels an order to sell short."
    )
    risk: RiskForm | None = Field(  # type: ignore[valid-type]  # a form made from the engine's own class
        default=None, description="Stops, targets and limits; percent values are in percent (2.0 = 2 %)."
    )
    sizing: SizingForm | None = Field(  # type: ignore[valid-type]
        default=None, description="How much a position is worth; all of the account by default."
    )

    def spec(self) -> StrategySpec:
        """The strategy.

        Raises:
            StrategyError: it cannot be.
        """
        given = self.model_dump(exclude_none=True)
        conditions = {place: given[place] for place in PLACES if place in given}
        risk, sizing = given.get("risk", {}), given.get("sizing", {})
        if self.preset is None:
            return StrategySpec(name=OWN, params=self.params, risk=risk, sizing=sizing, **conditions)
        whole = StrategySpec.preset(self.preset, **{**self.params, **risk, **sizing})
        if not conditions:
            return whole
        return StrategySpec.model_validate({**whole.model_dump(mode="json"), "family": None, **conditions})


class BacktestForm(BaseModel):
    """What the tool is asked."""

    model_config = ConfigDict(extra="forbid")

    data: str = Field(
        description="Path of a price file (CSV, Parquet, Feather or JSON with time, open, high, low, close, "
        "volume), or a packaged sample: " + ", ".join(f"sample:{name}" for name in SAMPLES) + "."
    )
    strategy: StrategyForm = Field(description="What to trade, and when.")

    @field_validator("strategy", mode="before")
    @classmethod
    def _parsed(cls, value: Any) -> Any:
        """Small models send an object as its text."""
        if isinstance(value, str):
            try:
                return parse_json(value)
            except (ValueError, ReasonError):
                return value
        return value


class DeclareForm(BacktestForm):
    """What the tool that declares is asked."""

    text: str = Field(
        min_length=1, max_length=MOST_TEXT, description="The hypothesis in a sentence: what happens, and why."
    )
    direction: Direction = Field(
        description="Whether the strategy is to earn more (above) or less (below) than holding."
    )


def backtest_tool(
    *,
    home: str | Path | None = None,
    costs: Costs | None = None,
    fill: Fill = "next_open",
    language: Language | None = None,
) -> BaseTool:
    """The tool with other settings.

    Args:
        home: the data folder, with ledger and vault; default: the usual one.
        costs: trading costs; default: as for `threadx.optimize`.
        fill: where orders are filled.
        language: of refusals; default: THREADX_LANGUAGE, or French.
    """

    def backtest_strategy(data: str, strategy: StrategyForm) -> dict[str, Any]:
        spec = strategy.spec()
        folder = typed_path(chosen_home(home, language)).absolute()
        result, found = tried(data, spec, costs=costs, fill=fill, home=folder)
        dataset = found.dataset
        told = figures(spec, result, found.prices["close"])
        return {
            "strategy": spec.describe(),
            "symbol": dataset.symbol,
            "timeframe": dataset.timeframe,
            "first": found.prices.index[0].isoformat(),
            "last": found.prices.index[-1].isoformat(),
            "bars": len(found.prices),
            "score": told["score"],
            "metrics": told["metrics"],
            "exits": told["exits"],
            "account_lost": told["account_lost"],
            "entries_below_one_unit": result.entries_below_one_unit,
            "entries_unaffordable": result.entries_unaffordable,
            "costs": result.costs.model_dump(mode="json"),
            "configurations_tried_so_far": Ledger(folder).snapshot(dataset.family).trials,
        }

    return as_tool(backtest_strategy, DESCRIPTION, BacktestForm, language)


def declare_tool(
    model: str,
    *,
    home: str | Path | None = None,
    costs: Costs | None = None,
    fill: Fill = "next_open",
    language: Language | None = None,
) -> BaseTool:
    """A tool with which a model declares its hypothesis; see `threadx.declare`.

    Args:
        model: reference of the model that is given it: what it may remember of the holdout counts.
        home: the data folder; default: the usual one.
        costs: of trading, sealed with it; default: as for `threadx.optimize`.
        fill: where orders are filled.
        language: of refusals; default: THREADX_LANGUAGE, or French.
    """

    def declare_hypothesis(
        data: str, strategy: StrategyForm, text: str, direction: Direction
    ) -> dict[str, Any]:
        spec = strategy.spec()
        folder = typed_path(chosen_home(home, language)).absolute()
        found = declare(
            data,
            spec,
            text=text,
            direction=direction,
            declared_by=model,
            costs=costs,
            fill=fill,
            home=folder,
        )
        return {"declared": spec.describe(), "direction": direction, "fingerprint": found.fingerprint}

    return as_tool(declare_hypothesis, DECLARE, DeclareForm, language)


def _refusal(error: Exception, language: Language | None) -> ToolException:
    """An error that is the asker's, as the sentence that a tool answers with."""
    sentence = Words(language or whole(error).language or readers_language()).told(error)
    return ToolException(json.dumps({"error": sentence}, ensure_ascii=False))


def as_tool(
    function: Callable[..., dict[str, Any]],
    description: str,
    form: type[BaseModel],
    language: Language | None,
) -> BaseTool:
    """A tool by the name of its function, which answers in JSON, and what it refuses with a sentence.

    Args:
        function: what it does; its errors are the asker's.
        description: what it is told to be.
        form: its arguments.
        language: of refusals; default: THREADX_LANGUAGE, or French.
    """

    @functools.wraps(function)
    def answering(**given: Any) -> str:
        try:
            return json.dumps(function(**given), ensure_ascii=False)
        except ENDINGS as error:
            raise _refusal(error, language) from error

    def refused(error: ValidationError | Any) -> str:
        spoken = language or readers_language()
        items = error.errors(include_url=False)
        problems = "; ".join(complaint(one, form).sentence(spoken) for one in items)
        return json.dumps(
            {"error": text("command.bad_arguments", spoken, problems=problems)}, ensure_ascii=False
        )

    return StructuredTool.from_function(
        answering,
        name=function.__name__,
        description=description,
        args_schema=form,
        handle_tool_error=True,  # the agent gets the sentence, as a message that says that it failed
        handle_validation_error=refused,
    )


backtest_strategy = backtest_tool()
"""The tool with the usual data folder, costs and language."""
