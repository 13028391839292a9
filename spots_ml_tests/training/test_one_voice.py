"""What one agent says again and again about one place does not become what the network says to everybody."""

import dataclasses

import numpy as np
import pyarrow as pa
import pytest

from spots_ml.features.contract import FEATURES, RAW_FEATURES
from spots_ml.features.derived import derive
from spots_ml.interactions.generators.seed_law import SeedLaw
from spots_ml.interactions.judging.judgement import accepted
from spots_ml.interactions.learning.dataset import LabelledRows, collect_labelled
from spots_ml.interactions.learning.split_rules import NO_CAPS, SplitRules
from spots_ml.interactions.learning.splits import OVER_CAP, TRAIN, split_rows
from spots_ml.training.config import TrainingConfig
from spots_ml.training.model import train_model

VENUE = np.arange(12) % 2
"""The vibes of a place as there is none among the others."""
N_PRAISES = 30
_RAW = [FEATURES.index(name) for name in RAW_FEATURES]


def generated(n_rows):
    batches = list(SeedLaw().generate(n_rows, seed=1).batches)
    rows = [
        accepted(batch, np.zeros(batch.num_rows, np.int64), np.zeros((batch.num_rows, 6), np.float32))
        for batch in batches
    ]
    return collect_labelled(rows, pa.Table.from_batches(rows)["outcome_score"].length())


def at_the_venue(features):
    there = features[:, _RAW].astype(np.float64)
    there[:, 12:24] = VENUE
    return derive(there)


def praised(rows):
    """The rows, and one agent who was at the venue on thirty days and always content."""
    many = rows.take(np.arange(N_PRAISES))
    praise = dataclasses.replace(
        many,
        features=at_the_venue(np.repeat(many.features[:1], N_PRAISES, axis=0)),
        agent=np.full(N_PRAISES, rows.agent.max() + 1),
        opportunity=np.full(N_PRAISES, rows.opportunity.max() + 1),
        scored_at=rows.scored_at.min() + np.arange(N_PRAISES) * np.timedelta64(1, "D"),
        outcome_score=np.ones(N_PRAISES, np.float32),
        positive=np.ones(N_PRAISES, bool),
    )
    names = [field.name for field in dataclasses.fields(LabelledRows)]
    return LabelledRows(**{name: np.concatenate([getattr(rows, name), getattr(praise, name)]) for name in names})


# Two small networks are trained: what a cap is worth shows in the answers alone.
@pytest.mark.parametrize(("rules", "least", "most"), [(NO_CAPS, 0.7, 1.0), (SplitRules(), 0.0, 0.45)])
def test_thirty_praises_of_one_place_by_one_agent_lift_nobody_else_to_it(rules, least, most):
    rows = generated(5_000)
    both = praised(rows)
    split = split_rows(both.agent, both.scored_at, seed=0, pairs=both.pairs(), rules=rules)
    mine = split[-N_PRAISES:]
    mine[mine != OVER_CAP] = TRAIN  # the worst that may happen
    config = TrainingConfig(max_epochs=15, n_resamples=20)
    model = train_model(both, split, "calling_score", config, seed=0, dataset_digest="d" * 64, kind="synthetic")
    answers = model.predict(at_the_venue(rows.features[:500]))
    assert least <= answers.mean() <= most
