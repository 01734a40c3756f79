"""The whole optimisation cycle on `rules` instead of language models, the baseline that models must beat.

Put references of models in place of `rules`, for example `["ollama:gpt-oss:20b"]`.

    python examples/optimize_without_models.py
"""

import threadx

result = threadx.optimize(
    "sample:sp500",
    strategy="ma_crossover",
    params={"fast_period": 5, "slow_period": 20},
    max_iterations=3,
    analyst=["rules"],
    strategist=["rules"],
    validator=["rules"],
)

print(f"score {result.initial_score:.2f} -> {result.final_score:.2f}")
for change in result.applied_changes:
    print(change.description)
print(result.verdict)
