"""A line for a file is masked as the value that it tells, however its secrets are written."""

from __future__ import annotations

import base64
import json
import math
from urllib.parse import quote

import pytest

from base.secrets import masked, masked_json

KEY = 'sk-Ab/9+x"yz\\Q_echo12345'


@pytest.mark.parametrize(
    "text",
    [
        "nothing to hide, 40 % of it",
        f"the key {KEY} is wrong",
        json.dumps(KEY),
        json.dumps(json.dumps(KEY)),
        quote(KEY, safe=""),
        KEY.encode().hex(),
        base64.b64encode(b"x" + KEY.encode()).decode(),
        "".join(f"\\u{ord(letter):04x}" for letter in KEY),
        "".join(f"&#{ord(letter)};" for letter in KEY),
        "postgresql://user:pass-word-1@host/name",
        "Authorization: Bearer abcdefgh12345678",
    ],
)
def test_a_line_is_masked_as_its_value(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("SOME_API_KEY", KEY)
    value = {"said": [text, 1.5, None], text: {"deep": [{"text": f"é {text}"}]}}
    kept, line = masked_json(value)
    assert kept == masked(value)
    assert json.loads(line) == kept
    assert (kept is value) == (kept == value)


def test_a_key_set_meanwhile_is_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert masked_json({"said": KEY})[0] == {"said": KEY}
    monkeypatch.setenv("SOME_API_KEY", KEY)
    assert masked_json({"said": KEY})[0] == {"said": "***"}


def test_a_line_holds_no_nan() -> None:
    with pytest.raises(ValueError, match="JSON"):
        masked_json({"figure": math.nan})
