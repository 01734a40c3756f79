"""What a run is told beside its input: who answers, with which limits, in which language, where files live.

Studio draws its context form from these classes, so every field has a title, a help text and bounds.
Precedence: a value given explicitly, then the environment, then the default.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal, Self, cast

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator

from backtest import Costs
from backtest.types import COST_BOUNDS, COST_NAMES
from base.numbers import Numeric
from base.paths import typed_path
from base.references import listed, placed
from nodes.chosen import fill
from nodes.deadlines import Seconds, checked_deadlines
from prompts import Language
from vault.home import default_home, home_folder

RULES = "rules"
VARIABLES = frozenset(
    {
        "THREADX_ALLOW_CODE",
        "THREADX_COPIES",
        "THREADX_DATABASE",
        "THREADX_DEADLINES",
        "THREADX_ENGINE",
        "THREADX_ENGINE_ADDRESS",
        "THREADX_G4F_BASE_URL",
        "THREADX_HOME",
        "THREADX_LANGUAGE",
        "THREADX_NAMED_PLUGINS",
        "THREADX_PLUGINS",
        "THREADX_STUDIO_ORIGIN",
        "THREADX_TOKEN",
    }
)
"""Every environment variable of ours; another that begins like them is a mistake and is refused."""


DEFAULT_ANALYST = ("ollama:deepseek-r1:70b", RULES)
DEFAULT_STRATEGIST = ("ollama:gpt-oss:20b", RULES)
DEFAULT_VALIDATOR = ("ollama:gemma3:27b", RULES)


def _chain(value: Any) -> Any:
    """One reference is a chain of one; commas separate several (forms and environments give text)."""
    if isinstance(value, str):
        value = listed(value)
    if isinstance(value, list | tuple):
        return tuple(placed(one) if isinstance(one, str) else one for one in value)
    return value


Chain = Annotated[tuple[str, ...], BeforeValidator(_chain), Field(min_length=1)]


def _environment(name: str, default: Any) -> Any:
    """A field whose default is read from the environment when a context is made."""
    return Field(
        default_factory=lambda: os.environ.get(name) or default, json_schema_extra={"default": default}
    )


def _cost(name: str, default: float) -> Any:
    """A field that `Costs` has too: its words, and its bounds for the form that Studio draws."""
    bounds, told = COST_BOUNDS[name], Costs.model_fields[name]
    return Field(default, title=told.title, description=told.description, ge=bounds.low, le=bounds.high)


class Context(Numeric):
    """What both graphs need."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    language: Annotated[
        Language, Field(title="Language", description="Language of prompts, report and summary: fr or en.")
    ] = _environment("THREADX_LANGUAGE", "fr")
    home: Annotated[str, Field(title="Data folder", description="Where every file of ThreadX lives.")] = (
        Field(default_factory=default_home, json_schema_extra={"default": default_home()})
    )
    ollama_base_url: Annotated[
        str, Field(title="Ollama address", description="Where the Ollama server listens.")
    ] = _environment("OLLAMA_HOST", "http://127.0.0.1:11434")
    openai_base_url: Annotated[
        str,
        Field(
            title="OpenAI-compatible address",
            description="Base URL of an OpenAI-compatible server (OpenRouter, vLLM, llama.cpp).",
        ),
    ] = _environment("OPENAI_BASE_URL", "https://openrouter.ai/api/v1")
    deadlines: Annotated[
        str,
        AfterValidator(checked_deadlines),
        Field(
            title="Deadlines (s)",
            description="Seconds a call may take, as in hosted=30, local=900, first=600, idle=120, "
            "loading=300: of a hosted service; of one's own server in all, until its first token, between "
            "two tokens, and for loading a model. What is left out keeps its default.",
        ),
    ] = _environment("THREADX_DEADLINES", "")
    temperature: Annotated[
        float, Field(title="Temperature", ge=0.0, le=2.0, description="0 is the most repeatable.")
    ] = 0.2
    seed: Annotated[
        int, Field(title="Seed", ge=0, le=2**31 - 1, description="Seed of every random choice of the run.")
    ] = 0
    cache_hours: Annotated[
        float,
        Field(
            title="Cache time to live (hours)",
            ge=0.0,
            le=24.0 * 365,
            description="Identical calls within this time are answered from the cache; 0 turns it off.",
        ),
    ] = 24.0

    @model_validator(mode="before")
    @classmethod
    def _chosen(cls, given: Any) -> Any:
        """What a person has chosen once stands in a file of the data folder."""
        if not isinstance(given, dict):
            return given
        home = given.get("home")
        folder = home_folder(home) if isinstance(home, str) and home else home_folder(default_home())
        return fill(given, folder, cls.model_fields)

    @classmethod
    def of(cls, context: Self | None) -> Self:
        """The run's settings; a graph called without any runs on the environment and the defaults."""
        return context if context is not None else cls()

    @property
    def seconds(self) -> Seconds:
        """The deadlines that are set, by their names in `providers.ProviderSettings`."""
        told = (part.partition("=") for part in self.deadlines.split(",") if part.strip())
        return cast(Seconds, {f"{name.strip()}_seconds": float(value) for name, _, value in told})

    @property
    def references(self) -> tuple[str, ...]:
        """Every model that any chain names, in the order of the fields."""
        chains = (getattr(self, name) for name in type(self).model_fields)
        return tuple(dict.fromkeys(one for chain in chains if isinstance(chain, tuple) for one in chain))

    @property
    def home_path(self) -> Path:
        """The data folder as an absolute path; it was looked at when the settings were made."""
        return typed_path(self.home).absolute()


class OptimizationContext(Context):
    """Settings of the optimisation cycle."""

    analyst: Annotated[
        Chain, Field(title="Analyst", description="Models of the analyst, tried in order.")
    ] = DEFAULT_ANALYST
    strategist: Annotated[
        Chain, Field(title="Strategist", description="Models of the strategist, tried in order.")
    ] = DEFAULT_STRATEGIST
    validator: Annotated[
        Chain, Field(title="Validator", description="Models of the validator, tried in order.")
    ] = DEFAULT_VALIDATOR
    roles: Annotated[
        Literal["team", "single"],
        Field(
            title="Roles",
            description="team: analyst, strategist and validator; single: one call an iteration to the "
            "strategist's models does all of their work, without a debate.",
        ),
    ] = "team"
    search: Annotated[
        Literal["population", "single"],
        Field(
            title="Search",
            description="population: an archive of diverse candidates, begun by a survey of known strategies "
            "and events, ranked by excess t; single: the given strategy alone is changed, step by step.",
        ),
    ] = "population"
    ranges: Annotated[
        Literal["thinned", "sampled"],
        Field(
            title="Large ranges",
            description="Where a proposal's ranges have more combinations than a test may try: thinned "
            "leaves out every second value; sampled tries those that Optuna's TPE asks for.",
        ),
    ] = "thinned"
    gate: Annotated[
        Literal["skill", "sharpe"],
        Field(
            title="Test of a single champion",
            description="What must lead where the given strategy alone is changed: skill, the excess over "
            "holding that the score is made of; sharpe, returns, as earlier runs did.",
        ),
    ] = "skill"
    intraday: Annotated[
        Literal["days", "bars"],
        Field(
            title="Bars within a day",
            description="days: a population's candidates are parted by the days they hold, and each hour of "
            "an exchange that closes is surveyed; bars: by bars, four hours at a time, as earlier runs did.",
        ),
    ] = "days"
    use_validator: Annotated[
        bool, Field(title="Use the validator", description="Off: proposals go straight to the backtest.")
    ] = True
    use_debate: Annotated[
        bool, Field(title="Debate", description="Off: each iteration ends with the arithmetic alone.")
    ] = True
    debate_rounds: Annotated[
        int, Field(title="Rounds of debate", ge=1, le=5, description="Turns each voice has at most.")
    ] = 2
    approve: Annotated[
        bool | Literal["code"],
        Field(
            title="Ask before tests",
            description="Pause before each iteration's tests: a person accepts, edits or rejects proposals; "
            "with 'code', those alone that bring code.",
        ),
    ] = False
    allow_code: Annotated[
        bool,
        Field(
            title="Allow new code",
            description="Proposals may bring indicators of their own, written as Python functions: each is "
            "examined in a cage, tested for cheating, and kept in the library.",
        ),
    ] = _environment("THREADX_ALLOW_CODE", False)
    named: Annotated[
        bool,
        Field(
            title="Name the market",
            description="Prompts tell the instrument's name and calendar dates. Off: they do not, as a model "
            "may remember what happened then.",
        ),
    ] = False
    max_model_calls: Annotated[
        int | None,
        Field(
            title="Maximum model calls",
            ge=1,
            le=1_000_000,
            description="Hard limit over the whole run, failed tries included; answers from the cache and "
            "rules cost none.",
        ),
    ] = None
    max_tokens: Annotated[
        int | None,
        Field(
            title="Maximum tokens",
            ge=1,
            le=10_000_000_000,
            description="Hard limit of prompts and answers together, estimated where a server counts none.",
        ),
    ] = None
    max_seconds: Annotated[
        float | None,
        Field(
            title="Maximum seconds",
            ge=1.0,
            le=31_536_000.0,
            description="Hard limit of the time at work; waits for a person and interruptions do not count.",
        ),
    ] = None
    max_backtests: Annotated[
        int | None,
        Field(
            title="Maximum backtests",
            ge=1,
            le=10_000_000,
            description="Hard limit of strategies tested on development data, the initial one included.",
        ),
    ] = None
    max_iterations: Annotated[
        int, Field(title="Maximum iterations", ge=1, le=200, description="Hard stop of the cycle.")
    ] = 10
    convergence_threshold: Annotated[
        float,
        Field(
            title="Convergence threshold",
            ge=0.0,
            le=1.0,
            description="Relative gain of score under which an iteration counts as no progress (0.02 = 2 %).",
        ),
    ] = 0.02
    patience: Annotated[
        int, Field(title="Patience", ge=1, le=50, description="Iterations over which the gain is measured.")
    ] = 3
    target_score: Annotated[
        float, Field(title="Target score", ge=0.0, le=10.0, description="Stop when the score reaches it.")
    ] = 8.0
    fee_bps: float = _cost("fee_bps", 10.0)
    slippage_bps: float = _cost("slippage_bps", 2.0)
    fee_fixed: float = _cost("fee_fixed", 0.0)
    spread_bps: float = _cost("spread_bps", 0.0)
    slippage_atr: float = _cost("slippage_atr", 0.0)
    borrow_bps_per_bar: float = _cost("borrow_bps_per_bar", 0.0)
    interest_pct_per_year: float = _cost("interest_pct_per_year", 0.0)
    funding_bps_per_8h: float = _cost("funding_bps_per_8h", 0.0)
    maintenance_margin_pct: float = _cost("maintenance_margin_pct", 0.0)
    fill: Annotated[
        Literal["next_open", "close"],
        Field(title="Fill", description="Trade at the next bar's open, or at the signal bar's close."),
    ] = "next_open"

    @property
    def costs(self) -> Costs:
        """What trading costs."""
        return Costs(**{name: getattr(self, name) for name in COST_NAMES})
