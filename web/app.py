"""`app`: the pages for the LangGraph server, named in `langgraph.json` under `http.app`."""

from __future__ import annotations

import os

from nodes.context import Context
from web.guard import TOKEN_VARIABLE
from web.site import build_site

_context = Context()
app = build_site(_context.home_path, _context.language, os.environ.get(TOKEN_VARIABLE) or None)
