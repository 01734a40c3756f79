"""`threadx doctor`: which models answer, and what to do about the others; which files are damaged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from base.aside import taken
from base.plugins import Plugin, plugins
from nodes.ensemble.agents import AGENTS
from nodes.ensemble.context import EnsembleContext
from nodes.model_settings import provider_settings
from nodes.model_words import gib
from prompts import Words
from providers import ProviderSettings, parse_reference
from providers.errors import ProviderError
from providers.habits import refused
from providers.health import check_all
from providers.installed import installed
from providers.memory import model_bytes
from providers.ollama import PROVIDER as OLLAMA_PROVIDER
from providers.oversight import breaker_of, refused_by
from providers.registry import PROVIDERS
from record.record import canonical_json
from threadx.repairing import examine
from threadx.settings import make_context
from threadx.terminal import Terminal
from threadx.work.written import write_json
from threadx.writable import writable

CYCLE = ("analyst", "strategist", "validator")


class _Told:
    """Shows the checks, and keeps them for `--json`.

    Args:
        words: language.
        shown: whether they are shown; only kept, if not.
    """

    def __init__(self, words: Words, *, shown: bool) -> None:
        self._terminal = Terminal(words) if shown else None
        self.kept: dict[str, list[dict[str, Any]]] = {}

    def checks(self, part: str, title: str, lines: Sequence[tuple[bool, str, str]]) -> None:
        """The checks of one part under a title."""
        names = ("holds", "told", "about")
        self.kept[part] = [dict(zip(names, line, strict=True)) for line in lines]
        if self._terminal is not None:
            self._terminal.checks(title, lines)

    def lines(self, lines: Sequence[str]) -> None:
        """Lines that are only shown."""
        if self._terminal is not None:
            self._terminal.lines(lines)


def doctor(
    words: Words, repair: bool, json_path: str | None, home: str | None, language: str, debug: bool
) -> None:
    """Damaged files of the data folder; then every reference that a role may use, and whether it answers."""
    cycle = make_context(home=home, language=language)
    ensemble = EnsembleContext(home=cycle.home)
    told = _Told(words, shown=json_path != "-")
    files = _files(words, told, cycle.home_path, repair=repair)
    writable(cycle.home_path)
    if plugins():
        told.checks("plugins", words("command.doctor.plugins"), [_plugin(words, one) for one in plugins()])
    uses: dict[str, list[str]] = {}
    chains = {role: getattr(cycle, role) for role in CYCLE}
    chains |= {role: ensemble.chain(role) for role in (*AGENTS, "arbiter")}
    for role, chain in chains.items():
        for reference in chain:
            uses.setdefault(reference, []).append(role)
    # A reader wants to know of the providers that no chain uses all the same.
    used = {reference.partition(":")[0] for reference in uses}
    uses |= {provider.sample: [] for name, provider in PROVIDERS.items() if name not in used}
    settings = provider_settings(cycle)
    found = check_all([list(uses)], settings)
    told.checks(
        "models",
        words("command.doctor_title"),
        [
            (health.ok, words(health.text_key, **health.fields), ", ".join(uses[health.reference]))
            for health in found
        ],
    )
    _memory(words, told, {one.reference for one in found if one.ok}, chains, settings)
    _found_out(words, told, list(uses), settings)
    for one, health in zip(told.kept["models"], found, strict=True):
        one["model"] = health.reference
    write_json(canonical_json({"files": files, **told.kept}), json_path)


def _memory(
    words: Words,
    checks: _Told,
    ready: set[str],
    chains: Mapping[str, Sequence[str]],
    settings: ProviderSettings,
) -> None:
    """Whether the local models of the cycle fit into memory together, and what it costs where they do not."""
    asked = {next((one for one in chains[role] if one in ready), "") for role in CYCLE}
    if not any(one.startswith(f"{OLLAMA_PROVIDER.name}:") for one in asked):
        return
    sizes = {one.reference: one.memory for one in installed(settings)[0] if one.reference in asked}
    needed = [size for size in sizes.values() if size]
    if not needed:
        return
    memory, _ = model_bytes()
    told = {"count": len(needed), "needed": gib(sum(needed), words), "memory": gib(memory, words)}
    if max(needed) > memory:
        line = (False, words("command.doctor.too_large", **told), "threadx models suggest")
    elif sum(needed) > memory:
        line = (False, words("command.doctor.in_turn", **told), "threadx models suggest")
    else:
        line = (True, words("command.doctor.fits", **told), "")
    checks.checks("memory", words("command.doctor.memory"), [line])


def _found_out(words: Words, checks: _Told, models: list[str], settings: ProviderSettings) -> None:
    """What earlier calls found out: models that unattended runs leave out, parameters that models refuse."""
    breakers, habits = [], []
    for model in models:
        assert settings.logs is not None
        try:
            reference = parse_reference(model)
        except ProviderError:
            continue  # the line above says it
        state = breaker_of(settings.logs, reference, settings)
        if state.is_open:
            told = words.told(refused_by(state, model))
            breakers.append((False, told, words("command.doctor.reset", model=model)))
        if without := refused(reference, settings):
            told = words("command.doctor.without", model=model, parameters=", ".join(sorted(without)))
            habits.append((True, told, words("command.doctor.forget", model=model)))
    if breakers:
        checks.checks("breakers", words("command.doctor.breakers"), breakers)
    if habits:
        checks.checks("habits", words("command.doctor.habits"), habits)


def _plugin(words: Words, plugin: Plugin) -> tuple[bool, str, str]:
    """A plugin's line: whether it is used, what it adds or why it is not, and where it stands."""
    place = "" if plugin.path is None else str(plugin.path)
    if plugin.error is not None:
        return False, plugin.error.sentence(words.language), place
    told = words(
        "command.doctor.plugin", name=plugin.name, version=plugin.version, adds=", ".join(plugin.adds)
    )
    return True, told, place


def _files(words: Words, checks: _Told, home: Path, *, repair: bool) -> list[dict[str, str]]:
    """Tell what is damaged, and what can be done or was done about it."""
    found = examine(home) if home.is_dir() else []
    if not found:
        checks.lines([words("command.doctor.sound", home=str(home))])
        return []
    part = "done" if repair else "remedy"
    lines = ["## " + words("command.doctor.title", home=str(home))]
    kept: list[dict[str, str]] = []
    for one in found:
        if repair:
            one.mend()
        problem = words(f"command.doctor_problem.{one.problem}", **one.fields)
        told = words(f"command.doctor_{part}.{one.remedy}")
        name = one.path.relative_to(home).as_posix()
        lines.append(words("command.doctor.line", file=name, problem=problem, remedy=told))
        kept.append({"file": name, "problem": problem, part: told})
    taken()  # the lines say it
    checks.lines(lines)
    if not repair and any(one.remedy != "restore" for one in found):
        checks.lines([words("command.doctor.next")])
    return kept
