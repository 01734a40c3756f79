"""The cage of code that nobody here has written: read, compiled, run for the first time and tried.

source    which Python is read at all, without running any: one pure function over prices
compiled  that function as machine code that always ends and reads no array beyond its ends
honesty   what it must not do: look ahead, lean on where a history begins, give noise or nothing
child     the work of a process of its own
trying    the one door: from text to an examined indicator

`docs/code.md` says what the cage promises and what it does not.
"""
