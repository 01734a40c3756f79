"""State machines only: routers, builder and the compiled graph of each."""
