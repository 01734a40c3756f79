"""What a recommendation may say: amounts and dates of its own, nothing of the market that no row carries."""

from __future__ import annotations

import pytest

from nodes.ensemble.claims.claims import agent_facts, strangers
from prompts import Words

HOUR = "2024-03-14T15:00:00+00:00"
ROWS = [
    {
        "id": "T1",
        "symbol": "SPY",
        "horizon": "30d",
        "direction": "up",
        "confidence": 0.7,
        "expected_return": 0.01,
    },
    {"id": "T2", "symbol": "GC=F", "horizon": "30d", "direction": "down", "confidence": 0.6},
    {"id": "T3", "symbol": "MC.PA", "horizon": "30d", "direction": "up"},
    {"id": "M1", "horizon": "1m", "recession_prob": 0.2},
]

# Frozen: sentences that an adviser may write, whose figures no row can carry.
FAIR = {
    "fr": [
        "Garder 20 % en liquidités.",
        "Étaler les achats de LVMH (MC.PA) sur trois semaines.",
        "Conserver environ 20 % de liquidités jusqu’à la prochaine synthèse.",
        "Étaler les achats sur trois semaines.",
        "Échelonner les achats en quatre tranches égales.",
        "Réexaminer cette position le 15 août.",
        "Revoir l’allocation d’ici le 30 avril 2024.",
        "Limiter chaque position à 5 % du portefeuille.",
        "Limiter les pertes à 8 % par position.",
        "Ne pas dépasser 10 % du portefeuille sur SPY.",
        "Attendre deux semaines avant tout achat.",
        "Réduire SPY de moitié si la baisse dépasse 6 %.",
        "Alléger l’or (GC=F) d’un tiers, puis revoir la situation dans dix jours.",
        "Il est raisonnable de garder six mois de dépenses en épargne.",
        "Mieux vaut étaler l’investissement sur huit semaines.",
        "Couvrir 15 % du portefeuille contre une baisse.",
        "Investir 200 euros par mois plutôt que tout d’un coup.",
        "Renforcer SPY en cinq achats, un par semaine.",
        "Répartir les sommes nouvelles entre six lignes au moins.",
        "Vendre la moitié maintenant, le reste dans quinze jours.",
        "Une réserve de 25 % du portefeuille en liquidités suffit.",
        "Rester investi, mais garder un quart de l’épargne hors des marchés.",
        "Prendre des bénéfices sur 30 % de la position.",
        "Placer un stop-loss à 7 %.",
        "Attendre un repli de 5 % avant de renforcer.",
        "Ne rien changer avant le 2 avril.",
        "Ne pas engager plus de 10 % de votre épargne.",
        "Garder l’équivalent de trois mois de salaire de côté.",
        "Programmer un achat tous les mois pendant six mois.",
        "Diversifier sur au moins huit titres.",
        "Faire le point dans trois semaines.",
        "Rééquilibrer vers 60 % d’actions et 40 % d’obligations.",
        "Réduire progressivement sur dix jours, par tiers.",
        "Ajouter au plus 3 % du portefeuille à SPY.",
        "Revoir le tout fin juin 2024.",
        "Conserver entre 10 % et 20 % de liquidités.",
        "Passer de 60 % à 50 % d’actions.",
        "Déplacer l’objectif de vente à mi-avril.",
    ],
    "en": [
        "Keep 20% in cash.",
        "Spread purchases of LVMH (MC.PA) over three weeks.",
        "Hold about 20% of the portfolio in cash until the next summary.",
        "Spread purchases over three weeks.",
        "Buy SPY in five equal instalments.",
        "Review on 15 August.",
        "Review the allocation by 30 April 2024.",
        "Limit each position to 5% of the portfolio.",
        "Cap losses at 8% per position.",
        "Do not put more than 10% of your savings into SPY.",
        "Wait two weeks before buying anything.",
        "Cut SPY by half if the fall exceeds 6%.",
        "Trim gold (GC=F) by a third, then review in ten days.",
        "It is reasonable to keep six months of expenses in savings.",
        "Consider spreading the investment over eight weeks.",
        "Hedge 15% of the portfolio against a fall.",
        "Invest 200 dollars a month rather than all at once.",
        "Add to SPY in five purchases, one each week.",
        "Divide new money between six holdings at least.",
        "Sell half of the position now, the rest in fifteen days.",
        "A reserve of 25% of the portfolio in cash is enough.",
        "Stay invested, but keep a quarter of your savings out of the markets.",
        "Take profits on 30% of the position.",
        "Set a stop-loss at 7%.",
        "Wait for a 5% dip before adding.",
        "Over the next three weeks, keep 20% in cash.",
        "Put no more than 10% of your savings at risk.",
        "Set aside three months of salary.",
        "Schedule one purchase a month for six months.",
        "Diversify over at least eight holdings.",
        "Rebalance to 60% shares and 40% bonds.",
        "Keep between 10% and 20% in cash.",
        "Move from 60% to 50% in shares.",
        "Check again in three weeks.",
        "Phase out the position over ten days, a third at a time.",
        "Use a 5% trailing stop.",
    ],
}

# Frozen: sentences that claim something of the market which no row carries.
UNFAIR = {
    "fr": [
        "SPY gagnera 12 %.",
        "Garder SPY, en hausse de 9 % depuis janvier.",
        "Renforcer SPY pour profiter d’une hausse de 12 %.",
        "Garder 20 % de liquidités car la probabilité de récession est de 45 %.",
        "Acheter SPY, qui montera de huit pour cent.",
        "Viser un rendement de 15 % avec SPY.",
        "Conserver SPY\u00a0: +12 % attendus.",
        "Renforcer SPY sous 450.",
        "Acheter SPY à 512 euros.",
        "Réduire l’or (GC=F), dont la chute atteint 14 %.",
        "Attendre, l’inflation étant à 6,5 %.",
        "Garder SPY avec un potentiel de 11 %.",
        "Surveiller l’inflation à 5 %.",
        "Vendre parce que SPY a perdu 18 % en trois mois.",
        "Les deux tiers des prévisions sont en hausse, restez investi.",
        "Investir dans SPY, 9 gagnants sur 10.",
        "Acheter NVDA en trois fois.",
        "Étaler les achats de Tesla sur trois semaines.",
        "Garder SPY si la hausse de 12 % qu’il a connue se confirme.",
        "Le taux directeur sera de 5,25 % le 15 août.",
        "Renforcer SPY, confiance de 95 %.",
        "Revoir la position le 3 mars 2009.",
        "Alléger malgré un rendement de 6 %.",
        "Garder SPY pour 12 %.",
        "Une hausse de 12 % est raisonnable.",
        "Garder SPY et ses 9 % de dividende.",
        "Renforcer SPY\u00a0: objectif 600.",
        "Acheter SPY avant qu’il ne prenne 15 %.",
        "Garder SPY tant que la hausse de 8 % tient.",
        "Attendre 15 % de hausse.",
        "Conserver SPY au vu des 80 % de prévisions favorables.",
        "Étaler sur trois semaines, la volatilité étant de 25 %.",
        "Vendre SPY, surévalué de 18 %.",
        "Garder les liquidités rémunérées à 3,5 %.",
        "Investir au taux de 4,5 %.",
        "Suivre SPY, neuf fois sur dix gagnant.",
    ],
    "en": [
        "SPY will gain 12%.",
        "Keep SPY, up 9% since January.",
        "Add to SPY to catch a 12% rise.",
        "Keep 20% in cash because the probability of a recession is 45%.",
        "Buy SPY, which will climb eight percent.",
        "Aim for a return of 15% with SPY.",
        "Hold SPY: +12% expected.",
        "Add to SPY below 450.",
        "Buy SPY at 512 dollars.",
        "Reduce gold (GC=F), whose fall has reached 14%.",
        "Wait, with inflation at 6.5%.",
        "Keep SPY with a 11% upside.",
        "Watch inflation at 5%.",
        "Sell since SPY has lost 18% in three months.",
        "Two-thirds of the forecasts are up, so stay invested.",
        "Invest in SPY, 9 winners in 10.",
        "Buy NVDA in three steps.",
        "Spread purchases of Tesla over three weeks.",
        "Keep SPY if the 12% it gained holds.",
        "The policy rate will be 5.25% on 15 August.",
        "Add to SPY, confidence 95%.",
        "Review the position on 3 March 2009.",
        "Trim despite a yield of 6%.",
        "Keep SPY for 12%.",
        "A rise of 12% is reasonable.",
        "Keep SPY and its 9% dividend.",
        "Buy SPY before it gains 15%.",
        "Hold SPY as 80% of forecasts are favourable.",
        "Sell SPY, overvalued by 18%.",
        "Keep cash paying 3.5%.",
        "Invest at a rate of 4.5%.",
        "Follow SPY, which wins nine times in ten.",
        "Stay in SPY while momentum is at 77%.",
        "Wait for a 12% rally.",
    ],
}
FAIR_CONDITIONS = {
    "fr": [
        "Une inflation au-dessus de 4 %.",
        "Une baisse de plus de 10 % en deux semaines.",
        "Si SPY cède 7 %.",
    ],
    "en": ["Inflation above 4%.", "A fall of more than 10% within two weeks.", "If SPY loses 7%."],
}


def facts(language):
    return agent_facts(ROWS, HOUR, Words(language))


def cases(table):
    return [pytest.param(language, one, id=one) for language, told in table.items() for one in told]


@pytest.mark.parametrize(("language", "sentence"), cases(FAIR))
def test_a_fair_proposal_stands(language, sentence):
    assert strangers(sentence, facts(language), "proposal") == []


@pytest.mark.parametrize(("language", "sentence"), cases(UNFAIR))
def test_a_claim_in_a_recommendation_is_found(language, sentence):
    assert strangers(sentence, facts(language), "proposal") != []


@pytest.mark.parametrize(("language", "sentence"), cases(FAIR_CONDITIONS))
def test_what_would_change_it_sets_its_own_limits(language, sentence):
    assert strangers(sentence, facts(language), "condition") == []


@pytest.mark.parametrize(
    ("language", "sentence"), [("fr", "Garder 17 % en liquidités."), ("en", "Keep 17% in cash.")]
)
def test_the_same_figures_are_claims_in_any_other_field(language, sentence):
    assert strangers(sentence, facts(language)) != []
