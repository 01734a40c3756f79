"""`python -m threadx`: the command, for an interpreter without the `threadx` script on its path."""

from __future__ import annotations

from threadx.command import main

main()
