"""The graphs as the LangGraph server runs them (`langgraph.json`): their settings come from requests."""

from __future__ import annotations

from graphs.attended import AttendedDoor
from graphs.door import Door
from graphs.ensemble import graph as _ensemble
from graphs.optimization import graph as _optimization
from graphs.review import graph as _review


class ServedDoor(Door):
    """The door of a graph whose callers are whoever reaches the server."""

    served = True


class ServedAttendedDoor(AttendedDoor):
    """The same, under the ensemble's lock."""

    served = True


optimization = ServedDoor(**vars(_optimization))
review = ServedDoor(**vars(_review))
ensemble = ServedAttendedDoor(**vars(_ensemble))
