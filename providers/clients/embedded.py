"""A small model inside the process: no server, no network.

SmolLM2-135M proves that everything around a model works; what it says is worth nothing.
"""

from __future__ import annotations

import json
import os
import threading
from functools import cache
from pathlib import Path
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatResult

from providers.chat_model import OpenedModel
from providers.errors import ProviderError, RefusedError, RetryableError, error_of_status
from providers.reference import Reference
from providers.request import Request
from providers.schemas import bounded
from providers.settings import ProviderSettings

# Threads that spin while they wait take the second core from everybody else. Read once, at import.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import xllamacpp

SHOW_SCHEMA = False
"""The grammar holds the whole schema, and a long prompt costs this model seconds."""

CONTEXT = 8192
ANSWER_TOKENS = 1536

_NAMES = {"human": "user", "ai": "assistant", "system": "system"}
_loading = threading.Lock()


def load(file: Path) -> Any:
    """The server object of a model file, loaded once a process."""
    with _loading:
        return _loaded(file)


@cache
def _loaded(file: Path) -> Any:
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(file)
    parameters.n_ctx = CONTEXT
    parameters.n_parallel = 1
    parameters.verbosity = -1
    parameters.warmup = False
    parameters.cpuparams.n_threads = max(1, min(4, os.cpu_count() or 1))
    return xllamacpp.Server(parameters)


def grammar(schema: dict[str, Any]) -> str:
    """An llguidance grammar that admits exactly the JSON of a bounded schema, without white space.

    `response_format` would not do: it does not hold numbers to their bounds.
    """
    guided = {**schema, "x-guidance": {"whitespace_flexible": False}}
    return "%llguidance {}\nstart: %json " + json.dumps(guided)


class EmbeddedChat(BaseChatModel):
    """The embedded model behind LangChain's interface.

    Attributes:
        reference: for errors.
        file: GGUF file.
        answer_schema: bounded JSON Schema of the answer.
        temperature: sampling.
        seed: sampling.
    """

    reference: str
    file: Path
    answer_schema: dict[str, Any]
    temperature: float
    seed: int

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
        answer = load(self.file).handle_chat_completions(
            {
                "messages": [{"role": _NAMES[m.type], "content": str(m.content)} for m in messages],
                "temperature": self.temperature,
                "seed": self.seed,
                "max_tokens": ANSWER_TOKENS,
                "grammar": grammar(self.answer_schema),
            }
        )
        if error := answer.get("error"):
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
        choice = answer["choices"][0]
        counts = answer["usage"]
        message = AIMessage(
            choice["message"].get("content") or "",
            response_metadata={"finish_reason": choice["finish_reason"]},
            usage_metadata=UsageMetadata(
                input_tokens=counts["prompt_tokens"],
                output_tokens=counts["completion_tokens"],
                total_tokens=counts["total_tokens"],
            ),
        )
        return ChatResult(generations=[ChatGeneration(message=message)])


def open_model(reference: Reference, file: Path, request: Request, settings: ProviderSettings) -> OpenedModel:
    """The embedded model with the grammar of the request."""
    model = EmbeddedChat(
        reference=str(reference),
        file=file,
        answer_schema=bounded(request.schema),
        temperature=settings.temperature,
        seed=settings.seed,
    )
    return OpenedModel(
        model=model,
        show_schema=SHOW_SCHEMA,
        total_seconds=settings.local_seconds,
        idle_seconds=settings.local_seconds,
        translate=lambda error: translate(error, reference),
    )


def translate(error: Exception, reference: Reference) -> ProviderError | None:
    """The typed error for what the library raises; None if it is none of its own."""
    if isinstance(error, RuntimeError) and not isinstance(error, ProviderError):
        return RetryableError("server_error", model=str(reference), status=0, detail=str(error)[:300])
    return None
