"""`python -m threadx`: the command, for an interpreter without the `threadx` script on its path.

Pages start it so, and what it says goes into a file, a library's own traceback too: no secret stands in it.
"""

from __future__ import annotations

import sys

from base.secrets import masked_stream
from threadx.command import main

sys.stdout, sys.stderr = masked_stream(sys.stdout), masked_stream(sys.stderr)
main()
