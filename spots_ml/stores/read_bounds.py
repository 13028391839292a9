"""Which interactions are asked for, when it is not all of them."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from spots_ml.stores.moments import check_period, to_text


@dataclass(frozen=True)
class ReadBounds:
    """A part of the interactions; a bound that is None bounds nothing.

    Attributes:
        since: Start of a period, inclusive. An interaction without a moment is in no period.
        until: Its end, exclusive.
        agents: Ids of agents, each once, sorted. An interaction without an agent is of none of them.
    """

    since: datetime | None = None
    until: datetime | None = None
    agents: tuple[str, ...] | None = None

    @classmethod
    def checked(cls, since: datetime | None, until: datetime | None, agents: Collection[str] | None) -> "ReadBounds":
        """Put bounds together.

        Args:
            since: With a time zone, or None.
            until: With a time zone, or None.
            agents: Any number of ids, repeats allowed, or None.

        Returns:
            The bounds.

        Raises:
            InputError: When a moment has no zone, or the period ends before it starts.
        """
        check_period(since, until)
        return cls(since, until, None if agents is None else tuple(sorted(set(agents))))

    @property
    def has_period(self) -> bool:
        """Whether a moment bounds."""
        return self.since is not None or self.until is not None

    @property
    def is_everything(self) -> bool:
        """Whether nothing bounds."""
        return not self.has_period and self.agents is None

    def __str__(self) -> str:
        """Tell them in words that follow "interactions"; empty when nothing bounds."""
        parts = []
        if self.agents is not None:
            parts.append(f"of {len(self.agents):,} agents")
        if self.since is not None:
            parts.append(f"since {to_text(self.since)}")
        if self.until is not None:
            parts.append(f"before {to_text(self.until)}")
        return " ".join(parts)
