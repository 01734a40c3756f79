"""`rules`: no model. A role's own policy answers, so nothing is asked here and nothing is opened."""

from __future__ import annotations

from typing import Any, NoReturn

from providers.entry import Provider
from providers.errors import UnknownModelError
from providers.reference import Reference


def _no_model(reference: Reference, *_: Any) -> NoReturn:
    raise UnknownModelError("unknown_model", reference=str(reference), known="provider:model")


PROVIDER = Provider(
    name="rules",
    models=(),
    sample="rules",
    about="no model: a deterministic policy, the baseline every model must beat",
    sends="nothing",
    hosted=False,
    probe=_no_model,
    open=_no_model,
    health=lambda reference, _: str(reference),
    address=lambda _: "",
    content=None,
    window=None,
    local=lambda _: True,
)
