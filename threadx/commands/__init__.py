"""One file a command: each has `command(words)`, which builds it with its help in one language."""
