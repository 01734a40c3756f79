"""What tests of models have come to: a card a model, kept in the data folder for whoever looks later."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, Field, ValidationError

from base import private
from base.files import write_text_atomically
from base.json_files import LARGEST
from base.plain_files import read_plain

ROLES = ("analyst", "strategist", "validator")


@dataclass
class Marks:
    """Of one role over all cases.

    Attributes:
        hits: by mark, how often it was earned.
        of: by mark, how often it could have been.
        prompt_tokens, answer_tokens: read and written; None where no server counted.
        seconds: of all calls.
    """

    hits: Counter[str] = field(default_factory=Counter)
    of: Counter[str] = field(default_factory=Counter)
    prompt_tokens: int | None = None
    answer_tokens: int | None = None
    seconds: float = 0.0

    def add(self, mark: str, hits: int, of: int = 1) -> None:
        """Count."""
        self.hits[mark] += hits
        self.of[mark] += of

    def read(self, prompt_tokens: int | None, answer_tokens: int | None, seconds: float) -> None:
        """Add what an answer cost."""
        if prompt_tokens is not None:
            self.prompt_tokens = (self.prompt_tokens or 0) + prompt_tokens
        if answer_tokens is not None:
            self.answer_tokens = (self.answer_tokens or 0) + answer_tokens
        self.seconds += seconds

    def share(self, mark: str) -> float | None:
        """0 to 1; None where the mark could not be earned."""
        return self.hits[mark] / self.of[mark] if self.of[mark] else None

    def plain(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "marks": {
                mark: {"hits": self.hits[mark], "of": of} for mark, of in sorted(self.of.items()) if of
            },
            "prompt_tokens": self.prompt_tokens,
            "answer_tokens": self.answer_tokens,
            "seconds": round(self.seconds, 3),
        }


@dataclass
class Card:
    """Of one model.

    Attributes:
        roles: marks by role.
        faults: by case, how often the fault was `named`, its kind of change proposed (`aimed`) and a change
            that fits proposed (`fitting`), of so many `answers`.
    """

    roles: dict[str, Marks] = field(default_factory=lambda: {role: Marks() for role in ROLES})
    faults: dict[str, dict[str, int]] = field(default_factory=dict)

    def fault(self, case: str, **found: bool) -> None:
        """Count what one answer made of a fault."""
        known = self.faults.setdefault(case, dict.fromkeys(("answers", "named", "aimed", "fitting"), 0))
        known["answers"] += 1
        for name, hit in found.items():
            known[name] += hit
            self.roles["analyst" if name == "named" else "strategist"].add(name, hit)

    def plain(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"roles": {name: marks.plain() for name, marks in self.roles.items()}, "faults": self.faults}


_Count = Annotated[int, Field(ge=0)]


class _Earned(BaseModel):
    hits: _Count
    of: Annotated[int, Field(ge=1)]


class _Role(BaseModel):
    marks: dict[str, _Earned]
    prompt_tokens: _Count | None
    answer_tokens: _Count | None
    seconds: Annotated[float, Field(ge=0.0, allow_inf_nan=False)]


class _Fault(BaseModel):
    answers: Annotated[int, Field(ge=1)]
    named: _Count
    aimed: _Count
    fitting: _Count


class Kept(BaseModel):
    """A model's card.

    Attributes:
        model: its reference, or `dice`.
        language: of the reviews.
        tested: when.
        cases: how many there were.
        roles, faults: as `Card.plain` has them.
    """

    model: str
    language: str
    tested: AwareDatetime
    cases: Annotated[int, Field(ge=1)]
    roles: dict[str, _Role]
    faults: dict[str, _Fault]

    def card(self) -> Card:
        """The card itself."""
        card = Card(faults={name: one.model_dump() for name, one in self.faults.items()})
        for role in ROLES:
            if (kept := self.roles.get(role)) is not None:
                card.roles[role] = Marks(
                    hits=Counter({name: one.hits for name, one in kept.marks.items()}),
                    of=Counter({name: one.of for name, one in kept.marks.items()}),
                    prompt_tokens=kept.prompt_tokens,
                    answer_tokens=kept.answer_tokens,
                    seconds=kept.seconds,
                )
        return card


def keep(home: Path, model: str, card: Card, language: str, cases: int) -> None:
    """Keep a card in the place of an earlier one of the same model and language.

    Raises:
        OSError: the folder cannot be written.
    """
    folder = _folder(home)
    private.make_folder(folder)
    now = datetime.now(UTC).isoformat()
    told = {"model": model, "language": language, "tested": now, "cases": cases, **card.plain()}
    name = hashlib.sha256(f"{language} {model}".encode()).hexdigest()[:16]
    write_text_atomically(folder / f"{name}.json", json.dumps(told, ensure_ascii=False) + "\n")


def kept_cards(home: Path, language: str) -> list[Kept]:
    """The cards of a language, by name; what cannot be read is none."""
    found = []
    for path in sorted(_folder(home).glob("*.json")):
        try:
            found.append(Kept.model_validate_json(read_plain(path, LARGEST)))
        except (OSError, ValidationError):
            continue
    return sorted((one for one in found if one.language == language), key=lambda one: one.model)


def _folder(home: Path) -> Path:
    return home / "scorecard" / "cards"
