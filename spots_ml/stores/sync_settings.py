"""Repeating in one registry the weights and the traffic that were set in another.

What somebody has set in the target is the target's own and stays. Changes of status are in `sync_moves`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from spots_ml.errors import RegistryError
from spots_ml.registry.records import Action, ModelVersion
from spots_ml.registry.version_store import VersionLookup, VersionStore
from spots_ml.stores.sync_moves import REASON, carry_blessing


@dataclass(frozen=True)
class CarriedSettings:
    """Repeats weights and traffic.

    Attributes:
        source: The registry to follow; it is only read.
        versions: Its versions.
        target: The registry that follows.
        clock: Tells the present (UTC).
        actor: Who does this, for the history.
    """

    source: VersionLookup
    versions: Sequence[ModelVersion]
    target: VersionStore
    clock: Callable[[], datetime]
    actor: str

    def repeat_weights(self) -> None:
        """Give the versions of the target the weights they have in the source; to be called before status changes.

        A version that is deprecated or archived in the target keeps its weight.
        """
        there = self._there()
        for one in self.versions:
            known = there.get((one.model_type, one.version))
            if known is None or known.status not in ("staging", "active") or known.weight == one.weight:
                continue
            if self._follows(known, "weight_set"):
                self.target.set_weight(
                    one.model_type, one.version, one.weight, now=self.clock(), actor=self.actor, reason=REASON
                )

    def repeat_traffic(self) -> dict[tuple[str, str], str]:
        """Give the staging versions of the target the traffic they have in the source; to be called last.

        Returns:
            Model and version -> why its traffic stays what it is, where the target's registry refused it.
        """
        there, refused = self._there(), {}
        # What is taken back makes place for what is offered.
        for one in sorted(self.versions, key=lambda version: version.traffic):
            known = there.get((one.model_type, one.version))
            if known is None or (one.status, known.status) != ("staging", "staging") or known.traffic == one.traffic:
                continue
            if self._follows(known, "traffic_set"):
                try:
                    now, by = self.clock(), {"actor": self.actor, "reason": REASON}
                    forced = one.traffic > 0.0 and not carry_blessing(
                        self.source, self.target, one.model_type, one.version, now=now, actor=self.actor
                    )
                    self.target.set_traffic(one.model_type, one.version, one.traffic, now=now, forced=forced, **by)
                except RegistryError as error:
                    refused[one.model_type, one.version] = str(error)
        return refused

    def _there(self) -> dict[tuple[str, str], ModelVersion]:
        return {(one.model_type, one.version): one for one in self.target.list_versions()}

    def _follows(self, version: ModelVersion, action: Action) -> bool:
        entries = self.target.history(version.model_type, version.version)
        return all(entry.reason == REASON for entry in entries if entry.action == action)
