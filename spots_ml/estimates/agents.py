"""Which rows are whose: rows of one agent are alike, so agents are what is counted, summed over and drawn again."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Agents:
    """The agents of some rows, numbered.

    Attributes:
        code: `(n_rows,)` integers, whose each row is, from 0 to `n - 1`.
        n: Number of agents.
    """

    code: np.ndarray
    n: int

    @classmethod
    def of(cls, names: np.ndarray) -> "Agents":
        """Number the agents in the order of their names.

        Args:
            names: `(n_rows,)` names or codes; equal for rows of one agent.

        Returns:
            The agents, each of which has a row.

        >>> Agents.of(np.array(["b", "a", "b"]))
        Agents(code=array([1, 0, 1]), n=2)
        """
        found, code = np.unique(np.asarray(names), return_inverse=True)
        return cls(code, len(found))

    def take(self, rows: np.ndarray) -> "Agents":
        """Select rows; the agents that are left are numbered anew, in the same order.

        Args:
            rows: `(k,)` positions or `(n_rows,)` mask.

        Returns:
            The agents of those rows.
        """
        return Agents.of(self.code[rows])

    def sums(self, *columns: np.ndarray) -> np.ndarray:
        """Add the values of rows up, agent by agent.

        Args:
            columns: `(n_rows,)` numbers or truth values each.

        Returns:
            `(n, n_columns)` float64.
        """
        return np.stack(
            [np.bincount(self.code, np.asarray(column, dtype=np.float64), self.n) for column in columns], axis=1
        )


def effective_number(weight: np.ndarray) -> float:
    """Tell how many equal agents would say as much: (sum w)^2 / sum w^2 (Kish 1965, "Survey sampling").

    Args:
        weight: `(n_agents,)`, at least 0: how much each has in a number, such as its rows.

    Returns:
        From 1 to the number of agents that have any; 0 when none has.

    >>> effective_number(np.array([5.0, 5.0, 0.0])), round(effective_number(np.array([98.0, 1.0, 1.0])), 2)
    (2.0, 1.04)
    """
    squares = float(np.square(weight).sum())
    return float(weight.sum()) ** 2 / squares if squares > 0.0 else 0.0
