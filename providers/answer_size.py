"""Answers of servers, bounded as they come: by what they unpack to, not by what travels.

A megabyte of gzip can hold a gigabyte, and the HTTP clients unpack a whole piece at once.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

import httpx

from providers.errors import RefusedError, RetryableError, error_of_status

LARGEST_RESPONSE = 32 * 1024 * 1024
"""Bytes of one response, unpacked; a token of a stream travels in about 150."""

LONGEST_ANSWER = 1_000_000
"""Letters of an answer with its thoughts."""

_PIECE = 64 * 1024
_PACKED = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


def hooks(model: str) -> dict[str, list[Any]]:
    """Event hooks that bound each response of an httpx client, and read a refusal for now with its wait.

    Args:
        model: its reference, for the error. What reads a response then raises RefusedError:
            `answer_too_large`, or RetryableError or RefusedError for status 429 and 503 and for a page.
    """

    def ask(request: httpx.Request) -> None:
        request.headers["Accept-Encoding"] = "gzip, deflate"

    def bound(response: httpx.Response) -> None:
        packed = response.headers.pop("Content-Encoding", "identity").strip().lower()
        if packed not in (*_PACKED, "identity", ""):
            raise RefusedError("unknown_packing", model=model, packing=packed[:40])
        assert isinstance(response.stream, httpx.SyncByteStream)
        response.stream = _Bounded(response.stream, model, _PACKED.get(packed))
        if response.status_code in (429, 503):
            # Here, because the clients keep no headers of a refusal, and these say how long to wait.
            response.read()
            raise error_of_status(
                response.status_code, model=model, detail=response.text, headers=response.headers
            )
        kind = response.headers.get("Content-Type", "")
        if kind.startswith("text/html") and response.status_code < 400:  # a portal's, or another program's
            raise RetryableError("malformed_answer", model=model, detail=kind)

    return {"request": [ask], "response": [bound]}


class _Bounded(httpx.SyncByteStream):
    """A stream unpacked piece by piece, no further than the limit."""

    def __init__(self, stream: httpx.SyncByteStream, model: str, window: int | None) -> None:
        self.stream = stream
        self.model = model
        self.window = window

    def __iter__(self) -> Iterator[bytes]:
        taken = 0
        for piece in self.stream if self.window is None else self._unpacked(self.window):
            taken += len(piece)
            if taken > LARGEST_RESPONSE:
                raise RefusedError(
                    "answer_too_large", model=self.model, limit=f"{LARGEST_RESPONSE // 1024**2} MiB"
                )
            yield piece

    def _unpacked(self, window: int) -> Iterator[bytes]:
        unpacker = zlib.decompressobj(window)
        begun = False
        for packed in self.stream:
            rest = packed
            while rest:
                try:
                    piece = unpacker.decompress(rest, _PIECE)
                except zlib.error as error:
                    if begun or window != zlib.MAX_WBITS:
                        raise httpx.DecodingError(str(error)) from error
                    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)  # some servers leave the head out
                    piece = unpacker.decompress(rest, _PIECE)
                begun = True
                yield piece
                rest = b"" if unpacker.eof else unpacker.unconsumed_tail
        yield unpacker.flush()

    def close(self) -> None:
        self.stream.close()
