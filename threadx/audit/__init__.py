"""A finished run checked, replayed and compared with what has changed since."""
