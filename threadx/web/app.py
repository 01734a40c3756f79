"""`app`: the pages for the LangGraph server, named in `langgraph.json` under `http.app`."""

from __future__ import annotations

import logging

from nodes.context import Context
from prompts import text
from threadx.web.guard import configured_token, studio_origin
from threadx.web.site import build_site
from vault.home import default_home, left_behind

_context = Context()
_log = logging.getLogger("threadx")
_log.info(text("command.home", _context.language, home=str(_context.home_path)))
if _former := left_behind():
    _log.warning(text("command.left_behind", _context.language, folder=str(_former), home=default_home()))
app = build_site(_context.home_path, _context.language, configured_token(), studio=studio_origin())
