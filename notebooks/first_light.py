# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # ThreadX: from prices to a judged strategy
#
# Runs offline in a few seconds with `rules` in every role. Put model names in their place, for example
# `Analyst(model="deepseek-r1:70b")`, to let local models do the talking.

# %%
import tempfile

import pandas as pd

from threadx import Analyst, OptimizationOrchestrator, Strategist, Validator

# %% [markdown]
# ## The run
#
# `sample:sp500` are daily prices of the S&P 500, 1999–2018. The last fifth is a holdout: nothing reads it
# before the final judgement.

# %%
orchestrator = OptimizationOrchestrator(
    analyst=Analyst(model="rules"),
    strategist=Strategist(model="rules"),
    validator=Validator(model="rules"),
    config={"max_iterations": 5, "target_score": 8.0, "language": "en", "home": tempfile.mkdtemp()},
)
result = orchestrator.optimize(
    initial_strategy="ma_crossover",
    initial_params={"fast_period": 5, "slow_period": 20, "stop_loss_pct": 2.0},
    data="sample:sp500",
)

# %% [markdown]
# ## What changed, and why

# %%
changes = pd.DataFrame(
    [(c.iteration, c.description, c.reason, c.score_before, c.score_after) for c in result.applied_changes],
    columns=["iteration", "change", "reason", "score before", "score after"],
)
changes

# %% [markdown]
# ## Development against holdout
#
# Only the holdout is out of sample: every choice was made on development data.

# %%
figures = pd.DataFrame({"development": result.metrics, "holdout": result.holdout_metrics})
figures

# %%
result.champion.describe()
