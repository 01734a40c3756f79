"""`threadx ui`: the pages without the LangGraph server."""

from __future__ import annotations

import socket

from base.reasons import because
from prompts import Words
from threadx.errors import ThreadxError
from threadx.plain import say
from threadx.settings import make_context
from threadx.web.guard import configured_token, is_loopback, new_token
from threadx.web.serve import HOST, listen, serve
from threadx.writable import writable

EVERY_ADDRESS = ("0.0.0.0", "::")


def _token(host: str) -> str | None:
    """The token set for the pages; a fresh one where others can reach them and none is set."""
    return configured_token() or (None if is_loopback(host) else new_token())


def ui(words: Words, host: str | None, port: int, home: str | None, language: str, debug: bool) -> None:
    """Serve the pages until stopped.

    Raises:
        ThreadxError: `cannot_listen`.
    """
    context = make_context(home=home, language=language)
    host = HOST if host is None else host
    token = _token(host)
    writable(context.home_path)
    shown = f"[{host}]" if ":" in host else host
    url = f"http://{shown}:{port}/threadx"
    try:
        listener = listen(host, port)  # before the address is told to anybody
    except OSError as error:
        raise ThreadxError("cannot_listen", address=f"{shown}:{port}", reason=because(error)) from error
    say(words("command.home", home=str(context.home_path)), err=True)
    say(words("command.ui_ready", url=url), err=True)
    if token is not None:
        named = socket.gethostname() if host in EVERY_ADDRESS else shown
        line = words("command.ui_token", url=f"http://{named}:{port}/threadx?token={token}")
        say(line, err=True)
    serve(context.home_path, words.language, listener, token)
