"""Text from outside that tries to give a language model orders never reaches one.

A headline tells news; one that speaks to its reader as a program is set aside and counted. What is
recognised, in English and French, after disguises are taken off (look-alike widths, invisible characters,
accents, upper case):

- override: forget, ignore, disregard … the instructions, rules, prompt or context given before;
- role: "you are now", "from now on you", « tu es désormais », "act as" an assistant or expert;
- machinery: system prompt, developer mode, chat-template marks (`<|im_start|>`, `[INST]`,
  `### Instruction`), a role in front of a colon at the start (`system:`, `assistant:`);
- address: "dear AI", "note to the model", « cher modèle de langage »;
- dictated answers: answer, reply, output, rate, score … with positive, bullish, haussier, 1.0 and the like;
- disclosure and tools: reveal your prompt or key, call the function.

Words alone are not enough: "Investors ignore SEC guidelines" and "Bank gives a positive answer" are news.
"""

from __future__ import annotations

import re
import unicodedata

_FORGET = (
    r"(?:ignor(?:e|ez|er|ing)|disregard(?:ing)?|forget|override|bypass|discard|do not follow|stop following"
    r"|oubli(?:e|ez|er)|neglige[zr]?|ne (?:tiens|tenez) pas compte|f(?:ais|aites) abstraction"
    r"|ne (?:suis|suivez) (?:pas|plus)|contourne[zr]?)"
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
_PATTERNS = (
    # An imperative, at the start of a sentence or after a please, may stand further from its object.
    rf"(?:^|[\n.!?:;,\"'(\-] ?|\b(?:please|now|and|must|should|to|et|puis|veuillez|devez|dois) ){_FORGET}\b"
    rf".{{0,60}}\b{_ORDERS}\b",
    rf"\b{_FORGET} {_POINTING}{_ORDERS}\b",
    rf"\b{_FORGET} (?:everything (?:above|before|you)|what (?:you were told|came before)"
    r"|(?:tout )?ce qui prece)",
    r"\bsystem[ _-]?prompt\b|\bprompt systeme\b|\b(?:developer|dan|jailbreak|god) mode\b"
    r"|\bmode developpeur\b",
    r"\b(?:new|updated|nouvelles?) (?:system )?(?:instructions?|consignes?|directives?) ?:",
    r"\byou are (?:now|no longer|an? (?:ai|assistant|language model|llm|chatbot|trading bot))\b"
    r"|\bfrom now on,? you\b|\b(?:tu es|vous etes) (?:desormais|maintenant|une? (?:ia|assistante?|modele))\b"
    r"|\b(?:a partir de maintenant|desormais),? (?:tu|vous)\b",
    r"\b(?:act|behave|agis|agissez|comporte-toi|comportez-vous) (?:as if you|(?:as an?|comme une?) "
    r"(?:ai|ia|assistante?|model|modele|bot|trader|analyste?|experte?)\b)",
    r"\bpretend (?:you are|that you)\b|\bf(?:ais|aites) semblant\b|\bas an? ai (?:language )?model\b",
    r"<\|?\s*/?\s*(?:system|im_start|im_end|assistant|user|endoftext|begin_of_text|eot_id|start_header_id)\b"
    r"|\[/?inst\]|<<sys>>|#{2,} ?(?:instruction|system|human|assistant|response)|</?s>"
    r"|<(?:start|end)_of_turn>|\bbegin (?:system )?(?:prompt|instructions?)\b",
    r"(?:^|[\n.!?\"'] ?)(?:system|systeme|assistant|developer|llm|to the (?:ai|model|llm)"
    r"|note to (?:the )?(?:ai|llm|model)|note a l'ia|attention ?,? (?:ai|llm|ia|model)) ?:",
    r"\b(?:dear|attention|hey|hello|cher|chere) (?:ai|llm|chatbot|(?:language )?model|(?:chat)?gpt|assistant"
    r"|ia|modele de langage)\b",
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
    r"\b(?:call|invoke|appelle[zr]?) (?:the|your|this|l'|le|la|cette|ton|votre) ?"
    r"(?:tool|function|plugin|outil|fonction)\b",
)
_SPEAKS_TO_MODEL = re.compile("|".join(_PATTERNS), re.DOTALL)


def addresses_model(text: str) -> bool:
    """Whether a text speaks to a language model instead of telling news; such text never reaches one."""
    return _SPEAKS_TO_MODEL.search(_undisguised(text)) is not None


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


def _undisguised(text: str) -> str:
    """Lower case without accents, look-alike widths or invisible characters, apostrophes straight."""
    if not text.isascii():
        text = "".join(
            letter
            for letter in unicodedata.normalize("NFKD", text.replace("’", "'"))
            if unicodedata.category(letter) not in {"Mn", "Cf", "Cs", "Co"}
        )
    return re.sub(r"[^\S\n]+", " ", text.lower().replace("\r", "\n"))


def seems_dictated(text: str) -> bool:
    """Placeholder."""
    return False
