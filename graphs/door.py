"""A graph with one entry point, used by every caller and every method.

`invoke`, `batch`, `stream`, `stream_events` and their asynchronous sisters all come through `stream` or
`astream`, and so does the LangGraph server. At the entry point, in this order:

- an unknown key of the input or of the settings is refused, and the nearest one named;
- a request to the LangGraph server cannot set an address, a data folder or a model file (`nodes.serving`);
- a model file that cannot be used is refused before anything is begun;
- a resumed run keeps its initial settings;
- a run resumed from an earlier checkpoint, or from a state changed by hand, becomes a new run;
- every error is reported in the language of the run.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import Any, ClassVar, TypeVar, cast

from langchain_core.runnables import RunnableConfig
from langgraph.graph import StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command, StateSnapshot
from pydantic import BaseModel, ValidationError

from base.errors import LANGUAGES, Language, in_language, readers_language
from base.heap import give_back
from base.json_files import check_json
from base.reasons import ReasonError, misshapen
from base.sources import source_digest
from graphs.standing import BY_HAND, CHECKPOINTER, READ, RUNTIME, Standing, standing, thread_of
from nodes.chosen import OPERATORS_OWN
from nodes.context import Context
from nodes.errors import SettingError
from nodes.forking import AGAIN, REPLAYED, RUN, Events, fork, recorded_settings, settings_of
from nodes.given import read_context, read_input, refusal
from nodes.model_settings import provider_settings
from nodes.optimization.past import past
from nodes.optimization.trials.workshop import restore
from nodes.serving import OUR_MARK, SERVED, refuse_model_files, refuse_operators_own
from providers import forget_failures
from providers.embedded import check_file
from record.errors import ReportError
from record.record import RunRecord
from record.versions import check_plugins
from vault.adding import use

C = TypeVar("C", bound=Context)

SERVERS_OWN = frozenset(
    {"thread_id", "checkpoint_id", "checkpoint_ns", "checkpoint_map", "checkpoint", "run_id", "assistant_id"}
    | {"graph_id", "user_id", "cron_id"}
)
"""Keys that the LangGraph server puts beside the settings where a client gives `configurable`."""

OWN_PREFIXES = ("__", "langgraph_", "x-")

SERVERS_MARK = "langgraph_api_version"
"""The LangGraph server puts this into the metadata of every run, whichever graph of ours it was told of."""


class Door(CompiledStateGraph[Any, Any, Any, Any]):
    """The compiled graph, entered by its door.

    Attributes:
        run_key: key of the state that names the run.
        served: whether the callers are clients of a server.
    """

    run_key: ClassVar[str] = "run_id"
    served: ClassVar[bool] = False

    def stream(self, input: Any, config: RunnableConfig | None = None, **settings: Any) -> Iterator[Any]:
        """As every compiled graph's.

        Raises:
            SettingError: a key or a value is refused.
            ReportError: `run_exists`.
        """
        settings["context"] = self._configured(config, settings.get("context"))
        with in_language(language_of(settings["context"])):
            config = self.received(config, settings["context"])
            with self._refusals():  # where nothing but an input that failed was ever stored
                stood = self._stand(config) if self._goes_on(input, config) else None
            with _read_from(input, stood):
                entered = self._enter(input, config, settings["context"], stood)
            others = self._is_of_others(input, entered[2], stood)
            input, config, settings["context"] = entered
        with in_language(settings["context"].language), _fitting(others), self._refusals():
            yield from super().stream(input, config, **settings)

    async def astream(
        self, input: Any, config: RunnableConfig | None = None, **settings: Any
    ) -> AsyncIterator[Any]:
        """As every compiled graph's.

        Raises:
            SettingError: a key or a value is refused.
            ReportError: `run_exists`.
        """
        settings["context"] = self._configured(config, settings.get("context"))
        with in_language(language_of(settings["context"])):
            config = self.received(config, settings["context"])
            with self._refusals():
                stood = await self._astand(config) if self._goes_on(input, config) else None
            # Records are files: the server's loop must not wait for a disk.
            with _read_from(input, stood):
                entered = await asyncio.to_thread(self._enter, input, config, settings["context"], stood)
            others = await asyncio.to_thread(self._is_of_others, input, entered[2], stood)
            input, config, settings["context"] = entered
        with in_language(settings["context"].language), _fitting(others), self._refusals():
            async for part in super().astream(input, config, **settings):
                yield part
        if self.served:
            await asyncio.to_thread(give_back)

    def bulk_update_state(self, config: RunnableConfig, supersteps: Any) -> RunnableConfig:
        """As every compiled graph's; routers that are asked where to go then know the run's settings."""
        with self._refusals():
            known = self.get_state(config)
        with _stored_state():
            return super().bulk_update_state(self._told(config, known), supersteps)

    async def abulk_update_state(self, config: RunnableConfig, supersteps: Any) -> RunnableConfig:
        """As every compiled graph's; routers that are asked where to go then know the run's settings."""
        with self._refusals():
            known = await self.aget_state(config)
        with _stored_state():
            told = await asyncio.to_thread(self._told, config, known)
            return await super().abulk_update_state(told, supersteps)

    def get_context_jsonschema(self) -> dict[str, Any] | None:
        """As every compiled graph's, and the LangGraph server drops no key by it.

        It keeps of a client's settings those whose names are `in` the properties; the door refuses
        the others.
        """
        schema = super().get_context_jsonschema()
        if not schema:
            return schema
        shown = {
            name: field
            for name, field in schema["properties"].items()
            if not (self.served and name in OPERATORS_OWN)
        }
        return {**schema, "properties": _Open(shown)}

    def get_output_jsonschema(self, config: RunnableConfig | None = None) -> dict[str, Any]:
        """Schema of what a caller is after; with an `output_schema` the server would stream null updates."""
        return cast("RunGraph", self.builder).outcome.model_json_schema(mode="serialization")

    def received(self, config: RunnableConfig | None, context: Any) -> RunnableConfig | None:
        """The configuration of a run that a request began says so; a caller's in Python stays as it is.

        Raises:
            SettingError: `not_from_a_request`.
        """
        given = config or {}
        if not (self.served or SERVERS_MARK in given.get("metadata", {})):
            return config
        place = given.get("configurable", {})
        # A client's `configurable` is mirrored in the settings, a stored assistant's may stand there alone.
        refuse_operators_own([*place, *(context if isinstance(context, Mapping) else ())])
        theirs = {name: value for name, value in place.items() if not name.startswith(OUR_MARK)}
        marked = {**theirs, SERVED: True}
        return cast("RunnableConfig", {**given, "configurable": marked})

    def _configured(self, config: RunnableConfig | None, context: Any) -> Any:
        """A client's settings; those that a stored assistant keeps in its `configurable` alone count too."""
        if not self.served or not isinstance(context, Mapping | None):
            return context
        place = (config or {}).get("configurable", {})
        return {**_settings_in(place), **(context or {})} or context

    def _goes_on(self, given: Any, config: RunnableConfig | None) -> bool:
        place = (config or {}).get("configurable", {})
        here = self._keeps(config) and "thread_id" in place and not _is_nested(config)
        return here and (given is None or _is_command(given))

    def _keeps(self, config: RunnableConfig | None) -> bool:
        """Whether checkpoints are kept, so that a run can wait for somebody."""
        return bool(self.checkpointer or (config or {}).get("configurable", {}).get(CHECKPOINTER))

    def _stand(self, config: RunnableConfig | None) -> Standing | None:
        looked = standing(config or {})
        try:
            place = next(looked)
            while True:
                place = looked.send(self.get_state(place))
        except StopIteration as found:
            stood = cast("Standing | None", found.value)
        if stood is None:
            return None
        thread = thread_of(config)
        changes = (self.get_state_history(thread, filter={"source": way}, limit=1) for way in BY_HAND)
        return replace(stood, changed=any(any(found) for found in changes))

    async def _astand(self, config: RunnableConfig | None) -> Standing | None:
        looked = standing(config or {})
        try:
            place = next(looked)
            while True:
                place = looked.send(await self.aget_state(place))
        except StopIteration as found:
            stood = cast("Standing | None", found.value)
        if stood is None:
            return None
        thread, changed = thread_of(config), False
        for way in BY_HAND:
            async for _ in self.aget_state_history(thread, filter={"source": way}, limit=1):
                changed = True
        return replace(stood, changed=changed)

    def _run_at(self, stood: Standing) -> Any:
        """The run that the state names; None before its first step."""
        return stood.values.get(self.run_key) or stood.values.get("run")

    def _is_of_others(self, given: Any, settings: Context, stood: Standing | None) -> bool:
        """Whether a run goes on with a state that is not as a step of this very code left it.

        Whoever may, changes the state of a thread, puts values into it, or kept it with another version.
        """
        brought = _is_command(given) and bool(given.update or given.goto)
        if brought or stood is None or stood.changed:
            return brought or stood is not None
        if not (run := self._run_at(stood)):
            return False
        record = RunRecord(settings.home_path, run)
        then = record.about().get("versions") if record.exists() else None
        return not isinstance(then, dict) or then.get("source") != source_digest()

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        """An input that only its first step finds wanting is refused as at the door."""
        asked = cast("type[BaseModel]", self.builder.input_schema)
        try:
            yield
        except ValidationError as error:
            if error.title != asked.__name__:
                raise
            raise refusal(error, asked) from None

    def _told(self, config: RunnableConfig, known: StateSnapshot) -> RunnableConfig:
        """The configuration with the settings of the run whose state is changed; LangGraph gives none."""
        schema = cast("type[Context]", self.context_schema)
        settings = read_context(schema, None)
        run = known.values.get(self.run_key) if isinstance(known.values, Mapping) else None
        record = RunRecord(settings.home_path, run) if run else None
        if record is not None and record.exists():
            settings = recorded_settings(record, schema)
        place = {**config.get("configurable", {}), RUNTIME: Runtime(context=settings)}
        return cast("RunnableConfig", {**config, "configurable": place})

    def _enter(
        self, given: Any, config: RunnableConfig | None, context: Any, stood: Standing | None
    ) -> tuple[Any, RunnableConfig | None, Context]:
        """Input, configuration and settings as the graph gets them."""
        schema = cast("type[Context]", self.context_schema)
        settings = settings_given(schema, context)
        nested = _is_nested(config)
        if not nested and (config or {}).get("configurable", {}).get(SERVED):
            refuse_model_files(settings.references, settings.home_path)
        if _is_command(given):
            _check_word(given)
        if stood is None:
            if not _is_command(given) and not (given is None and nested):
                asked = read_input(cast("type[BaseModel]", self.builder.input_schema), given or {})
                _refuse_taken(getattr(asked, "run", None), settings)
                if getattr(settings, "approve", False) and not (self._keeps(config) or _is_replayed(config)):
                    raise SettingError("approve_without_checkpoints")
                # A timer's run goes on with the rest of its chain, a repeated one asks no model.
                if not (getattr(settings, "unattended", False) or _is_replayed(config)):
                    for reference in settings.references:
                        check_file(reference)
                given = asked if given is None else given
                if "thread_id" in (config or {}).get("configurable", {}):
                    # What an earlier input on the same thread said is no part of this one.
                    given = asked.model_dump()
            return given, config, settings
        if stood.moved_past or stood.by_hand:
            place = {**(config or {}).get("configurable", {}), AGAIN: True}
            config = cast("RunnableConfig", {**(config or {}), "configurable": place})
        run = self._run_at(stood)
        record = RunRecord(settings.home_path, run) if run else None
        if run and not nested:
            forget_failures(provider_settings(settings), run)  # a person may have mended what was wrong
        if record is None or not record.exists() or not (stood.left or _is_command(given)):
            return given, config, settings
        use(settings.home_path)
        restore(record, settings.home_path)
        check_plugins(record.run, record.about().get("versions") or {})
        chosen = settings if context else None
        going_on = settings_of(record, chosen, schema)
        if stood.is_another(record):
            run = fork(record, going_on, checkpoint=stood.checkpoint, before=stood.before, past=self._past)
            given = self._renamed(given, run, stood.values)
        place = {**(config or {}).get("configurable", {}), RUN: run}
        return given, cast("RunnableConfig", {**(config or {}), "configurable": place}), going_on

    def _past(self, copied: Events, parent: RunRecord, record: RunRecord, context: Context) -> Events:
        return past(copied, parent, record, context)

    def _renamed(self, given: Any, run: str, values: Mapping[str, Any]) -> Command[Any]:
        """What goes on under another name, from the same state."""
        named: dict[str, Any] = {self.run_key: run}
        if "run" in values:  # still to be read from the input
            named["run"] = run
        if request := values.get("request"):
            named["request"] = {**request, "run": run}
        if not _is_command(given):
            return Command(update=named)
        update = given.update if isinstance(given.update, Mapping) else dict(given.update or ())
        return Command(update={**update, **named}, resume=given.resume, goto=given.goto)


class EnsembleDoor(Door):
    """The ensemble's: its runs are named under another key, and their past is their events."""

    run_key = "run"

    def _past(self, copied: Events, parent: RunRecord, record: RunRecord, context: Context) -> Events:
        return copied


class RunGraph(StateGraph[Any, Any, Any, Any]):
    """A graph under construction whose every compilation has a door.

    Attributes:
        outcome: what of the state a caller is after.
    """

    door: ClassVar[type[Door]] = Door

    def __init__(self, *arguments: Any, outcome: type[BaseModel], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.outcome = outcome

    def compile(self, *arguments: Any, **options: Any) -> Door:
        """As every graph's."""
        return self.door(**vars(super().compile(*arguments, **options)))


class _Open(dict[str, Any]):
    """Properties of a schema: what is asked for seems to be there."""

    def __contains__(self, name: object) -> bool:
        return True


def language_of(context: Any) -> Language:
    """The language that a caller's settings name, else the reader's."""
    named = context.get("language") if isinstance(context, Mapping) else getattr(context, "language", None)
    return cast(Language, named) if named in LANGUAGES else readers_language()


def _is_nested(config: RunnableConfig | None) -> bool:
    """Whether another graph runs this one as one of its steps."""
    return READ in (config or {}).get("configurable", {})


def _is_replayed(config: RunnableConfig | None) -> bool:
    """Whether what a person said is on record, so that nobody is waited for."""
    return REPLAYED in (config or {}).get("configurable", {})


def _is_command(given: Any) -> bool:
    return isinstance(given, Command)


def _check_word(given: Command[Any]) -> None:
    """Refuse what no waiting run can be told: it would be stored before any step reads it.

    Raises:
        SettingError: `unusable_word`.
    """
    if given.resume is None and not (given.update or given.goto):
        raise SettingError("unusable_word", reason=ReasonError("value_missing"))
    try:
        check_json(given.resume)
    except ReasonError as reason:
        raise SettingError("unusable_word", reason=reason) from None


def _settings_in(given: Mapping[str, Any]) -> dict[str, Any]:
    """What of a request's names is not the server's own."""
    return {
        name: value
        for name, value in given.items()
        if name not in SERVERS_OWN and not name.startswith(OWN_PREFIXES)
    }


def settings_given(schema: type[C], context: Any) -> C:
    """The settings, from whatever a caller gave.

    Raises:
        SettingError: a key or a value is refused.
    """
    if isinstance(context, Mapping):
        context = _settings_in(context)
    return read_context(schema, context)


def _stored_state() -> AbstractContextManager[None]:
    """What the block cannot do with a state that a client changed, or another version kept, is one error.

    Raises:
        SettingError: `stored_state`.
    """
    return misshapen(lambda reason: SettingError("stored_state", reason=reason))


def _read_from(given: Any, stood: Standing | None) -> AbstractContextManager[None]:
    """The same for the door itself, which reads nothing else where a run goes on."""
    return _fitting(stood is not None or _is_command(given))


def _fitting(others: bool) -> AbstractContextManager[None]:
    """The same for the steps of a run whose state is the work of others; a fault of our own stays one."""
    return _stored_state() if others else nullcontext()


def _refuse_taken(run: str | None, settings: Context) -> None:
    """Refuse the name of a finished run.

    Raises:
        ReportError: `run_exists`, `bad_run_name`.
    """
    if run is not None and RunRecord(settings.home_path, run).log.ended():
        raise ReportError("run_exists", run=run)
