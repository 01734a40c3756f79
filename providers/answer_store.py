"""The SQLite file of cached answers: langchain-community's cache over a table that carries the time."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from langchain_community.cache import SQLAlchemyCache
from langchain_core.caches import RETURN_VAL_TYPE
from langchain_core.messages import AIMessage, message_to_dict, messages_from_dict
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration
from sqlalchemy import NullPool, create_engine, delete, event, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from base import locks, private
from base.databases import make_private, put_aside_if_damaged
from base.reasons import misshapen
from providers.errors import CacheError, short
from providers.request import Reply

KEPT_SECONDS = 366 * 86400.0
"""Rows older than the longest time to live anyone may set are deleted when a new one comes."""


class _Base(DeclarativeBase):
    """Tables of this file."""


class StoredAnswer(_Base):
    """One answer; `prompt` and `llm` are LangChain's names for the two halves of the key."""

    __tablename__ = "answers"

    prompt: Mapped[str] = mapped_column(primary_key=True)
    llm: Mapped[str] = mapped_column(primary_key=True)
    idx: Mapped[int] = mapped_column(primary_key=True)
    response: Mapped[str]
    created: Mapped[float] = mapped_column(index=True)


AHEAD_SECONDS = 60.0
"""How far ahead of this clock an answer may be: another process may keep it between our look at the clock and
our look at the file. Further ahead, a clock was set back."""


class TimedCache(SQLAlchemyCache):
    """SQLAlchemyCache with a time to live."""

    def __init__(self, path: Path, *, seconds: float, now: Callable[[], float]) -> None:
        self.seconds = seconds
        self.now = now
        private.make_folder(path.parent)
        # A connection an operation: safe in threads, and another process may replace the file in between.
        engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": 30}, poolclass=NullPool)
        event.listen(engine, "connect", _unhurried)
        # Only one process makes the table and turns on the write-ahead log, which SQLite refuses to do
        # while somebody else is writing.
        lock = locks.lock(path.with_name(f".{path.name}.lock"))
        put_aside_if_damaged(path, lock)
        make_private(path)
        with lock:
            # Annotated for its own table, documented for any table with these columns.
            super().__init__(engine, cast(Any, StoredAnswer))
            with engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA journal_mode=WAL")

    def lookup(self, prompt: str, llm_string: str) -> RETURN_VAL_TYPE | None:
        """The answers kept under a key, unless too old."""
        oldest = self.now() - self.seconds
        statement = (
            select(StoredAnswer.response)
            .where(StoredAnswer.prompt == prompt, StoredAnswer.llm == llm_string)
            .where(StoredAnswer.created > oldest, StoredAnswer.created <= self.now() + AHEAD_SECONDS)
            .order_by(StoredAnswer.idx)
        )
        with Session(self.engine) as session:
            rows = session.scalars(statement).all()
        messages = messages_from_dict([json.loads(row) for row in rows])
        return [ChatGeneration(message=message) for message in messages] or None

    def update(self, prompt: str, llm_string: str, return_val: RETURN_VAL_TYPE) -> None:
        """Keep answers under a key, in place of older ones."""
        created = self.now()
        with Session(self.engine) as session, session.begin():
            session.execute(delete(StoredAnswer).where(StoredAnswer.created < created - KEPT_SECONDS))
            for index, generation in enumerate(return_val):
                if not isinstance(generation, ChatGeneration):
                    raise TypeError("only answers of chat models are kept here")
                response = json.dumps(message_to_dict(generation.message), ensure_ascii=False)
                row = insert(StoredAnswer).values(
                    prompt=prompt, llm=llm_string, idx=index, response=response, created=created
                )
                # Two processes may bring the same answer: the later one stays.
                session.execute(
                    row.on_conflict_do_update(
                        index_elements=["prompt", "llm", "idx"],
                        set_={"response": response, "created": created},
                    )
                )


def _unhurried(connection: Any, record: object) -> None:
    """No wait for the disk at each answer: a power cut may cost the last ones, never the file."""
    connection.execute("PRAGMA synchronous=NORMAL")


class AnswerStore:
    """Replies in and out of the cache file."""

    def __init__(self, path: Path, *, seconds: float, now: Callable[[], float]) -> None:
        self.path = path
        try:
            self.cache = TimedCache(path, seconds=seconds, now=now)
        except (SQLAlchemyError, OSError) as error:
            raise self._failed(error) from error

    def recall(self, prompt: str, llm: str) -> Reply | None:
        """The reply kept under a key.

        Raises:
            CacheError: the file cannot be read.
        """
        with misshapen(self._failed):
            try:
                found = self.cache.lookup(prompt, llm)
            except (SQLAlchemyError, OSError) as error:
                raise self._failed(error) from error
            if not found or not isinstance(found[0], ChatGeneration):
                return None
            message = found[0].message
            usage = message.usage_metadata if isinstance(message, AIMessage) else None
            return Reply(
                text=str(message.text),
                thinking=str(message.additional_kwargs.get("reasoning_content", "")),
                prompt_tokens=usage["input_tokens"] if usage else None,
                answer_tokens=usage["output_tokens"] if usage else None,
            )

    def remember(self, prompt: str, llm: str, reply: Reply) -> None:
        """Keep a reply under a key.

        Raises:
            CacheError: the file cannot be written.
        """
        usage: UsageMetadata | None = None
        if reply.prompt_tokens is not None and reply.answer_tokens is not None:
            usage = UsageMetadata(
                input_tokens=reply.prompt_tokens,
                output_tokens=reply.answer_tokens,
                total_tokens=reply.prompt_tokens + reply.answer_tokens,
            )
        message = AIMessage(
            reply.text, additional_kwargs={"reasoning_content": reply.thinking}, usage_metadata=usage
        )
        try:
            self.cache.update(prompt, llm, [ChatGeneration(message=message)])
        except (SQLAlchemyError, OSError) as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> CacheError:
        return CacheError("cache_failed", path=str(self.path), detail=short(error))
