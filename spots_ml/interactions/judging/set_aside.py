"""Records that a store set aside when it took their neighbours in, as rows that are read once more.

They were judged then, and are not judged again: what was not taken in stays broken, whatever the rules say by now.
"""

from collections.abc import Sequence

import pyarrow as pa

from spots_ml.interactions.columns import rows_in_columns
from spots_ml.interactions.reading.broken_records import agent_of
from spots_ml.interactions.schema import INTERACTIONS


def rows_set_aside(records: Sequence[tuple[str, Sequence[str]]]) -> pa.RecordBatch:
    """Turn kept records into rows that say whose they are, what was wrong and what they said, and nothing else.

    Args:
        records: Text and reason codes of each.

    Returns:
        As many rows of schema `INTERACTIONS`; `position` counts from 0, the agent is null where none can be read.
    """
    rows = [
        {
            "position": position,
            "agent_id": agent_of(text.encode("utf-8", "surrogatepass")),
            "record": text,
            "problems": list(reasons),
        }
        for position, (text, reasons) in enumerate(records)
    ]
    return rows_in_columns(rows, INTERACTIONS) if rows else pa.RecordBatch.from_pylist([], schema=INTERACTIONS)
