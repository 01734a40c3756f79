"""Policies, weights and schemas of the ensemble: figures in, figures out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from feeds.forecasts import Forecast
from nodes.ensemble import macro, sentiment, technical
from nodes.ensemble.agents import AGENTS
from nodes.ensemble.check import sentence_errors, summary_facts
from nodes.ensemble.claims.claims import agent_facts
from nodes.ensemble.claims.recommendations import recommendation_errors
from nodes.ensemble.consult import report_errors
from nodes.ensemble.policies.arbiter import arbiter_policy
from nodes.ensemble.policies.evidence import candidates
from nodes.ensemble.policies.instruments import instruments
from nodes.ensemble.policies.pooling import OUTLOOKS, agreements, clashes, direction, factors, pool
from nodes.ensemble.schemas import ArbiterAnswer, LLMEnsembleSummary, Stance
from prompts import Words

SHARES = st.floats(0.0, 1.0, allow_nan=False)
DIRECTIONS = st.sampled_from(["up", "flat", "down"])
LANGUAGES = st.sampled_from(["fr", "en"])


def forecast(ticker="A", horizon="1w", direction="up", confidence=0.6, expected_return=None, final_score=0.5):
    return Forecast(
        ticker=ticker,
        horizon=horizon,
        direction=direction,
        confidence=confidence,
        expected_return=expected_return,
        final_score=final_score,
        file="f",
        row=1,
    )


def macro_row(number=1, horizon="1m", inflation=None, slope=None, jobless=None, odds=None):
    return {
        "id": f"M{number}",
        "horizon": horizon,
        "inflation_yoy": inflation,
        "yield_curve_slope": slope,
        "unemployment": jobless,
        "recession_prob": odds,
    }


def news_row(number=1, symbol="A", tone=0.0, items=3):
    title = {"date": "2024-03-14", "source": "s", "title": "T" * 290, "tone": tone}
    return {"id": f"S{number}", "symbol": symbol, "items": items, "tone": tone, "titles": [title]}


def quality_row(number, symbol, factor=1.0, flags=(), age=3.0):
    return {
        "id": f"Q{number}",
        "symbol": symbol,
        "age_hours": age,
        "rows": 5,
        "refused": 0,
        "contradictory_share": 0.4,
        "flags": list(flags),
        "factor": factor,
    }


FLAGS = [
    "stale",
    "very_stale",
    "thin",
    "incomplete",
    "refused_rows",
    "report_error",
    "report_warning",
    "contradictory",
]
EVIDENCE = st.fixed_dictionaries(
    {
        "language": LANGUAGES,
        "technical": st.lists(
            st.builds(
                forecast,
                ticker=st.sampled_from(["A", "B", "C"]),
                horizon=st.sampled_from(["1w", "1m", "1y"]),
                direction=DIRECTIONS,
                confidence=SHARES,
                expected_return=st.none() | st.floats(-0.5, 0.5),
                final_score=st.none() | st.floats(-5, 5),
            ),
            max_size=6,
            unique_by=lambda row: (row.ticker, row.horizon),
        ).map(technical.laid_out),
        "macro": st.lists(
            st.builds(
                macro_row,
                inflation=st.none() | st.floats(-0.1, 0.2),
                slope=st.none() | st.floats(-3, 3),
                jobless=st.none() | st.floats(2, 15),
                odds=st.none() | SHARES,
            ),
            max_size=1,
        ),
        "sentiment": st.lists(
            st.builds(
                news_row,
                symbol=st.sampled_from(["A", "MARKET"]),
                tone=st.floats(-1, 1),
                items=st.integers(1, 50),
            ),
            max_size=2,
            unique_by=lambda row: row["symbol"],
        ),
        "quality": st.tuples(
            *(
                st.builds(
                    quality_row,
                    st.just(number),
                    st.just(source),
                    factor=SHARES,
                    age=st.floats(0, 5000).map(lambda hours: round(hours, 1)),
                    # Figures of the economy have nothing that could contradict itself.
                    flags=st.lists(
                        st.sampled_from(FLAGS[:-1] if source == "macro" else FLAGS), max_size=3, unique=True
                    ),
                )
                for number, source in enumerate(("forecast", "macro", "news"), start=1)
            )
        ).map(list),
    }
)


HOUR = "2024-03-14T15:00:00+00:00"


@given(EVIDENCE)
def test_rules_answer_any_evidence_within_their_schemas_and_checks(evidence):
    words, reports = Words(evidence["language"]), {}
    for name, agent in AGENTS.items():
        if evidence[name]:
            report = agent.policy(evidence)
            known = agent_facts(evidence[name], HOUR, words)
            assert report_errors(report, evidence[name], known, words) == []
            reports[name] = report.model_dump(mode="json")
    pooled = pool(reports, factors(evidence["quality"]), {})
    for outlook in OUTLOOKS:
        assert sum(pooled[outlook].values()) == pytest.approx(1.0, abs=1e-3)
    rows = candidates(evidence)
    summary = arbiter_policy(
        {
            "language": evidence["language"],
            "reports": reports,
            "pooled": pooled,
            "candidates": rows,
            "instruments": instruments(evidence["technical"], [], []),
            "recession_prob": next((row["recession_prob"] for row in evidence["macro"]), None),
        }
    )
    keys = {(row["source"], row["symbol"], row["horizon"], row["score"]) for row in rows}
    assert {(row.source, row.symbol, row.horizon, row.score) for row in summary.contributors} <= keys
    assert ArbiterAnswer.model_validate_json(summary.model_dump_json()) == summary
    # What rules say passes the check that a model's sentences must pass.
    state = {
        "evidence": {name: evidence[name] for name in AGENTS},
        "hour": HOUR,
        "record": {},
        "coverage": dict.fromkeys(AGENTS, 1.0),
        "notices": {"news": 3, "forecasts": 3, "quarantined": 0},
        "agents": {name: {"report": reports.get(name), "degraded": False} for name in AGENTS},
    }
    told = summary.model_dump(mode="json")
    assert sentence_errors(told, summary_facts(state, words), words) == {}
    known = instruments(evidence["technical"], [], [])
    assert recommendation_errors(told, known, summary_facts(state, words), words) == {}


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([macro_row(odds=0.6)], "contraction"),
        (
            [macro_row(odds=0.1, inflation=0.04), macro_row(2, "12m", odds=0.2, inflation=0.03)],
            "désinflation",
        ),
        ([macro_row(odds=0.1, inflation=0.02, slope=0.5)], "expansion_modérée"),
        ([macro_row(odds=0.1, slope=-0.5)], "incertain"),
        ([macro_row(odds=0.4)], "incertain"),
        ([macro_row(inflation=0.02)], "incertain"),
    ],
    ids=["recession", "falling inflation", "calm", "inverted", "doubtful", "no odds"],
)
def test_regime(rows, expected):
    assert macro.regime(rows) == expected


@pytest.mark.parametrize(
    ("odds", "expected"), [(None, "medium"), (0.1, "low"), (0.3, "medium"), (0.5, "high")]
)
def test_risk(odds, expected):
    assert macro.risk(odds) == expected


def test_a_forecast_against_its_own_expected_return_counts_half():
    bull = forecast("A", direction="up", confidence=0.8, expected_return=0.02)
    bear = forecast("B", direction="down", confidence=0.8, expected_return=0.02)
    rows = technical.laid_out([bull, bear])
    stance = technical.policy({"language": "fr", "technical": rows}).outlook_days_7
    assert stance.positive > stance.negative


@pytest.mark.parametrize(
    ("odds", "expected"),
    [
        (0.0, "positive"),
        (0.24, "positive"),
        (0.26, "neutral"),
        (0.43, "neutral"),
        (0.51, "negative"),
        (1.0, "negative"),
    ],
)
def test_the_view_follows_the_odds_of_a_recession_as_its_citation_does(odds, expected):
    row = macro_row(odds=odds)
    view = macro.policy({"language": "en", "macro": [row]}).outlook_days_30
    assert direction(view.model_dump()) == expected
    words = {"positive": "haussier", "neutral": "neutre", "negative": "baissier"}
    assert macro.cited(row)["prediction"] == words[expected]


def test_a_handful_of_headlines_about_one_name_does_not_beat_the_news_of_the_market():
    """15 June 2022: the week of Bitcoin's fall, and a summary that spoke of another coin."""
    rows = [news_row(1, "BTC-USD", -0.35, 151), news_row(2, "LUNA", -1.0, 4), news_row(3, "ADA", 0.9, 2)]
    report = sentiment.policy({"language": "en", "sentiment": rows})
    assert [driver.evidence for driver in report.drivers] == [["S1"], ["S2"], ["S3"]]
    scores = {row["symbol"]: sentiment.cited(row)["score"] for row in rows}
    assert scores["BTC-USD"] == max(scores.values())


def test_reasons_of_the_news_begin_with_one_for_their_view():
    rows = [
        news_row(1, "LUNA", 0.95, 7),
        news_row(2, "BTC-USD", -0.6, 17),
        news_row(3, "MARKET", -0.5, 17),
    ]
    told = sentiment.policy({"language": "en", "sentiment": rows})
    assert direction(told.outlook_days_7.model_dump()) == "negative"
    assert [driver.evidence for driver in told.drivers] == [["S2"], ["S3"], ["S1"]]


def report(positive, neutral, negative, confidence=1.0):
    stance = {"positive": positive, "neutral": neutral, "negative": negative}
    return {"outlook_days_7": stance, "outlook_days_30": stance, "confidence": confidence}


def test_pool_by_hand():
    reports = {"technical": report(1.0, 0.0, 0.0), "sentiment": report(0.0, 0.0, 1.0, 0.5)}
    trust = {"forecast": 1.0, "news": 0.5, "macro": 1.0}
    # technical 0.3 × 1 × 1 = 0.3; sentiment 0.2 × 0.5 × 0.5 = 0.05; quality's doubt 0.4 × (1 − 1.5 / 3) =
    # 0.2, a third of it for each outcome; all of it 0.55
    pooled = pool(reports, trust, {})["outlook_days_7"]
    assert pooled == {"positive": 0.6667, "neutral": 0.1212, "negative": 0.2121}


def test_penalties_only_move_towards_knowing_nothing():
    reports = {"technical": report(0.8, 0.1, 0.1)}
    shares = [
        pool(reports, {"forecast": factor, "news": 1.0, "macro": 1.0}, {})["outlook_days_30"]["positive"]
        for factor in (1.0, 0.7, 0.3, 0.0)
    ]
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] == pytest.approx(1 / 3, abs=1e-4)


def test_technical_outweighs_sentiment_outweighs_macro():
    trust = {"forecast": 1.0, "news": 1.0, "macro": 1.0}
    up, down = report(0.9, 0.0, 0.1), report(0.1, 0.0, 0.9)
    for strong, weak in (("technical", "sentiment"), ("sentiment", "macro"), ("technical", "macro")):
        assert direction(pool({strong: up, weak: down}, trust, {})["outlook_days_7"]) != "negative"
        assert pool({strong: up, weak: down}, trust, {})["outlook_days_7"]["positive"] > 0.3


def test_clashes_name_both_sides():
    found = clashes({"technical": report(0.7, 0.2, 0.1), "macro": report(0.1, 0.2, 0.7)})
    assert found == {("technical", "macro"): ["outlook_days_7", "outlook_days_30"]}


def test_agreements_name_everybody_on_a_side():
    found = agreements(
        {
            "technical": report(0.7, 0.2, 0.1),
            "sentiment": report(0.6, 0.3, 0.1),
            "macro": report(0.3, 0.4, 0.3),
        }
    )
    both = ["technical", "sentiment"]
    assert found == [("outlook_days_7", "positive", both), ("outlook_days_30", "positive", both)]


def test_a_record_moves_the_pool_towards_who_earned_it():
    reports = {"technical": report(0.9, 0.0, 0.1), "macro": report(0.1, 0.0, 0.9)}
    trust = {"forecast": 1.0, "news": 1.0, "macro": 1.0}
    shares = [
        pool(reports, trust, {"technical": 1.0, "macro": factor})["outlook_days_7"]["negative"]
        for factor in (0.25, 1.0, 4.0)
    ]
    assert shares == sorted(shares)
    assert shares[0] < shares[2]


def test_every_schema_is_bounded_for_grammars():
    def walk(schema):
        if isinstance(schema, dict):
            if schema.get("type") == "string" and not schema.keys() & {"enum", "const"}:
                assert "maxLength" in schema, schema
            if schema.get("type") == "array":
                assert "maxItems" in schema, schema
            if schema.get("type") == "object":
                assert schema["additionalProperties"] is False, schema
            for part in schema.values():
                walk(part)
        elif isinstance(schema, list):
            for part in schema:
                walk(part)

    for model in (
        LLMEnsembleSummary,
        ArbiterAnswer,
        *(agent.schema for agent in AGENTS.values()),
    ):
        walk(model.model_json_schema())


def test_summary_schema_is_the_agreed_one():
    whole = LLMEnsembleSummary.model_json_schema()
    schema = whole["properties"]
    # What other programs read; what has been added since may be missing.
    assert set(whole["required"]) == {
        "regime",
        "risk_level",
        "outlook_days_7",
        "outlook_days_30",
        "key_drivers",
        "contributors",
        "limits",
        "recommendations",
        "tensions",
    }
    assert schema["regime"]["enum"] == ["expansion_modérée", "désinflation", "contraction", "incertain"]
    assert schema["risk_level"]["enum"] == ["low", "medium", "high"]
    assert schema["outlook_days_7"]["enum"] == ["positive", "neutral", "negative"]
    assert (schema["key_drivers"]["minItems"], schema["key_drivers"]["maxItems"]) == (3, 5)
    assert (schema["recommendations"]["minItems"], schema["recommendations"]["maxItems"]) == (3, 5)
    assert schema["contributors"]["minItems"] == 3


@pytest.mark.parametrize("bad", [{"positive": 1.2}, {"surplus": 1}, {"neutral": float("nan")}])
def test_schemas_are_strict(bad):
    with pytest.raises(ValidationError):
        Stance.model_validate({"positive": 0.5, "neutral": 0.3, "negative": 0.2, **bad})
