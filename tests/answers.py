"""What scripted models of the optimisation cycle say, as the JSON that a real one would give."""

import json


def analysis(**changed):
    said = {
        "quality_score": 4.5,
        "strengths": ["Many trades."],
        "weaknesses": ["Costs eat the wins."],
        "anomalies": [],
        "hypotheses": [{"statement": "The signal is too fast.", "test": "Slow it down.", "evidence": ["M1"]}],
    }
    return json.dumps({**said, **changed})


def proposal(change, **changed):
    said = {"hypothesis": 1, "change": change, "reason": "A reason.", "expected_effect": "An effect."}
    return {**said, **changed}


def proposals(*changes, **changed):
    return json.dumps({"proposals": [proposal(change, **changed) for change in changes]})


def adjust(value, parameter="fast_period"):
    return {"kind": "param_adjustment", "parameter": parameter, "value": value}


def risk(value, parameter="stop_loss_pct"):
    return {"kind": "risk_management", "parameter": parameter, "value": value}


def verdicts(*decisions, confidence=5.0, **changed):
    said = [
        {"proposal": number, "decision": decision, "priority": number, "reason": "Because."}
        for number, decision in enumerate(decisions, start=1)
    ]
    return json.dumps({"verdicts": said, "concerns": [], "confidence": confidence, **changed})


def turn(stance, evidence=("W1",), statement="I have read the figures."):
    claims = [{"statement": statement, "evidence": list(evidence)}]
    return json.dumps({"claims": claims, "stance": stance, "confidence": 0.8})
