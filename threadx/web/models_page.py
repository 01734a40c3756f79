"""Page `/threadx/models`: which models are there, which are chosen, and what tests say of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nicegui import run as threads
from nicegui import ui

from base.references import joined
from nodes.context import RULES, OptimizationContext
from nodes.ensemble.agents import AGENTS
from nodes.ensemble.context import EnsembleContext
from nodes.model_settings import provider_settings
from nodes.model_words import gib, traits
from nodes.scorecard_tables import DICE, tables
from providers.errors import ProviderError
from providers.installed import Installed, installed
from record.scorecards import Kept, kept_cards
from threadx.web.frame import MODELS_PATH, Site, Table, Text, attribute, card, command, frame
from threadx.web.order import ROLES


@dataclass(frozen=True)
class Choice:
    """What a run gets of which nothing is asked.

    Attributes:
        chains: models by role of the cycle.
        ensemble: models by agent of the ensemble.
    """

    chains: Mapping[str, tuple[str, ...]]
    ensemble: Mapping[str, tuple[str, ...]]


def choice(home: str) -> Choice:
    """The chains of every role, as the settings file, the environment and the defaults have them."""
    cycle, ensemble = OptimizationContext(home=home), EnsembleContext(home=home)
    return Choice(
        {role: getattr(cycle, role) for role in ROLES},
        {role: ensemble.chain(role) for role in (*AGENTS, "arbiter")},
    )


class There:
    """The models that could be asked; looked for when the page is open, without holding it up."""

    def __init__(self, site: Site) -> None:
        self.site, self.words = site, site.words
        with card(self.words("web.models.installed")) as self.box:
            self._asking = attribute(
                Text("p", self.words("web.form.asking"), "tx-soft"), "aria-live", "polite"
            )
        ui.timer(0.1, self._look, once=True)

    async def _look(self) -> None:
        words = self.words
        found = await threads.io_bound(models_there, str(self.site.home))
        if found is None:  # the server is ending
            return
        models, silent = found
        self._asking.set_visibility(False)
        with self.box:
            if models:
                names = ("model", "size", "traits")
                table = Table([words(f"web.models.{name}") for name in names], numbers=[1], prose=[2])
                for one in models:
                    size = gib(one.size, words) if one.size is not None else "–"
                    table.row([one.reference, size, ", ".join(traits(one, words)) or "–"])
            else:
                Text("p", words("models.list.none"))
            for error in silent:
                Text("p", words.told(error), "tx-soft")
            Text("p", words("web.models.which"), "tx-soft")
            command("threadx models suggest")


def models_there(home: str) -> tuple[list[Installed], list[ProviderError]]:
    """What `threadx models list` knows."""
    return installed(provider_settings(OptimizationContext(home=home)))


def _chosen(site: Site, found: Choice) -> None:
    words = site.words
    with card(words("web.models.chosen")):
        table = Table([words("web.models.role"), words("web.models.chain")], prose=[1])
        for role, chain in found.chains.items():
            table.row([words(f"report.role.{role}"), joined(chain)])
        for agents, chain in _alike(found.ensemble).items():
            table.row([words("web.models.ensemble", agents=_agents(agents, site)), joined(chain)])
        Text("p", words("web.models.choose"), "tx-soft")
        command("threadx models use MODEL --role analyst")


def _alike(chains: Mapping[str, tuple[str, ...]]) -> dict[tuple[str, ...], tuple[str, ...]]:
    """The agents that have the same chain, with it; all of them stand under one name."""
    by_chain: dict[tuple[str, ...], list[str]] = {}
    for agent, chain in chains.items():
        by_chain.setdefault(chain, []).append(agent)
    return {tuple(agents): chain for chain, agents in by_chain.items()}


def _agents(agents: tuple[str, ...], site: Site) -> str:
    words = site.words
    every = len(agents) == len(AGENTS) + 1
    return words("web.models.every") if every else ", ".join(words(f"agents.{one}.short") for one in agents)


def _scorecards(site: Site, kept: list[Kept]) -> None:
    words = site.words
    with card(words("web.models.scorecards")):
        if not kept:
            Text("p", words("web.models.untested"))
        else:
            Text("p", words("web.models.read"), "tx-soft")
            tested = sorted(kept, key=lambda one: (one.model in (RULES, DICE), one.model))
            for one in tested:
                told = {"model": one.model, "cases": len(one.faults), "of": one.cases}
                Text("p", words("web.models.tested", date=words.day(one.tested), **told), "tx-soft")
            for title, head, rows, caption in tables({one.model: one.card() for one in tested}, words):
                Text("h3", title)
                table = Table(head, numbers=range(1, len(head)))
                for row in rows:
                    table.row(row)
                if caption:
                    Text("p", caption, "tx-soft")
        Text("p", words("web.models.test"), "tx-soft")
        command("threadx models test MODEL --minutes 60")


def register(site: Site) -> None:
    """Add the page."""
    words = site.words

    @ui.page("/models")
    async def models_page() -> None:
        chosen = await threads.io_bound(choice, str(site.home))
        kept = await threads.io_bound(kept_cards, site.home, words.language)
        if chosen is None:  # the server is ending
            return
        with frame(site, words("web.models.title"), MODELS_PATH):
            Text("p", words("web.models.intro"), "tx-soft")
            There(site)
            _chosen(site, chosen)
            _scorecards(site, kept or [])
