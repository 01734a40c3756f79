"""What a person sees in a terminal: live progress of a run, and its result as tables.

Progress goes to standard error: a spinner with the role at work on a terminal, plain lines in a pipe.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console, JustifyMethod
from rich.markup import escape as without_markup
from rich.panel import Panel
from rich.status import Status
from rich.table import Table
from rich.text import Text

from base.paths import typed_path
from prompts import Words
from record.events import (
    Abstained,
    Approved,
    BaselineTested,
    BudgetMet,
    CodeExamined,
    Consensus,
    Converged,
    Event,
    Judged,
    Noticed,
    PricesRead,
    RoleCalled,
    Selected,
    Started,
    Surveyed,
    VariantTested,
)
from record.events import Waiting as WaitingEvent
from record.run_view import node_at_work
from record.types import Attempt, Provenance
from reports.belief import (
    INSTRUMENT_COLUMNS,
    instrument_lines,
    instrument_rows,
    reason_lines,
    sight_lines,
    verdict_line,
)
from reports.population import no_change_line, population_lines
from reports.review_markdown import analysis_lines, debate_lines, proposal_lines, review_figures
from reports.tables import (
    advice_lines,
    bars_per_year_lines,
    brain_lines,
    change_head,
    change_lines,
    contributor_cells,
    failure_lines,
    figures_table,
    lost_line,
    lost_lines,
    notice_lines,
    score_note,
)
from threadx.columns import fitted, tab_separated
from threadx.plain import plain, say

if TYPE_CHECKING:  # the engine and the graphs take seconds that a list of runs does not have
    from reports.backtest_card import Told
    from threadx.results import OptimizationResult, ReviewResult, SummaryResult, Waiting
    from threadx.watching import Watcher

_VERDICT_STYLES = {"real": "green", "promising": "cyan", "unproven": "yellow", "overfit": "red"}
_EVIDENCE = ("source", "symbol", "horizon", "score", "prediction", "rationale")


def escape(text: str) -> str:
    """Text that the console shows as it stands: no markup, no control characters."""
    return without_markup(plain(text))


class Terminal:
    """Writes for people in one language."""

    def __init__(self, words: Words) -> None:
        self.words = words
        self.out = Console(emoji=False)
        self.err = Console(stderr=True, emoji=False)

    @property
    def cells(self) -> Words:
        """Words for the cells of tables: in a pipe figures are written as programs read them."""
        return self.words if self.out.is_terminal else replace(self.words, raw=True)

    def table(
        self,
        title: str,
        head: Sequence[str],
        rows: Sequence[Sequence[str]],
        caption: str | None = None,
        words_columns: Container[int] = (0,),
        spare: Sequence[int] = (),
    ) -> None:
        """A table on standard output under its title, see `columns`."""
        self._line(f"[bold]{escape(title)}[/bold]")
        self.columns(head, rows, words_columns, spare)
        if caption:
            self._line(escape(caption), "dim")

    def card(self, told: Told) -> None:
        """The card of a backtest on standard output."""
        self._line(f"[bold]{escape(told.title)}[/bold]")
        self._line(escape(told.strategy), "dim")
        self._facts(told.facts)
        self.columns(told.head, told.rows)
        self._facts(told.trades)
        if told.exits:
            self.columns(told.exits_head, told.exits)
        if told.lost:
            self._line(escape(told.lost), "red")
        for note in told.notes:
            self._line(escape(note), "dim")

    def _line(self, markup: str, style: str = "") -> None:
        """A line on standard output, which only a terminal breaks."""
        self.out.print(markup, style=style, highlight=False, soft_wrap=not self.out.is_terminal)

    def _facts(self, facts: Sequence[tuple[str, str]]) -> None:
        """Names and values in two columns, without lines."""
        if not self.out.is_terminal:
            self._piped(tab_separated(facts[0], facts[1:]))
            return
        drawn = Table.grid(padding=(0, 2))
        for name, value in facts:
            drawn.add_row(f"[bold]{escape(name)}[/bold]", escape(value))
        self.out.print(drawn, highlight=False)
        self.out.print()

    def columns(
        self,
        head: Sequence[str],
        rows: Sequence[Sequence[str]],
        words_columns: Container[int] = (0,),
        spare: Sequence[int] = (),
    ) -> None:
        """Rows under a head, with one line between; in a pipe, cells between tabs.

        Args:
            head: names of the columns.
            rows: cells, their figures by `cells`.
            words_columns: places of columns of words; others are figures, set to the right.
            spare: places of columns that a narrow terminal leaves out, the first to go first.
        """
        if not self.out.is_terminal:
            self._piped(tab_separated(head, rows))
            return
        width = self.out.width
        fits = fitted(head, rows, width, words_columns=words_columns, spare=spare)
        if fits is None:  # no width is enough: a line a cell
            for row in rows:
                self._facts([*zip(head, row, strict=True)])
            return
        drawn = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
        for place, wide in zip(fits.shown, fits.widths, strict=True):
            justify: JustifyMethod = "left" if place in words_columns else "right"
            drawn.add_column(escape(head[place]), width=wide, justify=justify, overflow="ellipsis")
        for row in rows:
            drawn.add_row(*(escape(row[place]) for place in fits.shown))
        self.out.print(drawn, highlight=False)
        if fits.left_out:
            names = self.words.join([head[place] for place in fits.left_out])
            told = self.words("command.left_out", width=width, columns=names, count=len(fits.left_out))
            self.out.print(escape(told), style="dim", highlight=False)
        self.out.print()

    def _piped(self, lines: Sequence[str]) -> None:
        """Lines of a table, and an empty one after it."""
        for line in (*lines, ""):
            say(line)

    def checks(self, title: str, lines: Sequence[tuple[bool, str, str]]) -> None:
        """One line a check: whether it holds, what there is to say, and what it is for."""
        self.out.print(f"[bold]{escape(title)}[/bold]")
        for holds, told, purpose in lines:
            marks = ("+", "-") if self.out.options.ascii_only else ("✓", "✗")
            mark = f"[green]{marks[0]}[/green]" if holds else f"[red]{marks[1]}[/red]"
            self.out.print(f"{mark} {escape(told)}", highlight=False, soft_wrap=True)
            if purpose:
                self.out.print(f"  {escape(purpose)}", style="dim", highlight=False, soft_wrap=True)

    @contextmanager
    def steps(self, line: str) -> Iterator[Steps]:
        """What is told of each step done, under a spinner on a terminal that says what is at work."""
        if self.err.is_terminal:
            with self.err.status(Text(plain(line))) as status:
                yield Steps(self.err, status)
        else:
            yield Steps(self.err, None)

    def home(self, folder: Path) -> None:
        """The data folder in which a run is counted, on standard error."""
        told = self.words("command.home", home=str(folder))
        self.err.print(escape(told), highlight=False, soft_wrap=True)

    def line(self, told: str) -> None:
        """One line of words on standard output."""
        self.out.print(escape(told), highlight=False, soft_wrap=True)

    @contextmanager
    def progress(self, home: str | Path, limit: int | None = None) -> Iterator[Watcher]:
        """A watcher for a run that shows each event as it happens.

        Args:
            home: the data folder, told where the run begins.
            limit: iterations at most, where the run has begun before and will not say.
        """
        status = (
            self.err.status(Text(plain(self.words("command.progress.loading"))))
            if self.err.is_terminal
            else None
        )
        if status:
            status.start()
        try:
            yield Progress(self.words, self.err, status, home, limit)
        finally:
            if status:
                status.stop()

    def optimization_result(self, result: OptimizationResult) -> None:
        """The verdict, the final table, what was changed and why, and who answered."""
        words, details = self.words, result.details
        reason = words(f"optimization.stop.{details['stop_reason']}")
        self.out.print()
        if details.get("verdict"):  # runs of earlier versions have none
            judged = "\n".join(
                [
                    f"[bold]{escape(verdict_line(details, words))}[/bold]",
                    *(escape(line) for line in sight_lines(details, words)),
                    *(escape(line) for line in reason_lines(details, words)),
                ]
            )
            self.out.print(Panel(judged, style=_VERDICT_STYLES[details["verdict"]["value"]]), highlight=False)
        elif not details["champion"]["holdout"]:
            self.out.print(Panel(escape(words("explain.untested")), style="yellow"), highlight=False)
        self.out.print(f"[bold]{escape(words(f'report.status.{result.status}', reason=reason))}[/bold]")
        self.out.print(
            escape(
                words(
                    "report.summary",
                    iterations=result.iterations,
                    trials=details["trials"],
                    before=words.number(result.initial_score),
                    after=words.number(result.final_score),
                )
            )
        )
        if result.degraded:
            self.out.print(Panel(escape(words("report.degraded")), style="yellow"))
        head, rows, note = figures_table(details, self.cells)
        self.table(
            words(
                "report.title", symbol=details["dataset"]["symbol"], timeframe=details["dataset"]["timeframe"]
            ),
            head,
            rows,
        )
        self.out.print(escape(note), style="dim", highlight=False)
        if pooled := instrument_rows(details, words):
            names = [words(f"verdict.instrument.{name}") for name in INSTRUMENT_COLUMNS]
            self.table(words("verdict.heading.instruments"), names, pooled)
            for line in instrument_lines(details, words):
                self.out.print(escape(line), style="dim", highlight=False)
        for line in lost_lines(details, words):
            self.out.print(escape(line), style="red", highlight=False)
        for line in bars_per_year_lines(details["champion"]["development"].get("bars_per_year"), words):
            self.out.print(escape(line), highlight=False)
        self.out.print(f"[bold]{escape(words('report.heading.champion'))}[/bold]")
        self.out.print(escape(details["champion"]["description"]), highlight=False)
        for line in population_lines(details, words):
            self.out.print(escape(line), highlight=False)
        if told := _code_line(result, words):
            self.out.print(escape(told), highlight=False)
        self.out.print(f"\n[bold]{escape(words('report.heading.changes'))}[/bold]")
        for change in result.applied_changes:
            told = words(
                "report.change",
                iteration=change.iteration,
                description=change.description,
                reason=change.reason,
                before=words.number(change.score_before),
                after=words.number(change.score_after),
            )
            self.out.print(f"• {escape(told)}", highlight=False)
        if not result.applied_changes:
            self.out.print(escape(no_change_line(details, words)))
            trials = [trial for entry in details["history"] for trial in entry["trials"]]
            became = Counter(trial["outcome"] for trial in trials if trial["backtests"])
            for outcome, times in became.most_common():
                told = words("command.became", outcome=words(f"optimization.outcome.{outcome}"), times=times)
                self.out.print(f"• {escape(told)}", highlight=False)
            bar = words("command.bar_to_clear")
            if details.get("archive"):
                from nodes.optimization.trials.archive import LEAST_LEAD  # noqa: PLC0415

                bar = words("command.bar_of_population", lead=words.number(LEAST_LEAD))
            self.out.print(escape(bar))
        self.out.print(f"\n[bold]{escape(words('report.heading.brains'))}[/bold]")
        for role, told in brain_lines(details, words):
            self.out.print(f"• {escape(words('report.pair', name=role, value=told))}", highlight=False)
        failures = failure_lines(details, words)
        if failures:
            self.out.print(escape(words("report.failures")))
            for failure in failures:
                self.out.print(f"  {escape(failure)}", highlight=False, style="dim")
        self.out.print(f"\n{escape(words('command.written', folder=str(result.folder)))}", soft_wrap=True)
        self.out.print(f"\n[bold]{escape(words('command.next.title'))}[/bold]")
        steps = ["page", "report", *([] if pooled else ["follow"]), *(["model"] if result.degraded else [])]
        steps += [] if result.applied_changes else ["start"]
        for step in steps:
            told = words(f"command.next.{step}", run=result.run)
            self.out.print(f"• {escape(told)}", highlight=False, soft_wrap=True)

    def review_result(self, result: ReviewResult) -> None:
        """The backtest, what was said of it, and what might be changed."""
        words, details = self.words, result.details
        dataset = details["dataset"]
        self.out.print()
        self.table(
            words("report.review.title", symbol=dataset["symbol"], timeframe=dataset["timeframe"]),
            [words("report.table.metric"), words("report.table.value")],
            review_figures(details, self.cells),
            caption=details["strategy"]["description"],
        )
        self.out.print(escape(score_note(details["development"], words)), style="dim", highlight=False)
        if lost := lost_line(words, details["development"]):
            self.out.print(escape(lost), style="red", highlight=False)
        for line in bars_per_year_lines(details["development"].get("bars_per_year"), words):
            self.out.print(escape(line), highlight=False)
        if result.degraded:
            self.out.print(Panel(escape(words("report.degraded")), style="yellow"))
        sections = {
            "analysis": analysis_lines(details, words),
            "proposals": proposal_lines(details, words),
            "debate": debate_lines(details, words),
        }
        for name, told in sections.items():
            if told:
                self.out.print(f"\n[bold]{escape(words(f'report.review.heading_{name}'))}[/bold]")
                for line in told:
                    self.out.print(f"• {escape(line)}", highlight=False)
        self.out.print(f"\n{escape(words('report.review.nothing_tested'))}")
        self.out.print(escape(words("command.written", folder=str(result.folder))), soft_wrap=True)

    def waiting(self, waiting: Waiting) -> None:
        """The proposals that wait for a person, and how to decide."""
        words, question = self.words, waiting.question
        rows = []
        for proposal in question["proposals"]:
            verdict = proposal["verdict"]
            key = verdict["decision"] if verdict else "none"
            told = words(f"command.waiting.{key}", reason=verdict["reason"] if verdict else "")
            rows.append(
                [
                    str(proposal["number"]),
                    proposal["sentence"],
                    proposal["reason"],
                    proposal["expected_effect"],
                    told,
                ]
            )
        columns = ("number", "change", "reason", "effect", "verdict")
        self.table(
            words("command.waiting.title", iteration=question["iteration"]),
            [words(f"command.waiting.{name}") for name in columns],
            rows,
            words_columns=range(len(columns)),
        )
        for proposal in question["proposals"]:
            if source := proposal["change"].get("source"):
                self.out.print(f"\n{proposal['number']}. {escape(proposal['sentence'])}", soft_wrap=True)
                for line in source.splitlines():
                    self.out.print(escape(plain(line)), soft_wrap=True, highlight=False)
        for problem in question.get("problems", []):
            self.out.print(escape(problem), style="yellow")
        self.out.print(escape(words("command.waiting.next", run=waiting.run)), soft_wrap=True)

    def lines(self, lines: Sequence[str]) -> None:
        """Plain lines; one that begins with `##` is a heading."""
        for line in lines:
            told = escape(line.removeprefix("## "))
            self.out.print(
                f"[bold]{told}[/bold]" if line.startswith("## ") else told, highlight=False, soft_wrap=True
            )

    def notice(self, notice: Mapping[str, Any]) -> None:
        """Something is not what it was when the run began."""
        line = self.words(f"command.noticed.{notice['code']}", **notice)
        self.err.print(escape(line), highlight=False, soft_wrap=True, style="yellow")

    def summary(self, result: SummaryResult) -> None:
        """The ensemble's summary in plain words."""
        words, told = self.words, result.summary or {}
        if since := told.get("since"):
            head = change_head(since, told["changes"], words)
            self.out.print(f"[bold]{escape(head)}[/bold]", highlight=False)
            for line in change_lines(told["changes"], words):
                self.out.print(f"• {escape(line)}", highlight=False)
        heads = {
            name: words(f"ensemble.face.{name}")
            for name in ("regime", "risk_level", "outlook_days_7", "outlook_days_30")
        }
        self.table(
            words("explain.summary_title", hour=words.moment(result.hour)),
            [words("report.table.item"), words("report.table.value")],
            [[head, words(f"ensemble.value.{told[name]}")] for name, head in heads.items()],
            words_columns=(0, 1),
        )
        if result.degraded:
            self.out.print(Panel(escape(words("ensemble.face.degraded")), style="yellow"))
        for name in ("key_drivers", "recommendations", "tensions", "limits"):
            if told.get(name):
                self.out.print(f"[bold]{escape(words(f'ensemble.face.{name}'))}[/bold]")
                advice = advice_lines(told, words) if name == "recommendations" else []
                for line, more in advice or [(line, []) for line in told[name]]:
                    self.out.print(f"• {escape(line)}", highlight=False)
                    for one in more:
                        self.out.print(f"  [dim]{escape(one)}[/dim]", highlight=False)
        self.table(
            words("ensemble.face.contributors"),
            [words(f"ensemble.column.{name}") for name in _EVIDENCE],
            [
                [cells[name] for name in _EVIDENCE]
                for cells in (contributor_cells(row, self.cells) for row in told["contributors"])
            ],
            words_columns=(0, 1, 2, 4, 5),
        )
        self.out.print(escape(words("command.written", folder=str(result.path))), soft_wrap=True)


def _code_line(result: OptimizationResult, words: Words) -> str:
    """That a run wrote code, and what became of it; empty where it may not, or where no record is left."""
    from record.record import RunRecord  # noqa: PLC0415
    from record.run_view import RunView  # noqa: PLC0415
    from reports.written import written_line  # noqa: PLC0415  # the cage, of which few runs have need

    record = RunRecord(result.folder.parents[1], result.run)
    if not record.exists() or not record.about()["context"].get("allow_code"):
        return ""
    view = RunView()
    view.take(list(record.events()))
    return written_line(view, words)


class Steps:
    """Tells of steps as they are done, and what is at work meanwhile."""

    def __init__(self, console: Console, status: Status | None) -> None:
        self._console = console
        self._status = status

    def __call__(self, told: str) -> None:
        """Tell of a step that is done."""
        self._console.print(escape(told), highlight=False, soft_wrap=True)

    def now(self, line: str) -> None:
        """Say beside the spinner what is at work; nothing in a pipe."""
        if self._status is not None:
            self._status.update(Text(plain(line)))

    def run(self, words: Words, home: str | Path, which: str) -> Progress:
        """A watcher for one run of many: its events as they happen, each behind which run it is of."""
        return Progress(words, self._console, self._status, home, which=which)


class Progress:
    """Turns events into lines: which iteration, which role is at work, the score so far."""

    def __init__(
        self,
        words: Words,
        console: Console,
        status: Status | None,
        home: str | Path,
        limit: int | None = None,
        which: str | None = None,
    ) -> None:
        self.words = words
        self.which = which
        self.console = console
        self.status = status
        self.home = str(typed_path(home).absolute())
        self.score: float | None = None
        self.limit = "?" if limit is None else str(limit)
        self.stood_in: set[str] = set()
        self.at_work: str | None = None

    def __call__(self, told: dict[str, Any]) -> None:
        """Show one event."""
        event = Event.read(told)
        if isinstance(event.data, Started) and self.which is None:  # many runs of one folder tell it once
            self._say(self.words("command.home", home=self.home))
        line = self._line(event)
        if not isinstance(event.data, Abstained) and event.data.answered_by is not None:
            self._say_who_stood_in(event.node, event.data.answered_by)
        called = isinstance(event.data, RoleCalled)
        if line is not None and not (called and self.status):
            self._say(line)
        if self.status:
            self._spin(event, line if called else None)

    def _spin(self, event: Event, line: str | None) -> None:
        """Say beside the spinner which node is at work."""
        assert self.status is not None
        before, self.at_work = self.at_work, node_at_work(event, self.at_work)
        if line is None and self.at_work is not None and self.at_work != before:
            line = self.words(
                "command.progress.node",
                iteration=f"{event.iteration}/{self.limit}",
                node=self.words(f"web.node.{self.at_work}"),
                score=self.words.number(self.score),
            )
        if line is not None:
            self.status.update(Text(plain(self._named(line))))

    def _named(self, line: str) -> str:
        return line if self.which is None else f"{self.which} · {line}"

    def _say(self, line: str, style: str = "") -> None:
        self.console.print(escape(self._named(line)), style=style, highlight=False, soft_wrap=True)

    def _say_who_stood_in(self, role: str, provenance: Provenance) -> None:
        """Once a role: that no model answered and rules stand in for it."""
        if provenance["degraded"] and role not in self.stood_in:
            self.stood_in.add(role)
            failed = {a["model"]: a for a in provenance["attempts"] if a["outcome"] != "answered"}
            line = self.words(
                "command.progress.stood_in",
                role=self.words(f"report.role.{role}"),
                failures=", ".join(f"{model} ({self._why(attempt)})" for model, attempt in failed.items()),
            )
            self._say(line, "yellow")

    def _why(self, attempt: Attempt) -> str:
        """What went wrong, with the words of the server where it said any."""
        what = self.words(f"failure.{attempt['code']}")
        detail = attempt.get("fields", {}).get("detail")
        said = isinstance(detail, str) and detail  # else a reason of ours about an answer
        return self.words("report.failed_said", what=what, said=detail) if said else what

    def _line(self, event: Event) -> str | None:
        words = self.words
        iteration = f"{event.iteration}/{self.limit}"
        score = words.number(self.score)
        match event.data:
            case Started(run=run, dataset=dataset, max_iterations=limit):
                self.limit = str(limit)
                return words(
                    "command.progress.started",
                    run=run,
                    symbol=dataset["symbol"],
                    timeframe=dataset["timeframe"],
                    rows=words.number(dataset["development_rows"]),
                    holdout=words.number(dataset["holdout_rows"]),
                )
            case PricesRead(notices=notices):
                return "\n".join(notice_lines(notices, words))
            case RoleCalled(debate=debate):
                role = words(f"report.role.{event.node}")
                key = "speaks" if debate else "role"
                return words(f"command.progress.{key}", iteration=iteration, role=role, score=score)
            case Abstained():
                role = words(f"report.role.{event.node}")
                return words("command.progress.abstention", iteration=iteration, role=role)
            case BaselineTested(figures=figures):
                self.score = figures["score"]
                told = words("command.progress.baseline", score=words.number(self.score))
                return "\n  ".join([told, *filter(None, [lost_line(words, figures)])])
            case Surveyed(configurations=configurations, champion=champion, archive=archive):
                self.score = champion["figures"]["score"]
                return words(
                    "command.progress.survey",
                    configurations=words.number(configurations),
                    candidates=len(archive),
                    family=archive[0]["family"],
                    excess_t=words.number(archive[0]["excess_t"]),
                )
            case VariantTested() as tested:
                told = words(
                    "command.progress.tested",
                    iteration=iteration,
                    sentence=tested.variant["sentence"],
                    score=words.number(tested.figures["score"]),
                )
                return "\n  ".join([told, *filter(None, [lost_line(words, tested.figures)])])
            case Selected(selection=selection):
                self.score = selection["score"]
                return words(
                    f"command.progress.{'adopted' if selection['adopted'] else 'kept'}",
                    iteration=iteration,
                    sentence=selection["adopted"] or "",
                    score=words.number(self.score),
                )
            case Consensus(decision=consensus):
                return words(f"command.progress.consensus_{consensus}", iteration=iteration)
            case Converged(decision={"stop": True, "reason": reason}):
                return words("command.progress.stop", reason=words(f"optimization.stop.{reason}"))
            case Judged():
                return words("command.progress.holdout")
            case Approved(accepted=accepted, declined=declined):
                numbers = [", ".join(map(str, those)) or "–" for those in (accepted, declined)]
                return words(
                    "command.progress.approved", iteration=iteration, accepted=numbers[0], declined=numbers[1]
                )
            case WaitingEvent():
                return words("command.progress.waiting", iteration=iteration)
            case CodeExamined(name=name, refused=dict(refused)):
                why = words(f"code.error.{refused['code']}", **refused["fields"])
                return words("command.progress.code_refused", iteration=iteration, name=name or "–", why=why)
            case CodeExamined(name=name):
                return words("command.progress.code_passed", iteration=iteration, name=name)
            case BudgetMet(budget=budget):
                return words("command.progress.budget", reason=words(f"optimization.stop.{budget}"))
            case Noticed() as notice:
                return words(f"command.noticed.{notice.code}", **notice.plain())
            case _:
                return None
