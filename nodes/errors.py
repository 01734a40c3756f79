"""Errors of this room.

NodeError (base.errors.TypedError)
├── PolicyError      a role's `rules` policy broke its own schema or checks: invalid_policy_answer (a bug)
├── SettingError     a key or a value of input, settings or environment is refused
└── ChangeError      a typed change cannot be made on this strategy: empty_range, unknown_filter, ...

A model that fails is no exception here: `nodes.seam.ask.ask` returns an Abstention that says why.
"""

from __future__ import annotations

from base.errors import TypedError


class NodeError(TypedError):
    """A node cannot do its work."""

    room = "nodes"


class PolicyError(NodeError):
    """A role's deterministic policy gave what its own role may not say: a bug, never a model's fault."""


class SettingError(NodeError):
    """A key or a value of what a graph is given is refused."""


class ChangeError(NodeError):
    """A typed change cannot be made on this strategy; what the engine refuses is a BacktestError."""
