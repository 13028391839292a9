"""What units say: the effect that was planted, e-values that no look changes, and every mistake that is known."""

import math
from datetime import timedelta
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from spots_ml.errors import ConfigError
from spots_ml.estimates.e_process import Payoffs, log_e_above, log_e_below
from spots_ml.experiments.policy import OutcomeValues, RolloutPolicy
from spots_ml.experiments.unit_finding import find_units
from spots_ml.experiments.units import ENTERED, UNITS
from spots_ml.experiments.weighing.evidence import Trail, evidence
from spots_ml_tests.experiments import units_of_a_world
from spots_ml_tests.experiments.unit_tables import T0, entered_of, periods, rollout, unit_table
from spots_ml_tests.experiments.units_of_a_world import TWO_STAGES, nothing_known, table, world

NOW = T0 + timedelta(days=50)


def found(units, *, stage=1, entered=None, **changes):
    return evidence(
        rollout(stage=stage, **changes),
        periods(stage),
        units,
        entered_of(units) if entered is None else entered,
        as_of=NOW,
    )


def with_column(units, name, values):
    return units.set_column(units.column_names.index(name), UNITS.field(name), pa.array(values, UNITS.field(name).type))


def test_a_better_version_is_found_and_its_interval_holds_the_effect():
    told = found(unit_table(np.random.default_rng(1), (2_000, 1_500), effect=0.1, together=0.8), stage=2)
    assert told.benefit.rejects and told.not_much_worse.rejects and not told.harm.rejects
    assert told.effect.low < 0.1 < told.effect.high and told.effect.low > 0.0
    assert told.effect.method == "confidence_sequence" and told.effect.n_agents == 3_500
    assert told.spread == pytest.approx(0.3, abs=0.02)


def test_a_worse_version_is_harm_at_a_tenth_of_the_traffic():
    told = found(unit_table(np.random.default_rng(2), (2_000,), effect=-0.12))
    assert told.harm.rejects and not told.benefit.rejects and not told.not_much_worse.rejects


def test_the_answer_does_not_depend_on_how_often_one_looked():
    units = unit_table(np.random.default_rng(3), (700, 500), effect=0.05)
    trail = Trail(rollout(stage=2), periods(2), units)
    for n in (0, 1, 16, 333, 700, 1_200):
        first = units.slice(0, n)
        assert trail.at(n, entered_of(first), as_of=NOW) == found(first, stage=2)


def test_without_units_nothing_is_known():
    told = found(UNITS.empty_table(), entered=ENTERED.empty_table())
    assert (told.effect.value, told.spread, told.relative.value, told.by_day) == (None, None, None, ())
    assert told.benefit.peak == told.harm.peak == told.sample_ratio.peak == 0.0


@pytest.mark.parametrize("value", [-1.0, 1.0])
def test_few_units_tell_no_effect_that_there_cannot_be(value):
    units = unit_table(np.random.default_rng(1), (80,))
    alone = units.filter(units["treated"].to_numpy()).slice(0, 1)
    told = found(with_column(alone, "value", [value]))
    assert (told.effect.low, told.effect.value, told.effect.high) == (-2.0, 2.0 * value, 2.0)


def test_what_a_positive_outcome_is_called_worth_changes_no_conclusion():
    units = unit_table(np.random.default_rng(23), (2_000,), effect=-0.1, base=(0.5, 0.5))
    small = with_column(units, "value", units["value"].to_numpy() / 10.0)
    values = OutcomeValues(positive=0.1, negative=-0.1)
    whole = found(units)
    tenth = found(small, policy=RolloutPolicy(values=values, much_worse=0.005))
    for name in ("benefit", "harm", "not_much_worse"):
        assert getattr(tenth, name).peak == pytest.approx(getattr(whole, name).peak, abs=0.3)
    assert tenth.effect.low == pytest.approx(whole.effect.low / 10.0, abs=0.001)


@pytest.mark.parametrize("negative", [1.0, 0.0])
def test_outcomes_that_do_not_say_what_is_better_are_no_policy(negative):
    with pytest.raises(ValidationError, match="worth more"):
        OutcomeValues(positive=0.0, negative=negative)


def test_peaks_count_even_where_the_evidence_fell_again():
    rng = np.random.default_rng(4)
    good, bad = unit_table(rng, (1_500,), effect=0.25), unit_table(rng, (1_500,), effect=-0.25)
    told = found(pa.concat_tables([good, bad]))
    assert told.benefit.rejects and told.benefit.log_e < told.benefit.needed


def test_what_is_needed_follows_from_levels_and_from_how_many_guardrails_there_are():
    told = found(UNITS.empty_table(), entered=ENTERED.empty_table(), level=0.01)
    assert math.exp(told.benefit.needed) == pytest.approx(100.0)
    assert math.exp(told.harm.needed) == pytest.approx(20.0)
    assert [math.exp(each.worse.needed) for each in told.guardrails] == pytest.approx([80.0] * 4)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("negative", {"negative": (0.05, 0.2)}),
        ("fallback", {"fallback": (0.0, 0.1)}),
        ("called", {"called": (0.4, 0.05)}),
        ("called", {"called": (0.4, 0.9)}),
    ],
)
def test_what_becomes_worse_than_its_margin_is_found_by_its_guardrail(name, change):
    told = found(unit_table(np.random.default_rng(5), (2_000,), **change))
    assert {each.name for each in told.guardrails if each.worse.rejects} == {name}
    guardrail = next(each for each in told.guardrails if each.name == name)
    assert guardrail.control.value == pytest.approx(change[name][0], abs=0.02)
    assert guardrail.treated.value == pytest.approx(change[name][1], abs=0.03)


def test_worse_by_less_than_the_margin_is_no_harm():
    told = found(unit_table(np.random.default_rng(6), (4_000,), negative=(0.05, 0.06), called=(0.4, 0.45)))
    assert not any(each.worse.rejects for each in told.guardrails)


# Known mistakes: each test fails where the mistake is made.


def share_found(worlds, statistic):
    return np.mean([statistic(world) for world in worlds])


def test_mistake_stages_pooled_by_counts():
    """Half of the treated are of the worse second stage, but few of the others: pooled, no difference is one."""
    rng = np.random.default_rng(7)
    worlds = [unit_table(rng, (1_500, 1_500), base=(0.5, 0.2)) for _ in range(30)]
    pooled = [
        np.mean(world["value"].to_numpy()[world["treated"].to_numpy()])
        - np.mean(world["value"].to_numpy()[~world["treated"].to_numpy()])
        for world in worlds
    ]
    assert np.mean(pooled) < -0.05
    effects = [found(world, stage=2).effect for world in worlds]
    assert abs(np.mean([each.value for each in effects])) < 0.01
    assert share_found(worlds, lambda world: found(world, stage=2).harm.rejects) <= 0.1


def test_mistake_rows_of_agents_that_come_back_taken_for_units():
    """Two groups of agents differ by chance, which more of their rows only show more clearly."""
    rng = np.random.default_rng(25)
    by_rows, by_agents = [], []
    for _ in range(60):
        treated, chance = rng.random(300) < 0.5, rng.beta(1.6, 2.4, 300)  # a correlation of 0.2 within agents
        rows = rng.random((300, 40)) < chance[:, None]
        for values, found_in in ((rows.mean(axis=1), by_agents), (rows.T.ravel().astype(float), by_rows)):
            arm = np.resize(treated, len(values))
            bound = np.full(len(values), 0.5)
            paid = Payoffs((arm - 0.5) * (values - 0.4), np.full(len(values), 0.25), -bound, bound)
            found_in.append(max(log_e_above(paid, 0.0).max(), log_e_below(paid, 0.0).max()) >= math.log(40.0))
    assert np.mean(by_agents) <= 0.05 and np.mean(by_rows) >= 0.2


def test_mistake_looking_between_units_of_one_moment():
    """Units of one day lie by place, so the treated come first: between them the wealth rises for no reason."""
    rng = np.random.default_rng(8)
    worlds = [unit_table(rng, (600,), minutes=1440 * 10, base=(0.8, 0.8), spread=0.05) for _ in range(60)]
    assert share_found(worlds, lambda world: found(world).benefit.rejects) <= 0.05
    payoffs = [Trail(rollout(), periods(1), world)._payoffs.of("value") for world in worlds]
    assert np.mean([log_e_above(each, 0.0).max() >= math.log(50.0) for each in payoffs]) > 0.5


def test_mistake_a_prediction_that_has_seen_the_outcome():
    """A prediction from all units would take a part of the effect away; one from earlier units takes nothing."""
    rng = np.random.default_rng(9)
    effects = [found(unit_table(rng, (400,), effect=0.2, together=0.9)).effect.value for _ in range(80)]
    assert np.mean(effects) == pytest.approx(0.2, abs=0.02)


def test_mistake_a_relative_effect_with_a_wrongly_centred_covariate():
    rng = np.random.default_rng(10)
    worlds = [
        unit_table(rng, (1_000, 1_000), base=(0.4, 0.4), effect=0.04, together=0.5, spread=0.1) for _ in range(20)
    ]
    told = [found(world, stage=2).relative for world in worlds]
    assert np.mean([each.value for each in told]) == pytest.approx(0.1, abs=0.015)
    assert np.mean([each.low <= 0.1 <= each.high for each in told]) >= 0.8


def test_mistake_the_absolute_interval_of_a_relative_effect_divided():
    """Where the others' mean is uncertain itself, the interval of the ratio is wider than that."""
    rng = np.random.default_rng(11)
    hits, narrow = [], []
    for _ in range(120):
        units = unit_table(rng, (0, 150), effect=0.2, base=(0.0, 0.2), spread=0.35)
        told = found(units, stage=2)
        hits.append(told.relative.low is None or told.relative.low <= 1.0 <= told.relative.high)
        treated, value = units["treated"].to_numpy(), units["value"].to_numpy()
        both = [value[treated], value[~treated]]
        half = 1.96 * math.sqrt(sum(each.var(ddof=1) / len(each) for each in both))
        apart = both[0].mean() - both[1].mean()
        narrow.append(apart - half <= both[1].mean() * 1.0 <= apart + half)
    assert np.mean(hits) > 0.9 > np.mean(narrow) + 0.02


def test_mistake_units_of_a_stage_that_there_was_not():
    with pytest.raises(ConfigError, match=r"stages \[2\]"):
        found(unit_table(np.random.default_rng(12), (10, 10)), stage=1)


def test_mistake_values_by_other_rules():
    units = unit_table(np.random.default_rng(13), (20,))
    with pytest.raises(ConfigError, match="not made by the rules"):
        found(with_column(units, "value", [2.0] * 20))


def test_mistake_the_sample_ratio_skipped_at_small_n():
    units = unit_table(np.random.default_rng(14), (8,))
    told = found(units, entered=entered_of(with_column(units, "treated", [True] * 8)))
    assert told.sample_ratio.rejects
    assert not found(unit_table(np.random.default_rng(15), (4_000, 3_000)), stage=2).sample_ratio.rejects


def test_a_sample_ratio_of_the_second_stage_counts_though_the_first_was_right():
    units = unit_table(np.random.default_rng(16), (4_000, 600))
    first_half = np.arange(units.num_rows) % 2 == 0
    kept = units.filter(pa.array((units["stage"].to_numpy() == 1) | ~units["treated"].to_numpy() | first_half))
    assert found(units, stage=2, entered=entered_of(kept)).sample_ratio.rejects


def test_mistake_the_base_rate_drifts_within_a_stage():
    rng = np.random.default_rng(17)
    rejected = []
    for _ in range(40):
        units = unit_table(rng, (1_200,), spread=0.1)
        drifted = np.clip(units["value"].to_numpy() - np.linspace(0.0, 0.6, 1_200), -1.0, 1.0)
        told = found(with_column(units, "value", drifted))
        rejected.append(told.benefit.rejects or told.harm.rejects)
    assert np.mean(rejected) <= 0.1


def test_nobody_makes_or_hides_the_alarm_on_assignment_by_deciding_often():
    units = unit_table(np.random.default_rng(18), (100,))
    units = with_column(units, "n_decisions", [100_000] + [10] * 99)
    told = found(with_column(units, "n_otherwise", [100_000] + [0] * 99))
    assert told.otherwise_share == pytest.approx(0.01)


def test_an_effect_of_the_first_days_alone_is_shown_by_day():
    units = unit_table(np.random.default_rng(19), (3_000,))
    daily = np.array(units["daily_values"].to_pylist())
    daily[:, :2] += 0.2 * units["treated"].to_numpy()[:, None]
    daily = np.where(np.random.default_rng(20).random(daily.shape) < 0.3, np.nan, daily)
    told = found(with_column(units, "daily_values", [[None if np.isnan(x) else x for x in row] for row in daily]))
    assert [each.day for each in told.by_day] == list(range(7))
    assert all(each.effect.low > 0.1 for each in told.by_day[:2])
    assert all(each.effect.low < 0.0 < each.effect.high for each in told.by_day[2:])


def test_who_entered_is_counted_by_day_and_arm():
    units = unit_table(np.random.default_rng(21), (500,))
    (counts,) = found(units).stages
    assert sum(counts.entered_by_day) == counts.n_entered_treated + counts.n_entered_control == 500
    assert len(counts.entered_by_day) == 50 and sum(counts.entered_by_day[:10]) == 500


def test_the_same_units_give_the_same_document_to_the_byte():
    units = unit_table(np.random.default_rng(22), (300,))
    assert found(units).to_bytes() == found(units).to_bytes()


@pytest.mark.parametrize("seed", range(3))
def test_units_that_were_found_in_a_log_are_evidence_and_looks_only_add_to_it(seed):
    rows = world(seed, n_agents=200)
    began = units_of_a_world.rollout(stage=2)
    told = []
    for days in (5, 20, 30, 40):
        as_of = units_of_a_world.START + timedelta(days=days)
        stages = TWO_STAGES if days > 15 else (units_of_a_world.STAGE_1,)
        found_units = find_units(table(*rows), began, stages, nothing_known(), as_of=as_of)
        told.append(evidence(began, stages, found_units.new, found_units.entered, as_of=as_of))
    n_units = [sum(each.n_units_treated + each.n_units_control for each in one.stages) for one in told]
    assert n_units[0] == 0 < n_units[1] < n_units[3]
    for before, after in pairwise(told):
        assert after.benefit.peak >= before.benefit.peak and after.harm.peak >= before.harm.peak
        assert after.stages[0].n_entered_control >= before.stages[0].n_entered_control
    assert sum(told[-1].stages[1].entered_by_day) == (
        told[-1].stages[1].n_entered_treated + told[-1].stages[1].n_entered_control
    )
    assert [each.day for each in told[-1].by_day] == list(range(7))
