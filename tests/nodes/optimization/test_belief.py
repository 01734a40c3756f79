"""What the cycle's end says may be believed, and what it may not know before."""

import json
import sqlite3

import numpy as np
import pandas as pd
import pytest
from langgraph.checkpoint.sqlite import SqliteSaver
from scipy import stats

from backtest import Costs, StrategySpec, run_backtest
from backtest.statistics.overfitting import (
    deflated_sharpe_ratio,
    effective_trials,
    familywise_p_value,
    probabilistic_sharpe_ratio,
    probability_of_backtest_overfitting,
    unseen_clusters,
)
from backtest.statistics.returns import moments
from backtest.validation.power import Evidence, sight
from backtest.validation.trials import excess_returns
from graphs.optimization import builder
from nodes.context import OptimizationContext
from prompts import Words
from record.record import comparable
from reports.belief import reason_lines, sight_lines, verdict_line
from tests.optimization_runs import ALL_RULES, dataset_reference, run_graph
from tests.prices import made_up_prices
from threadx.audit.replaying import replay_run
from vault.datasets import Dataset, load_development, open_holdout, register
from vault.ledger import Ledger

LEAK = {"name": "leak", "entry_long": "volume > close", "exit_long": "volume <= close"}


def daily(seed=5, rows=1260, **more):
    return made_up_prices(rows=rows, seed=seed, frequency="1D", **more)


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    state, events = run_graph(home, prices=daily(), max_iterations=2)
    return home, state, events


def test_every_figure_can_be_recomputed_from_the_record(told):
    home, state, _ = told
    result = state["result"]
    dataset = Dataset.model_validate(result["dataset"])
    prices = load_development(dataset, home)
    spec = StrategySpec.model_validate(result["champion"]["strategy"])
    costs = Costs(fee_bps=10, slippage_bps=2)
    inside = moments(excess_returns(run_backtest(prices, spec, costs), prices["close"]))
    found = result["overfitting"]
    assert found["excess_sharpe"] == pytest.approx(inside.sharpe, rel=1e-9)
    shape = (inside.sharpe, inside.n_observations, inside.skew, inside.kurtosis)
    assert found["probabilistic_sharpe"] == pytest.approx(probabilistic_sharpe_ratio(*shape), rel=1e-8)
    bounded = min(found["sharpe_variance"], 1 / found["observations"])
    expected = deflated_sharpe_ratio(*shape, found["trials"], bounded)
    assert found["deflated_sharpe"] == pytest.approx(expected, rel=1e-6)
    ledger = Ledger(home)
    evidence = ledger.evidence(
        ledger.snapshot(dataset.family), development_hash=dataset.development_hash, source=result["run"]["id"]
    )
    assert evidence.trials == found["trials"] == found["compared"]
    assert found["pbo"] == pytest.approx(probability_of_backtest_overfitting(evidence.blocks).pbo)
    familywise = familywise_p_value(
        evidence.blocks, evidence.hashes.index(spec.hash), np.random.default_rng(0)
    )
    assert found["familywise_p"] == pytest.approx(familywise)
    frame, start, _ = open_holdout(dataset, home, reader="a test")
    held = run_backtest(frame, spec, costs, trade_from=frame.index[start])
    outside = moments(excess_returns(held, frame["close"]))
    assert result["holdout"]["excess_sharpe"] == pytest.approx(outside.sharpe, rel=1e-9)
    single = 1 - probabilistic_sharpe_ratio(outside.sharpe, outside.n_observations, form="2025")
    assert result["verdict"]["holdout_p"] == pytest.approx(min(1.0, 2 * single), rel=1e-8)
    assert [one["name"] for one in result["stress"]][:2] == ["look_ahead", "foresight"]


def test_the_report_opens_with_the_verdict_in_its_language(told):
    home, state, _ = told
    report = (home / "runs" / state["run_id"] / "report.md").read_text(encoding="utf-8").splitlines()
    headings = [line for line in report if line.startswith("#")]
    assert headings[1] == "## Verdict"
    words = Words("fr")
    assert report[report.index(headings[1]) + 2] == f"> {verdict_line(state['result'], words)}"
    assert all(line in report for line in sight_lines(state["result"], words))
    assert all(f"- {line}" in report for line in reason_lines(state["result"], words))
    assert any(line.startswith("| Biais d’anticipation (look-ahead) | réussi |") for line in report)
    assert verdict_line(state["result"], Words("en")).startswith("Verdict: ")


def test_what_the_judgement_could_have_seen_is_told_with_it(told):
    _, state, _ = told
    result = state["result"]
    found, search, held = result["sight"], result["overfitting"], result["holdout"]
    assert 1 <= search["independent_trials"] <= search["trials"]
    per_year = (search["excess_sharpe_annual"] / search["excess_sharpe"]) ** 2
    years = search["observations"] / per_year, held["observations"] / per_year
    seen = sight(
        search["excess_sharpe_annual"],
        held["excess_sharpe_annual"],
        Evidence(
            development_years=years[0],
            holdout_years=years[1],
            opening=1,
            independent=search["independent_trials"],
        ),
    )
    assert found["edge"]["expected"] == pytest.approx(seen.edge.expected, abs=0.02)
    assert found["power"] == pytest.approx(seen.to_dict()["power"], rel=0.02)
    lines = sight_lines(result, Words("en"))
    assert len(lines) == 2 + (3 if result["verdict"]["value"] == "unproven" else 2)
    # What earlier versions wrote has none of it.
    assert sight_lines({**result, "sight": None, "attribution": None}, Words("en")) == []


def test_holding_and_timing_add_up_to_what_was_earned_on_either_part(told):
    home, state, _ = told
    result = state["result"]
    bars = pd.read_parquet(home / "runs" / state["run_id"] / "returns.parquet")
    for part, exposure in (
        ("development", result["overfitting"]["average_exposure"]),
        ("holdout", result["holdout"]["average_exposure"]),
    ):
        found, rows = result["attribution"][part], bars[bars["part"] == part]
        year = result["champion"][part]["bars_per_year"]["value"]
        assert found["exposure"] == pytest.approx(exposure)
        assert found["holding"] == pytest.approx(exposure * rows["market"].mean() * year, rel=1e-6, abs=1e-9)
        assert found["holding"] + found["timing"] == pytest.approx(rows["champion"].mean() * year, rel=1e-6)
        # An outside bound: the interval is that of a mean, blocks of made-up bars being hardly dependent.
        error = stats.sem(rows["champion_excess"]) * year
        assert found["high"] - found["low"] == pytest.approx(2 * 1.96 * error, rel=0.25)
    holdout, development = sight_lines(result, Words("en"))[-2:]
    assert holdout.startswith("On the holdout, per year: holding at the same exposure (")
    assert "your timing " in holdout
    assert development.endswith("that was tried: expect less.")


def test_every_configuration_that_was_compared_is_counted_once(told):
    home, state, events = told
    family = state["dataset"]["family"]
    counted = Ledger(home).snapshot(family).trials
    tested = [
        event["data"] for event in events if event["kind"] == "backtest" and event["node"] != "baseline"
    ]
    settled = {event["figures"]["hash"] for event in tested}
    # The initial strategy, every value searched, and whatever they settled on.
    assert counted >= 1 + len(settled)
    assert counted <= 1 + sum(event["backtests"] + 1 for event in tested)
    begun = next(event for event in events if event["id"] == "i00.ledger")
    assert begun["data"]["heads"]["openings"] == {"number": 0, "hash": ""}
    assert {name: begun["data"][name] for name in ("missing", "openings", "snapshot")} == {
        "missing": [],
        "openings": 0,
        "snapshot": {"family": family, "last_search": 0, "last_trial": 0, "trials": 0},
    }


def test_a_second_run_counts_what_the_first_one_looked_at(tmp_path):
    first, _ = run_graph(tmp_path, prices=daily(), max_iterations=1)
    second, _ = run_graph(tmp_path, prices=daily(), max_iterations=1)
    third, _ = run_graph(
        tmp_path, prices=daily(), max_iterations=1, given={"strategy": "rsi_reversion", "params": {}}
    )
    trials = [state["result"]["overfitting"]["trials"] for state in (first, second, third)]
    assert trials[0] == trials[1] < trials[2]
    assert third["result"]["overfitting"]["trials_before"] == trials[0]
    openings = [state["result"]["holdout"]["opening"] for state in (first, second, third)]
    assert openings == [1, 2, 3]
    assert second["result"]["holdout"]["p_value"] == pytest.approx(
        min(1.0, 3 * first["result"]["holdout"]["p_value"])
    )
    assert third["result"]["holdout"]["weight"] == pytest.approx(1 / 6)


def test_a_large_sweep_before_the_run_counts_in_full(tmp_path):
    prices = daily()
    dataset = register(prices, symbol="TEST", timeframe="1h", home=tmp_path)
    Ledger(tmp_path).count_search(
        dataset.family,
        about={"grid": "a large one"},
        configurations=5_000,
        sharpe_mean=0.0,
        sharpe_variance=0.0004,
        origin="sweep",
        source="sweep",
    )
    state, _ = run_graph(tmp_path, prices=prices, max_iterations=1)
    result, folder = state["result"], tmp_path / "runs" / state["run_id"]
    found, trials = result["overfitting"], pd.read_parquet(folder / "trials.parquet")
    assert found["trials_by_origin"]["sweep"] == found["trials_before"] == 5_000
    assert found["trials"] == 5_000 + found["compared"] == trials["configurations"].sum()
    shape = (found["excess_sharpe"], found["observations"], found["skew"], found["kurtosis"])
    bounded = min(found["sharpe_variance"], 1 / found["observations"])
    expected = deflated_sharpe_ratio(*shape, found["trials"], bounded)
    assert found["deflated_sharpe"] == pytest.approx(expected, rel=1e-6)
    # Bonferroni: the p-value of one test, times all of them.
    assert found["excess_sharpe"] > 0
    single = 2 * stats.t.sf(shape[0] * np.sqrt(shape[1]), shape[1] - 1)
    told = found["haircuts"]["bonferroni"]["adjusted_p_value"]
    assert told == pytest.approx(min(1.0, found["trials"] * single), rel=1e-6)
    # Nothing was drawn from the sweep: the chance of the best counts each of its trials in full.
    blocks = np.stack(trials["blocks"].dropna().to_list(), axis=1).astype(float)
    own = trials.dropna(subset="blocks")["hash"].to_list().index(result["champion"]["hash"])
    among, alone = (
        familywise_p_value(table, place, np.random.default_rng(7))
        for table, place in ((blocks, own), (blocks[:, [own]], 0))
    )
    assert result["verdict"]["development_p"] == found["familywise_p"]
    assert found["familywise_p"] == pytest.approx(min(1.0, among + 5_000 * alone), rel=0.3)
    seen = effective_trials(blocks)
    assert found["effective_trials"] == seen.effective + unseen_clusters(seen.labels, 5_000)
    assert found["effective_trials"] > seen.effective


def test_a_replay_repeats_the_verdict_whatever_the_ledger_has_learnt_since(tmp_path):
    state, _ = run_graph(tmp_path, prices=daily(), max_iterations=1, given={"run": "first"})
    run_graph(tmp_path, prices=daily(), max_iterations=1, given={"strategy": "rsi_reversion", "params": {}})
    again = replay_run("first", tmp_path)
    assert again.differences == ()
    assert again.result["verdict"] == state["result"]["verdict"]


@pytest.mark.parametrize("seed", [1, 2])
def test_a_planted_cheat_is_rejected(tmp_path, seed):
    prices = daily(seed=seed, rows=800)
    prices["volume"] = prices["close"].shift(-1).ffill()
    state, _ = run_graph(tmp_path, prices=prices, max_iterations=1, given={"spec": LEAK, "params": {}})
    result = state["result"]
    assert result["champion"]["development"]["metrics"]["sharpe_ratio"] > 10
    assert result["champion"]["holdout"]["metrics"]["sharpe_ratio"] > 10
    assert result["verdict"]["value"] == "overfit"


def rows_of_ledger(home):
    """Everything in the ledger but when it was written and in which order."""
    connection = sqlite3.connect(home / "ledger.sqlite")
    connection.row_factory = sqlite3.Row
    trials = [dict(row) for row in connection.execute("SELECT * FROM trials")]
    rows = sorted(tuple(value for name, value in row.items() if name not in ("id", "time")) for row in trials)
    looks = sorted(map(tuple, connection.execute("SELECT * FROM looks")))
    connection.close()
    return rows, looks


def before_the_judge(home, prices):
    """Everything a run has written when the judge is next: files, ledger, checkpoint."""
    given = {"data": dataset_reference(home, prices), "run": "same"}
    context = OptimizationContext(home=str(home), **{**ALL_RULES, "max_iterations": 2})
    with SqliteSaver.from_conn_string(str(home / "checkpoints.sqlite")) as saver:
        graph = builder.compile(checkpointer=saver, interrupt_before=["judge"])
        config = {"configurable": {"thread_id": "one"}, "recursion_limit": 100}
        graph.invoke(given, config, context=context)
        snapshot = graph.get_state(config)
        assert snapshot.next == ("judge",)
        checkpoint = json.dumps(snapshot.values, sort_keys=True)
    vault = snapshot.values["dataset"]["holdout_hash"]
    volatile = ("checkpoints.sqlite", "ledger.sqlite")
    files = {}
    for path in sorted(home.rglob("*")):
        name = str(path.relative_to(home))
        if path.is_file() and not path.name.startswith(volatile) and path.suffix != ".lock":
            files[name.replace(vault, "VAULT")] = path.read_bytes()
    told = {}
    for name, content in files.items():
        if name.endswith(".jsonl"):
            for line in content.decode().splitlines():
                event = comparable(json.loads(line))
                told[f"{name} {event['id']}"] = json.dumps(event, sort_keys=True).replace(vault, "VAULT")
        elif name.endswith("run.json"):
            about = {**json.loads(content), "started": None, "context": None}
            told[name] = json.dumps(about, sort_keys=True)
        else:
            told[name] = content
    return checkpoint.replace(vault, "VAULT"), told, rows_of_ledger(home)


def test_no_byte_before_the_judge_depends_on_a_holdout_price(tmp_path):
    prices = daily(rows=700)
    other = prices.copy()
    noise = np.random.default_rng(8).uniform(0.5, 2.0, (140, 1))
    other.iloc[560:, :4] = other.iloc[560:, :4].to_numpy() * noise
    checkpoint, files, ledger = before_the_judge(tmp_path / "a", prices)
    changed_checkpoint, changed_files, changed_ledger = before_the_judge(tmp_path / "b", other)
    assert checkpoint == changed_checkpoint
    assert ledger == changed_ledger
    assert files.keys() == changed_files.keys()
    differing = {name for name in files if files[name] != changed_files[name]}
    # The vault itself, and the marks by which it will be known again: hashes that nobody else reads.
    family = json.loads(checkpoint)["dataset"]["family"]
    development = json.loads(checkpoint)["dataset"]["development_hash"]
    assert differing == {
        "datasets/VAULT.parquet",
        f"datasets/{family}.marks.npz",
        f"datasets/{development}.json",
    }
    description = [files[f"datasets/{development}.json"], changed_files[f"datasets/{development}.json"]]
    plain = [{**json.loads(one), "holdout_hash": None} for one in description]
    assert plain[0] == plain[1]
