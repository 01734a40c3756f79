"""Which variant came from which: every tested strategy of a run with the one that it changes.

A proposal changes the champion of its moment, or a candidate of the population, which it names by its number
in the evidence put before the roles. One that brings code made from earlier code comes from the variant that
brought that. The record holds the t-statistic of each candidate under that number,
so the strategy behind it is found among those that were tested before; nothing is guessed from words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from record.events import BaselineTested, Event, EvidenceListed, Proposed, Selected, Surveyed, VariantEvent
from record.run_view import RunView, Trial
from record.types import Member

START = (0, 0)
"""Place of the strategy that the run began with."""

_FUNCTION = re.compile(r"def (\w+)")

Place = tuple[int, int]
"""Iteration and number of a proposal; in iteration 0 the number of a candidate of the survey."""


@dataclass(frozen=True, kw_only=True)
class Strain:
    """One tested strategy.

    Attributes:
        place: of it.
        parent: place of the strategy that it changes; None for those that a run begins with.
        trial: the proposal; None for those.
        member: as the survey found it; None for any other.
        score: 0–10 on development data; None for a candidate that was only surveyed.
        leads: whether it is the champion so far.
        also: place of a second parent, where code was made from two.
    """

    place: Place
    parent: Place | None
    trial: Trial | None
    member: Member | None
    score: float | None
    leads: bool
    also: Place | None = None


class _Known:
    """Tested strategies by what the record calls them."""

    def __init__(self) -> None:
        self.places: dict[str, Place] = {}
        self.by_t: dict[str, Place] = {}
        self.numbered: dict[int, Place] = {}
        self.champion: Place = START
        self.parents: dict[Place, Place] = {}
        self.also: dict[Place, Place] = {}
        self.brought: dict[str, Place] = {}
        self.members: dict[Place, Member] = {}

    def add(self, place: Place, name: str, excess_t: float | None) -> None:
        """A strategy under its hash; of two that are the same one the first stays."""
        self.places.setdefault(name, place)
        if excess_t is not None:
            self.by_t.setdefault(f"{excess_t:.10g}", self.places[name])

    def take(self, event: Event) -> None:
        """What an event adds."""
        match event.data:
            case BaselineTested(figures=figures):
                self.add(START, figures.get("hash", ""), None)
            case Surveyed(champion=champion, archive=archive):
                for number, one in enumerate(archive, start=1):
                    place = START if one["given_first"] else (0, number)
                    self.members[place] = one
                    self.add(place, one["hash"], one["excess_t"])
                first = champion["figures"].get("hash", "")
                self.champion = self.places.get(first, START)
            case EvidenceListed(items=items):
                told = {one["id"]: one.get("value") for one in items if one.get("name") == "candidate"}
                self.numbered = {
                    int(name[1:]): self.by_t[f"{value:.10g}"]
                    for name, value in told.items()
                    if isinstance(value, int | float) and f"{value:.10g}" in self.by_t
                }
            case Proposed(proposal=proposal):
                base = proposal.get("base", 0)
                place = event.iteration, proposal["number"]
                self.parents[place] = self.numbered.get(base, self.champion) if base else self.champion
                self._bred(place, proposal.get("change", {}))
            case VariantEvent(variant=variant) if tested := variant["figures"]:
                place = event.iteration, variant["number"]
                self.add(place, tested.get("hash", ""), variant.get("excess_t"))
            case Selected(selection=selection):
                self.champion = self.places.get(selection.get("champion", ""), self.champion)
            case _:
                pass

    def _bred(self, place: Place, change: Mapping[str, Any]) -> None:
        """What a proposal that brings code was made from."""
        if (name := _FUNCTION.search(change.get("source", ""))) is None:
            return
        made_from = [self.brought[one] for one in change.get("parents", ()) if one in self.brought]
        if made_from:
            self.parents[place] = made_from[0]
        if made_from[1:]:
            self.also[place] = made_from[1]
        self.brought.setdefault(name[1], place)


def lineage(view: RunView) -> Mapping[Place, Strain]:
    """Every tested strategy by its place, the start first; empty before the first backtest.

    Candidates of the survey are told where a variant changed them, or where one leads.
    """
    if view.initial_figures is None:
        return {}
    known = _Known()
    for event in view.events:
        known.take(event)
    tested = {place: trial for place, trial in view.trials.items() if trial.score is not None}
    needed = {known.parents[place] for place in tested if place in known.parents} | {known.champion}
    found = {}
    for place in (START, *sorted(one for one in known.members if one != START and one in needed)):
        score = view.initial_score if place == START else None
        if view.surveyed is not None and known.places.get(_hash(view.surveyed)) == place:
            score = view.surveyed.champion["figures"]["score"]
        found[place] = Strain(
            place=place,
            parent=None,
            trial=None,
            member=known.members.get(place),
            score=score,
            leads=place == known.champion,
        )
    for place, trial in sorted(tested.items()):
        found[place] = Strain(
            place=place,
            parent=parent if (parent := known.parents.get(place, START)) in found else START,
            trial=trial,
            member=None,
            score=trial.score,
            leads=place == known.champion,
            also=known.also.get(place),
        )
    return found


def _hash(surveyed: Surveyed) -> str:
    return surveyed.champion["figures"].get("hash", "")


def drawn(found: Mapping[Place, Strain], most: int) -> set[Place]:
    """The strains that a picture of about so many leaves shows.

    The line of the champion and whatever was adopted comes first, then the best by score; each with all that
    it came from.
    """

    def line(place: Place) -> set[Place]:
        inside: set[Place] = set()
        at: Place | None = place
        while at is not None and at not in inside and at in found:
            inside.add(at)
            at = found[at].parent
        return inside

    shown: set[Place] = set()
    for one in found.values():
        if one.leads or one.place == START:
            shown |= line(one.place)
    adopted = [one.place for one in found.values() if one.trial and one.trial.state == "adopted"]
    best = sorted(found, key=lambda place: (-(found[place].score or 0.0), place))
    for place in (*reversed(adopted), *best):
        leaves = shown - {found[one].parent for one in shown}
        if len(leaves) >= most:
            break
        shown |= line(place)
    return shown
