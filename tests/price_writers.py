"""Price files as other programs write them, each from one table of prices.

Re-made from the exports and documentation of the programs; nothing of the reader is used. A writer takes
prices on naive UTC times and gives (name of the file, bytes, columns it keeps, whether its times say UTC).
"""

import csv
import gzip
import io
import json
import zipfile

import pandas as pd

OHLCV = ("open", "high", "low", "close", "volume")


def lines(rows, separator=",", end="\r\n"):
    """Rows as a text file, cells quoted where they must be."""
    stream = io.StringIO()
    csv.writer(stream, delimiter=separator, lineterminator=end).writerows(rows)
    return stream.getvalue()


def figures(prices, mark="."):
    """Rows of the five columns as a spreadsheet shows them: no more digits than needed."""
    return [
        [f"{value:.10f}".rstrip("0").rstrip(".").replace(".", mark) for value in row]
        for row in prices.to_numpy().tolist()
    ]


def milliseconds(prices, factor=1):
    return [stamp // (10**6 // factor) for stamp in prices.index.as_unit("ns").asi8.tolist()]


def excel(names, pattern, encoding, end="\r\n"):
    """A spreadsheet saved as CSV in a country of decimal commas."""

    def write(prices):
        times = prices.index.strftime(pattern)
        rows = [names, *([time, *row] for time, row in zip(times, figures(prices, ","), strict=True))]
        return "prix.csv", lines(rows, ";", end).encode(encoding), OHLCV, False

    return write


FRENCH = ["Date", "Ouverture", "Plus haut", "Plus bas", "Clôture", "Volume"]
FRENCH_LAST = ["Date", "Ouv.", "+ Haut", "+ Bas", "Dernier", "Vol."]
GERMAN = ["Datum", "Eröffnung", "Hoch", "Tief", "Schlusskurs", "Stück"]
ENGLISH = ["Date", "Open", "High", "Low", "Close", "Volume"]


def yahoo_frame(prices, levels=("Price", "Ticker"), tickers=("AAPL",), by_ticker=False, adjusted=False):
    """What `yfinance.download` gives: fields and tickers in two levels of columns."""
    parts = {}
    for number, ticker in enumerate(tickers):
        own = prices * (1 + number)
        for field in ("Close", "High", "Low", "Open", "Volume"):
            parts[field, ticker] = own[field.lower()]
            if adjusted and field == "Close":
                parts["Adj Close", ticker] = own["close"] * 0.5
    frame = pd.DataFrame(parts).rename_axis("Date")
    frame.columns = pd.MultiIndex.from_tuples(frame.columns, names=levels)
    return frame.swaplevel(axis=1).sort_index(axis=1) if by_ticker else frame


def yahoo(**options):
    def write(prices):
        return "yahoo.csv", yahoo_frame(prices, **options).to_csv().encode(), OHLCV, False

    return write


def binance(name, factor=1, header=False):
    """Klines of data.binance.vision: twelve columns, milliseconds, microseconds since 2025."""

    def write(prices):
        stamps = milliseconds(prices, factor)
        step = stamps[1] - stamps[0]
        rows = [
            [stamp, *(f"{value:.8f}" for value in row), stamp + step - 1, "81.5", 7, "1.5", "40.2", 0]
            for stamp, row in zip(stamps, prices.to_numpy().tolist(), strict=True)
        ]
        names = "open_time open high low close volume close_time quote_volume count taker_buy_volume"
        names = [*names.split(), "taker_buy_quote_volume", "ignore"]
        text = lines([names, *rows] if header else rows, end="\n").encode()
        if name.endswith(".zip"):
            stream = io.BytesIO()
            with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr(name.replace(".zip", ".csv"), text)
            text = stream.getvalue()
        return name, gzip.compress(text) if name.endswith(".gz") else text, OHLCV, True

    return write


def metatrader_5(prices):
    names = ["<DATE>", "<TIME>", "<OPEN>", "<HIGH>", "<LOW>", "<CLOSE>", "<TICKVOL>", "<VOL>", "<SPREAD>"]
    rows = [
        [time[:10], time[11:], *row[:4], row[4], "0", "12"]
        for time, row in zip(prices.index.strftime("%Y.%m.%d %H:%M:%S"), figures(prices), strict=True)
    ]
    return "EURUSD_M30.csv", lines([names, *rows], "\t").encode("utf-16"), OHLCV, False


def metatrader_4(prices):
    times = prices.index.strftime("%Y.%m.%d,%H:%M")
    rows = [[*time.split(","), *row] for time, row in zip(times, figures(prices), strict=True)]
    return "EURUSD30.csv", lines(rows).encode(), OHLCV, False


def histdata(prices):
    rows = [[t, *row] for t, row in zip(prices.index.strftime("%Y%m%d %H%M%S"), figures(prices), strict=True)]
    return "DAT_ASCII_EURUSD_M1_2024.csv", lines(rows, ";").encode(), OHLCV, False


def crypto_data_download(prices):
    names = ["unix", "date", "symbol", "open", "high", "low", "close", "Volume USDT", "Volume BTC"]
    rows = [
        [stamp, f"{time:%Y-%m-%d %H:%M:%S}", "BTC/USDT", *row[:4], f"{number}.5", row[4]]
        for number, (stamp, time, row) in enumerate(
            zip(milliseconds(prices), prices.index, figures(prices), strict=True)
        )
    ]
    text = "https://www.CryptoDataDownload.com\n" + lines([names, *rows[::-1]], end="\n")
    return "Binance_BTCUSDT_d.csv", text.encode(), OHLCV, True


def crypto_data_download_old(prices):
    names = ["Date", "Symbol", "Open", "High", "Low", "Close", "Volume BTC", "Volume USD"]
    rows = [
        [f"{time:%Y-%m-%d %I-%p}", "BTCUSD", *row, "1.5"]
        for time, row in zip(prices.index, figures(prices), strict=True)
    ]
    text = "https://www.CryptoDataDownload.com\n" + lines([names, *rows[::-1]], end="\n")
    return "Gemini_BTCUSD_1h.csv", text.encode(), OHLCV, False


def kraken_csv(prices):
    rows = [[s // 1000, *row, 5] for s, row in zip(milliseconds(prices), figures(prices), strict=True)]
    return "XBTUSD_1440.csv", lines(rows, end="\n").encode(), OHLCV, True


def kraken_json(prices):
    rows = [
        [stamp // 1000, *row[:4], str((float(row[1]) + float(row[2])) / 2), row[4], 31]
        for stamp, row in zip(milliseconds(prices), figures(prices), strict=True)
    ]
    told = {"error": [], "result": {"XXBTZUSD": rows, "last": rows[-1][0]}}
    return "ohlc.json", json.dumps(told).encode(), OHLCV, True


def okx_json(prices):
    rows = [
        [str(stamp), *row, "22698348.04", "12698348.04", "1"]
        for stamp, row in zip(milliseconds(prices), figures(prices), strict=True)
    ]
    return "candles.json", json.dumps({"code": "0", "msg": "", "data": rows[::-1]}).encode(), OHLCV, True


def bybit_json(prices):
    rows = [[str(s), *row, "15.7"] for s, row in zip(milliseconds(prices), figures(prices), strict=True)]
    told = {
        "retCode": 0,
        "retMsg": "OK",
        "result": {"symbol": "BTCUSD", "category": "inverse", "list": rows[::-1]},
    }
    return "kline.json", json.dumps(told).encode(), OHLCV, True


def bitfinex_json(prices):
    values = prices[["open", "close", "high", "low", "volume"]].to_numpy().tolist()
    rows = [[stamp, *row] for stamp, row in zip(milliseconds(prices), values, strict=True)]
    return "hist.json", json.dumps(rows[::-1]).encode(), OHLCV, True


def kucoin_json(prices):
    values = prices[["open", "close", "high", "low", "volume"]].to_numpy().tolist()
    rows = [
        [str(stamp // 1000), *map(repr, row), "0.17"]
        for stamp, row in zip(milliseconds(prices), values, strict=True)
    ]
    return "candles.json", json.dumps({"code": "200000", "data": rows[::-1]}).encode(), OHLCV, True


def coinbase_json(prices):
    values = prices[["low", "high", "open", "close", "volume"]].to_numpy().tolist()
    rows = [[stamp // 1000, *row] for stamp, row in zip(milliseconds(prices), values, strict=True)]
    return "candles.json", json.dumps(rows[::-1]).encode(), OHLCV, True


def polygon_json(prices):
    keys = dict(zip(OHLCV, "ohlcv", strict=True))
    rows = [
        {"t": stamp, "vw": 1.5, "n": 3, **{keys[name]: row[name] for name in OHLCV}}
        for stamp, row in zip(milliseconds(prices), prices.to_dict("records"), strict=True)
    ]
    told = {"ticker": "AAPL", "queryCount": 2, "adjusted": True, "results": rows, "status": "OK"}
    return "aggs.json", json.dumps(told).encode(), OHLCV, True


def finnhub_json(prices):
    told = {name[0]: prices[name].tolist() for name in OHLCV}
    told |= {"s": "ok", "t": [stamp // 1000 for stamp in milliseconds(prices)]}
    return "candle.json", json.dumps(told).encode(), OHLCV, True


def alpha_vantage_json(prices):
    rows = {
        f"{time:%Y-%m-%d %H:%M:%S}": {
            f"{n}. {name}": cell for n, (name, cell) in enumerate(zip(OHLCV, row, strict=True), 1)
        }
        for time, row in zip(prices.index[::-1], figures(prices)[::-1], strict=True)
    }
    told = {"Meta Data": {"1. Information": "Intraday", "2. Symbol": "IBM"}, "Time Series (30min)": rows}
    return "query.json", json.dumps(told).encode(), OHLCV, False


def tradingview(pattern):
    """Chart data exported: seconds, or ISO with the exchange's offset; indicators behind."""

    def write(prices):
        if pattern is None:
            times = [stamp // 1000 for stamp in milliseconds(prices)]
        else:
            local = prices.index.tz_localize("UTC").tz_convert("Europe/Paris")
            times = [moment.isoformat() for moment in local]
        names = ["time", "open", "high", "low", "close", "Volume", "MA", "Plot"]
        rows = [[time, *row, "NaN", ""] for time, row in zip(times, figures(prices), strict=True)]
        return "BINANCE_BTCUSDT, 30.csv", lines([names, *rows], end="\n").encode(), OHLCV, True

    return write


def stooq_archive(prices):
    names = [
        "<TICKER>",
        "<PER>",
        "<DATE>",
        "<TIME>",
        "<OPEN>",
        "<HIGH>",
        "<LOW>",
        "<CLOSE>",
        "<VOL>",
        "<OPENINT>",
    ]
    rows = [
        ["AAPL.US", "5", f"{time:%Y%m%d}", f"{time:%H%M%S}", *row, "0"]
        for time, row in zip(prices.index, figures(prices), strict=True)
    ]
    return "aapl.us.txt", lines([names, *rows]).encode(), OHLCV, False


def stooq_page(names):
    def write(prices):
        rows = [[f"{t:%Y-%m-%d}", *row] for t, row in zip(prices.index, figures(prices), strict=True)]
        return "aapl_us_d.csv", lines([names, *rows]).encode(), OHLCV, False

    return write


def euronext(prices):
    head = ["Historical Data", "From 2024-01-01 to 2024-12-31", "FR0000120073", ""]
    names = [
        "Date",
        "Open",
        "High",
        "Low",
        "Last",
        "Close",
        "Number of Shares",
        "Number of Trades",
        "Turnover",
        "vwap",
    ]
    rows = [
        [f"{t:%d/%m/%Y}", *row[:3], "1.00", row[3], row[4], "30", "5000.5", "1.5"]
        for t, row in zip(prices.index, figures(prices), strict=True)
    ]
    text = "\n".join(head) + lines([names, *rows], ";", "\n")
    return "AIR.csv", text.encode("utf-8-sig"), OHLCV, False


def nasdaq(prices):
    rows = [
        [f"{t:%m/%d/%Y}", f"${row[3]}", row[4], f"${row[0]}", f"${row[1]}", f"${row[2]}"]
        for t, row in zip(prices.index, figures(prices), strict=True)
    ]
    text = lines([["Date", "Close/Last", "Volume", "Open", "High", "Low"], *rows[::-1]], end="\n")
    return "HistoricalData.csv", text.encode(), OHLCV, False


def investing(pattern, names, mark):
    """Every cell quoted, thousands set apart, volumes with a suffix, newest first."""

    def money(value):
        english = f"{value:,.4f}"
        return english if mark == "." else english.translate(str.maketrans(",.", ".,"))

    def write(prices):
        rows = [names]
        for time, row in zip(prices.index[::-1], prices.to_dict("records")[::-1], strict=True):
            cells = [money(row[name]) for name in ("close", "open", "high", "low")]
            volume = f"{row['volume'] / 1000:.3f}K".replace(".", mark)
            rows.append([time.strftime(pattern), *cells, volume, f"0{mark}25%"])
        stream = io.StringIO()
        csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
        return "BTC Historical Data.csv", stream.getvalue().encode("utf-8-sig"), OHLCV, False

    return write


def dukascopy(prices):
    rows = [
        [f"{t:%d.%m.%Y %H:%M:%S}.000", *row] for t, row in zip(prices.index, figures(prices), strict=True)
    ]
    names = ["Gmt time", "Open", "High", "Low", "Close", "Volume"]
    return "EURUSD_Candlestick.csv", lines([names, *rows]).encode(), OHLCV, False


def german_broker(prices):
    names = ["Datum", "Erster", "Hoch", "Tief", "Schlusskurs", "Stuecke", "Volumen"]
    rows = [
        [f"{t:%d.%m.%Y}", *row[:4], row[4], "99,5"]
        for t, row in zip(prices.index[::-1], figures(prices, ",")[::-1], strict=True)
    ]
    return "wkn_historic.csv", lines([names, *rows], ";", "\n").encode("cp1252"), OHLCV, False


def interactive_brokers(pattern):
    def written(prices):
        rows = [
            [f"{t:{pattern}}", *row, row[3], 5] for t, row in zip(prices.index, figures(prices), strict=True)
        ]
        names = ["date", "open", "high", "low", "close", "volume", "average", "barCount"]
        return "MES.csv", lines([names, *rows]).encode(), OHLCV, False

    return written


def boursorama(prices):
    rows = [
        [f"{t:%d/%m/%Y %H:%M}", *row, "EUR", ""] for t, row in zip(prices.index, figures(prices), strict=True)
    ]
    names = ["date", "ouvr", "haut", "bas", "clot", "vol", "devise", ""]
    return "TOTALENERGIES_2024-04-01.txt", lines([names, *rows], "\t").encode(), OHLCV, False


DAILY = {
    "French Excel": excel(FRENCH, "%d/%m/%Y", "cp1252"),
    "French Excel, UTF-8 with mark": excel(FRENCH_LAST, "%d/%m/%Y", "utf-8-sig"),
    "French Excel, Unicode text": excel(ENGLISH, "%d/%m/%Y", "utf-16"),
    "French Excel, two-digit year": excel(FRENCH, "%d/%m/%y", "cp1252", "\r"),
    "German Excel": excel(GERMAN, "%d.%m.%Y", "cp1252"),
    "German Excel, UTF-8": excel(GERMAN, "%d.%m.%Y", "utf-8"),
    "German broker": german_broker,
    "yfinance CSV": yahoo(),
    "yfinance CSV by ticker": yahoo(by_ticker=True),
    "yfinance CSV of old": yahoo(levels=(None, None)),
    "yfinance CSV with adjusted": yahoo(adjusted=True),
    "Stooq page": stooq_page(ENGLISH),
    "Stooq Polish page": stooq_page(["Data", "Otwarcie", "Najwyzszy", "Najnizszy", "Zamkniecie", "Wolumen"]),
    "Euronext": euronext,
    "Nasdaq": nasdaq,
    "Investing": investing("%b %d, %Y", ["Date", "Price", "Open", "High", "Low", "Vol.", "Change %"], "."),
    "Investing with numbers": investing(
        "%m/%d/%Y", ["Date", "Price", "Open", "High", "Low", "Vol.", "Change %"], "."
    ),
    "Investing in French": investing(
        "%d/%m/%Y", ["Date", "Dernier", "Ouv.", " Plus Haut", "Plus Bas", "Vol.", "Variation %"], ","
    ),
    "Investing in German": investing(
        "%d.%m.%Y", ["Datum", "Zuletzt", "Eröffn.", "Hoch", "Tief", "Vol.", "+/- %"], ","
    ),
}
WITHIN_THE_DAY = {
    "French Excel with clock": excel(FRENCH, "%d/%m/%Y %H:%M", "cp1252"),
    "Binance": binance("BTCUSDT-30m-2024-01.csv"),
    "Binance in microseconds": binance("BTCUSDT-30m-2025-01.csv", 1000),
    "Binance with names": binance("BTCUSDT-30m-2024-02.csv", header=True),
    "Binance zip": binance("BTCUSDT-30m-2024-01.zip", 1000),
    "Binance gzip": binance("BTCUSDT-30m-2024-01.csv.gz"),
    "MetaTrader 5": metatrader_5,
    "MetaTrader 4": metatrader_4,
    "HistData": histdata,
    "CryptoDataDownload": crypto_data_download,
    "Kraken CSV": kraken_csv,
    "Kraken JSON": kraken_json,
    "OKX JSON": okx_json,
    "Bybit JSON": bybit_json,
    "Bitfinex JSON": bitfinex_json,
    "Coinbase JSON": coinbase_json,
    "KuCoin JSON": kucoin_json,
    "Polygon JSON": polygon_json,
    "Finnhub JSON": finnhub_json,
    "Alpha Vantage JSON": alpha_vantage_json,
    "TradingView": tradingview(None),
    "TradingView in ISO": tradingview("iso"),
    "Stooq archive": stooq_archive,
    "Dukascopy": dukascopy,
    "Interactive Brokers": interactive_brokers("%Y%m%d %H:%M:%S"),
    "Interactive Brokers of old": interactive_brokers("%Y%m%d  %H:%M:%S"),
    "Interactive Brokers in UTC": interactive_brokers("%Y%m%d-%H:%M:%S"),
    "Boursorama": boursorama,
}
HOURLY = {"CryptoDataDownload of old": crypto_data_download_old}
