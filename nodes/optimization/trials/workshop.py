"""Code that proposals bring: examined once, put on record, taken into the language and into the library.

A source enters the language before its proposal is looked at: nobody has seen a figure of it by then. What
the cage found stands in the log under the hash of the text, so that a replay compiles nothing and a resume
examines nothing twice. What no proposal uses in the end is taken back; the rest is kept in the library.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from backtest.cage.errors import CodeError
from backtest.cage.source import read_source
from backtest.engine.adopted import adopt, adopted, attribute, dismiss, functions_of
from backtest.errors import RequestError
from base.reasons import told_known
from nodes.context import OptimizationContext
from nodes.errors import ChangeError
from nodes.optimization.changes import CHANGE, Change, Written
from nodes.run_events import record
from record.errors import ReportError
from record.events import CodeExamined, Event, IndicatorWritten, LibraryKnown, code_id
from record.record import RunRecord
from record.types import Iteration, Proposal
from vault import indicators
from vault.adding import examined, keep
from vault.errors import MarketError
from vault.indicators import Kept

LIBRARY = "i00.library"
"""Id of the event that says which indicators were there when the run began."""


@dataclass(frozen=True, kw_only=True)
class Workshop:
    """Where the code of one role's proposals goes.

    Attributes:
        context: the run's settings.
        run: its name.
        iteration: the one at work.
        voice: who brings it.
        cites: the event that it follows from.
        recording: False outside of the graph, where a word is only looked at before it is passed on.
    """

    context: OptimizationContext
    run: str
    iteration: int
    voice: str
    cites: str
    recording: bool = True

    def admit(self, change: Change) -> None:
        """Let conditions name the function that a change brings, if it brings one.

        Raises:
            ChangeError: `code_not_allowed` by the run; `unknown_parent`.
            CodeError: it is refused, and why.
        """
        if not (text := change.code()):
            return
        if not self.context.allow_code:
            raise ChangeError("code_not_allowed")
        found = self._on_record(text) or _found(text)
        if self.recording:
            name = code_id(text)
            record(
                self.context, self.run, name, self.voice, found, iteration=self.iteration, cites=[self.cites]
            )
        if found.refused is not None:
            raise CodeError.of(**found.refused)
        source = read_source(found.source)
        try:
            adopt(source, found.measured, self.voice)
        except RequestError:
            raise CodeError("name_taken", name=source.name) from None
        for name in change.parents if isinstance(change, Written) else ():
            if name not in adopted():
                raise ChangeError("unknown_parent", name=name, known=told_known(name, adopted()))

    def settle(self, proposals: Iterable[Proposal], author: str) -> None:
        """Keep the functions that proposals use, and take back the others of this role's turn.

        Args:
            proposals: those that can be tested.
            author: who wrote them: the reference of a model, `rules` or `person`.

        Raises:
            MarketError: the library is damaged.
            OSError: the data folder cannot be written.
        """
        if not self.context.allow_code:
            return
        for proposal in proposals:
            change = CHANGE.validate_python(proposal["change"])
            if isinstance(change, Written):
                self._keep(change, author)
        kept = indicators.library(self.context.home_path)
        for event in RunRecord(self.context.home_path, self.run).events():
            found = event.data
            if not isinstance(found, CodeExamined) or event.cites != [self.cites]:
                continue
            if found.refused is None and found.name not in kept:
                dismiss(found.name)

    def _keep(self, change: Written, author: str) -> None:
        found, name = self._on_record(change.source), code_id(change.source)
        assert found is not None, "it was admitted"
        hashes = adopted()
        written = IndicatorWritten(
            name=found.name,
            hash=hashes[found.name],
            author=author,
            parents=[hashes[parent] for parent in change.parents],
            code=name,
        )
        kept = _kept(written, found, self.context.home_path, self.run)
        attribute(kept.name, kept.author)
        event = f"indicator.{found.name}"
        record(self.context, self.run, event, self.voice, written, iteration=self.iteration, cites=[name])

    def _on_record(self, text: str) -> CodeExamined | None:
        log = RunRecord(self.context.home_path, self.run)
        name = code_id(text)
        return log.log.told(name, CodeExamined) or log.answers.told(name, CodeExamined)


@lru_cache(maxsize=64)
def _found(text: str) -> CodeExamined:
    """What the cage finds of a text now."""
    try:
        source, measured, nearest = examined(text)
    except CodeError as error:
        if error.code == "no_cage":
            raise
        refused: dict[str, Any] = {"code": error.code, "fields": _plain(error.fields)}
        return CodeExamined(name=_named(text), source=text, refused=refused)
    told = [nearest[0], float(f"{nearest[1]:.10g}")]
    return CodeExamined(name=source.name, source=source.text, measured=measured, nearest=told)


def _plain(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value if isinstance(value, int | float) else str(value) for name, value in fields.items()}


def _named(text: str) -> str:
    """What a refused source calls itself, where it can be read that far."""
    try:
        return read_source(text).name
    except CodeError:
        return ""


def tell_library(context: OptimizationContext, run: str) -> None:
    """Put on record which indicators conditions can name as the run begins; nothing where there are none."""
    log = RunRecord(context.home_path, run)
    names = [] if log.is_replay else sorted(adopted())
    told = log.answers.told(LIBRARY, LibraryKnown) or LibraryKnown(names=names)
    if told.names:
        record(context, run, LIBRARY, "load", told, cites=["i00.load"])


def known_at_start(context: OptimizationContext, run: str) -> list[str]:
    """What `tell_library` has told."""
    told = RunRecord(context.home_path, run).log.told(LIBRARY, LibraryKnown)
    return told.names if told else []


def known(context: OptimizationContext, run: str) -> list[str]:
    """Functions that prompts of the run tell: those of the library at its start, and its own so far."""
    own = written(RunRecord(context.home_path, run).events()) if context.allow_code else []
    return functions_of({*known_at_start(context, run), *(one.name for one in own)})


def written(events: Iterable[Event]) -> list[IndicatorWritten]:
    """The indicators of a run, in the order in which they were written."""
    return [event.data for event in events if isinstance(event.data, IndicatorWritten)]


def credit(context: OptimizationContext, run: str, history: Iterable[Iteration], verdict: str | None) -> None:
    """Tell the library what came of each indicator that a run has written.

    Args:
        context: the run's settings.
        run: its name.
        history: its iterations, whole.
        verdict: on its champion; None where there is none.

    Raises:
        MarketError: the library is damaged.
        OSError: it cannot be written.
    """
    if not context.allow_code:
        return
    trials = [trial for entry in history for trial in entry["trials"]]
    brought = {
        code_id(str(trial["change"].get("source", ""))): trial for trial in trials if "change" in trial
    }
    known = indicators.library(context.home_path)
    for one in written(RunRecord(context.home_path, run).events()):
        trial = brought.get(one.code)
        # Another run may have written it first: what is told is told of that one.
        if trial is None or one.name not in known or known[one.name].evidence.get("run") != run:
            continue
        told: dict[str, float | str] = {
            "outcome": trial["outcome"],
            "configurations": float(trial["backtests"]),
        }
        figure = "score" if trial.get("excess_t") is None else "excess_t"
        if (value := trial.get(figure)) is not None:
            told[figure] = float(str(value))
        if verdict is not None and trial["outcome"] == "adopted":
            told["verdict"] = verdict
        indicators.tell(context.home_path, one.name, told)


def restore(log: RunRecord, home: Path | None = None) -> None:
    """Let conditions name what a run has written, in this process and in a data folder.

    Args:
        log: of the run.
        home: the data folder, whose library may lack some; None leaves it as it is.

    Raises:
        ReportError: `indicators_differ`: one of its names is another function now, or its source was changed.
    """
    if not log.about()["context"].get("allow_code"):
        return
    wrong = []
    for one in written(log.events()):
        found = log.log.told(one.code, CodeExamined)
        try:
            if found is None or (source := read_source(found.source)).hash != one.hash:
                raise CodeError("name_taken", name=one.name)
            adopt(source, found.measured, one.author)
            if home is not None:
                _kept(one, found, home, log.run)
        except (CodeError, RequestError, MarketError):
            wrong.append(one.name)
    if wrong:
        raise ReportError("indicators_differ", run=log.run, names=", ".join(wrong))


def _kept(one: IndicatorWritten, found: CodeExamined, home: Path, run: str) -> Kept:
    """An indicator of a run in the library, where it is left as it stands if it was there."""
    known, correlation = found.nearest
    keep(
        read_source(found.source),
        found.measured,
        (str(known), float(correlation)),
        home,
        author=one.author,
        parents=tuple(one.parents),
        evidence={"run": run},
    )
    return indicators.one_of(home, one.name)
