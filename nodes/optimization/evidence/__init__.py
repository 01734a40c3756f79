"""The evidence that roles are shown, and how their claims are held against it."""
