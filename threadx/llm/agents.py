"""`from threadx.llm.agents import Analyst, Strategist, Validator`."""

from threadx.orchestrator import Analyst, Strategist, Validator

__all__ = ["Analyst", "Strategist", "Validator"]
