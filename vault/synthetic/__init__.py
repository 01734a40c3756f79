"""Price series whose edge is known: none at all, or one that was planted."""
