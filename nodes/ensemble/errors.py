"""Errors of the ensemble.

NodeError
└── EnsembleError
    ├── BusyError       another process is at work on the ensemble of this data folder: busy
    └── PublishError    the summary or its record cannot be written: publish_failed, lease_lost
"""

from __future__ import annotations

from nodes.errors import NodeError


class EnsembleError(NodeError):
    """The ensemble cannot do its work; the texts stand in `prompts/texts/ensemble.*.toml`."""

    room = "ensemble"


class BusyError(EnsembleError):
    """Somebody else is at work."""


class PublishError(EnsembleError):
    """What was found cannot be written."""
