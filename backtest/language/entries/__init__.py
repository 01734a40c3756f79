"""Every function of the strategy language, one entry each, by what it is about."""
