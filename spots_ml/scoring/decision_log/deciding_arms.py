"""Which arm made each decision of a log, also of those that were logged before there were arms."""

import pyarrow as pa
import pyarrow.compute as pc

from spots_ml.scoring.arms import FORMULA_ARM, arm_id
from spots_ml.scoring.assignment import FORMULA_BASED


def deciding_arms(decisions: pa.Table) -> pa.ChunkedArray:
    """Name the arm of each decision.

    A decision that does not say it is the formula's in the group `formulaBased`, else that of the version that was
    asked: at that time there were no others.

    Args:
        decisions: `n` rows with the columns `arm`, `group` and `version`.

    Returns:
        `(n,)` ids of arms.
    """
    versions = pc.unique(decisions["version"])
    ids = pa.array([arm_id(version) for version in versions.to_pylist()], pa.string())
    of_version = ids.take(pc.index_in(decisions["version"], versions).combine_chunks())
    derived = pc.if_else(pc.equal(decisions["group"], FORMULA_BASED), FORMULA_ARM, of_version)
    return pc.coalesce(decisions["arm"], derived)
