"""The LangGraph graph itself: stream its events and read its last state.

python examples/stream_the_graph.py
"""

from graphs.optimization import graph

given = {"data": "sample:nasdaq", "strategy": "donchian_breakout"}
context = {"analyst": ["rules"], "strategist": ["rules"], "validator": ["rules"], "max_iterations": 2}
for mode, step in graph.stream(given, context=context, stream_mode=["custom", "updates"]):
    if mode == "updates":
        print("node:", ", ".join(step))
    elif "kind" in step:
        print("  event:", step["kind"])
