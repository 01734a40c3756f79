"""A small Ollama: `/api/tags`, `/api/show` and streamed `/api/chat`, over real HTTP on this machine.

A model is a Scripted behaviour, or EMBEDDED: then the embedded model answers, held to the `format` asked for.
Refusals follow the real server: 404 for a model that is not there, 400 for `think` where a model cannot.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

CREATED = "2026-01-01T00:00:00Z"


@dataclass
class Scripted:
    """How a model behaves.

    Attributes:
        text: the answer, sent in pieces.
        thinking: thoughts, sent first where asked for.
        thinks: whether the model has that ability.
        context_length: what `/api/show` says.
        status: HTTP status of `/api/chat`; 400 or more sends an error.
        failures: how many calls get `status` before the answer comes; None for all.
        error: what that error says.
        headers: further headers of that error.
        done_reason: `stop` or `length`.
        prompt_eval_count: what the server counts; None for what it reads, see `_read`.
        window: tokens that it holds, whatever is asked for; None for what is asked for.
        cached: share of the prompt that it had in its cache.
        stall: send one piece, then nothing.
        stall_first: read the prompt for ever.
        cut: hang up before the last line.
        rubbish: send a line that is no JSON.
        error_in_stream: send an error line after the first piece.
        embedded: let the embedded model answer.
        answer: makes the text out of the request's body.
        size: bytes in memory.
        quantisation: of its weights.
        info: further keys of what `/api/show` tells of its layers, without the architecture.
    """

    text: str = "{}"
    thinking: str = ""
    thinks: bool = False
    context_length: int = 131072
    status: int = 200
    failures: int | None = None
    error: str = "scripted failure"
    headers: Mapping[str, str] = field(default_factory=dict)
    done_reason: str = "stop"
    prompt_eval_count: int | None = None
    window: int | None = None
    cached: float = 0.0
    stall: bool = False
    stall_first: bool = False
    cut: bool = False
    rubbish: bool = False
    error_in_stream: bool = False
    embedded: bool = False
    answer: Callable[[dict[str, Any]], str] | None = None
    size: int = 1
    quantisation: str = "Q4_K_M"
    info: Mapping[str, int] = field(default_factory=dict)


EMBEDDED = Scripted(embedded=True, context_length=8192)


class Read(NamedTuple):
    """What one call made a model read: tokens of its prompt, template included, and how many of them anew."""

    model: str
    whole: int
    anew: int


@dataclass
class Emulator:
    """The running server.

    Attributes:
        url: its address.
        models: behaviour by model name.
        version: what it says it is, and behaves like; None for a server without that answer.
        chats: bodies of `/api/chat` requests, in order.
        keys: Authorization headers of all requests with a body.
        memory: bytes for models; one that does not fit in pushes others out.
        loaded: window by model in memory, the least recently used first.
        loads: the model of each load, with its window.
        slots: what each model in memory has read and written last: its prefix cache.
        reads: of each answered call, in order.
    """

    url: str
    models: dict[str, Scripted]
    version: str | None = None
    chats: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    memory: int = 1
    loaded: dict[str, int] = field(default_factory=dict)
    loads: list[tuple[str, int]] = field(default_factory=list)
    slots: dict[str, str] = field(default_factory=dict)
    reads: list[Read] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    def take(self, model: str, window: int) -> None:
        """A call needs a model in memory: it is loaded unless it is there with this very window."""
        if self.loaded.pop(model, None) != window:
            self.loads.append((model, window))
            self.slots.pop(model, None)
        self.loaded[model] = window
        while sum(self.models[name].size for name in self.loaded) > self.memory and len(self.loaded) > 1:
            del self.loaded[next(iter(self.loaded))]

    def read(self, model: str, messages: list[dict[str, Any]], answer: str) -> None:
        """A model reads what its slot does not begin with, as llama.cpp does, and writes an answer."""
        prompt = "".join(f"<|im_start|>{one['role']}\n{one['content']}<|im_end|>\n" for one in messages)
        prompt += "<|im_start|>assistant\n"
        held = self.slots.get(model, "")
        pairs = enumerate(zip(held, prompt, strict=False))
        common = next((place for place, (one, other) in pairs if one != other), min(len(held), len(prompt)))
        self.reads.append(Read(model, len(prompt) // 4, (len(prompt) - common) // 4))
        self.slots[model] = f"{prompt}{answer}<|im_end|>\n"


def _tokens_of(messages: list[dict[str, Any]]) -> int:
    return sum(len(message["content"]) for message in messages) // 4


def _read(body: dict[str, Any], model: Scripted, version: tuple[int, ...]) -> int | str:
    """Tokens that the server counts of a prompt it reads, or its refusal.

    As measured with Ollama 0.12.5, 0.12.6, 0.34.2 and 0.40.2 (the refusals are theirs, word for word) and as
    its source reads: before a prompt is cut to the window, or since 0.30 to half of it, messages between the
    system's and the last one are dropped. Before 0.4, and in 0.30.0 again, what was cached is not counted.
    """
    window = model.window or body["options"]["num_ctx"]
    messages = body["messages"]
    tokens = _tokens_of(messages)
    if tokens > window and version >= (0, 12, 6) and body.get("truncate") is False:
        if version < (0, 30):
            return "the input length exceeds the context length"
        said = f"request ({tokens} tokens) exceeds the available context size ({window} tokens)"
        return json.dumps(
            {
                "error": {
                    "code": 400,
                    "message": f"{said}, try increasing it",
                    "type": "exceed_context_size_error",
                    "n_prompt_tokens": tokens,
                    "n_ctx": window,
                }
            }
        )
    while tokens > window and len(messages) > 2:
        messages = [messages[0], *messages[2:]]
        tokens = _tokens_of(messages)
    if tokens > window:
        tokens = window if version < (0, 30) else window // 2 + 2
    if version < (0, 4) or version == (0, 30, 0):
        tokens = round(tokens * (1.0 - model.cached))
    return tokens


def _embedded_answer(body: dict[str, Any]) -> tuple[str, int, str]:
    # A heavy import, and only where the model is installed.
    from providers.clients.embedded import grammar, load  # noqa: PLC0415
    from providers.embedded import probe_embedded  # noqa: PLC0415
    from providers.reference import Reference  # noqa: PLC0415
    from providers.schemas import bounded  # noqa: PLC0415
    from providers.settings import ProviderSettings  # noqa: PLC0415

    file = probe_embedded(Reference("embedded", "smollm2"), ProviderSettings())
    answer = load(file).handle_chat_completions(
        {
            "messages": [{"role": m["role"], "content": m["content"]} for m in body["messages"]],
            "max_tokens": 600,
            "temperature": body["options"]["temperature"],
            "seed": body["options"]["seed"],
            "grammar": grammar(bounded(body["format"])),
        }
    )
    choice = answer["choices"][0]
    return choice["message"]["content"], answer["usage"]["prompt_tokens"], choice["finish_reason"]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    emulator: Emulator

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        if self.path == "/api/tags":
            listed = [
                {
                    "name": name,
                    "model": name,
                    "size": model.size,
                    "details": {"quantization_level": model.quantisation},
                }
                for name, model in self.emulator.models.items()
            ]
            self._json(200, {"models": listed})
        elif self.path == "/api/ps":
            running = [
                {
                    "name": name,
                    "model": name,
                    "size": self.emulator.models[name].size,
                    "size_vram": self.emulator.models[name].size,
                    "context_length": window,
                }
                for name, window in self.emulator.loaded.items()
            ]
            self._json(200, {"models": running})
        elif self.path == "/api/version" and self.emulator.version is not None:
            self._json(200, {"version": self.emulator.version})
        else:
            self._json(404, {"error": "not found"})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.emulator.keys.append(self.headers.get("Authorization", ""))
        model = self.emulator.models.get(body["model"])
        if model is None:
            self._json(404, {"error": f"model '{body['model']}' not found"})
        elif self.path == "/api/show":
            self._json(
                200,
                {
                    "model_info": {
                        "general.architecture": "llama",
                        "llama.context_length": model.context_length,
                        **{f"llama.{name}": value for name, value in model.info.items()},
                    },
                    "capabilities": ["completion", *(["thinking"] if model.thinks else [])],
                },
            )
        elif self.path == "/api/generate" and body.get("keep_alive") == 0 and not body.get("prompt"):
            self.emulator.loaded.pop(body["model"], None)
            self._json(200, {"model": body["model"], "response": "", "done": True, "done_reason": "unload"})
        elif self.path == "/api/chat":
            self.emulator.chats.append(body)
            self._chat(body, model)
        else:
            self._json(404, {"error": "not found"})

    def _chat(self, body: dict[str, Any], model: Scripted) -> None:
        if model.status >= 400 and model.failures != 0:
            if model.failures is not None:
                model.failures -= 1
            self._json(model.status, {"error": model.error}, model.headers)
            return
        if body.get("think") and not model.thinks:
            self._json(400, {"error": f'"{body["model"]}" does not support thinking'})
            return
        version = tuple(int(part) for part in (self.emulator.version or "0").split("."))
        read = _read(body, model, version)
        if isinstance(read, str):
            self._json(400, {"error": read})
            return
        self.emulator.take(body["model"], body["options"]["num_ctx"])
        text, counted, done_reason = model.text, model.prompt_eval_count, model.done_reason
        if model.answer is not None:
            text = model.answer(body)
        if model.embedded:
            text, counted, done_reason = _embedded_answer(body)
        self.emulator.read(body["model"], body["messages"], text)
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if model.stall_first:
            self.emulator.released.wait()
            self.close_connection = True
            return
        if body.get("think") and model.thinking:
            self._line(body, {"role": "assistant", "content": "", "thinking": model.thinking})
        half = len(text) // 2
        self._line(body, {"role": "assistant", "content": text[:half]})
        if model.stall:
            self.emulator.released.wait()
        if model.stall or model.cut:
            self.close_connection = True
            return
        if model.rubbish:
            self._raw(b"<html>proxy error</html>\n")
        if model.error_in_stream:
            self._raw(b'{"error": "llama runner process has terminated"}\n')
        self._line(body, {"role": "assistant", "content": text[half:]})
        self._line(
            body,
            {"role": "assistant", "content": ""},
            done=True,
            done_reason=done_reason,
            prompt_eval_count=read if counted is None else counted,
            eval_count=len(text.split()) + 1,
        )
        self._raw(b"")

    def _line(
        self, body: dict[str, Any], message: dict[str, Any], *, done: bool = False, **more: Any
    ) -> None:
        line = {"model": body["model"], "created_at": CREATED, "message": message, "done": done, **more}
        self._raw(json.dumps(line).encode() + b"\n")

    def _raw(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def _json(self, status: int, value: Any, headers: Mapping[str, str] | None = None) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        for name, said in (headers or {}).items():
            self.send_header(name, said)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class QuietServer(ThreadingHTTPServer):
    """Does not print a traceback when a client hangs up, which is what deadlines make clients do."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


@contextmanager
def ollama_emulator(models: dict[str, Scripted], version: str | None = "0.40.2") -> Iterator[Emulator]:
    """Run the emulator on a free port."""

    class Handler(_Handler):
        pass

    server = QuietServer(("127.0.0.1", 0), Handler)
    emulator = Emulator(f"http://127.0.0.1:{server.server_address[1]}", models, version)
    Handler.emulator = emulator
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield emulator
    finally:
        emulator.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
