"""Model references: `provider:model`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reference:
    """One model of one provider.

    Attributes:
        provider: who answers.
        model: its name there; empty for `rules`.
    """

    provider: str
    model: str

    def __str__(self) -> str:
        return f"{self.provider}:{self.model}" if self.model else self.provider
