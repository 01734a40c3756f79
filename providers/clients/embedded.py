"""Models inside the process, by llama.cpp: no server, no network."""

from __future__ import annotations

import json
import os
import queue
import threading
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.chat_models import generate_from_stream
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from pydantic import ConfigDict

from base.cores import usable_cores
from providers import memory
from providers.chat_model import OpenedModel
from providers.embedded import ModelFile
from providers.errors import ProviderError, RefusedError, RetryableError, UnavailableError, error_of_status
from providers.reference import Reference
from providers.request import Request
from providers.schemas import bounded
from providers.settings import ProviderSettings

# Threads that spin while they wait take the second core from everybody else. Read once, at import.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import xllamacpp

SMALLS_ANSWER = 1536
"""Tokens of the packaged model's answer: what it says longer is worth no more."""

_NOT_LOADED = "Failed to init server"
"""So begins what the library says of a file that it cannot load, whatever the reason."""

_NAMES = {"human": "user", "ai": "assistant", "system": "system"}
_loading = threading.Lock()
_loaded: OrderedDict[ModelFile, Any] = OrderedDict()


def load(file: ModelFile) -> Any:
    """The server object of a model file, kept in memory beside others while there is room.

    Raises:
        RuntimeError: the library cannot load it.
    """
    with _loading:
        if file not in _loaded:
            while _loaded and sum(one.needed for one in (*_loaded, file)) > memory.machine_bytes():
                _loaded.popitem(last=False)
            _loaded[file] = _server(file)
        _loaded.move_to_end(file)
        return _loaded[file]


def _server(file: ModelFile) -> Any:
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(file.path)
    parameters.n_ctx = file.window
    parameters.n_parallel = 1
    parameters.cache_ram_mib = 0  # else up to 8 GiB of earlier prompts, beside the one in the window
    parameters.verbosity = -1
    parameters.warmup = False
    parameters.cpuparams.n_threads = min(4, usable_cores())
    return xllamacpp.Server(parameters)


def grammar(schema: dict[str, Any]) -> str:
    """An llguidance grammar that admits exactly the JSON of a bounded schema, without white space.

    `response_format` would not do: it does not hold numbers to their bounds.
    """
    guided = {**schema, "x-guidance": {"whitespace_flexible": False}}
    return "%llguidance {}\nstart: %json " + json.dumps(guided)


class EmbeddedChat(BaseChatModel):
    """A model of this process behind LangChain's interface.

    Attributes:
        reference: for errors.
        file: what is loaded.
        answer_schema: bounded JSON Schema of the answer.
        answer_tokens: room for the answer.
        temperature: sampling.
        seed: sampling.
        given_up: set by whoever waits no longer; the model stops at its next token.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    reference: str
    file: ModelFile
    answer_schema: dict[str, Any]
    answer_tokens: int
    temperature: float
    seed: int
    given_up: threading.Event

    @property
    def _llm_type(self) -> str:
        return "embedded"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return generate_from_stream(self._stream(messages, stop, run_manager, **kwargs))

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        asked = {
            "messages": [{"role": _NAMES[m.type], "content": str(m.content)} for m in messages],
            "temperature": self.temperature,
            "seed": self.seed,
            "max_tokens": self.answer_tokens,
            "grammar": grammar(self.answer_schema),
            # Inside a grammar nothing can be thought first: templates that know the word leave it out.
            "chat_template_kwargs": {"enable_thinking": False},
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        for piece in self._pieces(asked):
            if (chunk := self._chunk(piece)) is not None:
                yield ChatGenerationChunk(message=chunk)

    def _pieces(self, asked: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """What the library hands over, as it comes: it calls back, and returns at the end of the answer."""
        pieces: queue.SimpleQueue[dict[str, Any] | BaseException | None] = queue.SimpleQueue()

        def take(piece: dict[str, Any]) -> bool:
            pieces.put(piece)
            return self.given_up.is_set()

        def answer() -> None:
            try:
                load(self.file).handle_chat_completions(asked, take)
            # Whatever the library raises belongs to the caller's thread, where it is raised again.
            except BaseException as error:
                pieces.put(error)
            else:
                pieces.put(None)

        threading.Thread(target=answer, name=self.reference, daemon=True).start()
        while (piece := pieces.get()) is not None:
            if isinstance(piece, BaseException):
                raise piece
            yield piece

    def _chunk(self, piece: dict[str, Any]) -> AIMessageChunk | None:
        """A piece of the answer; None where it holds nothing of it.

        Raises:
            RefusedError: `prompt_too_long`.
            ProviderError: as `error_of_status`.
        """
        if error := piece.get("error"):
            if error.get("type") == "exceed_context_size_error":
                raise RefusedError(
                    "prompt_too_long",
                    model=self.reference,
                    tokens=int(error["n_prompt_tokens"]),
                    context=int(error["n_ctx"]),
                )
            raise error_of_status(
                int(error.get("code", 500)), model=self.reference, detail=error.get("message", "")
            )
        if counts := piece.get("usage"):
            used = UsageMetadata(
                input_tokens=counts["prompt_tokens"],
                output_tokens=counts["completion_tokens"],
                total_tokens=counts["total_tokens"],
            )
            return AIMessageChunk(content="", usage_metadata=used)
        (choice,) = piece["choices"]
        told = choice["delta"]
        if ended := choice["finish_reason"]:
            return AIMessageChunk(content="", response_metadata={"finish_reason": ended})
        if not (said := told.get("content")) and not told.get("reasoning_content"):
            return None
        thoughts = {"reasoning_content": told["reasoning_content"]} if "reasoning_content" in told else {}
        return AIMessageChunk(content=said or "", additional_kwargs=thoughts)


def open_model(
    reference: Reference, file: ModelFile, request: Request, settings: ProviderSettings
) -> OpenedModel:
    """The model of a file with the grammar of the request."""
    given_up = threading.Event()
    model = EmbeddedChat(
        reference=str(reference),
        file=file,
        answer_schema=bounded(request.schema),
        answer_tokens=SMALLS_ANSWER if file.is_small else settings.answer_tokens,
        temperature=settings.temperature,
        seed=settings.seed,
        given_up=given_up,
    )
    # A model that is not in memory is loaded first, and that time is its own.
    loading = 0.0 if file in _loaded else settings.loading_seconds
    return OpenedModel(
        model=model,
        # The grammar shows the model no word of the schema.
        show_schema=not file.is_small,
        window=file.window,
        total_seconds=settings.local_seconds + loading,
        idle_seconds=settings.idle_seconds,
        first_seconds=settings.first_seconds + loading,
        translate=lambda error: translate(error, reference, file),
        close=given_up.set,
    )


def translate(error: Exception, reference: Reference, file: ModelFile) -> ProviderError | None:
    """The typed error for what the library raises; None if it is none of its own."""
    if not isinstance(error, RuntimeError):
        return None
    if str(error).startswith(_NOT_LOADED):
        return UnavailableError("broken_gguf", model=str(reference), path=str(file.path))
    return RetryableError("server_error", model=str(reference), status=0, detail=str(error)[:300])
