"""`app`: the pages for the LangGraph server, named in `langgraph.json` under `http.app`."""

from __future__ import annotations

from nodes.context import Context
from web.guard import configured_token, studio_origin
from web.site import build_site

_context = Context()
app = build_site(_context.home_path, _context.language, configured_token(), studio=studio_origin())
