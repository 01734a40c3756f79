"""Other policies in the roles' place: for what is measured without models and without rules."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from nodes.optimization import analyst, speak, strategist, validator  # noqa: F401 (roles live in these modules)


@contextmanager
def in_place_of_rules(**policies: Callable[[Any], Any]) -> Iterator[None]:
    """Let these answer where a role is told to go by `rules`.

    Raises:
        RuntimeError: at the end, if one was never asked: then something else was measured.
    """
    asked: set[str] = set()

    def counted(name: str, policy: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def answer(evidence: Any) -> Any:
            asked.add(name)
            return policy(evidence)

        return answer

    with ExitStack() as stack:
        for name, policy in policies.items():
            module, constant = sys.modules[f"nodes.optimization.{name}"], name.upper()
            role = replace(getattr(module, constant), policy=counted(name, policy))
            stack.enter_context(patch.object(module, constant, role))
        yield
    if missing := sorted(policies.keys() - asked):
        raise RuntimeError(f"never asked: {', '.join(missing)}")
