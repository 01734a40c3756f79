"""Errors of this room.

NodeError (RuntimeError)
├── PolicyError      a role's `rules` policy broke its own schema or checks: invalid_policy_answer (a bug)
└── ChangeError      a typed change cannot be made on this strategy: empty_range, unknown_filter, ...

A model that fails is no exception here: `nodes.ask.ask` returns an Abstention that says why.
"""

from __future__ import annotations

from typing import ClassVar


class NodeError(RuntimeError):
    """A node cannot do its work.

    Attributes:
        code: snake_case; `prompts/texts/nodes.*.toml` has a text for each.
        fields: what the text needs; plain str, int or float.
    """

    room: ClassVar[str] = "nodes"

    def __init__(self, code: str, **fields: str | int | float) -> None:
        super().__init__(code, fields)
        self.code = code
        self.fields = fields

    def __str__(self) -> str:
        return f"{self.code}: " + ", ".join(f"{name}={value}" for name, value in self.fields.items())

    def __reduce__(self) -> tuple[object, ...]:
        return _revive, (type(self), self.code, self.fields)


class PolicyError(NodeError):
    """A role's deterministic policy gave what its own role may not say: a bug, never a model's fault."""


class ChangeError(NodeError):
    """A typed change cannot be made on this strategy; what the engine refuses is a BacktestError."""


def _revive(kind: type[NodeError], code: str, fields: dict[str, str | int | float]) -> NodeError:
    return kind(code, **fields)
