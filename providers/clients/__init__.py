"""Chat models of the providers, each by a library that is imported only after somebody has answered."""
