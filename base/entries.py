"""What the registries of the rooms share: one error for an entry that says too little."""

from __future__ import annotations


class EntryError(Exception):
    """An entry says too little, or contradicts another one; the message names it.

    A mistake in a program, found when the entry is made; no reader ever gets it.
    """
