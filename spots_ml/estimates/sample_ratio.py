"""Whether agents come in the shares in which they are assigned, asked at any time and from the first agent on.

The evidence against a share is the odds of what came under a flat distribution of the true share (the Dirichlet-
multinomial with all parameters 1) against what came under the declared one: an e-process, see `e_process`. No share is
special to it, 10 to 90 no more than half and half.
"""

import math

import numpy as np

from spots_ml.errors import ConfigError


def log_e_of_counts(n_treated: int, n_others: int, share: float) -> float:
    """Weigh counts of agents against a share.

    Args:
        n_treated: Agents that are treated, at least 0.
        n_others: Agents that are not, at least 0.
        share: That should be treated, between 0 and 1.

    Returns:
        Natural logarithm of the e-process; 0 without agents.

    Raises:
        ConfigError: When the share is not between 0 and 1.

    >>> [round(log_e_of_counts(*counts, 0.1), 2) for counts in ((10, 90), (20, 80), (4, 0))]
    [-2.59, 2.13, 7.6]
    """
    _check(share)
    marginal = math.lgamma(n_treated + 1) + math.lgamma(n_others + 1) - math.lgamma(n_treated + n_others + 2)
    return marginal - n_treated * math.log(share) - n_others * math.log1p(-share)


def log_e_of_agents(treated: np.ndarray, share: float) -> np.ndarray:
    """Weigh agents against a share, one after another.

    Args:
        treated: `(n,)` bool, in the order in which they came.
        share: That should be treated, between 0 and 1.

    Returns:
        `(n,)` natural logarithm of the e-process after each agent.

    Raises:
        ConfigError: When the share is not between 0 and 1.
    """
    _check(share)
    before = np.cumsum(treated) - treated
    seen = np.arange(len(treated))
    # How likely a flat prior, with what came before, held what came.
    foreseen = np.where(treated, before + 1.0, seen - before + 1.0) / (seen + 2.0)
    log_e: np.ndarray = np.cumsum(np.log(foreseen) - np.log(np.where(treated, share, 1.0 - share)))
    return log_e


def _check(share: float) -> None:
    if not 0.0 < share < 1.0:
        raise ConfigError(f"a share of {share:g} is to be treated; expected one between 0 and 1")
