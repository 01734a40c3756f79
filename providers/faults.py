"""Failures that will not pass during a run: met once, then told again without asking.

A run is its name and its data folder: another folder may have one of the same name.

A model that does not fit into memory would otherwise be tried by every role of every iteration.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

from providers.errors import ProviderError
from providers.reference import Reference
from providers.registry import provider_of
from providers.settings import ProviderSettings

PERMANENT = frozenset(
    (
        *("out_of_memory", "model_not_pulled", "unknown_remote_model", "not_installed"),
        *("no_model_file", "no_gguf_file", "broken_gguf", "no_model_in_file", "too_large_for_memory"),
        *("not_in_store", "no_model_name", "no_weights_in_file"),
        *("unauthorized", "payment_required", "limit_notice", "missing_key", "foreign_key"),
    )
)
"""Codes of failures that a person has to mend, or that last for hours."""

_MOST = 1000
_Key = tuple[Path | None, str, str, str]
_met: OrderedDict[_Key, ProviderError] = OrderedDict()
_table = threading.Lock()


def known(reference: Reference, settings: ProviderSettings) -> ProviderError | None:
    """The failure that this run has met with this model, marked as repeated; None where it has met none."""
    with _table:
        met = _met.get(_key(reference, settings)) if settings.run else None
    if met is None:
        return None
    again = type(met)(met.code, **met.fields)
    again.repeated = True
    return again


def meet(reference: Reference, settings: ProviderSettings, error: ProviderError) -> None:
    """Remember a failure for the rest of its run, if it is one that lasts."""
    if not settings.run or error.code not in PERMANENT:
        return
    with _table:
        _met[_key(reference, settings)] = error
        while len(_met) > _MOST:
            _met.popitem(last=False)


def forget_failures(settings: ProviderSettings, run: str) -> None:
    """Let a run that is taken up again ask once more: a person may have mended what was wrong."""
    with _table:
        for key in [key for key in _met if key[:2] == (settings.logs, run)]:
            del _met[key]


def _key(reference: Reference, settings: ProviderSettings) -> _Key:
    return settings.logs, settings.run, str(reference), provider_of(reference).address(settings)
