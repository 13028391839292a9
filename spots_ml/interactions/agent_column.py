"""The agents of a column of names: unknown agents are one of their own each."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spots_ml.estimates.agents import Agents


def agents_by_appearance(names: pa.ChunkedArray) -> Agents:
    """Number agents in the order in which they first appear, the unknown ones after them.

    Args:
        names: Texts, null where unknown.

    Returns:
        The agents.

    >>> agents_by_appearance(pa.chunked_array([["b", None, "a", "b"]]))
    Agents(code=array([0, 2, 1, 0]), n=3)
    """
    encoded = names.combine_chunks().dictionary_encode()
    code = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    nobody = code < 0
    n_known, n_unknown = len(encoded.dictionary), int(nobody.sum())
    code[nobody] = n_known + np.arange(n_unknown)
    return Agents(code, n_known + n_unknown)


def agents_by_name(names: pa.ChunkedArray) -> Agents:
    """Number agents in the order of their names, the unknown ones after them: the order of the rows decides nothing.

    Args:
        names: Texts, null where unknown.

    Returns:
        The agents.

    >>> agents_by_name(pa.chunked_array([["b", None, "a", "b"]]))
    Agents(code=array([1, 2, 0, 1]), n=3)
    """
    agents = agents_by_appearance(names)
    known = names.combine_chunks().drop_null().unique()
    rank = np.arange(agents.n)
    rank[pc.sort_indices(known).to_numpy()] = np.arange(len(known))
    return Agents(rank[agents.code], agents.n)
