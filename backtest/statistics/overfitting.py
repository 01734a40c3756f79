"""What a result is worth after its length, its shape and the search behind it are counted: one door to all.

Everywhere behind it Sharpe ratios are per observation (not annualised) unless a name says otherwise, kurtosis
is not in excess (3 for a normal), and `n_observations` counts returns. Where the field has two conventions, a
`form` or a `method` chooses, and the file that computes names both.

sharpe            sampling error, probabilistic Sharpe ratio, track record length, autocorrelation (Lo)
deflated_sharpe   expected maximum, deflated Sharpe ratio, backtest length, effective number of trials
cscv              probability of backtest overfitting
false_discovery   power of a test, and how often what it calls an edge is none (pFDR, oFDR)
multiple_testing  haircuts (Bonferroni, Holm, BHY), reality check, superior predictive ability
"""

from backtest.statistics.cscv import Overfitting, probability_of_backtest_overfitting
from backtest.statistics.deflated_sharpe import (
    EffectiveTrials,
    deflated_sharpe_ratio,
    effective_trials,
    expected_maximum_sharpe,
    minimum_backtest_length,
    unseen_clusters,
)
from backtest.statistics.false_discovery import (
    observed_false_discovery_rate,
    planned_false_discovery_rate,
    sharpe_ratio_power,
)
from backtest.statistics.multiple_testing import (
    DataSnooping,
    Haircut,
    Unseen,
    adjusted_p_values,
    data_snooping,
    familywise_p_value,
    haircut_sharpe_ratio,
    independent_trials,
)
from backtest.statistics.sharpe import (
    autocorrelation_adjusted_sharpe,
    minimum_track_record_length,
    probabilistic_sharpe_ratio,
    sharpe_ratio,
    sharpe_standard_error,
)

__all__ = [
    "DataSnooping",
    "EffectiveTrials",
    "Haircut",
    "Overfitting",
    "Unseen",
    "adjusted_p_values",
    "autocorrelation_adjusted_sharpe",
    "data_snooping",
    "deflated_sharpe_ratio",
    "effective_trials",
    "expected_maximum_sharpe",
    "familywise_p_value",
    "haircut_sharpe_ratio",
    "independent_trials",
    "minimum_backtest_length",
    "minimum_track_record_length",
    "observed_false_discovery_rate",
    "planned_false_discovery_rate",
    "probabilistic_sharpe_ratio",
    "probability_of_backtest_overfitting",
    "sharpe_ratio",
    "sharpe_ratio_power",
    "sharpe_standard_error",
    "unseen_clusters",
]
