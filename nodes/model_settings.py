"""What the providers need of a run's settings."""

from __future__ import annotations

import os
from dataclasses import replace

from nodes.context import Context
from providers.settings import ProviderSettings

MODELS = "models"
"""Folder in the data folder; model files that lie there anybody may name."""


def provider_settings(context: Context, *, cache: bool = True) -> ProviderSettings:
    """What the providers need of a context; `threadx doctor` uses the same."""
    home = context.home_path
    told = ProviderSettings(
        ollama_base_url=context.ollama_base_url,
        openai_base_url=context.openai_base_url,
        g4f_base_url=os.environ.get("THREADX_G4F_BASE_URL", ""),
        temperature=context.temperature,
        seed=context.seed,
        cache_path=home / "llm_cache.sqlite" if cache else None,
        cache_seconds=context.cache_hours * 3600.0,
        logs=home / "logs",
        model_files=home / MODELS,
    )
    return replace(told, **context.seconds)
