# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # Several models optimise a strategy
#
# From prices to a judged strategy and its report. It runs offline in a few
# seconds, with `rules` in every role: a deterministic policy, the baseline that every model must beat.
#
# To use language models, replace `rules` by their names, for example
# `Analyst(model="deepseek-r1:70b")`, `Strategist(model="gpt-oss:20b")`, `Validator(model="gemma3:27b")`;
# `threadx doctor` shows which are available.

# %%
import tempfile
from pathlib import Path

import pandas as pd

from backtest import Costs, StrategySpec, run_backtest
from prompts import Words
from reports.charts.equity import equity_chart
from reports.charts.indicators import strategy_indicators
from reports.charts.price import price_chart
from threadx import Analyst, OptimizationOrchestrator, Strategist, Validator
from threadx.reporting import in_form, run_document
from threadx.views import View
from vault.datasets import load_development, register
from vault.readers.prices import read_prices

words = Words("en")
home = Path(tempfile.mkdtemp(prefix="threadx-"))

# %% [markdown]
# ## The data
#
# `sample:sp500` are daily prices of the S&P 500, 1999–2018. Registering splits them once, by time: the last
# fifth is the holdout, closed until the final judgement.

# %%
whole, source = read_prices("sample:sp500", home)
dataset = register(whole, symbol=source.symbol, timeframe=source.timeframe, home=home)
prices = load_development(dataset, home)
prices.tail(3)

# %% [markdown]
# ## Where we start
#
# A crossing of two moving averages with a stop. Every figure comes from the engine, costs included.

# %%
start = StrategySpec.preset("ma_crossover", fast_period=5, slow_period=20, stop_loss_pct=2.0)
costs = Costs(fee_bps=10, slippage_bps=2)
before = run_backtest(prices, start, costs=costs)
View(chart=equity_chart(before, words, closes=prices["close"]), says="Equity of the initial strategy")

# %% [markdown]
# ## The run
#
# The analyst reads the backtest, the strategist proposes typed changes, the validator may object, code tests
# them in parallel and keeps significant improvements, the roles debate whether to continue.

# %%
orchestrator = OptimizationOrchestrator(
    analyst=Analyst(model="rules"),
    strategist=Strategist(model="rules"),
    validator=Validator(model="rules"),
    config={"max_iterations": 4, "target_score": 8.0, "language": "en", "home": str(home)},
)
result = orchestrator.optimize(
    initial_strategy="ma_crossover",
    initial_params={"fast_period": 5, "slow_period": 20, "stop_loss_pct": 2.0},
    data="sample:sp500",
)

# %% [markdown]
# ## Convergence

# %%
orchestrator.plot_convergence()

# %% [markdown]
# ## What changed, and why

# %%
evolution = orchestrator.export_strategy_evolution()
evolution

# %%
columns = ["iteration", "sentence", "outcome", "reason"]
pd.DataFrame(evolution["modifications"], columns=columns)

# %% [markdown]
# ## The debates

# %%
orchestrator.show_debate_tree()

# %% [markdown]
# ## The champion
#
# Its last trades on development prices.

# %%
champion = run_backtest(prices, result.champion, costs=costs)
signals = price_chart(
    prices.iloc[-250:],
    words,
    indicators=strategy_indicators(prices, result.champion),
    trades=champion.trades,
)
View(chart=signals, says="The last trades of the champion")

# %% [markdown]
# ## Walk-forward, fold by fold
#
# Each choice of values was tested on the bars behind those it was made on.

# %%
orchestrator.plot_folds()

# %% [markdown]
# ## Development against holdout
#
# Only the holdout is out of sample: every choice was made on development data.

# %%
orchestrator.plot_holdout()

# %%
pd.DataFrame({"development": result.metrics, "holdout": result.holdout_metrics})

# %% [markdown]
# ## The report
#
# The verdict first; then what was tried, what was kept and why, who objected, figures, charts, every
# parameter and hash. The same as `threadx runs report RUN --format pdf`.

# %%
report = home / "report.pdf"
report.write_bytes(in_form(run_document(home, result.run, words), "pdf"))
report.stat().st_size
