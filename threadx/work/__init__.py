"""What each command does, a file a command; `threadx.commands` says what it may be asked.

Here imports may be heavy: a file is read when its command runs, not to show a help.
"""
