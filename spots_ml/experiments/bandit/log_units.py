"""Units of a bandit out of the decision log: what each agent's decisions of one period came to, with the logged shares.

The log is all that is needed: a bandit that is asked again for a period that is over is told the same.
"""

from datetime import datetime
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spots_ml.errors import ConfigError
from spots_ml.experiments.bandit.sharing import BanditPolicy, BanditUnits
from spots_ml.experiments.forecasting.matured_values import matured_values
from spots_ml.experiments.policy import RolloutPolicy
from spots_ml.interactions.columns import agents_by_name, floats

_ROUNDING: Final = 1e-6


def units_of_log(
    decisions: pa.Table, policy: BanditPolicy, rules: RolloutPolicy, *, name: str, version: str, now: datetime
) -> BanditUnits:
    """Find the units that are whole.

    An agent has one arm in a period; should the log say otherwise, its first decision counts.

    Args:
        decisions: Served ones with their outcomes, schema `DECISIONS_WITH_OUTCOMES`, by moment.
        policy: The arms.
        rules: Say what outcomes are worth, and how long they may take.
        name: Of the bandit: its experiments are `name-period`.
        version: The column of the log that names the version of the bandit's model.
        now: The present, with a time zone.

    Returns:
        Units of periods of which the last decision had its time for an outcome, in the order of the periods.

    Raises:
        ConfigError: When decisions of the bandit are of other versions than its arms, or the shares that were logged in
            a period are not those of one.
    """
    period = _periods(decisions["experiment"], name)
    decisions, period = decisions.filter(pa.array(period > 0)), period[period > 0]
    arm = pc.index_in(decisions[version], pa.array(policy.arms)).fill_null(-1).to_numpy()
    if (arm < 0).any():
        strange = decisions[version][int(np.argmax(arm < 0))].as_py()
        raise ConfigError(f"a decision of {name} is of the version {strange}; expected {', '.join(policy.arms)}")
    matured, values = matured_values(decisions, rules, now=now)
    shares = _shares(period, arm, floats(decisions["share"].combine_chunks()), len(policy.arms), name)
    # A period is whole when no decision of it can still get an outcome.
    open_periods = np.unique(period[~matured])
    agent = agents_by_name(decisions["agent_id"]).code
    keys, first, unit = np.unique(np.stack([period, agent]), axis=1, return_index=True, return_inverse=True)
    count = np.bincount(unit)
    value = np.bincount(unit, values, len(count)) / count if len(count) else np.empty(0)
    whole = ~np.isin(keys[0], open_periods)
    return BanditUnits(keys[0][whole], arm[first][whole], shares[first][whole], value[whole])


def _periods(experiments: pa.ChunkedArray, name: str) -> np.ndarray:
    """`(n,)` number of the period of each decision; 0 where it is none of the bandit."""
    names = experiments.combine_chunks().dictionary_encode()
    begin = f"{name}-"
    numbers = []
    for text in names.dictionary.to_pylist():
        told = text.removeprefix(begin)
        numbers.append(int(told) if text.startswith(begin) and told.isdecimal() else 0)
    # The last one is for decisions outside of any experiment.
    found: np.ndarray = np.array([*numbers, 0])[names.indices.fill_null(-1).to_numpy(zero_copy_only=False)]
    return found


def _shares(period: np.ndarray, arm: np.ndarray, logged: np.ndarray, n_arms: int, name: str) -> np.ndarray:
    """`(n, n_arms)` the shares of the arms in the period of each decision."""
    numbers, place = np.unique(period, return_inverse=True)
    shares = np.full((len(numbers), n_arms), np.nan)
    shares[place, arm] = logged
    told = np.abs(shares[place, arm] - logged) <= _ROUNDING
    # An arm that decided nothing in a period has what the others leave.
    missing = np.isnan(shares)
    left = np.clip(1.0 - np.nansum(shares, axis=1), 0.0, 1.0) / np.maximum(missing.sum(axis=1), 1)
    shares = np.where(missing, left[:, None], shares)
    wrong = (np.abs(shares.sum(axis=1) - 1.0) > _ROUNDING) | (shares <= 0.0).any(axis=1)
    if wrong.any() or not told.all():
        number = int(numbers[np.argmax(wrong)] if wrong.any() else period[np.argmin(told)])
        raise ConfigError(f"the shares logged in period {number} of {name} are not those of one draw")
    everybody: np.ndarray = shares[place]
    return everybody
