"""Errors of this room: `PromptError` stands with the reader of the texts, `base.errors`."""

from base.errors import PromptError

__all__ = ["PromptError"]
