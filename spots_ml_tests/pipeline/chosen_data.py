"""Interactions that tests choose, and expectations that say what a test wants to hear."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spots_ml.features.contract import RAW_FEATURES
from spots_ml.features.derived import derive
from spots_ml.interactions.columns import floats
from spots_ml.interactions.generators.export_writing import write_export
from spots_ml.interactions.generators.seed_law import SeedLaw
from spots_ml.interactions.learning.expectations import ExpectationResult
from spots_ml.interactions.source import InteractionStream

N_ROWS = 6_000
"""As few as both gates of the calling-score model pass on with room to spare."""


class Told:
    """Expectations that were evaluated before anybody looked; remembers what it was asked."""

    def __init__(self, *broken):
        self.broken, self.submitted = set(broken), []

    def submit(self, datasets_dir, digest, *, docs_dir):
        self.submitted.append(digest)

    def results(self):
        return [
            ExpectationResult(
                "expect_column_min_to_be_between", column, column not in self.broken, "critical", "-0.2", 0, (), ""
            )
            for column in ("agent_exploration", "agent_energy")
        ]

    def close(self):
        pass


def interactions(n_rows, *, seed=3):
    """Labelled interactions in the order of time."""
    return pa.Table.from_batches(SeedLaw().generate(n_rows, seed=seed).batches).sort_by("scored_at")


def derived_features(n_rows, *, seed):
    """The 39 features of generated interactions, `(n_rows, 39)` float32, unknown as 0.5."""
    rows = interactions(n_rows, seed=seed)
    features = derive({name: floats(rows[name]) for name in RAW_FEATURES})
    return np.where(np.isnan(features), 0.5, features).astype(np.float32)


def export(table, path):
    """Write them as an export of the app, and give its path."""
    write_export(InteractionStream("real", iter(table.to_batches()), description="a test", watermark=None), path)
    return path


def misleading(n_rows):
    """Interactions whose outcomes turned into their opposite some day: what is learned before is wrong after."""
    rows = interactions(n_rows)
    scores = rows["outcome_score"].to_numpy()
    return with_outcome_scores(rows, np.where(np.arange(n_rows) < 0.7 * n_rows, scores, 1.0 - scores))


def with_broken_rows(table, n_broken):
    """Let the first rows have an outcome score that there is not."""
    scores = table["outcome_score"].to_numpy().copy()
    scores[:n_broken] = 1.5
    return with_outcome_scores(table, scores)


def with_outcome_scores(table, scores):
    """Replace the outcome scores, and the outcome types so that they agree."""
    scores = np.round(scores, 4)
    types = np.select([scores >= 0.7, scores >= 0.4], ["positive", "neutral"], "negative")
    for name, values in (("outcome_score", scores), ("outcome_type", types)):
        field = table.schema.field(name)
        table = table.set_column(table.schema.get_field_index(name), field, pa.array(values).cast(field.type))
    return table


def with_labels_of_the_first(table, n_labelled):
    """Let the outcomes of the other rows be unknown."""
    first = pa.array(np.arange(table.num_rows) < n_labelled)
    for name in ("outcome_type", "outcome_score", "outcome_at"):
        field = table.schema.field(name)
        column = pc.if_else(first, table[name], pa.scalar(None, field.type))
        table = table.set_column(table.schema.get_field_index(name), field, column)
    return table
