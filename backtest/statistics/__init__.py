"""Statistics of returns and of searches: Sharpe ratio, bootstrap, multiple testing, overfitting."""
