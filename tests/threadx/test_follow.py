"""`threadx follow`: a champion sealed before the bars that judge it exist."""

import hashlib
import json
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

import threadx
from backtest import Costs, StrategySpec, run_backtest
from tests.optimization_runs import ALL_RULES
from tests.prices import made_up_prices
from threadx.command import main
from vault import seals

BARS = 900


def in_utc(prices):
    return prices.set_axis(prices.index.tz_localize("UTC").rename("time"))


@pytest.fixture(scope="module")
def all_prices():
    return in_utc(made_up_prices(2 * BARS, cycle=0.05))


@pytest.fixture(scope="module")
def ended(tmp_path_factory, all_prices):
    """A data folder with one finished run on the first half of the prices."""
    folder = tmp_path_factory.mktemp("follow")
    all_prices.iloc[:BARS].to_csv(folder / "TEST_1h.csv")
    threadx.optimize(
        str(folder / "TEST_1h.csv"),
        run="r",
        home=str(folder / "h"),
        max_iterations=1,
        use_debate=False,
        **ALL_RULES,
    )
    return folder


@pytest.fixture
def home(ended, monkeypatch, all_prices):
    """The same, to be sealed three bars after the run's last, and long ago; afterwards nothing is sealed."""
    times = iter([sealed_at(all_prices)])
    monkeypatch.setattr(seals, "now", lambda: next(times, datetime(2200, 1, 1, tzinfo=UTC)))
    yield ended / "h"
    for path in (ended / "h" / "forward").glob("*"):
        path.unlink()


def sealed_at(prices):
    return prices.index[BARS + 3].to_pydatetime().astimezone(UTC)


def grown(ended, prices, bars):
    path = ended / f"grown{bars}.csv"
    prices.iloc[:bars].to_csv(path)
    return str(path)


def command(capsys, home, *arguments, language="en"):
    with pytest.raises(SystemExit) as left:
        main(["follow", *map(str, arguments), "--home", str(home), "--language", language])
    told = capsys.readouterr()
    return left.value.code, told.out, told.err


def openings(home):
    return sorted((path.name, path.read_bytes()) for path in home.rglob("*opening*") if path.is_file())


def test_the_first_call_seals_and_nothing_after_it_changes_the_seal(
    home, ended, all_prices, capsys, monkeypatch
):
    before = openings(home)
    code, out, _ = command(capsys, home, "r")
    first = (home / "forward/r.json").read_bytes()
    fingerprint = json.loads(first)["fingerprint"]
    assert code == 0
    assert f"sealed (fingerprint {fingerprint})" in out
    assert "No new bars yet" in out
    monkeypatch.setattr(seals, "now", lambda: datetime(2200, 1, 1, tzinfo=UTC))
    code, out, _ = command(capsys, home, "r", "--data", grown(ended, all_prices, 2 * BARS), language="fr")
    assert code == 0
    assert "est scellé" not in out
    assert fingerprint in out
    assert (home / "forward/r.json").read_bytes() == first
    assert openings(home) == before, "sealing and following read no holdout"


def test_only_bars_that_open_after_the_seal_are_traded_and_as_by_hand(home, ended, all_prices):
    threadx.follow("r", home=home)
    found = threadx.follow("r", home=home, data=grown(ended, all_prices, BARS + 300))
    new = all_prices.index[BARS + 3 : BARS + 299]
    assert (found.left_out, found.forward.bars) == (3, len(new))
    spec = StrategySpec.model_validate(found.seal.strategy)
    by_hand = run_backtest(
        all_prices.iloc[: BARS + 300], spec, costs=Costs(fee_bps=10.0, slippage_bps=2.0), trade_from=new[0]
    )
    equity = by_hand.equity_values[:-1] / 10_000.0  # the last bar is not over
    np.testing.assert_allclose(found.account.to_numpy(), equity, rtol=1e-12)
    closes = all_prices["close"].to_numpy()[BARS + 3 : BARS + 299]
    held = np.cumprod(np.concatenate([[1.0], 1.0 + found.seal.exposure * (closes[1:] / closes[:-1] - 1.0)]))
    assert found.holding_return == pytest.approx(held[-1] - 1.0, rel=1e-9)
    excess = pd.Series(np.concatenate([[1.0], equity])).pct_change().to_numpy()[1:]
    excess = excess - np.concatenate([[0.0], held[1:] / held[:-1] - 1.0])
    ratio = excess.mean() / excess.std(ddof=1) * np.sqrt(found.seal.bars_per_year)
    assert found.forward.excess_sharpe == pytest.approx(ratio, rel=1e-9)


def test_more_bars_add_to_what_was_seen_and_change_none_of_it(home, ended, all_prices):
    threadx.follow("r", home=home)
    few = threadx.follow("r", home=home, data=grown(ended, all_prices, BARS + 200))
    many = threadx.follow("r", home=home, data=all_prices)
    np.testing.assert_allclose(many.forward.path[: few.forward.bars], few.forward.path, rtol=1e-9)
    assert many.forward.p_value <= few.forward.p_value


def test_the_list_tells_each_and_one_that_cannot_be_judged_hides_no_other(home, capsys):
    assert "No strategy is sealed" in command(capsys, home)[1]
    threadx.follow("r", home=home)
    (home / "forward/gone.json").write_text("{}", encoding="utf-8")
    code, out, _ = command(capsys, home)
    assert code == 1
    assert "TEST 1h" in out
    assert "The seal of gone" in " ".join(out.split())
    code, out, _ = command(capsys, home, "r", "--json", "-")
    assert (code, json.loads(out)["outcome"], json.loads(out)["bars"]) == (0, "open", 0)


def test_bars_that_cannot_exist_yet_are_refused(home, ended, all_prices, capsys, monkeypatch):
    threadx.follow("r", home=home)
    last = all_prices.index[BARS + 100]
    monkeypatch.setattr(seals, "now", lambda: (last - pd.Timedelta(minutes=1)).to_pydatetime())
    code, _, err = command(capsys, home, "r", "--data", grown(ended, all_prices, BARS + 101))
    assert (code, "1 bar that cannot exist yet" in " ".join(err.split())) == (2, True)
    monkeypatch.setattr(seals, "now", lambda: (last + pd.Timedelta(minutes=1)).to_pydatetime())
    assert command(capsys, home, "r", "--data", grown(ended, all_prices, BARS + 101))[0] == 0


def test_of_times_without_a_zone_those_count_that_are_new_on_every_clock(tmp_path, all_prices, monkeypatch):
    naive = all_prices.set_axis(all_prices.index.tz_localize(None))
    naive.iloc[:BARS].to_csv(tmp_path / "TEST_1h.csv")
    asked = {"run": "n", "home": str(tmp_path / "h"), "max_iterations": 1, "use_debate": False, **ALL_RULES}
    threadx.optimize(str(tmp_path / "TEST_1h.csv"), search="single", **asked)
    times = iter([sealed_at(all_prices)])
    monkeypatch.setattr(seals, "now", lambda: next(times, datetime(2200, 1, 1, tzinfo=UTC)))
    threadx.follow("n", home=tmp_path / "h")
    found = threadx.follow("n", home=tmp_path / "h", data=naive)
    assert found.first == naive.index[BARS + 3 + 14].isoformat()
    assert found.left_out == 3 + 14


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("bars_per_year", 0.0), ("bars_per_year", -5.0), ("deviation", 0.0), ("deviation", -1.0)),
        *(("exposure", 1e300), ("expected", [1e308, 0.0, 0.0]), ("sealed_at", "pomme"), ("last", "zz")),
        *(("sealed_at", "99999-01-01T00:00:00+00:00"), ("sealed_at", "1999-01-01T00:00:00+00:00")),
        *(("sealed_at", "2024-03-01T00:00:00"), ("strategy", {}), ("strategy_hash", "0" * 16)),
    ],
)
def test_a_seal_that_was_made_by_hand_hides_no_other(home, capsys, field, value):
    threadx.follow("r", home=home)
    content = json.loads((home / "forward/r.json").read_text(encoding="utf-8"))["seal"]
    content |= {"run": "made", field: value}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    made = {"seal": content, "fingerprint": hashlib.sha256(text.encode()).hexdigest()[:32]}
    (home / "forward/made.json").write_text(json.dumps(made), encoding="utf-8")
    code, out, _ = command(capsys, home)
    assert code == 1
    assert "The seal of made" in " ".join(out.split())
    assert "TEST 1h" in out


def test_options_that_need_a_run_and_names_that_are_none_are_refused(home, ended, all_prices, capsys):
    for option, value in (("--data", "x.csv"), ("--picture", "x.png")):
        code, _, err = command(capsys, home, option, value)
        assert (code, option in err) == (2, True)
    threadx.follow("r", home=home)
    for name in ("r.", "r ", "../r"):
        code, _, err = command(capsys, home, name)
        assert (code, "is not a run’s name" in err) == (2, True), name
    code, _, err = command(capsys, home, "")
    assert (code, "it is empty" in err) == (2, True)
    path = ended / "short.csv"
    all_prices.iloc[: BARS // 2].to_csv(path)
    code, out, _ = command(capsys, home, "r", "--data", path)
    assert (code, "before the last bar of the run" in " ".join(out.split())) == (0, True)


def test_where_bars_are_too_many_for_any_edge_no_years_are_told(home, capsys):
    threadx.follow("r", home=home)
    seal = json.loads((home / "forward/r.json").read_text(encoding="utf-8"))["seal"] | {"bars_per_year": 3e7}
    text = json.dumps(seal, sort_keys=True, separators=(",", ":"))
    made = {"seal": seal, "fingerprint": hashlib.sha256(text.encode()).hexdigest()[:32]}
    (home / "forward/r.json").write_text(json.dumps(made), encoding="utf-8")
    code, out, _ = command(capsys, home, "r")
    assert (code, "No new bars yet" in out, "years of new bars" in out) == (0, True, False)


@pytest.mark.parametrize("change", ["figure", "hash", "cut", "empty"])
def test_a_seal_that_was_changed_is_refused(home, capsys, change):
    threadx.follow("r", home=home)
    path = home / "forward/r.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["seal"]["deviation"] *= 0.5 if change == "figure" else 1.0
    content["fingerprint"] = "0" * 32 if change == "hash" else content["fingerprint"]
    text = json.dumps(content)
    path.write_text({"cut": text[:-20], "empty": ""}.get(change, text), encoding="utf-8")
    code, _, err = command(capsys, home, "r")
    assert (code, "is not the one that was written" in err) == (2, True)


def test_other_prices_and_other_runs_are_refused(home, ended, all_prices, capsys):
    threadx.follow("r", home=home)
    other = in_utc(made_up_prices(2 * BARS, seed=99))
    other.to_csv(ended / "other.csv")
    for data in (ended / "other.csv", "sample:sp500"):
        code, _, err = command(capsys, home, "r", "--data", data)
        assert (code, "or move otherwise" in err) == (2, True)
    split = all_prices.copy()
    split[["open", "high", "low", "close"]] /= 2.0
    split.to_csv(ended / "split.csv")
    assert command(capsys, home, "r", "--data", ended / "split.csv")[0] == 0, "a split scales every price"
    threadx.review(str(ended / "TEST_1h.csv"), run="reviewed", home=str(home), use_debate=False, **ALL_RULES)
    code, _, err = command(capsys, home, "reviewed")
    assert (code, "there is nothing to follow" in err) == (2, True)
    code, _, err = command(capsys, home, "nobody")
    assert (code, "nobody" in err) == (2, True)


def test_the_account_and_the_evidence_are_drawn(home, ended, all_prices, capsys):
    picture = ended / "since.html"
    data = grown(ended, all_prices, BARS + 300)
    code, _, err = command(capsys, home, "r", "--data", data, "--picture", ended / "since.txt", language="fr")
    assert (code, "since.txt" in err, (home / "forward/r.json").exists()) == (2, True, False)
    code, out, _ = command(capsys, home, "r", "--data", data, "--picture", picture, language="fr")
    assert (code, "since.html" in out) == (0, True)
    drawn = picture.read_text(encoding="utf-8")
    assert "Capital de qui parie" in drawn


def test_an_edge_that_goes_on_is_confirmed(home, ended, capsys):
    """The prices swing with a known period: the champion's timing goes on to pay, twenty times as long."""
    whole = in_utc(made_up_prices(20 * BARS, cycle=0.05))
    threadx.follow("r", home=home)
    found = threadx.follow("r", home=home, data=whole)
    assert found.forward.excess_sharpe > 1.0
    assert (found.forward.outcome, found.forward.p_value <= 0.05) == ("confirmed", True)
