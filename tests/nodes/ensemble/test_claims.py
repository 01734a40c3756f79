"""Free text against the evidence: what an honest sentence may say passes, what nobody gave is found."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from num2words import num2words

from nodes.ensemble.claims.claims import agent_facts, strangers
from nodes.ensemble.claims.number_words import in_figures
from prompts import Words

FRENCH, ENGLISH = Words("fr"), Words("en")
HOUR = "2024-03-14T15:00:00+00:00"
ROWS = [
    {"id": "T1", "symbol": "SPY", "horizon": "7d", "confidence": 0.7, "expected_return": -0.0123},
    {"id": "T2", "symbol": "BTC-USD", "horizon": "30d", "confidence": 0.41, "expected_return": 0.2},
    {"id": "M1", "horizon": "12m", "inflation_yoy": 0.032, "recession_prob": 0.34, "unemployment": 3.9},
    {"id": "Q1", "symbol": "forecast", "age_hours": 30.0, "rows": 12, "factor": 0.58},
    {
        "id": "S1",
        "symbol": "SPY",
        "tone": 0.25,
        "items": 9,
        "titles": [{"date": "2024-03-12", "title": "Le CAC 40 bondit de 5,8 % depuis 2009"}],
    },
]
KNOWN = agent_facts(ROWS, HOUR, FRENCH)

HONEST = [
    "SPY à 7 jours : confiance de 70 %.",
    "SPY recule de 1,2 % selon le modèle.",
    "La probabilité de récession est de 34 % à 12 mois, l’inflation de 3,2 %.",
    "Le chômage est à 3,9 % de la population active.",
    "La source a 30 heures et 12 lignes ; sa confiance est de 0,58.",
    "Le 12 mars 2024, un titre parlait de « Le CAC 40 bondit de 5,8 % depuis 2009 ».",
    "On the 12th of nothing: 4 agents, 3 of them bullish.".replace("the 12th of nothing", "March 12, 2024"),
    "BTC-USD : +20 % attendus, confiance 41 %.",
    "L’inflation a été de 320 points de base.",
    "La courbe de 2 à 10 ans se redresse.",
    "Aux États-Unis, la FED et la BCE surveillent le PIB.",
    "S&P 500 : confiance de 70 % (SPY).".replace("S&P 500 : ", ""),
    "Depuis 2009, rien de tel.",
    "SPY à sept jours : confiance de soixante-dix pour cent.",
    "La probabilité de récession dépasse un tiers de celles connues, à douze mois.",
    "Une hausse, un risque, et rien de neuf : deux sources se taisent.",
    "Un peu moins de la moitié des cas, quarante et un pour cent, pour BTC-USD.",
    "Une douzaine de lignes seulement, dont trois à revoir ; neuf nouvelles sur SPY.",
    "Le S&P 500 (SPY) : confiance de 70 %.",
    "Le S&P 500 recule de 1,2 % selon le modèle.",
    "Une avalanche de mauvaises nouvelles, un effet de ricochet.",
    "Le CAC 40 a souvent surpris.",  # a headline speaks of it
    "Ces sept derniers jours, et les 30 prochains jours.",
    "Le troisième trimestre puis le vingtième jour.",
]
INVENTED = [
    ("SPY à 7 jours : confiance de 71 %.", "71"),
    ("SPY : confiance de 41 %.", "41"),  # the figure of another instrument
    ("NVDA mène le marché.", "NVDA"),
    ("Le bitcoin mène le marché, Tesla aussi.", "Tesla"),
    ("Nvidia reste le moteur de la hausse.", "Nvidia"),
    ("L’élan de Société Générale se confirme.", "Société Générale"),
    ("Le Nikkei suivra.", "Nikkei"),
    ("Le bitcoin a une confiance de 70 %.", "70"),  # that of SPY
    ("SPY : confiance de soixante et onze pour cent.", "soixante et onze pour cent"),
    ("Une baisse de vingt-six pour cent menace.", "vingt-six pour cent"),
    ("Les deux tiers du chemin sont faits.", "deux tiers"),
    ("Objectif : mille trois cents points.", "mille trois cents"),
    ("Une cinquantaine de lignes le disent.", "cinquantaine"),
    ("Ces huit derniers mois, rien.", "huit derniers mois"),
    ("Dans six mois, tout sera oublié.", "six mois"),
    ("Deux pour cent suffisent.", "Deux pour cent"),
    ("Comme en 2008, la prudence s’impose.", "2008"),
    ("Le 15 mars 2024, tout a changé.", "15 mars 2024"),
    ("Sur 6 mois, la tendance est claire.", "6 mois"),
    ("Objectif 5 200 points.", "5 200"),
    ("L’inflation est de 2,9 %.", "2,9"),
    ("Un titre dit « La bourse gagne 9,9 % ».", "9,9"),
]


@pytest.mark.parametrize("sentence", HONEST)
def test_what_was_given_may_be_said(sentence):
    assert strangers(sentence, KNOWN) == []


@pytest.mark.parametrize(("sentence", "stranger"), INVENTED)
def test_what_nobody_gave_is_found(sentence, stranger):
    found = strangers(sentence, KNOWN)
    assert len(found) == 1, found
    assert stranger in found[0]


ENGLISH_KNOWN = agent_facts(ROWS, HOUR, ENGLISH)


@pytest.mark.parametrize(
    "sentence",
    [
        "No one knows: two sources are silent, nothing new.",
        "SPY over seven days: confidence of seventy percent.",
        "About a third of all odds point to a recession over twelve months.",
        "The second half of the story, and its third act.",
        "A polygon of risks, ripple effects, an apple of discord.",
    ],
)
def test_what_was_given_may_be_said_in_english(sentence):
    assert strangers(sentence, ENGLISH_KNOWN) == []


@pytest.mark.parametrize(
    ("sentence", "stranger"),
    [
        ("Recession odds of forty percent.", "forty percent"),
        ("SPY: three quarters of forecasts agree.", "three quarters of"),
        ("Two thirds of the rows say so.", "Two thirds"),
        ("Apple leads, says nobody.", "Apple"),
        ("Over fifteen days, a rise.", "fifteen days"),
        ("Two hundred such cases.", "Two hundred"),
    ],
)
def test_what_nobody_gave_is_found_in_english(sentence, stranger):
    assert strangers(sentence, ENGLISH_KNOWN) == [stranger]


def test_agents_are_counted_where_the_run_can_count_them():
    known = agent_facts(ROWS, HOUR, FRENCH)
    assert strangers("Trois agents attendent une baisse.", known) == []
    known.agents = frozenset({4, 2})
    assert strangers("Deux agents sur quatre, la moitié des agents, 4 agents.", known) == []
    assert strangers("Trois agents attendent une baisse.", known) == ["Trois agents"]
    assert strangers("3 autres agents l’attendent.", known) == ["3 autres agents"]
    assert strangers("La moitié des nouvelles le disent.", known) == ["La moitié"]
    assert strangers("Les deux tiers des agents le disent.", known) == ["Les deux tiers"]


@given(st.integers(2, 9_999), st.sampled_from([("fr", FRENCH), ("en", ENGLISH)]))
def test_letters_say_what_figures_say(number, tongue):
    """num2words is the independent side: it writes what text2num reads."""
    language, words = tongue
    letters = num2words(number, lang=language).replace(",", "")
    assert in_figures(f"… {letters} points", language).text == f"… {number} points"
    known = agent_facts([{"id": "Q1", "factor": 1.0, "rows": number}], "2000-01-01T00", words)
    assert strangers(f"… {letters} points", known) == []


def test_a_name_is_known_by_the_symbol_that_carries_it():
    assert strangers("Le bitcoin mène le marché.", KNOWN) == []
    assert strangers("Le bitcoin mène le marché.", agent_facts(ROWS[:1], HOUR, FRENCH)) == ["bitcoin"]


@given(st.floats(-0.99, 0.99), st.integers(0, 2), st.sampled_from([FRENCH, ENGLISH]))
def test_any_figure_passes_as_the_catalogue_writes_it(share, digits, words):
    known = agent_facts([{"id": "T1", "symbol": "SPY", "confidence": share}], HOUR, words)
    assert strangers(f"SPY : {words.percent(share, digits)}.", known) == []
    assert strangers(f"SPY : {words.number(share, digits)}.", known) == []


@given(st.integers(10, 9_999), st.integers(10, 9_999))
def test_a_whole_figure_passes_only_as_itself(given_figure, said):
    known = agent_facts([{"id": "Q1", "factor": 1.0, "rows": given_figure}], "2000-01-01T00", FRENCH)
    near = {given_figure, 100 * given_figure, 100, 2000}
    assert bool(strangers(f"La source a {FRENCH.number(said)} lignes.", known)) == (said not in near)
