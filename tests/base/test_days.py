"""Dates as the reader's language writes them, where texts are read, and as they are typed elsewhere."""

import pandas as pd
import pytest

from prompts import Words

# Months as Unicode's locale data abbreviates them (CLDR 48, fr and en-GB, format abbreviated).
CLDR = {
    "fr": ["janv.", "févr.", "mars", "avr.", "mai", "juin", "juil.", "août", "sept.", "oct.", "nov.", "déc."],
    "en": ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sept", "Oct", "Nov", "Dec"],
}


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("face", ["page", "report"])
def test_pages_and_reports_write_days_in_words(language, face):
    words = Words(language, face)
    for number, month in enumerate(CLDR[language], start=1):
        told = words("web.moment", date=f"2026-{number:02d}-05", hour="14:00")
        assert f"5\u00a0{month[:3] if language == 'en' else month}\u00a02026" in told
        assert "14:00" in told
    assert (
        words.bar_time(pd.Timestamp("2026-03-01"))
        == {"fr": "1er\u00a0mars\u00a02026", "en": "1\u00a0Mar\u00a02026"}[language]
    )
    assert words("web.audit.moment", time="2026-03-05T09:30:00+00:00").endswith("2026 09:30")
    assert words("web.audit.moment", time="2026-02-30") == "2026-02-30", "no day of the calendar"


def test_a_terminal_writes_days_as_they_are_typed():
    words = Words("fr", "terminal")
    assert words.bar_time(pd.Timestamp("2026-03-01 09:30")) == "2026-03-01 09:30"
    assert words("web.audit.moment", time="2026-03-01T00:00:00+00:00") == "2026-03-01"
