"""Answers for scripted models of the optimisation cycle."""

import json

ANALYSIS = json.dumps(
    {
        "quality_score": 4.5,
        "strengths": ["Many trades."],
        "weaknesses": ["Costs eat the wins."],
        "hypotheses": [{"statement": "The signal is too fast.", "test": "Slow it down.", "evidence": ["M1"]}],
    }
)


def adjust(value, parameter="fast_period"):
    return {"kind": "param_adjustment", "parameter": parameter, "value": value}


def risk(value, parameter="trailing_stop_pct"):
    return {"kind": "risk_management", "parameter": parameter, "value": value}


DIVERSE = (adjust(8), risk(5.0), {"kind": "add_filter", "side": "long", "condition": "adx(14) > 20"})


def proposal(change, **more):
    return {"hypothesis": 1, "change": change, "reason": "A reason.", "expected_effect": "An effect.", **more}


def proposals(*changes):
    return json.dumps({"proposals": [proposal(change) for change in changes or DIVERSE]})


def verdicts(*decisions):
    return json.dumps(
        {
            "verdicts": [
                {"proposal": number, "decision": decision, "priority": number, "reason": "Because."}
                for number, decision in enumerate(decisions or ["validated"] * 3, start=1)
            ],
            "confidence": 5,
        }
    )


def turn(stance="continue", evidence=("M1",), statement="I have read the figures.", confidence=0.8):
    claims = [{"statement": statement, "evidence": list(evidence)}]
    return json.dumps({"claims": claims, "stance": stance, "confidence": confidence})


def by_role(request, **answers):
    """A step for one model that plays every role: the answer that belongs to what is asked."""
    fields = request.schema["properties"]
    if "stance" in fields and "claims" in fields:
        kind = "turn"
    elif "verdicts" in fields:
        kind = "verdicts"
    elif "quality_score" in fields:
        kind = "analysis"
    else:
        kind = "proposals"
    given = {
        "turn": turn(),
        "verdicts": verdicts(),
        "analysis": ANALYSIS,
        "proposals": proposals(),
        **answers,
    }
    return given[kind]
