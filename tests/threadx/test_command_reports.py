"""`threadx runs report` and `threadx ensemble report` as a person uses them."""

import shutil
from datetime import UTC, datetime

import pytest

from nodes.ensemble.operation.partition import published_hours
from prompts import Words, text
from record.errors import ReportError
from reports.charts.outlook import outlook_chart
from tests.optimization_runs import run_graph
from tests.partitions import AS_OF, fill
from threadx import OptimizationOrchestrator, summarize
from threadx.command import main
from threadx.errors import ThreadxError
from threadx.reporting import hour_document, in_form, read_published

AGENTS = ("technical", "macro", "sentiment", "quality", "arbiter")
LATEST = datetime(2018, 12, 31, 22, tzinfo=UTC)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A data folder with one run, `one`, and the summaries of two hours."""
    folder = tmp_path_factory.mktemp("home")
    run_graph(folder, given={"run": "one"}, max_iterations=1, language="en")
    for hour in ("2018-12-31T21", "2018-12-31T22"):
        summarize(as_of=hour, data="sample", home=str(folder), **dict.fromkeys(AGENTS, "rules"))
    return folder


@pytest.fixture
def threadx(home, capsys):
    def call(*arguments, home=home):
        with pytest.raises(SystemExit) as left:
            main([*map(str, arguments), "--home", str(home), "--language", "en"])
        told = capsys.readouterr()
        return left.value.code, told.out, told.err

    return call


@pytest.mark.parametrize("command", [["runs", "report", "one"], ["ensemble", "report"]])
@pytest.mark.parametrize(("form", "begins"), [("pdf", b"%PDF"), ("html", b"<!doctype html>")])
def test_a_report_goes_to_the_file_named_and_nothing_else_is_said(threadx, tmp_path, command, form, begins):
    out = tmp_path / f"told.{form}"
    code, told, error = threadx(*command, "--format", form, "--out", out)
    assert (code, error) == (0, "")
    assert str(out) in told
    assert out.read_bytes().startswith(begins)


def test_without_a_file_named_the_report_lies_beside_its_matter(threadx, home):
    threadx("runs", "report", "one", "--format", "html")
    threadx("ensemble", "report", "--format", "html")
    assert (home / "runs" / "one" / "report.en.html").is_file()
    assert (home / "llm_summary" / "dt=2018123122" / "report.en.html").is_file()


OF_THE_DAY = "# Investment summary: 31\u00a0Dec\u00a02018,"


@pytest.mark.parametrize(
    ("command", "begins", "ends"),
    [
        (["runs", "report", "one"], "# Optimisation of a strategy: TEST, 1h", "## Audit"),
        (["ensemble", "report"], "# Investment summary: 31\u00a0Dec\u00a02018, 22:00\u00a0UTC", "## Audit"),
        (
            ["ensemble", "report", "2018123121"],
            "# Investment summary: 31\u00a0Dec\u00a02018, 21:00\u00a0UTC",
            "## Audit",
        ),
    ],
)
def test_markdown_is_printed(threadx, command, begins, ends):
    code, told, _ = threadx(*command)
    assert code == 0
    assert told.startswith(begins)
    assert ends in told


@pytest.mark.parametrize(
    ("command", "says"),
    [
        pytest.param(["runs", "report", "two"], "no run two", id="no such run"),
        pytest.param(["runs", "report", "../one"], "not a run’s name", id="no name"),
        pytest.param(["ensemble", "report", "2017010101"], "no summary for 2017-01-01T01", id="no such hour"),
        pytest.param(["ensemble", "report", "tomorrow"], "tomorrow", id="no hour"),
        pytest.param(["runs", "report", "one", "--format", "doc"], "one of md, html, pdf", id="no such form"),
    ],
)
def test_what_cannot_be_reported_is_one_line(threadx, command, says):
    code, told, error = threadx(*command)
    assert (code, told, len(error.strip().splitlines())) == (2, "", 1)
    assert says in error


def test_a_folder_without_summaries_says_how_to_make_one(threadx, tmp_path):
    code, _, error = threadx("ensemble", "report", home=tmp_path)
    assert code == 2
    assert "threadx ensemble run" in error


def test_a_summarys_report_says_what_was_published(home):
    published = read_published(home, LATEST, Words("fr"))
    told = in_form(hour_document(home, LATEST, Words("fr"), drawn=False), "md").decode()
    for name in ("key_drivers", "tensions", "recommendations", "limits"):
        assert all(f"- {line}" in told for line in published.summary[name])
    assert all(row["rationale"] in told for row in published.summary["contributors"])
    assert all(digest in told for digest in published.hashes.values())
    assert told.index("## Synthèse") < told.index("## Facteurs clés") < told.index("## Audit")


def test_a_summarys_report_says_what_each_agent_expects_and_that_quality_expects_nothing(home):
    words = Words("fr")
    published = read_published(home, LATEST, words)
    told = in_form(hour_document(home, LATEST, words, drawn=False), "md").decode()
    reports = {turn["role"]: turn["report"] for turn in published.trace["raw"]}
    rows = {cells[1].strip(): cells[2:] for line in told.splitlines() if len(cells := line.split("|")) == 7}
    for role in ("technical", "macro", "sentiment"):
        week, _, confidence = (cell.strip() for cell in rows[published.names[role]][:3])
        for name in ("positive", "neutral", "negative"):
            assert words.percent(reports[role]["outlook_days_7"][name], 0) in week
        assert confidence == words.percent(reports[role]["confidence"], 0)
    assert [cell.strip() for cell in rows[published.names["quality"]][:2]] == ["–", "–"]
    assert "non les marchés" in told


def test_an_agent_without_data_is_not_told_to_stand_in_for_a_model(tmp_path):
    fill(tmp_path)
    shutil.rmtree(tmp_path / "news")
    summarize(as_of=AS_OF.isoformat(), home=str(tmp_path), models="rules", language="en")
    told = in_form(hour_document(tmp_path, None, Words("en"), drawn=False), "md").decode()
    assert "- the sentiment agent: no data\n" in told
    assert "in place of a model" not in told
    assert text("ensemble.face.degraded", "en") in told


@pytest.mark.parametrize("form", ["html", "pdf"])
def test_a_summarys_report_drawn_again_is_the_same_to_the_byte(home, form):
    once, again = (in_form(hour_document(home, None, Words("fr")), form) for _ in range(2))
    assert once == again


def test_the_hours_before_are_drawn(home):
    hours = published_hours(home)
    assert hours[-1] == LATEST
    told = [{**read_published(home, hour, Words("en")).summary, "hour": hour.isoformat()} for hour in hours]
    rows = next(iter(outlook_chart(told, Words("en")).to_dict(validate=False)["datasets"].values()))
    assert len(rows) == 4 * len(hours)


def test_a_damaged_summary_is_named(home, tmp_path):
    folder = tmp_path / "llm_summary" / "dt=2018123122"
    folder.mkdir(parents=True)
    (folder / "summary.json").write_text("{", encoding="utf-8")
    with pytest.raises(ReportError) as caught:
        read_published(tmp_path, LATEST, Words("fr"))
    assert caught.value.code == "unreadable_record"


def test_nothing_is_shown_before_the_first_run():
    orchestrator = OptimizationOrchestrator()
    for show in (
        orchestrator.plot_convergence,
        orchestrator.plot_folds,
        orchestrator.plot_holdout,
        orchestrator.show_debate_tree,
        orchestrator.export_strategy_evolution,
    ):
        with pytest.raises(ThreadxError) as caught:
            show()
        assert caught.value.code == "nothing_run"
