"""What a call is worth, guessed from what it was decided on: the small model that doubly robust estimates lean on.

It needs not be right: a wrong guess makes an estimate wider, not wrong. What matters is that no agent's outcomes take
part in the guess about itself, so it is fitted in folds of agents.
"""

from typing import Final

import numpy as np

from spots_ml.estimates.agents import Agents

N_FOLDS: Final = 5
_PENALTY: Final = 10.0
"""Of the squared coefficients of standardised inputs; that many rows' worth of doubt about each."""


def cross_fitted(
    agents: Agents,
    inputs: np.ndarray,
    values: np.ndarray,
    known: np.ndarray,
    *,
    seed: int | tuple[int, ...],
    n_folds: int = N_FOLDS,
) -> np.ndarray:
    """Guess what calls are worth by ridge regression, each agent's by the outcomes of other agents alone.

    Args:
        agents: Whose the rows are.
        inputs: `(n_rows, n_inputs)` finite floats.
        values: `(n_rows,)`; looked at where `known`.
        known: `(n_rows,)` bool, whether it is known what the call was worth.
        seed: Of the folds.
        n_folds: In how many parts the agents are divided, at least 2.

    Returns:
        `(n_rows,)` guesses, within the range of the known values; 0 where nothing is known of other agents.
    """
    guesses = np.zeros(len(values))
    if not known.any():
        return guesses
    least, most = values[known].min(), values[known].max()
    fold = (np.random.default_rng(seed).permutation(agents.n) % n_folds)[agents.code]
    for number in range(n_folds):
        mine = fold == number
        theirs = known & ~mine
        if mine.any() and theirs.any():
            guesses[mine] = np.clip(_ridge(inputs[theirs], values[theirs], inputs[mine]), least, most)
    return guesses


def _ridge(inputs: np.ndarray, values: np.ndarray, asked: np.ndarray) -> np.ndarray:
    middle, spread = inputs.mean(axis=0, dtype=np.float64), inputs.std(axis=0, dtype=np.float64)
    spread[spread == 0.0] = 1.0
    scaled = (inputs - middle) / spread
    square = scaled.T @ scaled
    square[np.diag_indices_from(square)] += _PENALTY
    slopes = np.linalg.solve(square, scaled.T @ (values - values.mean()))
    guessed: np.ndarray = values.mean() + (asked - middle) / spread @ slopes
    return guessed
