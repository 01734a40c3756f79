"""Tells what a sentence proposes from what it claims of the market.

"Keep 20% in cash", "spread purchases over three weeks", "review on 15 August": such figures are the adviser's
own, and no row of evidence can carry them. "SPY will gain 12%" is a claim, and stands or falls with the rows.
A sentence is cut into clauses. A clause proposes when a verb of action opens it, or when it goes on with the
amounts and dates of one that does; a condition ("if the fall exceeds 5%") sets a limit. A figure that is
bound to a word of the market ("a 12% rise"), an amount without a unit (which may be a price), what follows
"because" or "which", and a tense that tells of past or future stay claims.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from nodes.ensemble.claims.number_words import in_figures
from prompts import Language

_CUT = {
    "fr": r"[;:!?()–—]|[.,](?!\w)|\b(?=(?:car|parce qu[e’']|puisqu[e’']|comme|étant donné"
    r"|compte tenu"
    r"|vu qu[e’']|en raison|grâce|malgré|alors qu[e’']|tandis qu[e’']|qui|dont|où|si|sauf si|à moins qu[e’']"
    r"|en cas|lorsqu[e’']|quand|dès qu[e’']|tant qu[e’']|seulement après|avant qu[e’'])\b)",
    "en": r"[;:!?()–—]|[.,](?!\w)|\b(?=(?:because|since|given|due to|thanks to|despite|while"
    r"|whereas"
    r"|which|that|who|as(?! soon| long)|if|unless|should|in case|when|once|as soon as|as long as"
    r"|only after|before (?:it|they|that|prices?|markets?|shares?|stocks?)\b)\b)",
}
_CONDITION = {
    "fr": r"(?:si|sauf si|à moins qu(?:e|[’'])|en cas|lorsqu(?:e|[’'])|quand|dès qu(?:e|[’'])|seulement après"
    r"|tant qu(?:e|[’'])(?=.*\b(?:dépass|rest|sous|au-d|en d)))",
    "en": r"(?:if|unless|should|in case|when|once|as soon as|only after"
    r"|as long as(?=.*\b(?:exceed|stay|remain|below|above|under|over)))\b",
}
_WAITED = {
    "fr": r"attend(?:re|ez)\b.*\bavant\b",
    "en": r"wait(?:ing)?\b.*\bbefore\b",
}
"""A fall that is waited for is a condition too: « attendre un repli de 5 % avant d’acheter »."""

_LEAD = {
    "fr": r"(?:(?:et|puis|ou|mais|ensuite|enfin|donc|alors)\s+)*(?:(?:il (?:est|serait|paraît) (?:plus )?"
    r"(?:raisonnable|prudent|préférable|possible|utile|sage)|il convient|pensez|prévoyez|mieux vaut|on peut"
    r"|vous pouvez|nous (?:suggérons|conseillons|proposons))\s+(?:d[e’']\s?|à\s)?)?(?:(?:ne pas"
    r"|ne jamais|ne rien|n[e’']"
    r"|éviter? d[e’'])\s?)?",
    "en": r"(?:(?:and|then|or|but|so|also|instead)\s+)*(?:(?:it (?:is|seems"
    r"|would be) (?:more )?(?:reasonable|prudent"
    r"|sensible|wise|better|possible) to|you (?:can|could|may|should|might)|one (?:can|could|may)"
    r"|consider|plan to"
    r"|we (?:suggest|propose|recommend))\s+)?(?:(?:do not|don[’']t|never|avoid|not)\s+)?",
}
_ACTS = {
    "fr": "achet garde gard conserv maint rest limit plafonn rédui réduis allég allég renforc étal"
    " échelonn réparti"
    " réparti invest plac mett consacr réserv revoi rev réexamin réévalu relir relis attend surveill"
    " suiv prévoi prévo"
    " couvr vend céd report suspend diversif rééquilibr transfér vers épargn commenc ajout augment"
    " diminu ramen porter"
    " portez fix programm décid avanc prend partag sépar laiss vérifi évit dépass chang engag pass",
    "en": "buy keep hold maintain stay limit cap reduc trim add spread stagger split divid invest plac"
    " put set reserv"
    " review revisit reassess re-read wait watch follow hedg cover sell postpon delay suspend diversif"
    " rebalanc move"
    " shift start begin increas raise lower bring schedul decid cut take taking use using leav check"
    " allocat avoid"
    " purchas phase build",
}
_AIMS = {"fr": "vis cibl", "en": "target aim"}
"""Verbs that aim at something: an amount of the reader's own money, or a return that nobody can promise."""

_MARKET = {
    "fr": r"hausses?|baisses?|gains?|rendements?|performances?|progress(?!iv)\w+|reculs?|chutes?"
    r"|rebonds?|potentiel"
    r"|probabilités?|chances?|confiance|inflation|chômage|croissance|récession|cours|prix|cotations?"
    r"|valorisations?"
    r"|dividendes?|bénéfices?|taux|prévisions?|prévue?s?|attendue?s?|anticip\w+|gagn\w+|perd\w*|pertes?"
    r"|mont\w+"
    r"|plus-values?|volatilité|repli|va|vont|ont|est|sont|sera|seront|vaut|valent|score|objectif"
    r"|rémunér\w+|intérêts?|coupons?|(?:sur|sous-?)évalu\w+",
    "en": r"rises?|rising|rose|falls?|falling|fell|gains?|gained|losses|loss|lost|returns?|yields?|up"
    r"|down|climbs?"
    r"|climbed|drops?|dropped|rall\w+|upside|downside|expected|forecasts?|probabilit\w+|odds|chances?"
    r"|confidence"
    r"|inflation|unemployment|growth|recession|prices?|valuations?|dividends?|profits?|earnings"
    r"|volatility|will|would"
    r"|has|have|is|are|was|were|score|jumps?|jumped|surges?|rates?|pay(?:s|ing)|interest|coupons?"
    r"|(?:over|under)valued",
}
_HARMLESS = {
    "fr": r"(?:limite[rz]|plafonne[rz]|fixer?)\b(?: \w+){0,2} pertes?|pertes? (?:maximales?|tolérées?)"
    r"|prises? de"
    r" bénéfices?|prendre (?:des|vos|ses|une partie des) bénéfices?|(?:il|cela) (?:est|serait)"
    r"|est (?:raisonnable"
    r"|prudente?|suffisante?)|stop-loss|taux de change|mieux vaut",
    "en": r"(?:limit|cap)\w*(?: \w+){0,2} loss(?:es)?|stop-loss|tak(?:e|ing)(?: \w+)? profits?|it (?:is"
    r"|would be)"
    r"|is (?:reasonable|prudent|enough|sensible)|set up|build up|divid\w+ up|split up",
}
_TOLD = {
    "fr": r"\b(?:a|avait|aura|auront|va|vont|ont|\w+(?<!so)era|\w+eront)\b",
    "en": r"\b(?:will|has|have|had|gained|lost|rose|fell|climbed|dropped|surged|is going)\b",
}
"""Tenses that tell of what was or will be."""

_HELD = {
    "fr": r"portefeuille|épargne|liquidités?|cash|capital|positions?|exposition|avoirs?|patrimoine"
    r"|placements?"
    r"|lignes?|parts?|montants?|sommes?|achats?|actions|obligations|fonds|réserve|or|poche",
    "en": r"portfolio|savings|cash|capital|positions?|exposure|holdings?|wealth|investments?|amounts?"
    r"|sums?|money"
    r"|purchases?|shares|stocks|equities|bonds|funds?|reserve|gold|allocation|stake",
}
_OF = {
    "fr": r"(?:\s+(?:au plus|au moins|maximum))?\s+(?:de |du |des |d[’']|en |à )(?:la |les |l[’'])?(?:\w+ )?",
    "en": r"(?:\s+(?:at most|at least))?\s+(?:of|in|into|to|from)\s+(?:the |your |any |each |all )?(?:\w+ )?",
}
_ENOUGH = {
    "fr": r"\b(?:suffi\w+|paraît (?:raisonnable|prudente?)|est (?:raisonnable|prudente?|suffisante?)"
    r"|peu(?:t|vent)"
    r" rester)\b",
    "en": r"\b(?:is enough|would do|suffices?|(?:is|seems) (?:reasonable|prudent|sensible)|(?:can|could"
    r"|should) stay)\b",
}
_GOES_ON = {
    "fr": r"(?:et |ou |puis |soit |dont |sur |pendant |en |d[’']ici |avant (?!qu)|après |jusqu[’']|dans |par "
    r"|à |au |le |tous"
    r" |toutes |chaque |moitié|un tiers|le reste|par exemple|de préférence|au plus|\d)",
    "en": r"(?:and |or |then |that is |i\.e|over |during |in |within |by |before (?!it |they )|after "
    r"|until |every "
    r"|each |on |at"
    r" |half|a third|the rest|for example|preferably|from |no |not |say |about |with |\d)",
}
_UNIT = (
    r"\s*(?:equal |monthly |weekly )?(?:%|pour[ \u00a0-]?cent|per ?cent|jours?|semaines?|mois|ans?"
    r"|années?|heures?|trimestres?|séances?"
    r"|days?|weeks?|months?|years?|hours?|quarters?|sessions?|tranches?|fois|étapes?|achats?|versements?"
    r"|lignes?|titres?"
    r"|valeurs?|parts?|positions?|placements?|instruments?|steps?|purchases?|instal+ments?|payments?"
    r"|times|holdings?"
    r"|shares|parties|parties égales)\b|\s*%"
)
_AMOUNT = re.compile(r"(?<![\w^])\d+(?:[\u00a0\u202f ]\d{3})*(?:[.,]\d+)?")
_MONEY = re.compile(
    r"\s*(?:€|\$|£|euros?|dollars?)\s*(?:par|chaque|a|per|each|every)\s*(?:mois|semaine|an|month|week|year)",
    re.IGNORECASE,
)
_SIGNED = re.compile(r"[+−-]\s*$")
_EARNED = re.compile(r"(?:\bpour |\bfor (?:a |an )?)\s*$", re.IGNORECASE)

Kept = Callable[[str], str]
Dates = Callable[[str], tuple[str, bool]]


def _stems(words: str) -> str:
    return "|".join(sorted(set(words.split()), key=len, reverse=True))


_HEADS = {
    language: re.compile(
        rf"\s*{_LEAD[language]}(?:fai(?:re|tes) le point|(?:{_stems(_ACTS[language])})\w*)", re.IGNORECASE
    )
    for language in _ACTS
}
_AIMING = {
    language: re.compile(rf"\s*{_LEAD[language]}(?:{_stems(_AIMS[language])})\w*", re.IGNORECASE)
    for language in _AIMS
}
_OWN = {
    language: re.compile(
        r"(?<![\w^.,+−-])\d+(?:[.,]\d+)?\s*(?:%|pour[ \u00a0]cent|per ?cent)"
        rf"(?={_OF[language]}(?:{_HELD[language]})\b)",
        re.IGNORECASE,
    )
    for language in _HELD
}


def claimed(
    text: str,
    language: Language,
    *,
    names: Kept,
    dates: Dates,
    condition: bool = False,
) -> str:
    """A sentence without the figures and dates that it proposes: what is left must be given.

    Args:
        text: in that language.
        language: whose words are read.
        names: what of a clause names instruments; it stays whatever the clause is.
        dates: a clause without its dates, and whether one of them is over.
        condition: the whole sentence is one ("what would change it").
    """
    found = []
    proposes = False
    clauses = _clauses(text, language)
    for clause, after in zip(clauses, [*clauses[1:], ""], strict=True):
        # "Over the next three weeks, keep …": what opens such a sentence belongs to what follows.
        beside = proposes or _HEADS[language].match(after) is not None
        proposes, rest = _judged(clause, language, beside, names, dates, condition)
        found.append(rest)
    return " ".join(found)


def _clauses(text: str, language: Language) -> list[str]:
    return [part for part in re.split(_CUT[language], text, flags=re.IGNORECASE) if part and part.strip()]


def _judged(
    clause: str, language: Language, beside: bool, names: Kept, dates: Dates, condition: bool
) -> tuple[bool, str]:
    """(whether the clause proposes, what of it must be given); `beside`: whether its neighbour proposes."""
    bare = clause.strip().replace("\u00a0", " ")
    if not re.search(r"\w", _without(names(clause), clause)):
        return beside, clause  # "LVMH (MC.PA)": a symbol between brackets ends nothing
    rest, over = dates(bare)
    told = in_figures(rest, language)
    limits = condition or any(
        re.match(table[language], bare, re.IGNORECASE) for table in (_CONDITION, _WAITED)
    )
    if over or _has_bare_amount(told.text, earned=not limits):
        return False, clause
    if limits:
        return beside, names(clause) if not re.search(_TOLD[language], bare, re.IGNORECASE) else clause
    opens = _HEADS[language].match(bare) is not None
    aims = _AIMING[language].match(bare) is not None
    goes_on = beside and re.match(_GOES_ON[language], bare, re.IGNORECASE) is not None
    enough = re.search(_ENOUGH[language], bare, re.IGNORECASE) is not None
    if not (opens or aims or goes_on or enough):
        return False, clause
    plain = re.sub(_HARMLESS[language], " ", _without(names(rest), told.text), flags=re.IGNORECASE)
    plain = re.sub(_ENOUGH[language], " ", plain, flags=re.IGNORECASE)
    if not aims and not re.search(rf"\b(?:{_MARKET[language]})\b", plain, re.IGNORECASE):
        return True, names(clause)
    # Of a clause that speaks of the market too, the share of the reader's own money alone is proposed.
    own = _OWN[language].sub(" ", told.text)
    return True, " ".join([own, *(one.written for one in told.rough)])


def _without(named: str, text: str) -> str:
    """A text without the names of instruments, which may hold words of the market."""
    for name in named.split("\n"):
        if name:
            text = text.replace(name, " ")
    return text


def _has_bare_amount(text: str, *, earned: bool) -> bool:
    """Whether a figure has no unit of an adviser's (it may be a price), or is signed or `earned`."""
    for one in _AMOUNT.finditer(text):
        after, ahead = text[one.end() :], text[: one.start()]
        if earned and (_SIGNED.search(ahead) or ("%" in after[:3] and _EARNED.search(ahead))):
            return True
        if not (re.match(_UNIT, after, re.IGNORECASE) or _MONEY.match(after)):
            return True
    return False
