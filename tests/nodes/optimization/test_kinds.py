"""A kind of change is a file, its place in the union and its texts; half a kind is refused."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import Field

from backtest import StrategySpec
from base.entries import EntryError
from base.errors import LANGUAGES, Language, catalogue
from nodes.optimization.changes import KINDS
from nodes.optimization.changes.applying import collected
from nodes.optimization.changes.base import Kind
from prompts import Words
from tests.raise_sites import ROOMS, ROOT


class Both(Kind):
    """Trade both sides."""

    degrees = 1
    kind: Literal["trade_both"]
    mirrored: bool = Field(description="Whether the short side is the mirror image.")

    def apply(self, spec: StrategySpec) -> StrategySpec:
        return spec.both_sides()

    def describe(self, before: StrategySpec, words: Words) -> str:
        return words("changes.trade_both.sentence")

    def fixes(self, spec: StrategySpec) -> Collection[str]:
        return ()

    def subject(self) -> str:
        return self.kind


SAID = {
    "trade_both.prompt": "both sides",
    "trade_both.example": '{{"mirrored": true}}',
    "trade_both.sentence": "Both sides",
    "trade_both.expected": "More trades.",
    "trade_both.validated": "Nothing new.",
    "field.mirrored": "Mirrored",
}


def with_texts(monkeypatch: pytest.MonkeyPatch, said: dict[str, str]) -> None:
    def told(room: str, language: Language) -> dict[str, str]:
        return {**catalogue(room, language), **said}

    monkeypatch.setattr("nodes.optimization.changes.applying.catalogue", told)


def test_a_whole_kind_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    with_texts(monkeypatch, SAID)
    assert collected((*KINDS.values(), Both)) == {**KINDS, "trade_both": Both}


@pytest.mark.parametrize("left_out", SAID)
def test_a_kind_without_its_texts_is_refused_by_its_name(
    left_out: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_texts(monkeypatch, {key: words for key, words in SAID.items() if key != left_out})
    with pytest.raises(EntryError, match=rf"^trade_both: changes\.{left_out} \(fr\), .* not said$"):
        collected((Both,))


@pytest.mark.parametrize("left_out", ["apply", "describe", "fixes", "subject", "degrees"])
def test_half_a_kind_is_refused_by_its_name(left_out: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with_texts(monkeypatch, SAID)
    said = ("__annotations__", "__module__", "mirrored", "apply", "describe", "fixes", "subject", "degrees")
    own = {name: value for name, value in vars(Both).items() if name in said and name != left_out}
    half: Any = type("Half", (Kind,), {**own, "mirrored": Both.model_fields["mirrored"]})
    with pytest.raises(EntryError, match=f"^trade_both: {left_out} not said$"):
        collected((half,))


def test_a_field_that_no_model_could_understand_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent(Both):
        degrees = 1
        mirrored: bool

    with_texts(monkeypatch, SAID)
    with pytest.raises(EntryError, match=r"^trade_both: description of mirrored not said$"):
        collected((Silent,))


def test_two_kinds_of_a_name_are_refused() -> None:
    with pytest.raises(EntryError, match=r"^sizing: there are two kinds of this name$"):
        collected((*KINDS.values(), KINDS["sizing"]))


def test_the_examples_are_the_same_in_both_languages() -> None:
    one, other = (
        {key: words for key, words in catalogue("changes", language).items() if key.endswith(".example")}
        for language in LANGUAGES
    )
    assert one == other
    assert [key.removesuffix(".example") for key in one] == list(KINDS)


LATER = """
import json, sys
from backtest import StrategySpec
from nodes.optimization.changes import CHANGE, KINDS, apply_change, describe_change, kinds_told
from nodes.optimization.evidence.lessons import kind_of_change
from nodes.optimization.trials.approval import Edit, read_approval
from nodes.optimization.trials.proposing import lead
from threadx.commands.edits import CHANGES, example
from threadx.web.steering_panel import CHANGE_FIELDS

sys.path.insert(0, "docs")
import build_language

change = Edit.model_validate({"proposal": 1, "change": json.loads(example("trade_both"))}).change
spec = StrategySpec.preset("ma_crossover")
print(json.dumps({
    "kinds": list(KINDS) == list(CHANGES),
    "sentence": describe_change(change, spec, "en"),
    "short": apply_change(spec, change).entry_short is not None,
    "tested": lead(spec, {}, change).hash != spec.hash,
    "prompt": kinds_told("en").splitlines()[-1],
    "lesson": kind_of_change(change.model_dump()),
    "field": "mirrored" in CHANGE_FIELDS,
    "docs": build_language.changes().rpartition("### ")[2].splitlines()[0],
}))
"""


def test_a_kind_added_by_four_files_is_known_everywhere(tmp_path: Path) -> None:
    for room in ROOMS:
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "docs").mkdir()
    for name in ("build_language.py", "language.toml"):
        shutil.copy(ROOT / "docs" / name, tmp_path / "docs")
    changes = tmp_path / "nodes" / "optimization" / "changes"
    source = Path(__file__).read_text(encoding="utf-8")
    shape = source[source.index("class Both") : source.index("SAID = ")]
    heads = ("from backtest import", "from collections", "from pydantic", "from prompts", "from typing")
    imports = [line for line in source.splitlines() if line.startswith(heads)]
    imports.append("from nodes.optimization.changes.base import Kind")
    (changes / "both.py").write_text("\n".join([*imports, shape]), encoding="utf-8")
    union = (changes / "applying.py").read_text(encoding="utf-8")
    union = union.replace("| NewStrategy\n", "| NewStrategy | Both\n", 1).replace(
        "from prompts import", "from nodes.optimization.changes.both import Both\nfrom prompts import", 1
    )
    (changes / "applying.py").write_text(union, encoding="utf-8")
    for language in LANGUAGES:
        path = tmp_path / "prompts" / "texts" / f"changes.{language}.toml"
        own = [f"{key.partition('.')[2]} = '{words}'" for key, words in SAID.items() if key[0] == "t"]
        texts = path.read_text(encoding="utf-8").replace(
            "[field]", "\n".join(["[trade_both]", *own, "[field]"])
        )
        path.write_text(texts + f"mirrored = '{SAID['field.mirrored']}'\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", LATER],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "kinds": True,
        "sentence": "Both sides",
        "short": True,
        "tested": True,
        "prompt": "- trade_both: both sides",
        "lesson": "trade_both",
        "field": True,
        "docs": "`trade_both`",
    }
