"""Which combinations of a grid are tried where it has more than may be: Optuna's TPE, in batches.

Watanabe 2023, Tree-structured Parzen estimator, arXiv:2304.11127. A search over folds is led from one
training stretch to the next: what leads to a combination that a fold may choose lies before its test. The
same seed gives the same combinations, with the same version of Optuna.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backtest.kernels.simulation import Floats

Places = NDArray[np.int64]
Scores = Callable[[Places], Floats]
"""Of combinations, numbered in the grid's order: stretches × combinations, NaN where there is nothing to rank
by, minus infinity in all of them for what makes no sense."""

_BEGINNING = 0.25
"""Share of the combinations that is drawn evenly before anything leads."""

_ROUNDS = 4
"""Batches a stretch, at most, until enough combinations that are new make sense."""


def sampled(
    sizes: Sequence[int], most: int, stretches: int, scores: Scores, seed: int
) -> tuple[Places, Places]:
    """Combinations of a grid, each tried once.

    Args:
        sizes: how many values each axis has; neighbours are next to each other.
        most: how many combinations may be tried.
        stretches: on which they are, in order of time: each leads to its share of them.
        scores: tries a batch.
        seed: of all that is drawn.

    Returns:
        (combinations, after): numbers in the order in which they were tried, and for each how many stretches
        had led to it by then: 0 for those drawn evenly. What makes no sense is not among them.
    """
    import optuna  # noqa: PLC0415  # it takes as long as half of the program, and few searches need it

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    count = math.prod(sizes)
    draw = np.random.default_rng(seed)
    known: dict[int, Floats] = {}
    led: dict[int, int] = {}

    def take(batch: Sequence[int], after: int, room: int) -> int:
        """Try what is new of a batch; how many of it make sense."""
        new = [one for one in dict.fromkeys(batch) if one not in known][:room]
        if not new:
            return 0
        for one, found in zip(new, scores(np.array(new, dtype=np.int64)).T, strict=True):
            known[one] = found
            if not np.isneginf(found).all():
                led[one] = after
        return sum(one in led for one in new)

    def even(size: int) -> list[int]:
        unknown = draw.permutation(count) if count <= 2 * most else draw.integers(count, size=8 * size)
        return [int(one) for one in unknown if int(one) not in known][:size]

    def fill(target: int, after: int, propose: Callable[[int], list[int]]) -> None:
        for _ in range(_ROUNDS):
            if (room := target - len(led)) <= 0:
                return
            take(propose(room), after, room)

    fill(round(_BEGINNING * most), 0, even)
    axes = {str(axis): optuna.distributions.IntDistribution(0, size - 1) for axis, size in enumerate(sizes)}
    for stretch in range(stretches):
        target = len(led) + (most - len(led)) // (stretches - stretch)

        def guided(size: int, stretch: int = stretch) -> list[int]:
            study = _study(optuna, seed + stretch, sizes, axes, known, stretch)
            asked = [study.ask(axes).params for _ in range(size)]
            return [int(np.ravel_multi_index([one[axis] for axis in axes], tuple(sizes))) for one in asked]

        fill(target, stretch + 1, guided)
        fill(target, stretch + 1, even)  # where it asks for nothing but what is known
    return np.array(list(led), dtype=np.int64), np.array(list(led.values()), dtype=np.int64)


def _study(
    optuna: Any, seed: int, sizes: Sequence[int], axes: dict[str, Any], known: dict[int, Floats], stretch: int
) -> Any:
    """A study that knows what came of every combination on one stretch; what has no score is as the worst."""
    values = np.array([found[stretch] for found in known.values()])
    worst = values[np.isfinite(values)].min(initial=0.0)
    values = np.where(np.isfinite(values), values, worst)
    sampler = optuna.samplers.TPESampler(seed=seed % 2**32, n_startup_trials=0, multivariate=True)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    for one, value in zip(known, values.tolist(), strict=True):
        places = np.unravel_index(one, tuple(sizes))
        params = {axis: int(place) for axis, place in zip(axes, places, strict=True)}
        study.add_trial(optuna.trial.create_trial(params=params, distributions=axes, value=value))
    return study
