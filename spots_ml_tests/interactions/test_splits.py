"""What a split must keep: agents apart, the test period last, the shares asked for, the same answer."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spots_ml.errors import ConfigError, InsufficientDataError
from spots_ml.interactions.learning.row_caps import same_pairs
from spots_ml.interactions.learning.split_rules import NO_CAPS, SplitRules
from spots_ml.interactions.learning.splits import OVER_CAP, PURGED, TEST, TRAIN, VALIDATION, split_rows, split_sizes

NAT = np.datetime64("NaT")
NEW_YEAR = np.datetime64("2026-01-01", "us")
US_PER_DAY = 86_400 * 10**6


def never(n_rows: int) -> np.ndarray:
    return np.full(n_rows, NAT)


def visits(n_rows: int, n_agents: int, *, active_days: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Agents who come and go within 180 days."""
    generator = np.random.default_rng(seed)
    agent = np.arange(n_rows) % n_agents
    first = generator.random(n_agents) * (180 - active_days)
    day = first[agent] + generator.random(n_rows) * active_days
    return agent, NEW_YEAR + (day * US_PER_DAY).astype(np.int64)


def assert_lawful(split: np.ndarray, agent: np.ndarray, scored_at: np.ndarray) -> None:
    """Agents are in one part only, and timed test rows are later than all other timed rows."""
    parts = [set(agent[split == part]) for part in (TRAIN, VALIDATION, TEST)]
    assert all(parts)
    assert not parts[0] & parts[1]
    assert not parts[0] & parts[2]
    assert not parts[1] & parts[2]
    timed = ~np.isnat(scored_at)
    before = scored_at[timed & np.isin(split, (TRAIN, VALIDATION))]
    test = scored_at[timed & (split == TEST)]
    if len(before) and len(test) and len(np.unique(scored_at[timed])) > 1:
        assert before.max() < test.min()


def shares(split: np.ndarray) -> list[float]:
    kept = split[split != PURGED]
    return [float(np.mean(kept == part)) for part in (TRAIN, VALIDATION, TEST)]


def test_rows_that_are_their_own_agents_are_split_exactly() -> None:
    split = split_rows(np.arange(10_000), never(10_000), seed=42)
    assert np.bincount(split).tolist() == [7_000, 1_500, 1_500]


def test_one_hundred_agents_of_one_hundred_rows_are_split_exactly_and_stay_together() -> None:
    agent = np.repeat(np.arange(100), 100)
    split = split_rows(agent, never(10_000), seed=1)
    assert np.bincount(split).tolist() == [7_000, 1_500, 1_500]
    assert_lawful(split, agent, never(10_000))


def test_the_same_arguments_give_the_same_split_and_another_seed_another_one() -> None:
    agent, scored_at = visits(2_000, 200, active_days=30)
    first = split_rows(agent, scored_at, seed=3)
    np.testing.assert_array_equal(first, split_rows(agent, scored_at, seed=3))
    assert np.any(first != split_rows(agent, scored_at, seed=4))


def test_the_order_of_rows_does_not_matter() -> None:
    agent, scored_at = visits(2_000, 200, active_days=30)
    order = np.random.default_rng(0).permutation(2_000)
    np.testing.assert_array_equal(
        split_rows(agent[order], scored_at[order], seed=3), split_rows(agent, scored_at, seed=3)[order]
    )


@pytest.mark.parametrize(("active_days", "largest_loss"), [(1, 0.02), (30, 0.08), (90, 0.25), (180, 0.45)])
def test_few_rows_are_purged_and_fewer_the_shorter_agents_stay(active_days: int, largest_loss: float) -> None:
    agent, scored_at = visits(10_000, 1_000, active_days=active_days)
    split = split_rows(agent, scored_at, seed=0)
    assert_lawful(split, agent, scored_at)
    assert np.mean(split == PURGED) <= largest_loss
    np.testing.assert_allclose(shares(split), [0.70, 0.15, 0.15], atol=0.01)


def test_single_visits_are_split_by_time_without_loss() -> None:
    agent = np.arange(1_000)
    scored_at = NEW_YEAR + np.random.default_rng(0).permutation(1_000)
    split = split_rows(agent, scored_at, seed=0)
    assert_lawful(split, agent, scored_at)
    assert np.mean(split == PURGED) == 0.0
    np.testing.assert_allclose(shares(split), [0.70, 0.15, 0.15], atol=0.001)


def test_one_hundred_agents_with_times_are_enough() -> None:
    agent, scored_at = visits(10_000, 100, active_days=30)
    split = split_rows(agent, scored_at, seed=0)
    assert_lawful(split, agent, scored_at)
    np.testing.assert_allclose(shares(split), [0.70, 0.15, 0.15], atol=0.03)


@pytest.mark.parametrize("missing_share", [0.05, 0.5, 0.99])
def test_rows_without_a_time_are_kept_on_their_agents_side(missing_share: float) -> None:
    agent, scored_at = visits(5_000, 500, active_days=30)
    scored_at[np.random.default_rng(1).random(5_000) < missing_share] = NAT
    split = split_rows(agent, scored_at, seed=0)
    assert_lawful(split, agent, scored_at)
    assert not np.any((split == PURGED) & np.isnat(scored_at))
    np.testing.assert_allclose(shares(split), [0.70, 0.15, 0.15], atol=0.03)


def test_agents_without_any_time_are_spread_over_all_parts() -> None:
    agent, scored_at = visits(5_000, 500, active_days=30)
    scored_at[agent < 250] = NAT
    split = split_rows(agent, scored_at, seed=0)
    assert_lawful(split, agent, scored_at)
    np.testing.assert_allclose(shares(split[agent < 250]), [0.70, 0.15, 0.15], atol=0.01)


def test_a_single_instant_is_no_order_in_time() -> None:
    split = split_rows(np.arange(100), np.full(100, NEW_YEAR), seed=0)
    assert np.bincount(split).tolist() == [70, 15, 15]


def test_one_giant_agent_trains() -> None:
    agent = np.concatenate([np.zeros(900, dtype=int), np.arange(1, 101)])
    split = split_rows(agent, never(1_000), seed=0, rules=NO_CAPS)
    assert_lawful(split, agent, never(1_000))
    assert split[0] == TRAIN


def test_names_serve_as_well_as_codes() -> None:
    names = np.array(["ann", "ben", "cid", "dee"] * 25)
    assert_lawful(split_rows(names, never(100), seed=0, rules=NO_CAPS), names, never(100))


@pytest.mark.parametrize("n_agents", [1, 9])
def test_too_few_agents_are_refused_with_the_number_needed(n_agents: int) -> None:
    with pytest.raises(InsufficientDataError, match=f"{n_agents} agents in 10 rows; .* at least 24, 8 in each part"):
        split_rows(np.arange(10) % n_agents, never(10), seed=0)


def test_no_rows_are_refused() -> None:
    with pytest.raises(InsufficientDataError, match="0 agents"):
        split_rows(np.array([], dtype=int), never(0), seed=0)


@pytest.mark.parametrize("fractions", [(0.7, 0.3, 0.0), (0.7, 0.2, 0.2), (0.5, 0.5)])
def test_fractions_that_are_no_shares_are_refused(fractions: tuple[float, ...]) -> None:
    with pytest.raises(ConfigError, match="three positive shares"):
        split_rows(np.arange(10), never(10), seed=0, fractions=fractions)  # type: ignore[arg-type]


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, 12), st.one_of(st.none(), st.integers(0, 40))), min_size=3, max_size=80),
    seed=st.integers(0, 5),
    rules=st.sampled_from([NO_CAPS, SplitRules(min_agents=2, min_effective_agents=1.5)]),
)
def test_any_mixture_of_agents_and_times_is_split_lawfully_or_refused(
    rows: list[tuple[int, int | None]], seed: int, rules: SplitRules
) -> None:
    agent = np.array([who for who, _ in rows])
    scored_at = np.array([NAT if day is None else NEW_YEAR + day * US_PER_DAY for _, day in rows])
    scored_at = scored_at.astype("datetime64[us]")
    try:
        split = split_rows(agent, scored_at, seed=seed, rules=rules)
    except InsufficientDataError:
        return
    assert_lawful(split, agent, scored_at)
    for part in split_sizes(split, agent, rules).parts.values():
        limit = max(rules.max_agent_share, 2 / part.n_agents) * part.n_rows
        assert part.largest_agent_share * part.n_rows <= max(1, limit) + 1e-3
        assert part.n_agents >= rules.min_agents and part.effective_agents >= rules.min_effective_agents


def test_1_900_late_rows_of_one_agent_are_not_the_test() -> None:
    agent, scored_at = visits(10_000, 1_000, active_days=30)
    agent = np.append(agent, np.full(1_900, 1_000))
    late = NEW_YEAR + (np.linspace(179, 180, 1_900) * US_PER_DAY).astype(np.int64)
    scored_at = np.append(scored_at, late)
    alone = split_rows(agent, scored_at, seed=0, rules=NO_CAPS)
    assert np.mean(agent[alone == TEST] == 1_000) == 1.0
    split = split_rows(agent, scored_at, seed=0)
    assert_lawful(split, agent, scored_at)
    test = split_sizes(split, agent, SplitRules()).parts["test"]
    assert test.n_agents > 100 and test.largest_agent_share <= 0.02


@pytest.mark.parametrize("timed", [False, True])
def test_no_seed_makes_the_test_the_one_agent_that_has_half_of_the_rows(timed: bool) -> None:
    agent = np.append(np.repeat(np.arange(1, 200), 25), np.zeros(4_975, dtype=int))
    scored_at = NEW_YEAR + np.random.default_rng(0).integers(0, 180 * US_PER_DAY, len(agent)) if timed else None
    for seed in range(20):
        split = split_rows(agent, never(len(agent)) if scored_at is None else scored_at, seed=seed)
        for part in split_sizes(split, agent, SplitRules()).parts.values():
            assert part.n_agents >= 20 and part.effective_agents >= 15 and part.largest_agent_share <= 0.08


def test_where_no_agent_has_too_much_the_split_is_what_it_is_without_caps() -> None:
    for agent, scored_at in (
        (np.arange(1_000), never(1_000)),
        (np.repeat(np.arange(100), 100), never(10_000)),
        visits(10_000, 1_000, active_days=30),
    ):
        np.testing.assert_array_equal(
            split_rows(agent, scored_at, seed=3), split_rows(agent, scored_at, seed=3, rules=NO_CAPS)
        )


def test_an_agent_has_one_row_about_one_opportunity_whatever_it_is_called() -> None:
    agent = np.append(np.repeat(np.arange(100), 10), np.zeros(60, dtype=int))
    opportunity = np.append(np.arange(1_000), [*[5_000] * 30, *range(6_000, 6_030)])
    vibes = np.random.default_rng(0).random((1_060, 12)).astype(np.float32)
    vibes[1_030:] = vibes[1_030]
    pairs = same_pairs(agent, opportunity, vibes, np.zeros((1_060, 12), bool))
    split = split_rows(agent, never(1_060), seed=0, pairs=pairs)
    assert [
        int(np.sum(split[rows] != OVER_CAP)) for rows in (slice(1_000), slice(1_000, 1_030), slice(1_030, 1_060))
    ] == [1_000, 1, 1]


def test_opportunities_nothing_is_known_of_are_not_the_same_one() -> None:
    pairs = same_pairs(np.zeros(9, int), np.full(9, -1), np.full((9, 12), 0.5, np.float32), np.ones((9, 12), bool))
    assert [len(np.unique(pair)) for pair in pairs] == [9, 9]


def test_which_rows_stay_does_not_depend_on_their_order_and_does_on_the_seed() -> None:
    agent, scored_at = visits(4_000, 400, active_days=30)
    agent = np.where(np.arange(4_000) < 1_500, 0, agent)
    order = np.random.default_rng(0).permutation(4_000)
    first = split_rows(agent, scored_at, seed=3)
    assert np.any(first == OVER_CAP)
    np.testing.assert_array_equal(split_rows(agent[order], scored_at[order], seed=3), first[order])
    assert np.any((first == OVER_CAP) != (split_rows(agent, scored_at, seed=4) == OVER_CAP))


def test_every_part_gets_the_least_number_of_agents_where_there_are_enough() -> None:
    agent = np.repeat(np.arange(30), 50)
    sizes = split_sizes(split_rows(agent, never(1_500), seed=0), agent, SplitRules())
    assert [part.n_agents for part in sizes.parts.values()] == [14, 8, 8]


def test_parts_that_a_few_agents_fill_are_refused_with_all_numbers() -> None:
    agent = np.append(np.repeat(np.arange(9), 300), np.arange(9, 27))
    with pytest.raises(InsufficientDataError, match=r"as many as \d\.\d equal ones.*every part needs 8 agents"):
        split_rows(agent, never(len(agent)), seed=0, rules=SplitRules(min_effective_agents=7.5))
