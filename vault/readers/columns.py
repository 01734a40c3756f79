"""What the columns of a price file are called, by programs and in languages, and which of them is meant."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

NAMES: dict[str, list[str]] = {
    role: names.split()
    for role, names in {
        "time": "timestamp datetime date_time open_time opentime unix unix_timestamp time date gmt_time "
        "local_time utc_time time_utc date_gmt t ts epoch begin start start_time period_start quote_date "
        "trade_date price_date date_heure date_et_heure horodatage datum zeit datum_zeit jour seance "
        "date_dd_mm_yyyy date_dd_mm_yy dtyyyymmdd data",
        "open": "open o open_price ouverture ouvr ouv premier eroffnung eroeffnung eroffnungskurs "
        "eroeffnungskurs erster eroffn otwarcie",
        "high": "high h high_price max plus_haut haut hoch hochst hoechst hochstkurs hoechstkurs tageshoch "
        "highest maximum najwyzszy",
        "low": "low l low_price min plus_bas bas tief tiefst tiefstkurs tagestief niedrig lowest minimum "
        "najnizszy",
        "close": "close c close_price cloture clot schluss schlusskurs close_last last dernier zuletzt "
        "letzter price cours zamkniecie",
        "adjusted": "adj_close adjclose adjusted_close close_adj adjusted cloture_ajustee cloture_ajuste "
        "schlusskurs_bereinigt",
        "volume": "volume vol v number_of_shares shares stuecke stucke stuck volumes quantite volumen umsatz "
        "base_volume volumefrom volume_from wolumen",
        "ticks": "tickvol tick_volume tick_vol ticks",
        "funding": "funding_rate fundingrate last_funding_rate",
        "symbol": "symbol ticker tic instrument contract asset pair isin code coin market valeur titre wkn "
        "name",
        "clock": "time heure uhrzeit zeit hour",
    }.items()
}
"""Names of each role, as `plain` writes them; of several that occur the first one listed is meant."""

_DATES = ("date", "datum", "dtyyyymmdd", "jour", "seance")
PRICE_ROLES = ("open", "high", "low", "close")

# Orders in which exchanges send rows without names: most; Bitfinex and KuCoin; Coinbase.
_ORDERS = (
    ("open", "high", "low", "close"),
    ("open", "close", "high", "low"),
    ("low", "high", "open", "close"),
)
_ROUNDING = 1e-6


def plain(name: object) -> str:
    """A name without case, accents, brackets, numbering and punctuation: `<DATE>`, `1. open`, `Plus haut`."""
    text = unicodedata.normalize("NFKD", str(name))
    text = "".join(letter for letter in text if not unicodedata.combining(letter)).lower().strip(" \ufeff\"'")
    text = re.sub(r"^\d+[.)]\s+", "", text)
    text = re.sub(r"^\+\s*(?=haut|bas)", "plus ", text)
    return re.sub(r"[^0-9a-z]+", "_", text).strip("_")


def roles(names: Sequence[str]) -> dict[str, int]:
    """Position of each role's column.

    A column of the clock counts beside one of the date only.
    """
    told = [plain(name) for name in names]
    found = {}
    for role, known in NAMES.items():
        for name in known:
            if name in told:
                found[role] = told.index(name)
                break
    if "volume" not in found and (counted := _volumes(told)):
        found["volume"] = counted[0]
    date = next((told.index(name) for name in _DATES if name in told), None)
    clock = found.pop("clock", None)
    if date is not None and clock is not None and clock != date:
        found |= {"date": date, "clock": clock}
    return found


def _volumes(told: Sequence[str]) -> list[int]:
    """Columns named after what they count: `Volume BTC`, `Volume USDT`."""
    return [place for place, name in enumerate(told) if re.match(r"(volume|vol)_", name)]


def base_volume(names: Sequence[str], symbol: str | None) -> int | None:
    """Of several columns `Volume BTC`, `Volume USDT` the one in units of the instrument.

    None where there are not several, or the symbol begins with none of them.
    """
    told = [plain(name) for name in names]
    places = _volumes(told)
    if "volume" in told or len(places) < 2 or symbol is None:
        return None
    for place in places:
        if plain(symbol).replace("_", "").startswith(told[place].split("_", 1)[1].replace("_", "")):
            return place
    return None


def order_of(prices: NDArray[np.float64]) -> tuple[str, ...] | None:
    """The order of four columns of prices without names; None where no known one makes possible bars.

    Args:
        prices: n rows × 4; rows with NaN do not count.
    """
    rows = prices[~np.isnan(prices).any(axis=1)]
    for order in _ORDERS:
        part = {role: rows[:, place] for place, role in enumerate(order)}
        top = np.maximum(part["open"], part["close"])
        bottom = np.minimum(part["open"], part["close"])
        fits = (part["high"] >= top * (1 - _ROUNDING)) & (part["low"] <= bottom * (1 + _ROUNDING))
        if fits.all():
            return order
    return None
