"""A small OpenAI-style server: `/v1/models` and `/v1/chat/completions`, whole or streamed, over real HTTP."""

from __future__ import annotations

import gzip
import json
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.ollama_emulator import QuietServer


@dataclass
class Scripted:
    """One answer of the server.

    Attributes:
        text: the message.
        reasoning: thoughts beside it (`reasoning_content`).
        finish_reason: `stop` or `length`.
        status: 400 or more sends an error.
        error: the body of that error.
        headers: further headers of the answer.
        whole: what is sent in the place of a completion.
        html: send a page instead.
        null_choices: send `choices: null`, as some servers do when they fail.
        stall: accept, then nothing.
        mute: a stream that ends without a piece.
        echo: makes status and body of the answer out of the Authorization header, in place of all else.
        packing: `Content-Encoding` of the answer: gzip, deflate, or one whose name alone is sent.
        letters: blanks after the text, made while they are sent.
        late_seconds: until the answer comes.
        tool_calls: names and arguments (an object, or the very text) of tools that the model calls.
    """

    text: str = "{}"
    reasoning: str = ""
    finish_reason: str = "stop"
    status: int = 200
    error: Any = field(default_factory=lambda: {"error": {"message": "scripted failure"}})
    headers: Mapping[str, str] = field(default_factory=dict)
    whole: Any = None
    html: bool = False
    null_choices: bool = False
    stall: bool = False
    mute: bool = False
    echo: Callable[[str], tuple[int, bytes]] | None = None
    packing: str = ""
    letters: int = 0
    late_seconds: float = 0.0
    tool_calls: tuple[tuple[str, Any], ...] = ()


@dataclass
class Server:
    """The running server.

    Attributes:
        url: base URL, `/v1` included.
        answers: taken in order; the last one stays.
        refuses: what a 400 says of each parameter, or of the role `system`, that a request must not hold.
        requests: bodies of the chat requests.
        keys: their Authorization headers.
    """

    url: str
    answers: list[Scripted]
    refuses: Mapping[str, str] = field(default_factory=dict)
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_state: Server

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        if self.path == "/v1/models":
            self._send(200, {"object": "list", "data": [{"id": "small", "object": "model"}]})
        else:
            self._send(404, {"error": {"message": "not found"}})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        state = self.server_state
        state.requests.append(body)
        state.keys.append(self.headers.get("Authorization", ""))
        held = {*body, *(message["role"] for message in body["messages"])}
        if minded := next((said for name, said in state.refuses.items() if name in held), None):
            self._send(400, {"error": {"message": minded, "code": 400}})
            return
        answer = state.answers.pop(0) if len(state.answers) > 1 else state.answers[0]
        if answer.late_seconds:
            state.released.wait(answer.late_seconds)
        if answer.echo is not None:
            status, said = answer.echo(state.keys[-1])
            self._bytes(status, "application/json", said)
        elif answer.stall:
            state.released.wait()
            self.close_connection = True
        elif answer.status >= 400:
            self._send(answer.status, answer.error, headers=answer.headers)
        elif answer.whole is not None:
            self._send(200, answer.whole)
        elif answer.html:
            page = b"<!DOCTYPE html><html><body>Just a moment...</body></html>"
            self._bytes(200, "text/html", page)
        elif body.get("stream"):
            self._stream(answer)
        else:
            message: dict[str, Any] = {"role": "assistant", "content": answer.text + " " * answer.letters}
            if answer.reasoning:
                message["reasoning_content"] = answer.reasoning
            if answer.tool_calls:
                message["tool_calls"] = [
                    {
                        "id": f"call_{len(state.requests)}_{place}",
                        "type": "function",
                        "function": {
                            "name": name,
                            "arguments": given if isinstance(given, str) else json.dumps(given),
                        },
                    }
                    for place, (name, given) in enumerate(answer.tool_calls)
                ]
            finish = "tool_calls" if answer.tool_calls else answer.finish_reason
            choice = {"index": 0, "message": message, "finish_reason": finish}
            self._send(
                200,
                {
                    "id": "1",
                    "object": "chat.completion",
                    "created": 1,
                    "model": body["model"],
                    "choices": None if answer.null_choices else [choice],
                    "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
                },
                answer.packing,
            )

    def _stream(self, answer: Scripted) -> None:
        deltas: list[dict[str, Any]] = []
        if answer.reasoning:
            deltas.append({"reasoning_content": answer.reasoning})
        half = len(answer.text) // 2
        deltas += [{"content": answer.text[:half]}, {"content": answer.text[half:]}]
        deltas += [{"content": " " * answer.letters}] if answer.letters else []
        events: list[dict[str, Any]] = [
            {
                "choices": None
                if answer.null_choices
                else [{"index": 0, "delta": delta, "finish_reason": None}]
            }
            for delta in deltas
        ]
        events.append(
            {
                "choices": None
                if answer.null_choices
                else [{"index": 0, "delta": {}, "finish_reason": answer.finish_reason}],
                "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
            }
        )
        events = [] if answer.mute else events
        lines = [f"data: {json.dumps({'model': 'small', **event})}\n\n" for event in events]
        whole = "".join([*lines, "data: [DONE]\n\n"]).encode()
        self._bytes(200, "text/event-stream", whole, answer.packing)

    def _send(
        self, status: int, value: Any, packing: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        self._bytes(status, "application/json", json.dumps(value).encode(), packing, headers)

    def _bytes(
        self,
        status: int,
        kind: str,
        data: bytes,
        packing: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        data = gzip.compress(data) if packing == "gzip" else data
        data = zlib.compress(data) if packing == "deflate" else data
        data = zlib.compress(data)[2:-4] if packing == "raw deflate" else data
        self.send_response(status)
        if packing:
            self.send_header("Content-Encoding", packing.removeprefix("raw "))
        self.send_header("Content-Type", kind)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@contextmanager
def openai_server(*answers: Scripted, refuses: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Run the server on a free port."""

    class Handler(_Handler):
        pass

    server = QuietServer(("127.0.0.1", 0), Handler)
    url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    state = Server(url, list(answers) or [Scripted()], refuses or {})
    Handler.server_state = state
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
