"""The split of agents, against the rule as it is written."""

from hashlib import sha256

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spots_ml.scoring.assignment import group_names, group_of, hybrid_mask

# Made with `printf %s ID | sha256sum`: the first two digits below 80 (hexadecimal) are the hybrid group.
KNOWN = {"agent-1": "hybrid", "agent-2": "formulaBased", "agent-3": "formulaBased", "b": "hybrid"}


@pytest.mark.parametrize("agent_id", KNOWN)
def test_known_agents_are_where_they_always_were(agent_id):
    assert group_of(agent_id) == KNOWN[agent_id]


@given(st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"])), max_size=20))
def test_many_agents_are_grouped_as_one_by_one_and_unknown_ones_are_not_hybrid(agent_ids):
    expected = [a is not None and int(sha256(a.encode()).hexdigest()[:2], 16) < 0x80 for a in agent_ids]

    assert hybrid_mask(agent_ids).tolist() == expected
    assert hybrid_mask(pa.chunked_array([pa.array(agent_ids, pa.string())])).tolist() == expected
    assert group_names(np.array(expected, dtype=bool)).to_pylist() == [
        "hybrid" if a is not None and group_of(a) == "hybrid" else "formulaBased" for a in agent_ids
    ]


def test_the_split_is_even_and_nobody_changes_sides():
    agents = [f"agent_{number:06}" for number in range(20_000)]
    mask = hybrid_mask(agents)

    assert abs(mask.mean() - 0.5) < 0.01
    assert hybrid_mask(agents[::-1]).tolist() == mask[::-1].tolist()
