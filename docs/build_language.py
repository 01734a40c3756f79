"""Writes the reference tables of `docs/language.md` and of the README from the code: `make docs`.

What stands between `<!-- NAME -->` and `<!-- /NAME -->` is replaced; the rest of a page is written by hand.
"""

from __future__ import annotations

import inspect
import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from backtest import PRESETS, BacktestError, Costs, Risk, Sizing, StrategySpec, canonical_expression
from backtest.engine.sweep import MOST_CONFIGURATIONS
from backtest.language.functions import GROUPS, LONGEST_PERIOD, SERIES, usage
from backtest.language.parser import DEEPEST_NESTING, LONGEST_EXPRESSION
from backtest.language.phrases import KEYWORDS_ELSEWHERE, SPOKEN, TIMEFRAMES
from backtest.types import COST_BOUNDS, LADDERS, Bounds
from nodes.optimization.changes import CHANGE
from prompts import text
from providers import PROVIDERS
from threadx.commands.edits import CHANGES, example

HERE = Path(__file__).parent
PAGE = HERE / "language.md"
README = HERE.parent / "README.md"
FACTS: dict[str, Any] = tomllib.loads((HERE / "language.toml").read_text(encoding="utf-8"))

STATIC = (
    *("unknown_name", "wrong_arguments", "expression_syntax", "expression_type", "expression_too_long"),
    *("window_meant", "negative_lag", "bad_period", "bad_number", "parameter_order"),
    *("constant_division_by_zero", "unknown_timeframe"),
    *("nested_timeframe", "timeframe_not_higher", "never_true", "not_enough_bars", "not_enough_higher_bars"),
    *(
        "undeclared_input",
        "input_name",
        "reserved_input",
        "input_is_parameter",
        "unused_input",
        "missing_input",
    ),
    *("unused_table", "table_without_numbers", "too_many_on_offer", "input_column", "input_clash"),
    *("input_refused", "input_time_zone", "input_not_aligned"),
    *("share_out_of_range", "missing_volume"),
)


def cell(words: str) -> str:
    """Text that may stand in a table."""
    return words.replace("|", "\\|").replace("\n", " ")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell(one) for one in row)} |" for row in lines)


def series() -> str:
    """The series of a bar."""
    return table(("series", "what it is"), ([f"`{name}`", FACTS["series"][name]] for name in SERIES))


def functions() -> str:
    """Every function, group by group."""
    parts = []
    for group in GROUPS:
        rows = []
        for entry in group.entries:
            reads = f"; reads {', '.join(entry.inputs)}" if entry.inputs else ""
            lowest = [f"{one.name} ≥ {one.low}" for one in entry.arguments if one.kind == "period"]
            lowest += [
                f"{one.low} ≤ {one.name} ≤ {one.high}" for one in entry.arguments if one.high is not None
            ]
            rows.append(
                (
                    f"`{usage(entry.name)}`",
                    entry.formula + reads,
                    f"{entry.warm_up}{' (' + ', '.join(lowest) + ')' if lowest else ''}",
                    entry.special,
                    f"`{entry.example}`",
                    entry.source,
                )
            )
        note = f"{group.note}\n\n" if group.note else ""
        head = ("call", "value", "warm-up, bars", "special cases", "example", "source")
        parts.append(f"### {group.title.en}\n\n{note}{table(head, rows)}")
    return "\n\n".join(parts)


def _range(bounds: Bounds) -> tuple[str, str]:
    return f"{bounds.low:g} to {bounds.high:g}", f"{bounds.step:g}"


def presets() -> str:
    """Conditions, parameters and bounds of every preset."""
    parts = []
    for name, preset in PRESETS.items():
        lines = [f"### `{name}`", "", f"{preset.source[0].upper()}{preset.source[1:]}.", ""]
        for place in ("entry_long", "exit_long", "entry_short", "exit_short"):
            if condition := getattr(preset, place):
                lines.append(f"- {place}: `{condition}`")
        if preset.risk:
            lines.append(f"- risk: {', '.join(f'`{key}={value:g}`' for key, value in preset.risk.items())}")
        lines += [f"- `{smaller}` must be below `{larger}`" for smaller, larger in preset.ordered]
        if preset.bounds:
            rows = [(f"`{key}`", f"{one.default:g}", *_range(one)) for key, one in preset.bounds.items()]
            lines += ["", table(("parameter", "default", "bounds", "step"), rows)]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def attributes(kind: type) -> dict[str, str]:
    """What a class's docstring says of each attribute."""
    words = inspect.cleandoc(kind.__doc__ or "").partition("Attributes:\n")[2]
    found: dict[str, str] = {}
    for line in words.splitlines():
        if match := re.match(r"    (\w+): (.*)", line):
            found[match[1]] = match[2]
            last = match[1]
        elif line.strip():
            found[last] += f" {line.strip()}"
    return found


def settings() -> str:
    """Risk, sizing and costs."""
    kinds = (("Risk", Risk, Risk.bounds), ("Sizing", Sizing, Sizing.bounds), ("Costs", Costs, COST_BOUNDS))
    parts = []
    for title, kind, known in kinds:
        rows = []
        for name, words in attributes(kind).items():
            bounds = known.get(name)
            ladder = tuple(f"{one.low:g} to {one.high:g}" for one in LADDERS.get(name, ()))
            limits = ("yes, no", "")
            if bounds or ladder:
                limits = _range(bounds) if bounds else (" : ".join(ladder), "")
            default = kind.model_fields[name].default
            shown = "off" if default is None else "no" if default is False else f"{default:g}"
            rows.append((f"`{name}`", words.rstrip("."), shown, *limits))
        parts.append(f"### {title}\n\n{table(('setting', 'meaning', 'default', 'bounds', 'step'), rows)}")
    return "\n\n".join(parts)


def informal() -> str:
    """Examples of what is understood and what it becomes; of what is refused, and the refusal."""
    rows = [(f"`{one}`", f"`{canonical_expression(one)}`") for one in FACTS["informal"]["examples"]]
    refused = []
    for one in FACTS["informal"]["refused"]:
        try:
            StrategySpec(name="x", entry_long=one)
        except BacktestError as error:
            refused.append((f"`{one}`", text(f"backtest.error.{error.code}", "en", **error.fields)))
    both = table(("written", "understood as"), rows), table(("written", "refused with"), refused)
    return "\n\n".join(both)


def words() -> str:
    """Every word and phrase with another name."""
    meant: dict[str, list[str]] = {}
    for phrase, token in SPOKEN.items():
        meant.setdefault(token.words, []).append(" ".join(phrase))
    rows = [(f"`{name}`", ", ".join(sorted(said))) for name, said in sorted(meant.items())]
    named: dict[str, list[str]] = {}
    for said, names in KEYWORDS_ELSEWHERE.items():
        named.setdefault(" or ".join(f"`{name}`" for name in names), []).append(said)
    arguments = [(name, ", ".join(sorted(said))) for name, said in sorted(named.items())]
    frames = ", ".join(f"`{frame}`" for frame in TIMEFRAMES)
    return "\n\n".join(
        (
            table(("name", "also written"), rows),
            f"Arguments: {'; '.join(f'{name} as {said}' for name, said in arguments)}.",
            f"Timeframes that may stand in front of a value: {frames}.",
        )
    )


def errors() -> str:
    """What is checked before a bar is computed, in the words of the refusal."""
    rows = []
    for code in STATIC:
        line = text_of(code)
        rows.append((f"`{code}`", line))
    return table(("code", "refusal"), rows)


def text_of(code: str) -> str:
    """A refusal with its fields shown by name."""

    class Named(dict[str, str]):
        def __missing__(self, name: str) -> str:
            return f"‹{name}›"

    path = HERE.parent / "prompts" / "texts" / "backtest.en.toml"
    template: str = tomllib.loads(path.read_text(encoding="utf-8"))["error"][code]
    return template.format_map(Named())


def limits() -> str:
    """What is too much."""
    rows = (
        ("characters of a condition", f"{LONGEST_EXPRESSION:,}"),
        ("parentheses inside each other", f"{DEEPEST_NESTING}"),
        ("bars of a period or lag", f"{LONGEST_PERIOD:,}"),
        ("configurations of a sweep", f"{MOST_CONFIGURATIONS:,}"),
    )
    return table(("limit", "at most"), rows)


def changes() -> str:
    """Each kind of change: an example, its fields and what they take."""
    parts = []
    for kind in CHANGES:
        schema = CHANGE.json_schema()["$defs"][_form(kind)]
        rows = [
            (f"`{name}`", about["description"], _taken(about), "" if name in schema["required"] else "yes")
            for name, about in schema["properties"].items()
            if name != "kind"
        ]
        fields = table(("field", "meaning", "takes", "may be left out"), rows)
        lines = (f"### `{kind}`", schema["description"], f"```json\n{example(kind)}\n```", fields)
        parts.append("\n\n".join(lines))
    return "\n\n".join(parts)


def _form(kind: str) -> str:
    """The name of a kind's form in the schema."""
    return str(CHANGE.json_schema()["discriminator"]["mapping"][kind]).rpartition("/")[2]


def _taken(about: dict[str, Any]) -> str:
    """What a field takes, out of its JSON schema."""
    if "anyOf" in about:
        return " or ".join(_taken(one) for one in about["anyOf"])
    if "$ref" in about:
        return '`{"low": …, "high": …}`'
    if choices := about.get("enum"):
        return ", ".join(f"`{one}`" for one in choices)
    if "const" in about:
        return f"`{about['const']}`"
    if about["type"] == "array":
        return "a list of texts"
    if about["type"] == "integer":
        return f"a whole number, {about['minimum']} to {about['maximum']}"
    names = {"number": "a number", "string": "a text", "boolean": "`true` or `false`", "null": "`null`"}
    return names[about["type"]]


BLOCKS: dict[str, Callable[[], str]] = {
    "series": series,
    "functions": functions,
    "presets": presets,
    "settings": settings,
    "informal": informal,
    "words": words,
    "errors": errors,
    "limits": limits,
    "changes": changes,
}


def models() -> str:
    """Every provider of models."""
    rows = ((f"`{one.name}`", one.about, one.sends) for one in PROVIDERS.values())
    return table(("provider", "what it is", "what leaves this machine"), rows)


Blocks = Mapping[str, Callable[[], str]]
PAGES: dict[Path, Blocks] = {PAGE: BLOCKS, README: {"providers": models}}


def _between(words: str, marks: re.Match[str]) -> str:
    return f"{marks[1]}\n{words}\n\n{marks[2]}"


def built(page: str, blocks: Blocks = BLOCKS) -> str:
    """The page with every block as the code has it now.

    Raises:
        ValueError: a block's place is not in the page, or twice.
    """
    for name, block in blocks.items():
        place = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        if len(place.findall(page)) != 1:
            raise ValueError(f"the page has no place, or several, for {name}")
        page = place.sub(partial(_between, block()), page)
    return page


def main() -> int:
    """Rewrite the pages; with `--check` only tell whether they are up to date."""
    before = {path: path.read_text(encoding="utf-8") for path in PAGES}
    now = {path: built(page, PAGES[path]) for path, page in before.items()}
    if "--check" in sys.argv[1:]:
        return int(now != before)
    for path, page in now.items():
        path.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
