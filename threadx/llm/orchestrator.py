"""`from threadx.llm.orchestrator import OptimizationOrchestrator`."""

from threadx.orchestrator import OptimizationOrchestrator

__all__ = ["OptimizationOrchestrator"]
