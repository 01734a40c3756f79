"""What every room stands on: the one kind of error, and the reader of the texts for people."""
