"""A small data folder as other programs fill it, for tests."""

import json
from datetime import UTC, datetime

import pandas as pd

AS_OF = datetime(2024, 3, 14, 15, tzinfo=UTC)  # a Thursday


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_parquet(path)
    return path


def forecast(ticker="SPY", horizon="1w", direction="up", confidence=0.6, **more):
    return {
        "dt": "20240314",
        "ticker": ticker,
        "horizon": horizon,
        "direction": direction,
        "confidence": confidence,
        "expected_return": {"up": 0.01, "flat": 0.0, "down": -0.01}[direction],
        **more,
    }


def final(ticker="SPY", horizon="1w", final_score=0.5, **more):
    return {"dt": "20240314", "ticker": ticker, "horizon": horizon, "final_score": final_score, **more}


def macro(horizon="1m", **more):
    return {
        "dt": "20240314",
        "horizon": horizon,
        "inflation_yoy": 0.03,
        "yield_curve_slope": 0.5,
        "unemployment": 3.9,
        "recession_prob": 0.2,
        **more,
    }


def news(title, ts="2024-03-14T10:00:00Z", **more):
    return {
        "ts": ts,
        "source": "wire",
        "title": title,
        "link": f"https://example.org/{title}",
        "summary": None,
        "tickers": None,
        "sent": 0.2,
        **more,
    }


def fill(root):
    """Three fresh, healthy sources as of `AS_OF`."""
    tickers = {"SPY": "up", "QQQ": "up", "GLD": "down"}
    rows = [
        forecast(ticker, horizon, direction, 0.7)
        for ticker, direction in tickers.items()
        for horizon in ("1w", "1m")
    ]
    write(root / "forecast/dt=20240314/forecasts.parquet", rows)
    write(
        root / "forecast/dt=20240314/final.parquet",
        [final(row["ticker"], row["horizon"], 1.0 - 0.1 * place) for place, row in enumerate(rows)],
    )
    write(
        root / "macro/forecast/dt=2024-03-14/macro_forecast.parquet",
        [macro("1m"), macro("12m", recession_prob=0.3)],
    )
    write(
        root / "news/dt=20240314/news_101500.parquet",
        [news(f"Story {number}", tickers=["SPY"], sent=0.1 * number - 0.2) for number in range(6)],
    )
    return root


def write_json(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def proposals(*sentences, act="wait"):
    """Recommendations as an arbiter answers them, each about another instrument."""
    return [
        {
            "act": act,
            "instrument": instrument,
            "horizon": "30d",
            "size": "small",
            "sentence": sentence,
            "reversal": "Un autre avis.",
        }
        for sentence, instrument in zip(sentences, ("MARKET", "SPY", "QQQ", "GLD"), strict=False)
    ]
