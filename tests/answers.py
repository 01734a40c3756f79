"""What scripted models of the optimisation cycle say, as the JSON that a real one would give."""

import json

REASONS = (
    "Because the folds agree.",
    "Few trades stand behind it.",
    "Its neighbours are poor.",
    "It was tried in another form.",
    "Costs would eat it.",
    "It sits at the edge of its bounds.",
)
"""One for each proposal: what is said twice counts as said once."""


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
    said = {"hypothesis": 1, "change": change}
    return {**said, **changed}


def proposals(*changes, **changed):
    """These changes, or three of different kinds."""
    return json.dumps({"proposals": [proposal(change, **changed) for change in changes or DIVERSE]})


def adjust(value, parameter="fast_period"):
    return {"kind": "param_adjustment", "parameter": parameter, "value": value}


def risk(value, parameter="stop_loss_pct"):
    return {"kind": "risk_management", "parameter": parameter, "value": value}


DIVERSE = (
    adjust(8),
    risk(5.0, "trailing_stop_pct"),
    {"kind": "add_filter", "side": "long", "condition": "adx(14) > 20"},
)


def verdicts(*decisions, confidence=5.0, reasons=REASONS, evidence=("M1",), **changed):
    """These decisions in order, or three validated."""
    said = [
        {
            "proposal": number,
            "decision": decision,
            "priority": number,
            "evidence": list(evidence),
            "reason": why,
        }
        for number, (decision, why) in enumerate(
            zip(decisions or ["validated"] * 3, reasons, strict=False), start=1
        )
    ]
    return json.dumps({"verdicts": said, "concerns": [], "confidence": confidence, **changed})


def turn(stance="continue", evidence=("W1",), statement="I have read the figures.", confidence=0.8):
    claims = [{"statement": statement, "evidence": list(evidence)}]
    return json.dumps({"claims": claims, "stance": stance, "confidence": confidence})


def work(*decisions, stance="continue", changes=DIVERSE):
    """A whole iteration of the single agent: these changes, validated or as decided."""
    judged = [
        {**proposal(change), "decision": decision, "against": ["M1"], "objection": REASONS[place]}
        for place, (change, decision) in enumerate(
            zip(changes, decisions or ["validated"] * len(changes), strict=True)
        )
    ]
    return json.dumps({**json.loads(analysis()), "proposals": judged, "stance": stance})


def by_role(request, **answers):
    """A step for a model that plays every role: the answer that belongs to what is asked."""
    fields = request.schema["properties"]
    kinds = {
        "turn": "claims",
        "work": "stance",
        "verdicts": "verdicts",
        "analysis": "quality_score",
        "proposals": "proposals",
    }
    kind = next(kind for kind, field in kinds.items() if field in fields)
    proposed = answers.get("proposals", proposals())
    usual = {
        "turn": turn(),
        "work": work(changes=[one["change"] for one in json.loads(proposed)["proposals"]]),
        "verdicts": verdicts(),
        "analysis": analysis(),
        "proposals": proposed,
    }
    return {**usual, **answers}[kind]
