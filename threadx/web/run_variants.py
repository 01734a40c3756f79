"""Tab of a run's page: every variant that was proposed, ranked, what became of it, and what it came from."""

from __future__ import annotations

from collections.abc import Mapping

from nicegui import ui

from prompts import Words
from record.lineage import START, Place, Strain, lineage
from record.run_view import ON_ITS_WAY, RunView, Trial
from record.types import Figures, Metrics
from reports.tables import score_note
from threadx.web.frame import Text, attribute, card
from threadx.web.naming import strategy_name
from threadx.web.ranked import Column, Ranked, Row
from threadx.web.run_lineage import Lineage, name_of, number_of

METRICS = (
    ("sharpe", "sharpe_ratio", "number"),
    ("return", "total_return", "percent"),
    ("drawdown", "max_drawdown", "percent"),
    ("n_trades", "n_trades", "number"),
)
_DECIDES = ("excess_t", "p_value")
"""What a variant is accepted by: in a population, and in a search of one strategy; a run has one of them."""
_NUMBERS = frozenset({"score", "difference", *_DECIDES, *(name for name, _, _ in METRICS)})
_NAMES = (
    "change",
    "outcome",
    "excess_t",
    "score",
    "difference",
    *(name for name, _, _ in METRICS),
    "p_value",
    "number",
    "parent",
)


def _in_order(told: str) -> str:
    """A number like 3.12 so that it is sorted behind 3.2; anything else as it is."""
    return ".".join(part.zfill(4) if part.isdigit() else part for part in told.split("."))


def outcome_of(trial: Trial, words: Words) -> str:
    """Where a trial stands."""
    room = "web" if trial.state in ON_ITS_WAY else "optimization"
    told = words(f"{room}.outcome.{trial.state}")
    return words("report.pair", name=told, value=trial.objection) if trial.objection else told


class Variants:
    """The board of variants beside the strategy that the run began with."""

    def __init__(self, words: Words) -> None:
        self.words = words
        self._view = RunView()
        self._strains: Mapping[Place, Strain] = {}
        self._tested = -1
        self._keys: list[tuple[int, int]] = []
        self._begun: list[Row] = []
        """First rows: strategies that no trial led to."""
        with card(words("web.section.board")):
            self._none = Text("p", words("web.trials.none"), "tx-soft")
            self._box = ui.element("div")
            with self._box:
                self._ranked = Ranked(
                    words,
                    [
                        Column(name=name, label=words(f"web.trials.{name}"), number=name in _NUMBERS)
                        for name in _NAMES
                    ],
                    title=words("web.section.board"),
                    order=("score", True),
                    opened=self._open,
                    toned="outcome",
                )
                self._opened = attribute(ui.element("div").classes("tx-opened"), "aria-live", "polite")
                self._note = Text("p", "", "tx-small")
        self._box.set_visibility(False)
        self._lineage = Lineage(words, self._open_strain)

    def draw(self, view: RunView) -> None:
        """Bring the rows up to date."""
        words, self._view = self.words, view
        if view.initial_score is None:
            return
        self._none.set_visibility(False)
        self._box.set_visibility(True)
        assert view.initial_figures is not None, "it has a score"
        note = score_note(view.initial_figures, words)
        population = view.surveyed is not None
        self._note.set_text(f"{note} {words('web.trials.ranked')}" if population else note)
        self._ranked.leave_out(_DECIDES[1:] if population else _DECIDES[:1])
        # Events are folded anew only where a strategy was tested or a champion chosen since.
        if (tested := sum(map(len, view.tested.values())) + len(view.history)) != self._tested:
            self._tested, self._strains = tested, lineage(view)
        begun = [self._before(words("web.trials.start"), view.initial_figures, view)]
        if view.surveyed is not None and (first := view.surveyed.champion)["figures"].get(
            "hash"
        ) != view.initial_figures.get("hash"):
            name = words("web.trials.surveyed", strategy=strategy_name(first["spec"], words))
            begun.append(self._before(name, first["figures"], view, first.get("excess_t")))
        self._keys, self._begun = [*view.trials], begun
        self._ranked.show([*begun, *(self._row(one, view.initial_score) for one in view.trials.values())])

    def _before(self, name: str, tested: Figures, view: RunView, excess_t: float | None = None) -> Row:
        """A strategy that stood before the first iteration, and whether it leads still."""
        leads = view.champion != "" and tested.get("hash") == view.champion
        figures: Metrics = {
            "score": tested["score"],
            "difference": tested["score"] - (view.initial_score or 0.0),
            "p_value": None,
            "excess_t": excess_t,
        }
        told = {
            "change": name,
            "outcome": self.words("web.outcome.champion" if leads else "web.outcome.reference"),
            "number": "–",
            "parent": "–",
        }
        return self._told(figures, tested.get("metrics", {}), told, tone="good" if leads else "")

    def _row(self, trial: Trial, initial: float) -> Row:
        place = trial.iteration, trial.number
        figures: Metrics = {
            "score": trial.score,
            "difference": None if trial.score is None else trial.score - initial,
            "p_value": trial.p_value,
            "excess_t": trial.excess_t,
        }
        told = {
            "change": trial.sentence,
            "outcome": outcome_of(trial, self.words),
            "number": number_of(place),
            "parent": self._parent(place),
        }
        return self._told(figures, trial.metrics, told, tone="good" if trial.state == "adopted" else "")

    def _told(self, figures: Metrics, metrics: Metrics, told: Mapping[str, str], tone: str = "") -> Row:
        """A row whose figures are written out."""
        words = self.words
        shown = {
            "score": words.number(figures["score"]),
            "difference": words.number(figures["difference"], signed=True),
            "p_value": words.number(figures["p_value"], 3),
            "excess_t": words.number(figures["excess_t"]),
        }
        for name, metric, kind in METRICS:
            figure = metrics.get(metric)
            figures[name] = figure
            shown[name] = words.percent(figure) if kind == "percent" else words.number(figure)
        ordered = {name: _in_order(told[name]) for name in ("number", "parent")}
        return Row(values={**figures, **told, **ordered}, told={**shown, **told}, tone=tone)

    def _parent(self, place: Place) -> str:
        """What a variant changes, in few words; a dash for one that was not tested."""
        one = self._strains.get(place)
        places = [at for at in (one.parent, one.also) if at in self._strains] if one else []
        return ", ".join(name_of(self._strains[at], self.words) for at in places if at is not None) or "–"

    def look(self, *, opened: bool) -> None:
        """Draw what is drawn only where it is looked at."""
        self._lineage.draw(self._strains, seen=opened)

    def _open_strain(self, place: Place) -> None:
        """Tell of the strategy that was clicked in the tree."""
        if place in self._keys:
            self._open(len(self._begun) + self._keys.index(place))
        elif (one := self._strains[place]).place == START:
            self._open(0)
        else:
            self._opened.clear()
            with self._opened:
                Text("h3", name_of(one, self.words))
                Text("p", self.words("web.outcome.champion" if one.leads else "web.lineage.seed"))
        ui.run_javascript(f"getHtmlElement({self._opened.id}).scrollIntoView({{block: 'center'}})")

    def _open(self, place: int) -> None:
        """Tell the whole of a variant below the table: why it was proposed, what was expected of it."""
        self._opened.clear()
        if not 0 <= place < len(self._begun) + len(self._keys):
            return
        with self._opened:
            if place < len(self._begun):
                row = self._begun[place]
                Text("h3", row.told["change"])
                Text("p", row.told["outcome"], "tx-good" if row.tone else "")
                return
            trial, words = self._view.trials[self._keys[place - len(self._begun)]], self.words
            Text("h3", trial.sentence)
            Text("p", outcome_of(trial, words), "tx-good" if trial.state == "adopted" else "")
            if (parent := self._parent((trial.iteration, trial.number))) != "–":
                Text("p", words("web.lineage.from", parent=parent), "tx-soft")
            Text("p", trial.reason)
            if trial.source:
                with attribute(ui.element("pre").classes("tx-tall"), "tabindex", "0"):
                    Text("code", trial.source.strip())
            if trial.effect:
                Text("p", words("web.steer.effect", effect=trial.effect), "tx-soft")
