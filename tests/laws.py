"""How many cases a law is tried on: few in every run of the tests, many under `make soak`."""

import os


def cases(number: int) -> int:
    """As many times more as SOAK_TIMES says."""
    return number * int(os.environ.get("SOAK_TIMES", "1"))
