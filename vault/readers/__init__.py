"""Price files as programs write them, read into one canonical table."""
