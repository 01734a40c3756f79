"""The roles without a model: deterministic policies over the same evidence."""
