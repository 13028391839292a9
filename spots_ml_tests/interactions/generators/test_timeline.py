"""Who, when, and which arguments are refused."""

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest

from spots_ml.errors import ConfigError
from spots_ml.interactions.generators.seed_law import SeedLaw
from spots_ml.interactions.generators.timeline import draw_timeline


def test_agents_have_equally_many_rows_within_their_active_days() -> None:
    timeline = draw_timeline(1_000, rows_per_agent=20, generator=np.random.default_rng(0), active_days=10)
    assert timeline.n_agents == 50
    for agent in range(50):
        own = timeline.scored_at[timeline.agent == agent]
        assert len(own) == 20
        assert own.max() - own.min() <= np.timedelta64(10, "D")


def test_outcomes_arrive_between_a_minute_and_two_days_later() -> None:
    timeline = draw_timeline(5_000, rows_per_agent=5, generator=np.random.default_rng(0))
    delay = timeline.outcome_at - timeline.scored_at
    assert delay.min() >= np.timedelta64(60, "s")
    assert delay.max() <= np.timedelta64(2, "D")


def test_the_end_of_the_period_is_read_in_its_zone() -> None:
    here, there = (
        draw_timeline(10, rows_per_agent=1, generator=np.random.default_rng(0), until=until)
        for until in (
            datetime(2026, 3, 1, 12, tzinfo=UTC),
            datetime(2026, 3, 1, 14, tzinfo=timezone(timedelta(hours=2))),
        )
    )
    np.testing.assert_array_equal(here.scored_at, there.scored_at)


def test_everything_wrong_with_the_arguments_is_said_at_once() -> None:
    with pytest.raises(ConfigError, match=r"n_rows is 0.*rows_per_agent is 0\.5.*without zone.*active_days is 400"):
        draw_timeline(
            0,
            rows_per_agent=0.5,
            generator=np.random.default_rng(0),
            until=datetime(2026, 1, 1),  # noqa: DTZ001
            active_days=400,
        )


@pytest.mark.parametrize("arguments", [{"n_rows": 0}, {"labelled_share": 1.5}, {"seed": -1}])
def test_a_generator_refuses_bad_arguments_before_the_first_batch(arguments: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="expected"):
        SeedLaw().generate(**{"n_rows": 10, "seed": 0, **arguments})  # type: ignore[arg-type]
