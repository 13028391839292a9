"""Whose the labelled rows of a dataset are, by name: what tells the agents of two datasets apart."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq

from spots_ml.interactions.learning.validation import ACCEPTED_FILE


def labelled_agent_names(datasets_dir: Path, digest: str) -> np.ndarray:
    """Read the names of the agents alone.

    Args:
        datasets_dir: The folder of all datasets.
        digest: Which one; `validation.load_labelled_rows` checks it.

    Returns:
        `(n_rows,)` objects in the order of the labelled rows: texts, None where the agent is unknown.
    """
    table = pq.read_table(datasets_dir / digest / ACCEPTED_FILE, columns=["agent_id", "outcome_score"])
    labelled = table.filter(pa.compute.is_valid(table["outcome_score"]))
    return np.array(labelled["agent_id"].to_pylist(), dtype=object)
