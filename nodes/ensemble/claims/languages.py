"""Which language a sentence is in, told by its small words: enough to notice another one than asked."""

from __future__ import annotations

import re

from prompts import Language

_SMALL: dict[str, frozenset[str]] = {
    language: frozenset(words.split())
    for language, words in {
        "fr": "le la les un une des du de et ou est sont dans pour par sur avec sans au aux ce cette ces"
        " votre vos son sa"
        " ses ne pas plus tout tous toute avant après si que qui dont mais car en à il elle on nous vous"
        " leur puis jusqu",
        "en": "the a an of and or is are in for by on with without to this that these your its their not"
        " no more all"
        " before after if which but because from at be it we you they then until than any as",
        "de": "der die das den dem des ein eine einen und oder ist sind im für mit ohne auf zu nicht"
        " kein mehr alle vor"
        " nach wenn dass aber weil von bei sie wir ihr dann bis als an werden",
        "es": "el los las un una unos de y o es son en para por con sin al del este esta su sus no más"
        " todo todos antes"
        " después si que pero porque desde hasta se lo",
        "it": "il lo gli un una di e o è sono in per con senza al del della questo questa suo non più"
        " tutto prima dopo"
        " se che ma perché da fino nel alla",
        "pt": "o os as um uma de e ou é são em para por com sem ao do da este esta seu não mais tudo"
        " antes depois se que"
        " mas porque até no na",
    }.items()
}
_WORD = re.compile(r"[^\W\d_]+")
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]")


def is_in(text: str, language: Language) -> bool:
    """Whether a text may be in a language: no other one has more of its small words, or its letters.

    A text of few words shows too little to be refused.
    """
    letters = [letter for letter in text if letter.isalpha()]
    if sum(_LATIN.match(letter) is None for letter in letters) * 2 > len(letters):
        return False
    words = [word.casefold() for word in _WORD.findall(text)]
    counts = {name: sum(word in small for word in words) for name, small in _SMALL.items()}
    best = max(counts.values())
    return best < 2 or counts[language] >= best or counts[language] * 2 > best + 1
