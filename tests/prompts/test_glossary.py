"""One term for each notion, in each language: texts, prompts and documentation use the glossary's."""

import re
from pathlib import Path

import pytest

from prompts.texts import LANGUAGES, catalogue

ROOT = Path(__file__).resolve().parents[2]
ROOMS = sorted({path.name.split(".")[0] for path in (ROOT / "prompts/texts").glob("*.toml")})

FORBIDDEN = {
    "en": {
        "maximum drawdown": r"\b(?:largest|worst|biggest|deepest|max|maximal) drawdowns?\b",
        "time under water": r"\bunderwater\b|longest under water",
        "p-value": r"\bp values?\b",
        "holdout": r"\bhold-out\b|\bheld-out\b|reserved (?:part|data)|data held back",
        "bootstrap": r"trades drawn again|drawing the trades again",
        "expected maximum Sharpe under the null": r"\bluck(?:y|ier|iest)?\b",
        "probability of backtest overfitting (PBO)": r"probability of overfitting",
        "walk-forward test": r"\bwalk forward\b|rolling (?:test|validation)",
        "look-ahead bias": r"knowledge of the future|\blook ?ahead bias",
        "stress test": r"robustness tests?\b|\bordeals?\b",
        "buy and hold": r"\bbuy-and-hold\b|holding the market",
        "trade": r"\bround[- ]trips?\b",
        "win rate": r"winning trades\b|win ratio|\bhit ratio",
        "exposure": r"time in the market|time in position",
        "slippage": r"moved against each fill",
        "risk rule": r"\brules? of risk\b",
        "unsupported figure": r"\bbears? out\b",
        "has stopped improving": r"stops? gaining|no longer gains",
        "rule-generated": r"written by (?:fixed )?rules",
        "circuit breaker": r"circuit-breaker|\bcut-?outs?\b",
        "skill over climatology": r"always telling the past",
        "account lost (liquidation)": r"\bruin(?:ed)?\b|blown account",
        "start": r"\b(?:the|from|earlier) begin\b",
    },
    "fr": {
        "drawdown maximal": r"\b(?:perte|recul|repli)s? max(?:imale?s?\b|\.)|\bdrawdown max\.",
        "durée sous l’eau": r"temps sous l’eau|sous l’eau d’affilée",
        "valeur p": r"\bp-valeurs?\b|\bp-values?\b|valeurs? de p\b",
        "données réservées (holdout)": r"\b(?:la|sa|cette|et|début de la) réserve\b|, réserve\b|\(réserve\)|"
        r"partie réservée",
        "rééchantillonnage (bootstrap)": r"retir(?:er|ée?s|ant)\b[^.]* au sort",
        "ratio de Sharpe déflaté (DSR)": r"dégonfl",
        "Sharpe maximal attendu par hasard": r"hasard (?:seul|prête)|\bla chance\b|\bchanceu",
        "surapprentissage": r"\bsur-?ajust",
        "test glissant (walk-forward)": r"validations? glissantes?",
        "biais d’anticipation": r"regard vers l’avenir|connaissance de l’avenir|\bprescience\b",
        "test de robustesse": r"\bépreuves?\b|tests? de résistance|\bstress[- ]tests?\b",
        "conservation (buy and hold)": r"achat conservé|acheter et conserver|détention du marché",
        "surperformance": r"\bexcédents?\b",
        "transaction": r"\btrades?\b",
        "taux de réussite": r"transactions gagnantes|taux de gain",
        "exposition": r"temps en position",
        "glissement": r"\bslippage\b",
        "écart achat-vente": r"écart entre achat et vente",
        "exécution": r"\bétudes?\b",
        "ne progresse plus": r"ne gagne plus",
        "explication produite par règles": r"écrite?s? par des règles",
        "synthèse": r"\brésumés?\b",
        "perspective": r"attend des marchés",
        "actualités": r"\b(?:les|des|aux|de) nouvelles\b(?! \w+s\b)|\bnouvelles lues",
        "taux de prévisions justes": r"taux de réussite passé|ont (?:annoncé|valu)|annonces? (?:publi|not)ée",
        "n’a pas répondu": r"s’est tu\b|silencieux",
        "disjoncteur": r"coupe-circuits?",
        "compte perdu (liquidation)": r"\bruine\b|compte ruiné",
        "endommagé": r"\babîmée?s?\b",
    },
}
"""Other names that a notion of the glossary had, or might get; as regular expressions, cases alike."""

PLACEHOLDER = re.compile(r"{[\w.:]+}")
PLURAL = re.compile(r"{\w+\?([^|}]*)\|([^}]*)}")


def said(language):
    """Name and words of every text and prompt, and of the documentation, which is in English."""
    for room in ROOMS:
        for key, words in catalogue(room, language).items():
            yield f"{room}.{key}", PLACEHOLDER.sub("…", PLURAL.sub(r"\1 / \2", words))
    pages = sorted((ROOT / "prompts").glob(f"*/*.{language}.md"))
    if language == "en":
        pages += [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    for page in pages:
        yield page.relative_to(ROOT).as_posix(), page.read_text("utf-8")


@pytest.mark.parametrize(
    ("language", "term"), [(language, term) for language in LANGUAGES for term in FORBIDDEN[language]]
)
def test_a_notion_has_one_name(language, term):
    other = re.compile(FORBIDDEN[language][term], re.IGNORECASE)
    found = {name: match[0] for name, words in said(language) if (match := other.search(words))}
    assert not found, f"the glossary says “{term}”"
