"""Settings of the ensemble, with a chain of models for each agent of the registry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field, create_model

from nodes.context import RULES, Chain, Context
from nodes.ensemble.agents import AGENTS
from prompts import text

DEFAULT_ENSEMBLE = (
    "g4f:deepseek-r1",
    "g4f:qwen-2.5-72b",
    "g4f:glm-4.5",
    "ollama:llama3.3:70b",
    RULES,
)


class _Models(Context):
    models: Annotated[
        Chain,
        Field(title="Models", description="Models of every agent without a chain of its own, in order."),
    ] = DEFAULT_ENSEMBLE


if TYPE_CHECKING:
    _Chains = _Models
else:
    _Chains = create_model(
        "_Chains",
        __base__=_Models,
        **{
            name: (
                Annotated[
                    Chain | None,
                    Field(
                        title=f"{text(f'agents.{name}.short', 'en').capitalize()} agent",
                        description=f"Models of {text(f'agents.{name}.name', 'en')}, in order.",
                    ),
                ],
                None,
            )
            for name in AGENTS
        },
    )


class EnsembleContext(_Chains):
    """Settings of the ensemble."""

    arbiter: Annotated[
        Chain | None, Field(title="Arbiter", description="Models of the arbiter, tried in order.")
    ] = None
    corrections: Annotated[
        int,
        Field(title="Corrections", ge=0, le=5, description="Times an invalid answer is sent back at most."),
    ] = 2
    agent_seconds: Annotated[
        float,
        Field(
            title="Agent's deadline (s)",
            gt=0.0,
            le=3600.0,
            description="Time an agent may spend on all hosted models of its chain together.",
        ),
    ] = 45.0
    arbiter_seconds: Annotated[
        float,
        Field(title="Arbiter's deadline (s)", gt=0.0, le=3600.0, description="The same for the arbiter."),
    ] = 40.0
    cache_hours: Annotated[
        float,
        Field(
            title="Cache time to live (hours)",
            ge=0.0,
            le=24.0 * 365,
            description="Identical calls within this time are answered from the cache; 0 turns it off.",
        ),
    ] = 1.0
    fresh: Annotated[
        bool,
        Field(title="Ask anew", description="On: no answer comes from the cache, though it is kept there."),
    ] = False
    unattended: Annotated[
        bool,
        Field(
            title="Unattended",
            description="On: a timer's run, which leaves out models whose circuit breaker is open.",
        ),
    ] = False
    back_run: Annotated[
        bool,
        Field(
            title="Back-run",
            description="On: an hour of history, without a record of its own, logs or circuit breaker.",
        ),
    ] = False

    def chain(self, role: str) -> tuple[str, ...]:
        """The models of an agent or the arbiter, tried in order."""
        own: tuple[str, ...] | None = getattr(self, role, None)
        return own if own is not None else self.models
