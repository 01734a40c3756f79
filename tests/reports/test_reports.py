"""The explain report: the verdict first, everything the record holds, the same bytes each time."""

import json
import re
from dataclasses import replace
from datetime import datetime
from html.parser import HTMLParser

import pandas as pd
import pytest
from markdown_it import MarkdownIt

from backtest.validation.verdict import VALUES
from prompts import Words
from record.record import RunRecord
from reports.audit import value_rows
from reports.belief import FOLD_COLUMNS, sight_lines
from reports.charts.holdout import holdout_chart
from reports.document import Code, Document, Grid, Heading, Items, Paragraph, Picture
from reports.explain import explain
from reports.forms import FORMATS
from reports.html import to_html
from reports.markdown import to_markdown
from reports.pdf import to_pdf
from tests.optimization_runs import run_graph
from tests.run_lines import typed
from threadx.reporting import in_form, run_document

pytestmark = pytest.mark.long

ENGLISH, FRENCH = Words("en"), Words("fr")
HOSTILE = '*bold* $x$ #panic("no") `code` <script>alert(1)</script> & \\ [a] | é « » 中'


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    state, events = run_graph(home, language="en")
    result = RunRecord(home, state["run_id"]).result()
    return home, result, typed(events)


def headings(document):
    return [block.text for block in document.blocks if isinstance(block, Heading) and block.level == 1]


def sayings(document):
    """Every text of a document, in order."""
    for block in document.blocks:
        match block:
            case Heading(text=text) | Paragraph(text=text) | Code(text=text):
                yield text
            case Items(items=items):
                yield from items
            case Grid(head=head, rows=rows):
                yield from head
                for row in rows:
                    yield from row
            case Picture(says=says):
                yield says


@pytest.mark.parametrize("words", [ENGLISH, FRENCH], ids=["en", "fr"])
@pytest.mark.parametrize("value", VALUES)
def test_the_verdict_comes_first_with_its_reasons(run, value, words):
    _, result, _ = run
    told = explain({**result, "verdict": {**result["verdict"], "value": value}}, words)
    first, second, *others = told.blocks
    assert first == Heading(text=words("explain.heading.verdict"))
    assert second.text == words(f"verdict.value.{value}")
    # What is to be expected, what could have been seen, which kind of unproven, what either part earned.
    expected = sight_lines({**result, "verdict": {**result["verdict"], "value": value}}, words)
    assert len(expected) == 2 + (3 if value == "unproven" else 2)
    assert [block.text for block in others[: len(expected)]] == expected
    assert len(others[len(expected)].items) == len(result["verdict"]["reasons"])


def test_a_record_without_a_verdict_says_so(run):
    _, result, _ = run
    told = explain({name: value for name, value in result.items() if name != "verdict"}, ENGLISH)
    assert "No verdict" in told.blocks[1].text
    assert told.blocks[1].tone == "doubtful"


def test_every_stress_test_and_the_statistics_of_the_search_are_told(run):
    _, result, _ = run
    said = list(sayings(explain(result, ENGLISH)))
    for finding in result["stress"]:
        at = said.index(ENGLISH(f"stress.name.{finding['name']}"))
        assert said[at + 1] == ENGLISH(f"stress.outcome.{finding['outcome']}")
    assert "No other instrument was given, or none has the data that the strategy needs." in said
    at = said.index("Deflated Sharpe ratio (DSR), all trials")
    assert said[at + 1] == ENGLISH.percent(result["overfitting"]["deflated_sharpe"])
    assert any(f"opening {result['holdout']['opening']}" in line for line in said)


def test_every_proposal_and_every_change_is_told(run):
    _, result, events = run
    said = list(sayings(explain(result, ENGLISH, events=events)))
    trials = [trial for entry in result["history"] for trial in entry["trials"]]
    assert trials
    assert all(trial["sentence"] in said for trial in trials)
    for change in result["applied_changes"]:
        title = f"Iteration {change['iteration']}: {change['description']}"
        after = said[said.index(title) :]
        assert f"Why: {change['reason']}" in after
        assert any(ENGLISH.number(change["score_after"]) in line for line in after)


def test_who_objected_is_told_by_name(run):
    _, result, _ = run
    turn = {"voice": "validator", "stance": "stop", "confidence": 0.6, "statement": "Luck so far."}
    other = {"voice": "analyst", "stance": "continue", "confidence": 0.9, "statement": "Go on."}
    provenance = {"model": "rules", "degraded": False, "attempts": []}
    events = [
        {"id": f"t{place}", "kind": "debate_turn", "node": said["voice"], "iteration": 1, "cites": [],
         "time": "", "data": {**said, "provenance": provenance}}
        for place, said in enumerate((other, turn))
    ]  # fmt: skip
    events.append(
        {"id": "c", "kind": "consensus", "node": "consensus", "iteration": 1, "cites": ["t0", "t1"],
         "time": "", "data": {"decision": "continue", "dissent": ["validator"]}}
    )  # fmt: skip
    told = explain(result, ENGLISH, events=typed(events))
    said = list(sayings(told))
    assert "Disagreements" in headings(told)
    assert any("Validator" in line and "Luck so far." in line and "disagreeing" in line for line in said)
    assert any(line.startswith("Analyst") and "Go on." in line for line in said)


def test_every_setting_parameter_and_hash_stands_in_the_audit(run):
    home, result, _ = run
    document = run_document(home, result["run"]["id"], ENGLISH, drawn=False)
    audit = [block for block in document.blocks if isinstance(block, Grid)][-1]
    rows = dict(audit.rows)
    for name, value in result["settings"].items():
        assert f"settings.{name}" in rows
        if isinstance(value, int | float) and not isinstance(value, bool):
            assert float(rows[f"settings.{name}"]) == value
    assert rows["champion.hash"] == result["champion"]["hash"]
    assert rows["dataset.development_hash"] == result["dataset"]["development_hash"]
    assert rows["dataset.holdout_hash"] == result["dataset"]["holdout_hash"]
    for name, value in result["champion"]["strategy"]["params"].items():
        assert float(rows[f"champion.params.{name}"]) == value
    assert "versions.numpy" in rows


def test_values_are_shown_exactly():
    value = {"a": {"b": 0.1, "c": None}, "d": [1, 2], "e": [{"f": "x"}, {"f": True}], "g": {}}
    assert list(value_rows(value)) == [
        ("a.b", "0.1"), ("a.c", "–"), ("d", "1, 2"), ("e.1.f", "x"), ("e.2.f", "true"), ("g", "{}")
    ]  # fmt: skip


@pytest.mark.parametrize("form", FORMATS)
def test_a_report_drawn_again_is_the_same_to_the_byte(run, form):
    home, result, _ = run
    run, drawn = result["run"]["id"], form != "md"
    once, again = (in_form(run_document(home, run, FRENCH, drawn=drawn), form) for _ in range(2))
    assert once == again


def test_charts_stand_in_the_report_and_go_with_the_prices(run, tmp_path):
    home, result, _ = run
    whole = run_document(home, result["run"]["id"], ENGLISH)
    titles = [block.says for block in whole.blocks if isinstance(block, Picture)]
    assert titles == [
        "Convergence", "Evolution of the strategy", "Equity and drawdown", "Price, signals and indicators",
        "Walk-forward tests", "Development and holdout",
    ]  # fmt: skip
    moved = tmp_path / "runs"
    (home / "runs").rename(moved)
    try:
        told = run_document(tmp_path, result["run"]["id"], ENGLISH)
    finally:
        moved.rename(home / "runs")
    assert "Equity and drawdown" not in [b.says for b in told.blocks if isinstance(b, Picture)]
    assert ENGLISH("explain.no_prices") in list(sayings(told))


def test_every_fold_is_told_with_its_figures(run):
    home, result, _ = run
    document = run_document(home, result["run"]["id"], ENGLISH, drawn=False)
    head = tuple(ENGLISH(f"verdict.fold.{name}") for name in FOLD_COLUMNS)
    grid = next(block for block in document.blocks if isinstance(block, Grid) and block.head == head)
    folds = result["champion"]["development"]["walk_forward"]["per_fold"]
    before = result["initial"]["development"]["walk_forward"]["per_fold"]
    assert len(grid.rows) == len(folds) == 8
    for row, fold, first in zip(grid.rows, folds, before, strict=True):
        assert row[1] == f"{fold['test_start'][:10]} to {fold['test_end'][:10]}"
        assert row[4:6] == (ENGLISH.number(fold["sharpe_ratio"]), ENGLISH.number(first["sharpe_ratio"]))
        assert row[7] == ENGLISH.number(fold["n_trades"])
        for name, value in fold["values"].items():
            assert f"{name} = {'–' if value is None else ENGLISH.short(value)}" in row[2]


def test_the_holdout_is_drawn_from_what_the_judgement_wrote(run):
    home, result, _ = run
    folder = home / "runs" / result["run"]["id"]
    chart = holdout_chart(result, ENGLISH, returns=pd.read_parquet(folder / "returns.parquet"))
    rows = [row for table in chart.to_dict(validate=False)["datasets"].values() for row in table]
    for who, name in (("champion", "Champion"), ("initial", "Initial strategy")):
        drawn = [row for row in rows if row.get("what") == name]
        gained = result[who]["holdout"]["metrics"]["total_return"]
        assert drawn[-1]["value"] == pytest.approx(gained, rel=1e-5, abs=1e-7)
        assert pd.Timestamp(drawn[0]["time"], unit="ms") >= pd.Timestamp(
            result["dataset"]["boundary"]
        ).tz_localize(None)


class Links(HTMLParser):
    """Everything in a page that a browser would load, and its text."""

    def __init__(self):
        super().__init__()
        self.loaded, self.tags, self.text = [], set(), []

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.loaded += [value for name, value in attributes if name in ("src", "href", "srcset", "data")]

    def handle_data(self, data):
        self.text.append(data)


def test_the_page_asks_nothing_of_the_network_and_runs_nothing(run):
    home, result, _ = run
    page = to_html(run_document(home, result["run"]["id"], FRENCH))
    links = Links()
    links.feed(page)
    assert links.loaded
    assert all(link.startswith("data:image/svg+xml;base64,") for link in links.loaded)
    assert not links.tags & {"script", "link", "iframe", "object"}
    assert "url(" not in page
    assert "@import" not in page
    assert '<html lang="fr">' in page
    assert "default-src 'none'" in page


@pytest.fixture
def hostile(run):
    _, result, _ = run
    document = explain(result, ENGLISH)
    return replace(
        document,
        title=HOSTILE,
        blocks=(
            Heading(text=HOSTILE),
            Paragraph(text=HOSTILE, tone="bad"),
            Items(items=(HOSTILE, "two\nlines")),
            Grid(head=(HOSTILE, "b"), rows=((HOSTILE, "1"),)),
            Grid(head=(HOSTILE, "b"), rows=((HOSTILE, "1"),), words=2, exact=True),
            Code(text=HOSTILE),
        ),
    )


def test_what_a_model_wrote_is_text_in_a_page(hostile):
    page = Links()
    page.feed(to_html(hostile))
    assert "script" not in page.tags
    assert sum(HOSTILE in part for part in page.text) >= 6


def test_what_a_model_wrote_is_text_in_a_pdf(hostile):
    assert to_pdf(hostile).startswith(b"%PDF")


def test_no_code_ends_its_fence_and_no_letter_orders_a_terminal(hostile):
    """A result that somebody sent held the end of the fence, a picture, and an escape sequence."""
    code = "a\n```\n<img src=http://evil.test>\n````\n\x1b[2J\u202e"
    told = to_markdown(replace(hostile, title="t", blocks=(Code(text=code),)))
    fence, *inside, last = told.partition("\n\n")[2].partition("\n\n")[2].strip().split("\n")
    assert fence == last == "`````"
    assert "<img src=http://evil.test>" in inside
    assert "\x1b" not in told
    assert "\u202e" not in told


def test_what_a_model_wrote_breaks_no_list_or_table_in_markdown(hostile):
    told = to_markdown(hostile)
    assert "- two lines" in told
    table = [line for line in told.splitlines() if line.startswith("|")]
    assert all(line.replace("\\|", "").count("|") == 3 for line in table)


@pytest.mark.parametrize(
    "text",
    [
        "close*2 > low*2",
        "ma_crossover → rsi_reversion",
        "_so_ **very** `sure`",
        "1. first, then 2. second",
        "# no heading",
        "- no list",
        "> no quote",
        "+ no list",
        "<img src=x onerror=y> a < b <!-- c -->",
        "![x](http://198.51.100.7/y.png) [id](z) [W1]",
        "&copy; \\* AT&T",
        "=== ---",
    ],
)
@pytest.mark.parametrize("place", ["paragraph", "item", "cell", "heading", "box"])
def test_what_a_model_wrote_is_no_markup(text, place):
    block = {
        "paragraph": Paragraph(text=text),
        "item": Items(items=(text,)),
        "cell": Grid(head=("a", "b"), rows=((text, "c"),)),
        "heading": Heading(text=text),
        "box": Paragraph(text=text, tone="bad"),
    }[place]
    document = Document(title="t", about="a", language="en", made=datetime(2024, 1, 1), blocks=(block,))
    read = MarkdownIt("commonmark").enable("table").parse(to_markdown(document))
    inlines = [token.children for token in read if token.type == "inline"][2:]
    (told,) = [inline for inline in inlines if "".join(part.content for part in inline) == text]
    assert {part.type for part in told} <= {"text", "text_special"}


@pytest.mark.parametrize("words", [ENGLISH, FRENCH], ids=["en", "fr"])
def test_french_and_english_reports_say_the_same_things(run, words):
    _, result, events = run
    told, other = (explain(result, one, events=events) for one in (words, ENGLISH))
    assert [type(block) for block in told.blocks] == [type(block) for block in other.blocks]
    assert (told.title == other.title) == (words is ENGLISH)


def test_the_report_in_the_runs_folder_holds_no_times(run):
    home, result, _ = run
    told = (home / "runs" / result["run"]["id"] / "report.md").read_text(encoding="utf-8")
    assert result["run"]["id"] in told
    assert result["run"]["finished"] not in told
    assert json.dumps(result["settings"]["seed"]) in told


def test_a_document_is_dated_by_its_run(run):
    home, result, _ = run
    document = run_document(home, result["run"]["id"], ENGLISH, drawn=False)
    assert isinstance(document, Document)
    assert document.made.isoformat() == result["run"]["finished"]


FIGURE = r"(\d[\d\s,]*)"
CONFIGURATIONS = re.compile(rf"{FIGURE}(?:distinct )?configurations|configurations[^.\d]*?: *{FIGURE}", re.I)


@pytest.mark.parametrize("words", [ENGLISH, FRENCH], ids=["en", "fr"])
def test_a_report_has_one_count_of_configurations(run, words):
    """What the run backtested and what stands in the ledger are two counts: only the second is so called."""
    _, result, events = run
    distinct, backtests = result["overfitting"]["trials"], result["trials"]
    assert distinct != backtests  # as in the run of whoever found two counts under one name
    told = explain(result, words, events=events)
    rows = [": ".join(row) for block in told.blocks if isinstance(block, Grid) for row in block.rows]
    texts = [*rows, *sayings(told)]
    found = [pair for text in texts for pair in CONFIGURATIONS.findall(text)]
    assert {int(re.sub(r"\D", "", one or other)) for one, other in found} == {distinct}
    assert len(found) == 2
    (summary,) = [text for text in sayings(told) if f"{words.number(backtests)}. Score" in text]
    assert "onfiguration" not in summary
