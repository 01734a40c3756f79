"""Pages (NiceGUI): each is a view of the data folder; what they start is a `threadx` command of its own."""
