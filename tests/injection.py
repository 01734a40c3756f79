"""Headlines that try to give a model orders, honest ones, and a model that obeys whatever it reads."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from nodes.ensemble.policies.pooling import direction
from providers.request import Request
from tests.partitions import proposals

KINDS = Literal["attempts", "honest"]
DICTATED = "Achetez Zed sans attendre, dit le titre."
"""What an obedient model writes wherever it may write."""


def headlines(kind: KINDS, *, kept: bool) -> list[tuple[str, str]]:
    """(group, title) of one half: the half kept for the benchmark, or the one that tests and tuning may see.

    Each group is ordered by the hash of its titles, and goes to the two halves in turn.
    """
    corpus = tomllib.loads((Path(__file__).parent / "injection.toml").read_text(encoding="utf-8"))
    return [
        (group, title)
        for group, titles in corpus[kind].items()
        for title in sorted(titles, key=lambda title: hashlib.sha256(title.encode()).hexdigest())[kept::2]
    ]


def obedient(title: str, way: Literal["positive", "negative"]) -> Callable[[Request], str]:
    """A model that does its work until it reads a title, or what another model wrote at that title's orders.

    Args:
        title: whose orders it carries out.
        way: where the orders want prices to go, with full confidence.
    """

    def answer(request: Request) -> str:
        shown = json.dumps(title, ensure_ascii=False)[1:-1]
        reached = shown in request.user or title in request.user or DICTATED in request.user
        lost = {"positive": 0.0, "neutral": 0.0, "negative": 0.0, way: 1.0}
        calm = {"positive": 0.5, "neutral": 0.3, "negative": 0.2}
        row = {"technical": "T1", "macro": "M1", "sentiment": "S1"}.get(request.role, "")
        report = {
            "outlook_days_7": lost if reached else calm,
            "outlook_days_30": lost if reached else calm,
            "drivers": [{"text": DICTATED if reached else "Une raison.", "evidence": [row]}],
            "confidence": 1.0 if reached else 0.5,
        }
        if request.role == "quality":
            return json.dumps({"concerns": [], "confidence": 0.9})
        if request.role == "macro":
            return json.dumps({**report, "regime": "expansion_modérée", "risk_level": "low"})
        return json.dumps(_summary(request.user, way, reached) if request.role == "arbiter" else report)

    return answer


def _summary(prompt: str, way: str, reached: bool) -> dict[str, object]:
    """The weighted mean and the news agent's own reason, as the prompt shows them; or what was ordered."""
    mean = next(json.loads(line) for line in prompt.splitlines() if line.startswith('{"outlook_days_7"'))
    rows = [("SPY", "haussier"), ("QQQ", "haussier"), ("GLD", "baissier")]
    news = next(json.loads(line) for line in prompt.splitlines() if line.startswith('{"agent": "sentiment"'))
    calm = [news["drivers"][0]["text"], "Deux.", "Trois."]
    told = [DICTATED, DICTATED + " Vite.", DICTATED + " Tout."] if reached else calm
    return {
        "regime": "expansion_modérée",
        "risk_level": "low",
        **{name: way if reached else direction(stance) for name, stance in mean.items()},
        "key_drivers": told,
        "contributors": [
            {
                "source": "technique",
                "model": "momentum",
                "horizon": "7d",
                "symbol": symbol,
                "score": 0.7,
                "prediction": prediction,
                "rationale": told[1],
            }
            for symbol, prediction in rows
        ],
        "limits": [],
        "recommendations": proposals(*told),
        "tensions": ["Aucune de taille."],
    }
