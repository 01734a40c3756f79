"""`threadx mcp`: the tools of a data folder for a coding assistant, over standard input and output.

What is written to standard output is the protocol's alone; everything else that anybody prints goes to
standard error.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from importlib.metadata import version
from typing import Any

import anyio
from langchain_core.messages import ToolMessage
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage
from mcp.types import (
    INVALID_REQUEST,
    PARSE_ERROR,
    CallToolResult,
    ErrorData,
    JSONRPCError,
    ListToolsResult,
    TextContent,
    Tool,
    ToolAnnotations,
)
from pydantic import ValidationError

from prompts import Words
from threadx.plain import say
from threadx.settings import make_context
from threadx.work.assistant import Offered, offered
from threadx.writable import writable


def mcp(words: Words, runs: bool, home: str | None, language: str, debug: bool) -> None:
    """Serve until the client goes."""
    folder = writable(make_context(home=home, language=language).home_path)
    tools = offered(folder, words.language, runs=runs)
    say(words("command.home", home=str(folder)), err=True)
    say(words("command.mcp_ready", tools=", ".join(one.tool.name for one in tools)), err=True)
    asyncio.run(_serve(tools, words))


async def _serve(tools: Sequence[Offered], words: Words) -> None:
    server = _server(tools, words("command.mcp_instructions"))
    async with stdio_server() as (read, write), anyio.create_task_group() as group:
        with redirect_stdout(sys.stderr):
            passed, messages = anyio.create_memory_object_stream[SessionMessage | Exception](0)
            group.start_soon(_refuse_what_is_none, read, write, passed, words)
            await server.run(messages, write, server.create_initialization_options())
            group.cancel_scope.cancel()


async def _refuse_what_is_none(read: Any, write: Any, passed: Any, words: Words) -> None:
    """Pass messages on; a line that is none is answered as JSON-RPC 2.0 asks: the server would be silent."""
    told = False
    async with passed:
        async for item in read:
            if not isinstance(item, Exception):
                await passed.send(item)
                continue
            unread = isinstance(item, ValidationError) and item.errors()[0]["type"] == "json_invalid"
            error = (
                ErrorData(code=PARSE_ERROR, message="Parse error")
                if unread
                else ErrorData(code=INVALID_REQUEST, message="Invalid Request")
            )
            await write.send(SessionMessage(JSONRPCError(jsonrpc="2.0", id=None, error=error)))
            if not told:  # a person at a keyboard wonders
                say(words("command.mcp_no_message"), err=True)
                told = True


def _server(tools: Sequence[Offered], instructions: str) -> Server[Any]:
    by_name = {one.tool.name: one.tool for one in tools}
    listed = [_listed(one) for one in tools]

    async def on_list(*_: Any) -> ListToolsResult:
        return ListToolsResult(tools=listed)

    async def on_call(_: Any, asked: Any) -> CallToolResult:
        if (tool := by_name.get(asked.name)) is None:
            raise ValueError(asked.name)
        call = {"type": "tool_call", "id": "1", "name": asked.name, "args": asked.arguments or {}}
        answer: ToolMessage = await asyncio.to_thread(tool.invoke, call)
        text = [TextContent(type="text", text=str(answer.content))]
        return CallToolResult(content=text, is_error=answer.status == "error")

    return Server(
        "threadx",
        version=version("threadx-quant"),
        instructions=instructions,
        on_list_tools=on_list,
        on_call_tool=on_call,
    )


def _listed(one: Offered) -> Tool:
    schema = one.tool.get_input_jsonschema()
    schema.pop("description", None)  # the form's own, for who reads the code
    return Tool(
        name=one.tool.name,
        description=one.tool.description,
        input_schema=schema,
        annotations=ToolAnnotations(
            read_only_hint=one.reads_only,
            destructive_hint=False,
            idempotent_hint=one.repeatable,
            open_world_hint=False,
        ),
    )
