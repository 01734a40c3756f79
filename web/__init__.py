"""Pages (NiceGUI): every one is a view of a record in the data folder, and none changes anything."""
