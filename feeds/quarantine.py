"""Text from outside that gives a language model orders is set aside; what may do so is not believed.

A headline tells news; one that speaks to its reader as to a program gives orders. Disguises come off first
(`feeds/disguises.py`). Patterns of English and French stand here, others in `feeds/orders.toml`:

- *aside*, what no news says: forget, ignore … your or the previous instructions; "you are now" a trader or
  an assistant; chat-template marks, a role and an order, fields of the summary; a dictated tone;
- *doubtful*, what some news says too ("AI summaries must state their source"): the text is read, but its tone
  is not counted and nobody quotes it. In a disguise it is set aside.

No list finds every order, so nothing rests on these: whoever reads a headline moves a summary within bounds
that code sets, and writes no word of it (`nodes/ensemble/policies/bounds.py`). So the patterns can be
sparing: "Investors ignore SEC guidelines" and "Assistant: Siri gets an upgrade" are news.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from functools import cache
from importlib.resources import files
from typing import Literal

from feeds.disguises import readings, run_together

_FORGET = (
    r"(?:ignore[zr]?|disregard|forget|override|bypass|discard|do not follow|stop following|oubli(?:e|ez)"
    r"|neglige[zr]?|ne (?:tiens|tenez) pas compte|f(?:ais|aites) abstraction|ne (?:suis|suivez) (?:pas|plus)"
    r"|contournez)"
)
_ORDERS = (
    r"(?:instructions?|prompts?|guidelines|directives?|consignes?|system message|regles|ordres"
    r"|(?:previous|prior|above|earlier|preceding|your|all) (?:rules?|context|text|messages?|orders?))"
)
_POINTING = (
    r"(?:(?:all|any|of|the|your|every|previous|prior|above|earlier|preceding|these|those|my|other|system"
    r"|initial|original|given|tout|toutes?|tous|les|des|de|tes|vos|ces|ma|mes|autres) ){1,5}"
)
_TONE = (
    r"(?:(?:very|tres|strongly|extremely) )?(?:positive(?:ly)?|negative(?:ly)?|neutral|bullish|bearish"
    r"|positif|negatif|neutre|haussiere?|baissiere?|(?:strong )?(?:buy|sell)|acheter|vendre|achat|vente"
    r"|[-+]?[01][.,]\d+|100 ?%|10/10)"
)
_FILLERS = (
    r"(?:\s+(?:only|always|just|this|it|that|everything|all|the|as|with|every|each|headlines?|news|article"
    r"|sentiment|score|ticker|word|a|an|of|to|in|is|par|toujours|seulement|uniquement|que|ceci|cela|tout"
    r"|avec|comme|ce|cette|chaque|titre|un|une|de|le|la|mot))*"
)
_MODEL = r"(?:ai|ia|assistante?|(?:large )?language model|modele(?: de langage)?|llm|chatbot|bot)"
_PERSONA = rf"(?:{_MODEL}|dan|(?:perma)?(?:bull|bear)|trading bot|analyste?|trader|prophet|arbiter|oracle)"
_TELL = r"(?:say|answer|report|recommend|give|rate|classify|conclude|carry|state|mention|output)"
_READER = (
    r"(?:ai|ia|llm|chatbot|(?:language )?models?|(?:chat)?gpt|claude|gemini|assistant|summari[sz]er|modeles?"
    r"(?: de langage)?|automated systems|machines?)"
)
_QUALIFIED = (
    r"(?=.{0,60}\b(?:your|previous|prior|above|earlier|preceding|system|initial|original|tes|vos|precedente?s?"
    r"|ci-dessus)\b)"
)
_ASIDE = (
    # "Investors ignore the guidelines" is news: the orders must be those given before, or the reader's own.
    rf"\b{_FORGET} {_QUALIFIED}{_POINTING}{_ORDERS}\b",
    rf"(?:^|[\n.!?:;,\"'(\-] ?|\b(?:please|now|veuillez) ){_FORGET} {_QUALIFIED}(?:\w+ ){{0,5}}{_ORDERS}\b",
    rf"\b{_FORGET} (?:everything (?:above|before|you have read|you were told)|(?:tout )?ce qui precede)",
    r"\b(?:system[ _-]?prompt|prompt systeme) ?:|\bbegin system prompt\b",
    rf"\byou are now (?:an? |the )?(?:\w+ )?{_PERSONA}\b"
    r"|\bfrom now on,? you (?:only|always|answer|respond|say)\b",
    rf"\b(?:tu es|vous etes) (?:desormais|maintenant) (?:une? )?{_PERSONA}\b"
    r"|\b(?:a partir de maintenant|desormais),? (?:tu|vous) (?:ne )?(?:repond|ecri|dis|dites|devez repond)",
    r"\b(?:act|behave|agis|agissez|comporte-toi|comportez-vous) (?:as an?|comme une?) "
    r"(?:ai|ia|assistante?|model|modele|bot|trader|analyste?|experte?)\b|\bas an? ai (?:language )?model,",
    r"<\|?\s*/?\s*(?:system|im_start|im_end|assistant|user|endoftext|begin_of_text|eot_id|start_header_id)\b"
    r"|\[/?inst\]|<<sys>>|#{2,} ?(?:instruction|system|human|assistant|response)|</?s>|<!--"
    r"|<(?:start|end)_of_turn>|\bbegin prompt\b",
    # A role and a colon begin honest news too ("System: chipmaker recasts its line"): an order must follow.
    r"(?:^|[\n.!?\"'] ?)(?:system|systeme|assistant|human|llm)(?: message)? ?[:>] ?"
    r"(?:you (?:must|are|shall|should)|answer|respond|output|ignore|\{|sentiment (?:is|=)"
    r"|rate \w+ \d|be bullish|what is the outlook|le resume doit)",
    r"(?:^|[\n.!?\"'] ?)(?:note )?to the (?:ai|llm|model) ?:|\b(?:message|note) (?:to|for) (?:the )?llms? ?:",
    # The summary's own fields and formats, which no reader of news knows.
    r"\b(?:outlook_days\w*|key_drivers|risk_level)\b"
    r"|\"(?:role|content|positive|negative|neutral|drivers|confidence|sentiment)\" ?:"
    r"|</?(?:rows|tool_call)\b|\[system\]\("
    r"|\b(?:tone|confidence|stance) ?= ?[01](?:[.,]\d+)?\b",
    rf"(?:^|[\n.!?:;,\"] ?|\b(?:please|and|always|only|must|now|et|toujours|uniquement) )"
    rf"(?:answer|respond|reply|output|print|say|write|classify|label|rate|score|repond(?:s|ez)|ecri(?:s|vez)|classez?|notez?|renvoie"
    rf"|renvoyez|dis|dites){_FILLERS}\s*:?\s*[\"'«‹“]?\s*{_TONE}\s*[\"'»›”]?\s*(?:$|[.,;!)\]}}\n]"
    r"|(?:and|et|for|pour|only|now|regardless|quoi|no matter|sentiment|with confidence)\b)",
    rf"\b(?:set|fix|force|mets|mettez|fixe[zr]?) (?:(?:the|your|le|la|ta|ton|votre) )?(?:sentiment|score"
    rf"|confidence|confiance)(?: score)? (?:to|a|=|:) ?(?:{_TONE}|\d)",
    r"\b(?:reveal|print|show|repeat|leak|revele[zr]?|affiche[zr]?|repete[zr]?) (?:me )?"
    r"(?:your|the|ton|ta|tes|votre|vos) (?:system|hidden|secret|initial) (?:prompts?|instructions?|rules?)\b",
)
_DOUBTFUL_PATTERNS = (
    # An imperative, at the start of a sentence or after a please, may stand further from its object.
    rf"(?:^|[\n.!?:;,\"'(\-] ?|\b(?:please|now|veuillez|(?:you|vous) (?:must|should|devez)) ){_FORGET}\b"
    rf".{{0,40}}\b{_ORDERS}\b",
    # Within a sentence a third party may do so ("investors ignore the guidelines"), unless they are yours.
    rf"\b{_FORGET} (?=.{{0,45}}\b(?:your|my|previous|prior|above|earlier|preceding|system|initial|original"
    rf"|tes|vos|mes|precedente?s?)\b){_POINTING}{_ORDERS}\b",
    rf"\b{_FORGET} (?:everything (?:above|before|you)|what (?:you were told|came before)"
    r"|(?:tout )?ce qui prece)",
    r"\bsystem[ _-]?prompt\b|\bprompt systeme\b"
    r"|\b(?:enable|enter|activate|unlock|switch to|active[rz]?) (?:the )?"
    r"(?:developer|dan|jailbreak|god|expert) mode\b",
    r"\b(?:new|updated|nouvelles?) (?:system )?(?:instructions?|consignes?|directives?) ?:",
    rf"\byou are (?:(?:now|no longer) (?:an? |the )?(?:\w+ )?{_PERSONA}|an? {_MODEL})\b(?! \w+or\b)"
    r"|\bfrom now on,? you (?:are|must|shall|only|always|answer|respond|act|say)\b"
    rf"|\b(?:tu es|vous etes) (?:(?:desormais|maintenant) (?:une? )?{_PERSONA}|une? {_MODEL})\b"
    r"|\b(?:a partir de maintenant|desormais),? (?:tu\b|vous (?:repond|ecri|devez repond|dites))",
    r"\b(?:act|behave|agis|agissez|comporte-toi|comportez-vous) (?:as if you|(?:as an?|comme une?) "
    r"(?:ai|ia|assistante?|model|modele|bot|trader|analyste?|experte?)\b)",
    r"\bpretend (?:you are|that you)\b|\bf(?:ais|aites) semblant\b|\bas an? ai (?:language )?model\b",
    r"<\|?\s*/?\s*(?:system|im_start|im_end|assistant|user|endoftext|begin_of_text|eot_id|start_header_id)\b"
    r"|\[/?inst\]|<<sys>>|#{2,} ?(?:instruction|system|human|assistant|response)|</?s>"
    r"|<(?:start|end)_of_turn>|\bbegin (?:system )?(?:prompt|instructions?)\b",
    # A role and a colon begin honest news too ("System: chipmaker recasts its line"): an order must follow.
    r"(?:^|[\n.!?\"'] ?)(?:system|systeme|assistant|developer|human|llm)(?: message)? ?[:>] ?"
    r"(?:you (?!are what)|tu\b|your\b|always|never|please|ignore|override|answer|respond|output|say\b"
    r"|sentiment|the (?:answer|stance|sentiment)|le resume|la reponse|\{|[a-z_]+ ?= ?"
    r"|rate (?:this|every|all|\w+ \d)"
    r"|set (?:the|your)|reveal|forget|positive|bullish|be bullish|what is the outlook)",
    rf"(?:(?:^|[\n.!?\"'] ?)to (?:the |all |any )|\b(?:note to|message (?:to|for|aux|a)|note (?:a|aux)"
    rf"|attention,) (?:the |all |any |l'|la |les )?|^attention ){_READER}(?: readers?)?"
    rf"(?: (?:summari[sz]ing|reading)\b| ?:)"
    r"(?<!attention models:)",
    rf"\b(?:dear|attention|hey|hello|cher|chere) {_READER} ?,(?!.{{0,12}}\?)",
    rf"(?:^|[\n.!?] ?)(?:you, (?:the |an? )?)?{_READER}(?:, {_READER})*(?:,|: gemini:|:) (?:please )?"
    rf"(?:{_TELL} (?:this|every|the|it|me|that|only|bullish|bearish)|when you"
    r"|have been promoted|you (?:shall|must))\b",
    rf"\bas the {_READER} reading\b|\bif you are an? {_MODEL}\b|\bsi (?:tu es|vous etes) une? {_MODEL}\b",
    rf"\b(?:any|all|every|helpful|automated) (?:{_READER}|analysts|summari\w+)\b.{{0,45}}"
    rf"\b(?:must|should|shall|have to|always) {_TELL}\b",
    rf"\b(?:{_READER}|machine) (?:readers?|summaries|that (?:see|read)s? this)\b.{{0,25}}"
    rf"\b(?:please|(?:must|should) {_TELL}|give \d|tone of this)\b",
    rf"\b(?:answer|respond|reply|output|print|say|write|classify|label|rate|score|mark|repond(?:s|ez|re)"
    rf"|ecri(?:s|vez)|classe[zr]?|note[zr]?|renvoie|renvoyez|dis|dites){_FILLERS}\s*:?\s*[\"'«‹“]?\s*{_TONE}"
    rf"\s*[\"'»›”]?\s*(?:$|[.,;!)\]}}:\n]|(?:and|et|for|pour|only|now|regardless|quoi|no matter|sentiment"
    rf"|with confidence)\b)",
    rf"\b(?:set|fix|force|mets|mettez|fixe[zr]?) (?:(?:the|your|le|la|ta|ton|votre) )?(?:sentiment|score|tone"
    rf"|confidence|confiance|direction|stance|recommendation)(?: score)? (?:to|a|=|:) ?(?:{_TONE}|\d)",
    r"\b(?:reveal|print|show|repeat|leak|revele[zr]?|affiche[zr]?|repete[zr]?) (?:me )?"
    r"(?:(?:your|the|ton|ta|tes|votre|vos) (?:system|hidden|secret|initial) "
    r"(?:prompts?|instructions?|rules?|key)"
    r"|(?:your|ton|tes|votre|vos) (?:prompts?|instructions?|consignes?|api key|cle)\b)",
    r"(?:^|[\n.!?:;] ?)(?:call|invoke|use|appelle[zr]?) (?:the|your|this|l'|le|la|cette|ton|votre) ?"
    r"(?:tool|function|plugin|outil|fonction)\b(?: [a-z]+_[a-z]+| ?[a-z]+\(|$)",
    # The summary's own fields and formats, which no reader of news knows.
    r"\b(?:outlook_days|key_drivers|risk_level|outlook_\w+)\b|\{\s*\"\w+\"\s*:|</?(?:rows|tool_call|system)\b"
    r"|\[system\]|\btone ?= ?[-+]?[\d.]|\b(?:stance|confidence|sentiment) ?(?:=|is) ?[\d.]+",
    r"\b(?:your (?:instructions?|task|prompt)|the (?:prompt|instructions you \w+|task above))\b.{0,25}"
    r"\b(?:have|has|had|was|were|is|are) (?:now )?"
    r"(?:changed|updated|wrong|void|a test|revoked|cancell?ed|replaced)\b",
    r"\b(?:put|include|write|quote|state|say|insert|mets|mettez|ecris|ecrivez)\b.{0,60}\b(?:in (?:your "
    r"(?:summary|report|limits|recommendations)|the (?:limits|recommendations))"
    r"|among the (?:recommendations|drivers|limits)|as the first driver"
    r"|dans (?:les|vos) (?:recommandations|limites|facteurs))",
    r"(?:^|[\n.!?:;,] ?)(?:in your report|your (?:recommendations|summary|report|outlook|drivers)) ?"
    r"(?:,|must\b|should\b|has to\b|shall\b)",
    r"\b(?:the )?summar(?:y|ies)(?: of today)? (?:has to|must|shall) (?:say|carry|recommend|state)\b",
    r"(?:^|[\n.!?:;,] ?)(?:reply|answer|respond|repeat)(?: only)? "
    r"(?:with exactly|in one word|after me|with the word)\b",
    r"\brepeat (?:the )?(?:text|words?|lines?) above\b|\bsend the (?:api )?keys? to\b"
    r"|\byour (?:secret|hidden) (?:rules|prompt|instructions)\b",
    r"(?:^|[\n.!?:;,] ?)(?:please )?(?:forget|cancel|set aside|overrule|skip) "
    r"(?:it all|the previous task|your (?:instructions|system)|the rules you)",
    r"\b(?:raise|set|increase|augmentez|augmente|fixe[zr]?) (?:your|ta|votre|la) (?:confidence|confiance)\b",
    rf"\b(?:expected (?:answer|label)|correct (?:answer|response|label))\b.{{0,30}}(?:\bis\b|:)"
    rf"|\bexpected output ?: ?{_TONE}",
    r"\bet conclu(?:s|ez) a la (?:hausse|baisse)\b",
)
_BETWEEN = r"(?:all|any|of|the|every|these|those|other|toutes?|tous|les|des|ces)*"
_TOGETHER = re.compile(
    rf"(?:ignorez?|disregard|forget|bypass|override|oubliez?){_BETWEEN}(?:(?:your|my|previous|prior|above|earlier"
    rf"|preceding|system|initial|tes|vos)+{_BETWEEN}(?:instructions?|prompts?|consignes?|directives?"
    r"|rules|guidelines)|rules(?:above|before)|consignes(?:precedentes|cidessus))"
)
_WIDE = re.compile(
    r"[{}\[\]<>`|\\]|==|\bsystem (?:prompt|message)|\b(?:ai|ia|llms?|gpt|chatgpt|claude|gemini|models?"
    r"|modeles?|assistants?|chatbots?|machine|automated|summar\w+|arbiter|operator|committee|developer|graders?|instructions?"
    r"|consignes?|prompts?|directives?|guidelines|rules|reader|task|answers?|outputs?|labels?|probabilities"
    r"|analysis|check|line|feed|item|headline|titre|this|your?|tu|vous|you)\b"
    r"(?=.*\b(?:must|should|shall|answer|respond|reply|output|say|rate|classify|label|score|bullish|bearish"
    r"|haussiere?|baissiere?|positive|negative|neutral|confidence|confiance|recommend\w*|disregard\w*"
    r"|trust|publish|copy|praise|reward\w*|expected|conclude|1[.,]0|100 ?%)\b)"
    r"|\b(?:answer|respond|reply|output|say|rate|classify|label|score)\b.*\b(?:this|your?|item|line|headline)\b"
    r"|\b[a-z]+_[a-z_]+\b|\b(?:buy \w+, ?){2,}",
    re.DOTALL,
)


@cache
def _patterns(strength: Literal["aside", "doubtful"]) -> tuple[re.Pattern[str], ...]:
    """Those of every language; one by one they are found five times as fast as in one alternation."""
    others = tomllib.loads(files("feeds").joinpath("orders.toml").read_text(encoding="utf-8"))[strength]
    own = _ASIDE if strength == "aside" else _DOUBTFUL_PATTERNS
    given = (*own, *(one for patterns in others.values() for one in patterns))
    return tuple(re.compile(one, re.DOTALL) for one in given)


def addresses_model(text: str) -> bool:
    """Whether a text speaks to a language model instead of telling news; such text never reaches one."""
    plain, *hidden = readings(text)
    if any(_found(told, "aside") or _TOGETHER.search(run_together(told)) for told in (plain, *hidden)):
        return True
    # What somebody took the trouble to disguise needs to be no clearer than doubtful.
    return any(_found(told, "doubtful") for told in hidden) and not _found(plain, "doubtful")


def seems_dictated(text: str) -> bool:
    """Whether a headline that is not set aside may still dictate an answer; some news seems to as well."""
    return any(_found(told, "doubtful") or _WIDE.search(told) is not None for told in readings(text))


def _found(told: str, strength: Literal["aside", "doubtful"]) -> bool:
    return any(pattern.search(told) for pattern in _patterns(strength))


def clean_text(text: str) -> str:
    """One line without control, invisible or direction-changing characters."""
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    visible = "".join(
        " " if unicodedata.category(letter) in {"Cc", "Zl", "Zp"} else letter
        for letter in unicodedata.normalize("NFC", text)
        if unicodedata.category(letter) not in {"Cf", "Cs", "Co"}
    )
    return " ".join(visible.split())
