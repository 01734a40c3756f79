"""The words people read, one TOML catalogue a room and language (`backtest.fr.toml`, `backtest.en.toml`).

A key is `room.name` or `room.table.name`, for example `backtest.error.unknown_strategy`. Both languages hold
the same keys with the same placeholders; a test sees to it. Their reader is `base.errors`: every error is
shown as its text.
"""

from base.errors import LANGUAGES, Language, catalogue, text

__all__ = ["LANGUAGES", "Language", "catalogue", "text"]
