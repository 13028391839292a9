"""Which group an agent is in and which arm it belongs to, reproducible bit by bit on every platform.

The app's own group comes first: the first byte of SHA-256 of the agent's id (UTF-8) decides, below 128 the agent is in
the group `hybrid`, else in `formulaBased`, for ever. The group `formulaBased` belongs to the formula. Agents of the
group `hybrid` are placed in [0, 1) by a hash of their id and a salt; challengers take the lower end, one after another,
the champion what they leave. With the same salt an agent that a challenger has stays with it when its share grows.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import compress
from typing import Final, Literal, Protocol

import numpy as np
import pyarrow as pa

from spots_ml.errors import ConfigError
from spots_ml.interactions.judging.merging import coded
from spots_ml.scoring.arms import CHAMPION_POSITION, FORMULA_POSITION, Arm

_ROUNDING: Final = 1e-9
"""How far the sum of shares that were added in another order may lie above 1."""


class Assignment(Protocol):
    """A pure function of agent and moment."""

    @property
    def arms(self) -> tuple[Arm, ...]:
        """The formula, the champion, and any challengers."""
        ...

    def assign(self, agent_ids: pa.Array | Sequence[str | None], moments: np.ndarray) -> np.ndarray:
        """Assign many rows.

        Args:
            agent_ids: `(n_rows,)` ids; null or None where the agent is unknown.
            moments: `(n_rows,)` datetime64 in UTC, when each is decided.

        Returns:
            `(n_rows,)` int8 positions in `arms`: the formula's exactly where the agent is not in the group `hybrid`.
        """
        ...


def place_of(agent_id: str, salt: str) -> float:
    """Place an agent in [0, 1).

    Args:
        agent_id: The pseudonymous id.
        salt: Another salt, another place.

    Returns:
        The first 53 bits of SHA-256 of `salt:agent_id` (UTF-8), as a fraction.

    >>> round(place_of("agent-1", "a"), 6), round(place_of("agent-1", "b"), 6)
    (0.112186, 0.81066)
    """
    place: float = _places([agent_id.encode("utf-8", "surrogatepass")], salt)[0]
    return float(place)


def _places(agents: Iterable[bytes], salt: str) -> np.ndarray:
    begin = f"{salt}:".encode("utf-8", "surrogatepass")
    sha256 = hashlib.sha256
    digests = b"".join([sha256(begin + agent).digest()[:8] for agent in agents])
    places: np.ndarray = (np.frombuffer(digests, ">u8") >> np.uint64(11)) * 2.0**-53
    return places


@dataclass(frozen=True)
class FixedAssignment:
    """An assignment that does not depend on the moment.

    Attributes:
        formula: The arm of the group `formulaBased`.
        champion: The arm of those of the group `hybrid` that no challenger takes; its share is what they leave.
        challengers: Further arms, in the order in which they take their shares.
        salt: Of the hash that places agents.
    """

    formula: Arm
    champion: Arm
    challengers: tuple[Arm, ...] = ()
    salt: str = ""

    def __post_init__(self) -> None:
        """Check that the arms divide the group.

        Raises:
            ConfigError: When shares do not add up to 1, two arms have the same id, or challengers have no salt.
        """
        ids = [arm.id for arm in self.arms]
        if len(set(ids)) < len(ids):
            raise ConfigError(f"arms are called {', '.join(ids)}; expected an id for each")
        total = sum(arm.share for arm in (self.champion, *self.challengers))
        if abs(total - 1.0) > _ROUNDING:
            raise ConfigError(
                f"champion and challengers have {total:g} of the hybrid group together; expected shares that add up "
                "to 1"
            )
        if self.challengers and not self.salt:
            raise ConfigError("challengers have no salt; give each experiment one of its own, and keep it")

    @property
    def arms(self) -> tuple[Arm, ...]:
        """The formula, the champion, and any challengers."""
        return (self.formula, self.champion, *self.challengers)

    def assign(self, agent_ids: pa.Array | Sequence[str | None], moments: np.ndarray) -> np.ndarray:
        """Assign many rows; each agent is hashed once, and with challengers each of the group `hybrid` once more.

        Args:
            agent_ids: `(n_rows,)` ids; null or None where the agent is unknown.
            moments: `(n_rows,)`; without influence here.

        Returns:
            `(n_rows,)` int8 positions in `arms`: the formula's exactly where the agent is not in the group `hybrid`.
        """
        texts, codes = coded(agent_ids)
        agents = [text.encode() for text in texts]
        hybrid = _are_hybrid(agents)
        of_agent = np.where(hybrid, np.int8(CHAMPION_POSITION), np.int8(FORMULA_POSITION))
        if self.challengers:
            of_agent[hybrid] = self._positions(_places(compress(agents, hybrid.tolist()), self.salt))
        # The last place is for the unknown agent, whose code is -1.
        positions: np.ndarray = np.append(of_agent, np.int8(FORMULA_POSITION))[codes]
        return positions

    def arm_of(self, agent_id: str, moment: datetime) -> Arm:
        """Assign one agent.

        Args:
            agent_id: The pseudonymous id.
            moment: Without influence here.

        Returns:
            The arm.
        """
        if group_of(agent_id) != HYBRID:
            return self.formula
        return self.arms[int(self._positions(np.array([place_of(agent_id, self.salt)]))[0])]

    def _positions(self, places: np.ndarray) -> np.ndarray:
        ends = np.cumsum([arm.share for arm in self.challengers])
        taken = np.searchsorted(ends, places, side="right")
        positions: np.ndarray = np.where(taken < len(ends), taken + CHAMPION_POSITION + 1, CHAMPION_POSITION)
        return positions


Group = Literal["hybrid", "formulaBased"]
HYBRID: Final[Group] = "hybrid"
FORMULA_BASED: Final[Group] = "formulaBased"

HYBRID_BELOW: Final = 128
"""First byte of the digest below which an agent is in the group `hybrid`."""


def group_of(agent_id: str) -> Group:
    """Tell an agent's group.

    Args:
        agent_id: The pseudonymous id.

    Returns:
        `hybrid` or `formulaBased`.

    >>> group_of("agent-1"), group_of("agent-2")
    ('hybrid', 'formulaBased')
    """
    return HYBRID if _are_hybrid([agent_id.encode()])[0] else FORMULA_BASED


def hybrid_mask(agent_ids: pa.Array | pa.ChunkedArray | Sequence[str | None]) -> np.ndarray:
    """Tell the groups of many rows; each agent is hashed once.

    Args:
        agent_ids: `(n_rows,)` ids; null or None where the agent is unknown.

    Returns:
        `(n_rows,)` bool: whether the agent is in the group `hybrid`. An unknown agent is not: nothing says so.
    """
    texts, codes = coded(agent_ids)
    # The last place is for the unknown agent, whose code is -1.
    groups: np.ndarray = np.append(_are_hybrid(text.encode() for text in texts), False)[codes]
    return groups


def group_names(hybrid: np.ndarray) -> pa.Array:
    """Name the groups of many rows.

    Args:
        hybrid: `(n_rows,)` bool.

    Returns:
        `(n_rows,)` strings.
    """
    return pa.array(np.where(hybrid, HYBRID, FORMULA_BASED), pa.string())


def _are_hybrid(agents: Iterable[bytes]) -> np.ndarray:
    sha256 = hashlib.sha256
    first_bytes = np.array([sha256(agent).digest()[0] for agent in agents], np.uint8)
    hybrid: np.ndarray = first_bytes < HYBRID_BELOW
    return hybrid
