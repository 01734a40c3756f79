"""Which model may remember what happened on a day."""

from datetime import date

import pytest

from providers.training import CUT_OFFS, may_remember


@pytest.mark.parametrize(
    ("model", "day", "may"),
    [
        ("rules", date(1999, 1, 1), False),
        ("ollama:gpt-oss:20b", date(2024, 6, 30), True),
        ("ollama:gpt-oss:20b", date(2024, 7, 1), False),
        ("ollama:library/gemma3:27b", date(2024, 9, 1), False),
        ("ollama:Gemma3:27b", date(2024, 8, 1), True),
        ("ollama:deepseek-r1:70b", date(2030, 1, 1), True),  # nobody has told
        ("g4f", date(2030, 1, 1), True),
        ("embedded:ollama/gemma3:27b", date(2024, 9, 1), False),
        ("embedded:/m/gemma3.gguf", date(2030, 1, 1), True),  # a file may be named as it likes
        ("openai:gpt-oss-of-somebody", date(2030, 1, 1), True),
    ],
)
def test_a_model_without_a_known_cut_off_may_remember(model, day, may):
    assert may_remember(model, day) is may


def test_families_are_written_as_they_are_looked_up():
    assert all(name == name.lower() and ":" not in name for name in CUT_OFFS)
