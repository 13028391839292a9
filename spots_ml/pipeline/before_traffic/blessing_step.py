"""Comparing a version with what is active now, and keeping what that came to.

The rows are the version's own test rows, without those of agents whom the champion learned from: which part an agent is
in changes with the dataset and the seed. Both models' datasets must lie here; the comparison itself is in
`registry.gates.blessing`.
"""

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from spots_ml.errors import ArtifactError
from spots_ml.interactions.learning.splits import TEST, TRAIN
from spots_ml.interactions.learning.validation import load_labelled_rows
from spots_ml.models.declared import ModelType
from spots_ml.pipeline.learned_rows import rows_of_learned_agents
from spots_ml.places import Places
from spots_ml.registry.blessings import Blessing, KeptBlessing, against, blessing_needed_since, require_blessable_status
from spots_ml.registry.gates.blessing import FreshRows, bless
from spots_ml.registry.gates.blessing_rules import RULES, BlessingRules
from spots_ml.registry.gates.decision_gate import Answering, answering_now
from spots_ml.registry.in_service import active_version
from spots_ml.registry.records import ModelVersion
from spots_ml.registry.serving import serve_model
from spots_ml.registry.version_store import VersionStore
from spots_ml.release.onnx.predictor import UNHURRIED_S
from spots_ml.scoring.fallback import ModelUnavailableError
from spots_ml.scoring.served import MissingModel
from spots_ml.training.trained_model import TrainedDocument, load_trained_model, split_of


@dataclass(frozen=True)
class Blessed:
    """What came of blessing a version.

    Attributes:
        kept: The blessing.
        made_already: Whether it was found, not made now.
    """

    kept: KeptBlessing
    made_already: bool


def bless_version(
    places: Places,
    store: VersionStore,
    model_type: ModelType,
    version: str,
    *,
    now: datetime,
    actor: str,
    rules: BlessingRules = RULES,
    anew: bool = False,
) -> Blessed:
    """Compare a version with what is active now, unless that was done already, and keep what was found.

    Args:
        places: Where models and datasets lie.
        store: The registry.
        model_type: Which model.
        version: A version in staging, or a deprecated one.
        now: The present (UTC).
        actor: Who compares.
        rules: By which it is judged.
        anew: Compare although the same was compared already.

    Returns:
        The blessing, for or against the version.

    Raises:
        RegistryError: When there is no such version, it is active or archived, or another version became active
            meanwhile.
    """
    row = store.get(model_type, version)
    require_blessable_status(row)
    active = active_version(store.list_versions(model_type))
    answering = answering_now(store, places.models_dir)
    known = None if anew else store.newest_blessing(model_type, version, None if active is None else active.version)
    if known is not None and _still_holds(known, row, active, store, answering, rules):
        return Blessed(known, made_already=True)
    found = _compare(places, store, row, active, answering, rules)
    return Blessed(store.bless(found, now=now, actor=actor), made_already=False)


def _still_holds(
    known: KeptBlessing,
    row: ModelVersion,
    active: ModelVersion | None,
    store: VersionStore,
    now: Answering,
    rules: BlessingRules,
) -> bool:
    """Whether a blessing was made by these rules, beside what answers now, and since the version was rolled back."""
    told = known.blessing.comparison
    beside = {kind: model.version for kind, model in now.items() if kind != row.model_type}
    weights, needed = told.get("weights"), {one.weight for one in (row, active) if one is not None}
    return (
        known.after_change >= blessing_needed_since(store.history(row.model_type), row.version)
        and told.get("rules") == rules.model_dump(mode="json")
        and told.get("beside") == beside
        and (not isinstance(weights, list) or not weights or needed.issubset(weights))
    )


def _compare(
    places: Places,
    store: VersionStore,
    row: ModelVersion,
    active: ModelVersion | None,
    now: Answering,
    rules: BlessingRules,
) -> Blessing:
    """Compare; whatever cannot be had is a no that says so."""

    def refused(why: str) -> Blessing:
        return Blessing(
            model_type=row.model_type,
            version=row.version,
            champion=None if active is None else active.version,
            passed=False,
            sentence=why,
        )

    candidate = serve_model(store, places.models_dir, row.model_type, version=row.version, time_limit_s=UNHURRIED_S)
    if isinstance(candidate, MissingModel):
        return refused(f"it does not answer: {candidate.detail}")
    champion = None
    if active is not None:
        champion = serve_model(
            store, places.models_dir, row.model_type, version=active.version, time_limit_s=UNHURRIED_S
        )
    try:
        document = load_trained_model(places.trained_dir, row.content_digest).document
        fresh = _fresh_rows(places, document, active)
    except ArtifactError as error:
        return refused(
            f"which rows neither learned from cannot be told here ({error}); bless it where the datasets of both lie"
        )
    try:
        return bless(
            row.model_type,
            candidate,
            champion,
            now,
            fresh,
            rules=rules,
            seed=document.seed,
        )
    except ModelUnavailableError as error:
        beside = against(active.version if active else None, row.model_type)
        return refused(f"the answers cannot be compared with {beside} ({error})")


def _fresh_rows(places: Places, document: TrainedDocument, active: ModelVersion | None) -> FreshRows:
    """Take the test rows of a model, without those of agents whom the active version learned from."""
    _, rows = load_labelled_rows(places.datasets_dir, document.dataset_digest)
    split = split_of(document, rows)
    fresh = split == TEST
    if active is not None:
        fresh &= ~rows_of_learned_agents(places, active.content_digest, document.dataset_digest, rows)
    left_out = (split == TEST) & ~fresh
    return FreshRows(
        rows=rows.take(fresh),
        training=rows.take(split == TRAIN),
        n_rows_left_out=int(left_out.sum()),
        n_agents_left_out=len(np.unique(rows.agent[left_out])),
    )
