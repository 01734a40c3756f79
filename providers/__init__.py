"""Chat models: references, calls with deadlines and retries, the answer cache, health."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from providers.cache import recall, remember
from providers.errors import ProviderError
from providers.extraction import objects_in
from providers.faults import forget_failures
from providers.health import Health, check, check_all
from providers.oversight import Oversight
from providers.reference import Reference
from providers.registry import PROVIDERS, parse_reference
from providers.request import Reply, Request
from providers.settings import ProviderSettings

if TYPE_CHECKING:
    from providers.calling import call

__all__ = [
    "PROVIDERS",
    "Health",
    "Oversight",
    "ProviderError",
    "ProviderSettings",
    "Reference",
    "Reply",
    "Request",
    "call",
    "check",
    "check_all",
    "forget_failures",
    "objects_in",
    "parse_reference",
    "recall",
    "remember",
]


def __getattr__(name: str) -> Any:
    """`call`, whose libraries take a second to import, for whoever calls a model."""
    if name != "call":
        raise AttributeError(name)
    return import_module("providers.calling").call
