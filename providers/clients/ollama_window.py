"""A prompt reaches an Ollama model whole, or not at all.

Left alone, Ollama answers a prompt that does not fit its window from what is left of it, with status 200: it
drops whole messages, then cuts (to the window, since 0.30 to half of it), and shifts the prompt out while it
answers. Since 0.12.6 it can be told not to, and refuses instead: that is exact, and every call says so. Older
servers do not know the words; of those the count of prompt tokens tells:

- a count that fills the window is a cut, with every version;
- from 0.4 on the count is of the whole prompt, whether or not its beginning was cached, so fewer tokens than
  the text has words are a cut too: no tokeniser in use makes one token of two words;
- before 0.4 what was cached is not counted, and a small count means nothing.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

import httpx

from providers.errors import RefusedError
from providers.ollama import OllamaModel
from providers.reference import Reference
from providers.request import Request, estimate_tokens

KNOWS_TRUNCATE = (0, 12, 6)
COUNTS_CACHED = (0, 4, 0)

SHOW_SCHEMA = True
"""`format` constrains the letters but shows the model no word of the schema, and some models ignore it."""

# Tokenisers take at most three digits at once, and never letters of two words. A run of letters without a
# space (Chinese, say) counts as one: too few, which is the safe side.
_WORD = re.compile(r"[^\W\d_]+|\d{1,3}")

_SLACK = 0.8
"""Share of the words that must have been counted: templates may trim a text, and marks vary."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """A prompt and the room it was given.

    Attributes:
        reference: the model.
        expected: tokens of the prompt, rather too many than too few.
        least: the same, too few for certain.
        size: tokens of the window that was asked for.
        counts_whole: a small count says that the prompt was cut, not that it was cached.
    """

    reference: Reference
    expected: int
    least: int
    size: int
    counts_whole: bool

    @classmethod
    def of(cls, reference: Reference, facts: OllamaModel, request: Request, size: int) -> Window:
        """The window of a request.

        Args:
            reference: the model.
            facts: what the server says of itself.
            request: what is sent.
            size: tokens of the window.
        """
        return cls(
            reference=reference,
            expected=prompt_tokens(request),
            least=sum(len(_WORD.findall(words)) for words in _texts(request)),
            size=size,
            counts_whole=COUNTS_CACHED <= facts.version < KNOWS_TRUNCATE,
        )


def prompt_tokens(request: Request) -> int:
    """About how many tokens the conversation has."""
    return sum(estimate_tokens(words) + 8 for words in _texts(request))


def _texts(request: Request) -> list[str]:
    return [str(message.content) for message in request.messages(show_schema=SHOW_SCHEMA)]


def whole_or_refused(request: httpx.Request) -> None:
    """An httpx hook: tells the server neither to cut a prompt nor to shift it out, but to refuse it.

    The client has no parameter for it.
    """
    if not request.url.path.endswith("/api/chat"):
        return
    body = {**json.loads(request.read()), "truncate": False, "shift": False}
    content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    request.stream = httpx.ByteStream(content)
    request.headers["Content-Length"] = str(len(content))


def refusal(detail: str, window: Window) -> RefusedError | None:
    """The error for a server's refusal of a prompt that does not fit; None for any other refusal.

    Args:
        detail: what the server said.
        window: what was sent.
    """
    if "exceed_context_size_error" not in detail and "input length exceeds the context length" not in detail:
        return None
    tokens = re.search(r'"n_prompt_tokens":\s*(\d+)', detail)
    size = re.search(r'"n_ctx":\s*(\d+)', detail)
    return RefusedError(
        "prompt_too_long",
        model=str(window.reference),
        tokens=int(tokens.group(1)) if tokens else window.expected,
        context=int(size.group(1)) if size else window.size,
    )


def check_whole(counted: int, window: Window) -> None:
    """Refuse an answer to a prompt that the server has cut.

    Args:
        counted: prompt tokens as the server counted them; 0 where it did not.
        window: what was sent.

    Raises:
        RefusedError: `prompt_truncated`.
    """
    too_few = window.counts_whole and 0 < counted < _SLACK * window.least
    if counted >= window.size or too_few:
        raise RefusedError(
            "prompt_truncated",
            model=str(window.reference),
            counted=counted,
            expected=window.expected,
            context=window.size,
        )
