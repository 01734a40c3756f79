"""Charts, one definition each, for page, notebook, picture and PDF; words come from the caller."""
