"""Decisions as the platform makes them: requests, scored without any model, put into the log's table."""

import numpy as np
import pyarrow as pa

from spots_ml.requests.request_schema import REQUESTS
from spots_ml.scoring.decision_log.log import decision_table
from spots_ml.scoring.inputs import scoring_inputs
from spots_ml.scoring.scorer import Scorer
from spots_ml.scoring.served import MissingModel

NO_MODELS = Scorer(MissingModel("no_version", "none yet"), MissingModel("no_version", "none yet"))


def requests(rows):
    """Requests out of rows by column; what is no column of requests, a label for one, is left out."""
    kept = [{"position": position, **row} for position, row in enumerate(rows)]
    return pa.RecordBatch.from_pylist(
        [{name: value for name, value in row.items() if name in REQUESTS.names} for row in kept], schema=REQUESTS
    )


def decide(rows, *, now, server=None, up_to=None, origin="served", scorer=NO_MODELS):
    """Score rows on the history that a store serves, if one is given."""
    batch = requests(rows)
    history, watermark = None, None
    if server is not None:
        moments = batch["scored_at"].fill_null(pa.scalar(now, batch["scored_at"].type)).to_numpy()
        served = server.serve_history(batch["agent_id"], moments, up_to=up_to)
        history, watermark = served.values, served.watermark
    moments = batch["scored_at"].fill_null(pa.scalar(now, batch["scored_at"].type)).to_numpy()
    inputs = scoring_inputs(batch, history, scorer.assignment.assign(batch["agent_id"], moments))
    return decision_table(
        batch, inputs, scorer.score(inputs), claims=claimed(origin, len(rows)), now=now, watermark=watermark
    )


def claimed(origin, n_rows):
    """Claims of as many decisions of one origin."""
    return pa.repeat(pa.scalar("at_its_moment" if origin == "served" else "scored_again"), n_rows)


def changed(table, name, row, value):
    """The same table with one other value."""
    values = table[name].to_pylist()
    values[row] = value
    place = table.column_names.index(name)
    return table.set_column(place, table.schema.field(name), pa.array(values, table.schema.field(name).type))


def history_of(table):
    """`(n_rows, 6)` float32 out of a table of decisions or answers."""
    from spots_ml.features.contract import HISTORY_FEATURES

    return np.stack([table[name].to_numpy() for name in HISTORY_FEATURES], axis=1)
