"""The contract with the app, word for word: phones feed these inputs, and every dataset and version carries the digest.

The names stand here a second time on purpose: whoever changes one changes what every model is fed.
"""

from spots_ml.features.contract import CONTRACT_DIGEST, UNKNOWN_VALUE
from spots_ml.features.history import NO_HISTORY
from spots_ml.models.declared import model_spec

CALLING_SCORE_INPUTS = (
    "agent_exploration_eagerness agent_community_orientation agent_location_adventurousness "
    "agent_authenticity_preference agent_trust_network_reliance agent_temporal_flexibility agent_energy_preference "
    "agent_novelty_seeking agent_value_orientation agent_crowd_tolerance agent_social_preference agent_overall_energy "
    "opportunity_exploration_eagerness opportunity_community_orientation opportunity_location_adventurousness "
    "opportunity_authenticity_preference opportunity_trust_network_reliance opportunity_temporal_flexibility "
    "opportunity_energy_preference opportunity_novelty_seeking opportunity_value_orientation "
    "opportunity_crowd_tolerance opportunity_social_preference opportunity_overall_energy "
    "location_proximity journey_alignment user_receptivity opportunity_availability network_effects community_patterns "
    "vibe_compatibility energy_match community_match novelty_match "
    "optimal_time_of_day optimal_day_of_week user_patterns opportunity_timing timing_alignment"
)
HISTORY_INPUTS = (
    "past_positive_rate past_negative_rate average_engagement interaction_count time_since_last_positive activity_level"
)


def test_the_inputs_have_these_names_in_this_order() -> None:
    assert " ".join(model_spec("calling_score").inputs) == CALLING_SCORE_INPUTS
    assert " ".join(model_spec("outcome").inputs) == f"{CALLING_SCORE_INPUTS} {HISTORY_INPUTS}"


def test_the_contract_has_the_digest_that_datasets_and_versions_carry() -> None:
    assert CONTRACT_DIGEST == "4c994e3f5e1e117ec0f388ed3cece692d267d2af2b0dd3946e08a74187ce4c98"


def test_what_is_unknown_is_fed_as_the_app_feeds_it() -> None:
    assert UNKNOWN_VALUE == 0.5
    assert NO_HISTORY == (0.5, 0.5, 0.5, 0.0, 0.5, 0.5)
