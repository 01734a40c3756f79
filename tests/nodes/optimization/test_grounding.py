"""Whether cited numbers stand in the evidence: rounding and percent allowed, invention not."""

import pytest

from nodes.optimization.evidence.grounding import known_numbers, numbers_in, unfounded

BLOCK = """M1 sharpe_ratio = -3.286 (low = -5.435, high = -0.9995)
M9 win_rate = 0.2773 (low = 0.2429, high = 0.3178)
M12 n_trades = 494
M7 max_drawdown = -0.662
D1 drawdown = -0.662 (from = 2025-01-21, bars = 14753, recovered = no)
risk stop_loss_pct = 2  [0.1 … 50, step 0.5]
entry_long: crosses_above(sma(close, fast_period), sma(close, slow_period))
rows = 15953, tiny = 1.784e-06"""
NUMBERS = known_numbers(BLOCK)


@pytest.mark.parametrize(
    ("words", "language"),
    [
        pytest.param("The Sharpe ratio of -3.29 is poor.", "en", id="rounded"),
        pytest.param("The Sharpe ratio of −3.3 is poor.", "en", id="rounded further, minus sign"),
        pytest.param("Le ratio de Sharpe vaut −3,286.", "fr", id="French decimals"),
        pytest.param("Wins are 27.7% of 494 trades.", "en", id="a fraction as a percentage"),
        pytest.param("28 % de gains sur 494 transactions.", "fr", id="French percentage"),
        pytest.param("A drawdown of 66 percent.", "en", id="percent in words, sign in words"),
        pytest.param("The stop of 2% ends too much.", "en", id="a parameter in percent"),
        pytest.param("A stop at 0.02 of the price.", "en", id="a parameter in percent as a fraction"),
        pytest.param("Under water for 14,753 bars.", "en", id="English thousands"),
        pytest.param("Sous l’eau pendant 14\u202f753 barres.", "fr", id="French thousands"),
        pytest.param("About 16,000 bars.", "en", id="rounded to thousands"),
        pytest.param("See M1, H2 and I3.1; since 2025-01-21; sma50 helps.", "en", id="ids, dates, names"),
        pytest.param("No figures at all.", "en", id="no numbers"),
    ],
)
def test_figures_of_the_evidence_are_founded(words, language):
    assert unfounded(words, NUMBERS, language) == []


@pytest.mark.parametrize(
    ("words", "language", "wrong"),
    [
        pytest.param("A Sharpe ratio of 1.8 is promising.", "en", ["1.8"], id="invented"),
        pytest.param("A Sharpe ratio of 3.31.", "en", ["3.31"], id="too exact to be a rounding"),
        pytest.param("73% of trades win.", "en", ["73%"], id="invented percentage"),
        pytest.param("Le gain est de 12,5 % par an.", "fr", ["12,5 %"], id="invented in French"),
        pytest.param("494 trades and 37 stops.", "en", ["37"], id="one of two"),
    ],
)
def test_figures_from_nowhere_are_told(words, language, wrong):
    assert unfounded(words, NUMBERS, language) == wrong


def test_numbers_are_read_as_their_language_writes_them():
    assert next(numbers_in("1,234", "en")).readings[0][0] == 1234.0
    assert next(numbers_in("1,234", "fr")).readings == ((1.234, 0.0005),)
    assert next(numbers_in("1 234,5", "fr")).readings[0][0] == 1234.5
    assert next(numbers_in("1,234.5", "en")).readings[0][0] == 1234.5


def test_ten_thousand_characters_of_digits_are_read_at_once():
    assert len(list(numbers_in("1" * 10_000, "en"))) <= 1
    assert unfounded("9 " * 5_000, NUMBERS, "en") is not None
