"""How much evidence a model is shown: by its window, and by what it has refused in this run."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

import providers
from nodes.seam.provenance import Attempt
from providers.opening import window_of
from providers.schemas import answer_room

MOST_EVIDENCE = 1800
"""Tokens of the evidence that all roles share, as `estimate_tokens` counts: 1,500 as Qwen2.5 does."""
LEAST_EVIDENCE = 150
"""Below this nothing is left out any more."""
TOO_LONG = frozenset(("prompt_too_long", "prompt_truncated"))
"""Codes of a prompt that no window had room for."""

_SHARE = 8
"""One part in so many of a window is the evidence's: instructions, shape and answer take the most."""
_MOST_KEPT = 1000
_Key = tuple[Path | None, str, str]
_known: OrderedDict[_Key, int] = OrderedDict()
_table = threading.Lock()


def evidence_room(reference: providers.Reference, settings: providers.ProviderSettings) -> int:
    """Tokens of evidence that a model is shown first; all where nobody knows its window."""
    key = _key(reference, settings)
    with _table:
        met = _known.get(key)
    if met is not None:
        return met
    window = window_of(reference, settings)
    return MOST_EVIDENCE if window is None else _keep(key, _of_window(window))


def less_evidence(
    reference: providers.Reference,
    settings: providers.ProviderSettings,
    request: providers.Request,
    shown: int,
    refused: Attempt,
) -> int | None:
    """Tokens of evidence to be shown after a refusal; None where less would be no remedy.

    Args:
        reference: the model; for the rest of the run it is shown no more.
        settings: of the providers.
        request: what was refused.
        shown: tokens of evidence in it.
        refused: as its server, or our own check, said it.
    """
    if refused.code not in TOO_LONG or shown <= LEAST_EVIDENCE:
        return None
    counted = refused.fields.get("tokens", refused.fields.get("expected", 0))
    context = refused.fields.get("context", 0)
    assert isinstance(counted, int | float)
    assert isinstance(context, int | float)
    # Less than half in any case: a count may be an estimate, and there is no third try.
    less = shown // 2
    if context > 0:
        less = min(
            less, _of_window(int(context)), shown - int(counted + answer_room(request.schema) - context)
        )
    return _keep(_key(reference, settings), max(LEAST_EVIDENCE, less))


def _of_window(window: int) -> int:
    return max(LEAST_EVIDENCE, min(MOST_EVIDENCE, window // _SHARE))


def _keep(key: _Key, tokens: int) -> int:
    if not key[1]:
        return tokens
    with _table:
        _known[key] = tokens
        while len(_known) > _MOST_KEPT:
            _known.popitem(last=False)
    return tokens


def _key(reference: providers.Reference, settings: providers.ProviderSettings) -> _Key:
    return settings.logs, settings.run, str(reference)
