"""What the command says to what it cannot take: the reason, in the reader's language and with his figures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.prices import made_up_prices
from threadx.command import main


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("refused")
    made_up_prices(300, cycle=0.05).to_csv(path / "prices.csv")
    (path / "empty.csv").touch()
    (path / "white.csv").write_text("\n \n", encoding="utf-8")
    return path


PRICES = ("backtest", "FOLDER/prices.csv")


@pytest.mark.parametrize(
    ("arguments", "french", "english"),
    [
        pytest.param((*PRICES, "--fee-bps", "nan"), "un nombre fini", "finite number", id="fee nan"),
        pytest.param((*PRICES, "--fee-bps", "inf"), "un nombre fini", "finite number", id="fee inf"),
        pytest.param(
            (*PRICES, "--fee-bps", "2000.5"), "2000,5 : au plus 1000.", "2000.5: at most 1000", id="fee"
        ),
        pytest.param((*PRICES, "-p", "stop_loss_pct=nan"), "de 0,1 à 50", "from 0.1 to 50", id="stop nan"),
        pytest.param(
            (*PRICES, "-p", "stop_loss_pct=0.01"), "0,01 est hors des bornes 0,1", "0.01", id="stop"
        ),
        pytest.param((*PRICES, "-p", "whole_units=maybe"), "whole_units=yes", "whole_units=no", id="switch"),
        pytest.param((*PRICES, "--entry-long", "close >"), "à la fin", "at its end", id="expression cut off"),
        pytest.param((*PRICES, "--entry-long", "> 3"), "devant « > »", "before “>”", id="expression"),
        pytest.param(("data", "check", "FOLDER"), "est un dossier", "is a folder", id="folder"),
        pytest.param(("data", "check", "FOLDER/empty.csv"), "est vide", "is empty", id="empty"),
        pytest.param(("data", "check", "FOLDER/white.csv"), "est vide", "is empty", id="white"),
        pytest.param(("data", "news", "x", "--days", "0"), "supérieur à 0", "more than 0", id="open bound"),
        pytest.param(
            ("data", "news", "x", "--days", "nan"), "un nombre fini", "a finite number", id="no number"
        ),
        pytest.param(
            ("models", "test", "rules", "--minutes", "inf"), "un nombre fini", "a finite number", id="endless"
        ),
        pytest.param(
            ("models", "test", "rules", "--minutes", "nan"), "--minutes", "--minutes", id="no minutes"
        ),
        pytest.param(
            ("models", "test", "rules", "--minutes=-1"), "supérieur à 0", "more than 0", id="minutes"
        ),
        pytest.param(("ensemble", "score"), "Pas de prix", "No prices", id="nothing to score with"),
    ],
)
def test_the_reason_is_told_in_the_readers_words_and_figures(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], french: str, english: str
) -> None:
    given = [part.replace("FOLDER", str(folder)) for part in arguments]
    for language, told in (("fr", french), ("en", english)):
        with pytest.raises(SystemExit) as left:
            main([*given, "--home", str(folder / "home"), "--language", language])
        out, err = capsys.readouterr()
        assert (left.value.code, out) == (2, "")
        assert told in err.replace("\u00a0", " ")


@pytest.mark.parametrize("word", ["yes", "true", "oui", "1"])
def test_a_switch_takes_the_words_of_the_docs(
    folder: Path, capsys: pytest.CaptureFixture[str], word: str
) -> None:
    given = [part.replace("FOLDER", str(folder)) for part in PRICES]
    with pytest.raises(SystemExit) as left:
        main([*given, "-p", f"whole_units={word}", "--json", "-"])
    assert left.value.code == 0
    assert json.loads(capsys.readouterr().out)["strategy"]["sizing"]["whole_units"] is True
