"""A run's figures computed again: by the tool, and by hand from the files in its folder alone."""

import json
import re
import shutil
from itertools import combinations, pairwise

import numpy as np
import pandas as pd
import pytest
from arch.bootstrap import SPA, optimal_block_length
from scipy import stats
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from statsmodels.stats.multitest import multipletests

from record.errors import ReportError
from record.record import RunRecord
from record.run_tables import RETURN_COLUMNS
from tests.prices import made_up_prices
from tests.run_lines import lines
from threadx.audit.checking import check_run
from threadx.audit.replaying import replay_run
from threadx.command import main
from threadx.runner import make_input, start_run
from threadx.settings import make_context
from vault.errors import MarketError

pytestmark = pytest.mark.long

RULES = {
    "analyst": "rules",
    "strategist": "rules",
    "validator": "rules",
    "max_iterations": 1,
    "seed": 3,
    "search": "single",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(data folder, price file, another instrument's): two runs, so that the second meets a ledger."""
    folder = tmp_path_factory.mktemp("made")
    prices, other = folder / "TEST_1d.csv", folder / "OTHER_1d.csv"
    made_up_prices(900, frequency="1D", seed=5, cycle=0.05).to_csv(prices)
    made_up_prices(700, frequency="1D", seed=6, cycle=0.05).to_csv(other)
    context = make_context(home=str(folder / "home"), **RULES)
    start_run(make_input(data=str(prices), run="first", strategy="rsi_reversion"), context)
    start_run(make_input(data=str(prices), run="second", other_data=[str(other)]), context)
    return folder / "home", prices, other


@pytest.fixture
def alone(made, tmp_path):
    """The second run's folder in a data folder where nothing else is."""
    home, *_ = made
    shutil.copytree(home / "runs" / "second", tmp_path / "reader" / "runs" / "second")
    return tmp_path / "reader"


@pytest.fixture(scope="module")
def files(made):
    """(result, trials, returns) of the second run, as any program reads them."""
    folder = made[0] / "runs" / "second"
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    return result, pd.read_parquet(folder / "trials.parquet"), pd.read_parquet(folder / "returns.parquet")


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


def test_a_folder_and_a_price_file_are_enough(made, alone):
    _, prices, other = made
    # The record names the files the run was given; a reader has them elsewhere.
    about = alone / "runs" / "second" / "run.json"
    about.write_text(
        about.read_text(encoding="utf-8").replace(str(prices.parent), "/nowhere"), encoding="utf-8"
    )
    with pytest.raises(MarketError) as caught:
        check_run("second", alone)
    assert caught.value.code == "missing_prices"
    before = contents(alone)
    found = check_run("second", alone, [str(prices), str(other)])
    assert found.agrees, [row for row in found.rows if not row.agrees]
    assert contents(alone) == before
    names = {row.name for row in found.rows}
    assert {
        "champion.development.score",
        "walk_forward.metrics.sharpe_ratio",
        "walk_forward.per_fold.7.sharpe_ratio",
        "verdict.value",
        "verdict.combined_p",
        "overfitting.deflated_sharpe",
        "overfitting.pbo",
        "overfitting.familywise_p",
        "overfitting.data_snooping.spa_consistent",
        "overfitting.haircuts.holm.haircut",
        "overfitting.intervals.sharpe_ratio.low",
        "holdout.intervals.sharpe_ratio.high",
        "holdout.p_value",
        "stress.parameters.figure",
        "stress.other_symbols.figure",
        "returns.parquet.holdout.champion",
    } <= names
    tested = [e for e in lines(RunRecord(alone, "second")) if e["id"].startswith("i01.backtest")]
    assert len(tested) >= 3
    assert {f"{event['id']}.p_value" for event in tested} <= names


def test_a_score_of_an_earlier_formula_is_left_as_it_is(made, alone):
    _, prices, other = made
    for path in (alone / "runs" / "second").glob("*.json*"):
        text = path.read_text(encoding="utf-8").replace('"skill":', '"sharpe":')
        path.write_text(re.sub(r'("score": ?)(\d)', r"\g<1>1\2", text), encoding="utf-8")
    found = check_run("second", alone, [str(prices), str(other)])
    assert found.agrees, [row for row in found.rows if not row.agrees][:5]


def change_result(folder, place, value):
    path = folder / "result.json"
    whole = json.loads(path.read_text(encoding="utf-8"))
    part = whole
    *way, last = place
    for key in way:
        part = part[key]
    part[last] = value
    path.write_text(json.dumps(whole), encoding="utf-8")


def change_table(folder, name, change):
    table = pd.read_parquet(folder / name)
    change(table)
    table.to_parquet(folder / name)


def first_block(table):
    blocks = table.loc[3, "blocks"].copy()
    blocks[0] += 0.5
    table.at[3, "blocks"] = blocks


CHANGED = {
    "overfitting.deflated_sharpe": (["overfitting", "deflated_sharpe"], 0.97),
    "verdict.value": (["verdict", "value"], "real"),
    "overfitting.intervals.sharpe_ratio.low": (
        ["overfitting", "intervals", "sharpe_ratio", "low"],
        1.0,
    ),
    "walk_forward.per_fold.2.sharpe_ratio": (["walk_forward", "per_fold", 2, "sharpe_ratio"], 4.0),
    "stress.delay.figure": (["stress", 3, "figure"], 1.0),
    "initial.holdout.score": (["initial", "holdout", "score"], 9.0),
    "holdout.excess_sharpe": (["holdout", "excess_sharpe"], 0.3),
}


def differing(home, files, capsys):
    data = [argument for path in files for argument in ("--data", str(path))]
    with pytest.raises(SystemExit) as left:
        main(["runs", "check", "second", "--home", str(home), "--language", "en", "--json", "-", *data])
    assert left.value.code == 1
    told = json.loads(capsys.readouterr().out)
    assert told["agrees"] is False
    return {row["figure"] for row in told["figures"] if not row["agrees"]}


def test_every_figure_that_was_changed_is_named_and_no_other(made, alone, capsys):
    for place, value in CHANGED.values():
        change_result(alone / "runs" / "second", place, value)
    assert differing(alone, made[1:], capsys) == set(CHANGED)


def test_changed_tables_are_found(made, alone, capsys):
    folder = alone / "runs" / "second"
    change_table(folder, "trials.parquet", first_block)
    change_table(folder, "returns.parquet", lambda t: t.__setitem__("champion", t["champion"] + 1e-3))
    found = differing(alone, made[1:], capsys)
    assert {"trials.parquet.hash", "returns.parquet.holdout.champion"} <= found
    assert "returns.parquet.holdout.initial" not in found


def test_the_command_shows_a_table(made, capsys):
    home, *_ = made
    with pytest.raises(SystemExit) as left:
        main(["runs", "check", "second", "--home", str(home), "--language", "en"])
    assert left.value.code == 0
    told = capsys.readouterr().out
    assert "deflated_sharpe" in told
    assert "figures are identical." in told
    assert "NO" not in told.split()
    with pytest.raises(SystemExit) as left:
        main(["runs", "check", "nobody", "--home", str(home), "--language", "en"])
    assert left.value.code == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_a_run_without_its_tables_is_refused_by_name(alone):
    (alone / "runs" / "second" / "trials.parquet").unlink()
    with pytest.raises(ReportError) as caught:
        check_run("second", alone)
    assert (caught.value.code, caught.value.fields["table"]) == ("no_table", "trials.parquet")


def test_a_run_that_met_a_ledger_repeats_and_needs_no_other_run(made):
    home, *_ = made
    assert RunRecord(home, "second").result()["overfitting"]["trials_before"] > 0
    again = replay_run("second", home)
    assert again.differences == ()


# By hand: from the three files, with the formulas of the papers and other people's libraries.


def moments_of(values):
    return (
        values.mean() / values.std(ddof=1),
        len(values),
        stats.skew(values),
        stats.kurtosis(values, fisher=False),
    )


def probability(ratio, bars, skew, kurtosis, against):
    spread = np.sqrt(1 - skew * ratio + (kurtosis - 1) / 4 * ratio**2)
    return stats.norm.cdf((ratio - against) * np.sqrt(bars - 1) / spread)


def best_by_luck(trials, variance):
    gamma = np.euler_gamma
    return np.sqrt(variance) * (
        (1 - gamma) * stats.norm.ppf(1 - 1 / trials) + gamma * stats.norm.ppf(1 - 1 / (trials * np.e))
    )


def test_the_tables_say_what_they_hold(files):
    _, trials, returns = files
    assert set(returns.columns) == set(RETURN_COLUMNS)
    assert set(returns["part"]) == {"development", "holdout"}
    assert trials["hash"].is_unique
    assert trials["configurations"].eq(1).all()


def test_statistics_of_the_development_part_by_hand(files):
    result, trials, returns = files
    told = result["overfitting"]
    inside = returns[returns["part"] == "development"]
    excess = inside["champion"] - told["average_exposure"] * inside["market"]
    assert inside["champion_excess"].to_numpy() == pytest.approx(excess.to_numpy(), abs=1e-9)
    ratio, bars, skew, kurtosis = moments_of(inside["champion_excess"].to_numpy())
    assert told["excess_sharpe"] == pytest.approx(ratio, rel=1e-8)
    assert (told["observations"], told["trials"]) == (bars, len(trials))
    assert (told["skew"], told["kurtosis"]) == pytest.approx((skew, kurtosis), rel=1e-8)
    assert told["probabilistic_sharpe"] == pytest.approx(probability(ratio, bars, skew, kurtosis, 0.0))
    variance = trials["excess_sharpe"].var(ddof=1)
    assert told["sharpe_variance"] == pytest.approx(variance, rel=1e-9)
    luck = best_by_luck(len(trials), min(variance, 1 / bars))
    deflated = probability(ratio, bars, skew, kurtosis, luck)
    assert told["deflated_sharpe"] == pytest.approx(deflated, rel=1e-6)
    needed = 1 + (1 - skew * ratio + (kurtosis - 1) / 4 * ratio**2) * (stats.norm.ppf(0.95) / ratio) ** 2
    if ratio > 0:
        assert told["minimum_track_record_bars"] == pytest.approx(needed, rel=1e-7)
    assert told["minimum_backtest_years"] == pytest.approx(best_by_luck(len(trials), 1.0) ** 2)


def test_haircuts_by_hand(files):
    result, trials, _ = files
    told = result["overfitting"]
    bars, ratios = told["observations"], trials["excess_sharpe"].to_numpy()
    p_values = 2 * stats.t.sf(np.abs(ratios) * np.sqrt(bars), bars - 1)
    own = int(np.abs(ratios - told["excess_sharpe"]).argmin())
    assert told["haircuts"], "the champion of this run has an excess"
    for method, theirs in (("bonferroni", "bonferroni"), ("holm", "holm"), ("bhy", "fdr_by")):
        expected = multipletests(p_values, method=theirs)[1][own]
        assert told["haircuts"][method]["adjusted_p_value"] == pytest.approx(expected, rel=1e-6)


def test_overfitting_of_the_search_by_hand(files):
    result, trials, _ = files
    told = result["overfitting"]
    table = np.stack(trials["blocks"].dropna().to_list(), axis=1).astype(float)
    assert table.shape[1] == told["compared"]
    moving = table[:, table.std(axis=0) > 1e-9]
    edges = np.linspace(0, len(table), 17).round().astype(int)
    blocks = [table[first:last] for first, last in pairwise(edges)]
    ratios = {}
    for chosen in combinations(range(16), 8):
        part = np.vstack([blocks[place] for place in chosen])
        spread = part.std(axis=0, ddof=1)
        ratios[chosen] = np.where(spread > 1e-9, part.mean(axis=0) / np.where(spread > 1e-9, spread, 1), 0)
    below = 0
    for chosen, inside in ratios.items():
        outside = ratios[tuple(sorted(set(range(16)) - set(chosen)))]
        below += stats.rankdata(outside)[inside.argmax()] / (table.shape[1] + 1) <= 0.5
    assert told["pbo"] == pytest.approx(below / 12_870, abs=2e-4)
    distances = squareform(1 - np.corrcoef(moving.T), checks=False)
    labels = fcluster(linkage(distances, "average"), 0.5, "distance")
    assert told["effective_trials"] == len(set(labels))
    # SPA by arch itself, with the block length and the seed that the record's seed gives.
    generator = np.random.default_rng(result["settings"]["seed"])
    length = max(1, round(float(optimal_block_length(moving)["stationary"].fillna(1.0).median())))
    test = SPA(
        np.zeros(len(moving)),
        -moving,
        block_size=length,
        reps=1_000,
        studentize=True,
        seed=int(generator.integers(2**63)),
    )
    test.compute()
    assert told["data_snooping"]["spa_consistent"] == pytest.approx(test.pvalues["consistent"])


def test_the_chance_of_the_best_by_hand(files):
    result, trials, _ = files
    told = result["overfitting"]
    compared = trials.dropna(subset="blocks")
    table = np.stack(compared["blocks"].to_list(), axis=1).astype(float)
    own = compared["hash"].to_list().index(result["champion"]["hash"])
    spread = table.std(axis=0, ddof=1)
    moved = spread > 1e-9
    scores = table[:, moved].mean(axis=0) / (spread[moved] / np.sqrt(len(table)))
    reached = scores[int(moved[:own].sum())]
    centred = (table[:, moved] - table[:, moved].mean(axis=0)) / (spread[moved] / np.sqrt(len(table)))
    random = np.random.default_rng(99)
    hits = sum(
        centred[random.integers(0, len(table), len(table))].mean(axis=0).max() >= reached
        for _ in range(2_000)
    )
    # Another stream of random numbers: the same but for its noise.
    assert told["familywise_p"] == pytest.approx((1 + hits) / 2_001, abs=0.04)


def test_holdout_and_verdict_by_hand(files):
    result, _, returns = files
    told, verdict = result["holdout"], result["verdict"]
    outside = returns.loc[returns["part"] == "holdout", "champion_excess"].to_numpy()
    inside = returns.loc[returns["part"] == "development", "champion_excess"].to_numpy()
    ratio = outside.mean() / outside.std(ddof=1)
    assert told["excess_sharpe"] == pytest.approx(ratio, rel=1e-8)
    chance = min(1.0, told["opening"] * (told["opening"] + 1) * stats.norm.sf(ratio * np.sqrt(len(outside))))
    assert told["opening"] == 2
    assert verdict["holdout_p"] == told["p_value"] == pytest.approx(chance, rel=1e-8)
    first = inside.mean() / inside.std(ddof=1)
    assert verdict["naive_p"] == pytest.approx(stats.norm.sf(first * np.sqrt(len(inside))), rel=1e-7)
    p_values = np.clip([verdict["development_p"], verdict["holdout_p"]], 1e-23, 1 - 1e-16)
    joined = stats.combine_pvalues(
        p_values, method="stouffer", weights=[np.sqrt(len(inside)), np.sqrt(len(outside))]
    )
    assert verdict["combined_p"] == pytest.approx(joined.pvalue, rel=1e-6)


def test_walk_forward_and_folds_by_hand(files):
    result, _, returns = files
    walk = result["walk_forward"]
    tests = returns["champion_tests"].dropna()
    ratio = tests.mean() / tests.std(ddof=1) * np.sqrt(365)
    assert walk["metrics"]["sharpe_ratio"] == pytest.approx(ratio, rel=1e-8)
    assert len(walk["per_fold"]) == walk["folds"] == 8
    assert sum(fold["test_bars"] for fold in walk["per_fold"]) == len(tests)
    for fold in walk["per_fold"]:
        part = tests[fold["test_start"] : fold["test_end"]]
        assert len(part) == fold["test_bars"]
        assert fold["total_return"] == pytest.approx((1 + part).prod() - 1, rel=1e-8, abs=1e-12)
        if part.std() > 1e-12:  # less is rounding, where a fold without a trade joins the one before
            expected = part.mean() / part.std(ddof=1) * np.sqrt(365)
            assert fold["sharpe_ratio"] == pytest.approx(expected, rel=1e-8)
        assert pd.Timestamp(fold["train_end"]) < pd.Timestamp(fold["test_start"])
    blocks = result["champion"]["development"]["blocks"]
    assert blocks == pytest.approx([fold["sharpe_ratio"] or 0.0 for fold in walk["per_fold"]], abs=1e-6)
