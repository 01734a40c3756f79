"""Errors of the pages.

WebError (base.errors.TypedError)    something asked for from a page that cannot be done
"""

from __future__ import annotations

from base.errors import TypedError


class WebError(TypedError):
    """Something a page was asked for and cannot do."""

    room = "web"
