"""Which group an agent is in and which arm it belongs to, reproducible bit by bit on every platform.

The app's own group comes first: the first byte of SHA-256 of the agent's id (UTF-8) decides, below 128 the agent is in
the group `hybrid`, else in `formulaBased`, for ever. The group `formulaBased` belongs to the formula. For each rollout
an agent of the group `hybrid` has a place in [0, 1), by a hash of its id and the rollout's salt, and is treated when
that place is below the rollout's share. So an agent that is treated stays so while the share grows, and what one
rollout draws says nothing about what another one does: two of them make four arms.

Ids are texts of Unicode. Half of a surrogate pair, which is none, is taken as U+FFFD, as JavaScript and Dart do.
"""

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import compress
from typing import Final, Literal, Protocol

import numpy as np
import pyarrow as pa

from spots_ml.errors import ConfigError
from spots_ml.interactions.judging.merging import coded
from spots_ml.models.declared import deciding_models, model_in
from spots_ml.models.spec import Role
from spots_ml.scoring.arms import CHAMPION_POSITION, FORMULA_POSITION, Arm, joined, stage_digits
from spots_ml.scoring.challengers import Challenger

PLACE_BITS: Final = 53
"""Bits of the digest that make a place: as many as a double holds exactly."""


class Assignment(Protocol):
    """A pure function of agent and moment."""

    @property
    def arms(self) -> tuple[Arm, ...]:
        """The formula, the champion, and any others."""
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

    Raises:
        ConfigError: When the salt is empty: every draw would be the same.

    >>> round(place_of("agent-1", "a"), 6), round(place_of("agent-1", "b"), 6)
    (0.112186, 0.81066)
    """
    return float(places_of([agent_id], salt)[0])


def places_of(agent_ids: Iterable[str], salt: str) -> np.ndarray:
    """Place many agents; six times as fast as one after the other.

    Args:
        agent_ids: Pseudonymous ids.
        salt: As in `place_of`.

    Returns:
        `(n_agents,)` float64 in [0, 1), each what `place_of` says.

    Raises:
        ConfigError: When the salt is empty.
    """
    return _places(map(_utf8, agent_ids), salt)


def _places(agents: Iterable[bytes], salt: str) -> np.ndarray:
    if not salt:
        raise ConfigError("agents cannot be placed without a salt; give each rollout one of its own, and keep it")
    begin = _utf8(f"{salt}:")
    sha256 = hashlib.sha256
    digests = b"".join([sha256(begin + agent).digest()[:8] for agent in agents])
    places: np.ndarray = (np.frombuffer(digests, ">u8") >> np.uint64(64 - PLACE_BITS)) * 2.0**-PLACE_BITS
    return places


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


@dataclass(frozen=True)
class FactorialAssignment:
    """Each challenger draws its share of the hybrid group, independently of the others and of the moment.

    Attributes:
        formula: The arm of the group `formulaBased`.
        champion: The arm of those of the group `hybrid` that no challenger treats; what it says of share, experiment
            and stage is told anew by `arms`.
        challengers: In the order of the models that decide, at most one for each.
        arms: The formula, the champion, then the arms of those that are treated: by the first challenger, the second,
            both.
    """

    formula: Arm
    champion: Arm
    challengers: tuple[Challenger, ...] = ()
    arms: tuple[Arm, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Put the arms together.

        Raises:
            ConfigError: When two challengers are of one model, or have the same rollout or the same salt, or one is of
                a model that decides nothing.
        """
        order = [spec.name for spec in deciding_models()]
        kinds = [one.model_type for one in self.challengers]
        if kinds != [kind for kind in order if kind in kinds]:
            raise ConfigError(
                f"challengers are of {', '.join(kinds)}; expected at most one for each of {', '.join(order)}, in this "
                "order"
            )
        for name in ("experiment", "salt"):
            if len({getattr(one, name) for one in self.challengers}) < len(self.challengers):
                raise ConfigError(
                    f"two challengers have the same {name}; expected one of its own for each, or who is treated by one "
                    "says who is treated by the other"
                )
        object.__setattr__(self, "arms", (self.formula, *map(self._arm, range(2 ** len(self.challengers)))))

    def assign(self, agent_ids: pa.Array | Sequence[str | None], moments: np.ndarray) -> np.ndarray:
        """Assign many rows; each agent is hashed once, and of the group `hybrid` once more for each challenger.

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
            drawn = list(compress(agents, hybrid.tolist()))
            of_agent[hybrid] += sum(
                (_places(drawn, one.salt) < one.share).astype(np.int8) << bit
                for bit, one in enumerate(self.challengers)
            )
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
        treated = [place_of(agent_id, one.salt) < one.share for one in self.challengers]
        return self.arms[CHAMPION_POSITION + sum(1 << bit for bit, yes in enumerate(treated) if yes)]

    def treated_in(self, position: int) -> tuple[Challenger, ...]:
        """Tell which challengers treat the agents of an arm.

        Args:
            position: Of the arm.

        Returns:
            The challengers; empty for the formula's and the champion's arm.
        """
        bits = max(position - CHAMPION_POSITION, 0)
        return tuple(one for bit, one in enumerate(self.challengers) if bits >> bit & 1)

    def _arm(self, bits: int) -> Arm:
        treating = self.treated_in(CHAMPION_POSITION + bits)
        weights = [one.weight for one in treating if one.model_type == model_in(Role.NEURAL_SCORE).name]
        return Arm(
            id=joined(one.experiment for one in treating) or self.champion.id,
            versions={**self.champion.versions, **{one.model_type: one.version for one in treating}},
            weight=weights[0] if weights else self.champion.weight,
            share=math.prod(one.share if one in treating else 1.0 - one.share for one in self.challengers),
            experiment=joined(one.experiment for one in self.challengers),
            stage=stage_digits(one.stage for one in self.challengers),
        )


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
    return HYBRID if _are_hybrid([_utf8(agent_id)])[0] else FORMULA_BASED


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
