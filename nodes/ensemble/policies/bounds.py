"""How far a model that reads headlines may move what is published: code sets the bounds, not words.

Whoever reads headlines may be reading orders, and no list of words finds them all. So obedience is harmless:

- the view of an agent that reads headlines lies within `FREEDOM` of its policy's, which counts items and
  tones, the nearer the fewer items there are; its confidence within a quarter of the policy's;
- its sentences are the program's (`Agent.bounded`): neither the arbiter nor a reader meets a word that a
  model wrote after reading a headline;
- the direction that the arbiter names lies within reach of the weighted mean (`pooling.within_reach`).
"""

from __future__ import annotations

from nodes.ensemble.schemas import Stance

FREEDOM = 0.15
"""Total variation (half the sum of differences) between a model's probabilities and its policy's, at most."""

CONFIDENCE_FREEDOM = 0.25
"""Of the policy's confidence, how much more or less a model may have."""


def near(view: Stance, own: Stance, freedom: float) -> Stance:
    """The view itself if it lies within `freedom` of the policy's own, else the point on the way that does.

    Args:
        view: a model's probabilities; divided by their sum, which may be a little off 1.
        own: the policy's.
        freedom: greatest total variation between the two.
    """
    given, base = view.model_dump(), own.model_dump()
    total = sum(given.values())
    given = {name: share / total for name, share in given.items()}
    apart = sum(abs(given[name] - base[name]) for name in base) / 2.0
    part = min(freedom / apart, 1.0) if apart else 0.0
    moved = {name: round(base[name] + part * (given[name] - base[name]), 4) for name in base}
    # Four decimals that add up to 1, like the policy's.
    return Stance(**{**moved, "neutral": round(1.0 - moved["positive"] - moved["negative"], 4)})


def near_confidence(given: float, own: float) -> float:
    """A model's confidence, held within a quarter of the policy's."""
    least, most = own * (1.0 - CONFIDENCE_FREEDOM), min(own * (1.0 + CONFIDENCE_FREEDOM), 1.0)
    return round(min(max(given, least), most), 4)
