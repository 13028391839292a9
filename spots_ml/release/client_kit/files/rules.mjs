/**
 * The rules of a calling score, as the app is to apply them: the reference for its code.
 *
 * One function per rule, in the order in which the app applies them; every number comes from decision.json, which is the
 * argument `rules` everywhere. Numbers are 64-bit floats; only what a model is fed is rounded to 32 bits. null is
 * unknown. It needs nothing but JavaScript and SHA-256. `rules.py` says the same in Python.
 */

import { createHash } from "node:crypto";

// --- 1. From a record to the inputs of the models -------------------------------------------------------------------

/** Fill in an unknown value. */
export const either = (value, ifUnknown) => value ?? ifUnknown;

/** Read the 34 raw features by name. */
export function rawFeatures(record, rules) {
  const raw = {};
  for (const [group, features] of Object.entries(rules.record_groups)) {
    for (const [key, feature] of Object.entries(features)) {
      if (record[group]?.[key] === undefined) throw new Error(`${group}.${key} is missing in a record`);
      raw[feature] = record[group][key];
    }
  }
  return raw;
}

/** Compare two sides: 1 - |difference|, unknown when either is. */
const agreement = (mine, theirs) => (mine === null || theirs === null ? null : 1 - Math.abs(mine - theirs));

const sum = (values) => values.reduce((total, value) => total + value, 0);

/** Average what is known. */
function meanOfKnown(values, ifNone) {
  const known = values.filter((value) => value !== null);
  return known.length > 0 ? sum(known) / known.length : ifNone;
}

/** Average two dimensions of one side; unknown when either is. */
function explorationTendency(values, side, rules) {
  const parts = rules.derivation.exploration_tendency.map((name) => values[`${side}_${name}`]);
  return parts.includes(null) ? null : sum(parts) / parts.length;
}

/** Compare the exploration tendencies of both sides. */
const explorationAgreement = (values, rules) =>
  agreement(explorationTendency(values, "agent", rules), explorationTendency(values, "opportunity", rules));

/** Weigh four agreements; unknown ones are left out and the weights of the others scaled up. */
function vibeCompatibility(raw, agreements, rules) {
  const weights = rules.derivation.vibe_compatibility;
  const known = [
    [weights.dimensions, meanOfKnown(Object.values(agreements), null)],
    [weights.energy, agreements.overall_energy],
    [weights.exploration, explorationAgreement(raw, rules)],
    [weights.social, agreements.social_preference],
  ].filter(([, value]) => value !== null);
  if (known.length === 0) return null;
  return sum(known.map(([weight, value]) => weight * value)) / sum(known.map(([weight]) => weight));
}

/** Derive the 45 inputs by name: what is unknown is filled in last, then everything is rounded to 32 bits. */
export function modelInputs(record, rules) {
  const raw = rawFeatures(record, rules);
  const agreements = {};
  for (const name of rules.derivation.dimensions) {
    agreements[name] = agreement(raw[`agent_${name}`], raw[`opportunity_${name}`]);
  }
  const timing = rules.derivation.timing_alignment;
  const values = {
    ...raw,
    vibe_compatibility: vibeCompatibility(raw, agreements, rules),
    timing_alignment: meanOfKnown(timing.mean_of_known.map((name) => raw[name]), timing.if_none_known),
  };
  for (const [match, dimension] of Object.entries(rules.derivation.matches)) values[match] = agreements[dimension];

  const inputs = {};
  for (const name of rules.inputs.calling_score) inputs[name] = Math.fround(either(values[name], rules.unknown_value));
  for (const [name, ifUnknown] of Object.entries(rules.history.if_unknown)) {
    inputs[name] = Math.fround(either(record.history_features?.[name], ifUnknown));
  }
  return inputs;
}

const MS_PER_DAY = 86_400_000;

/**
 * Sum up what is known of one agent at a moment, from the agent's own interactions in any order.
 *
 * An interaction counts from the moment after it was scored, its outcome from the moment after it arrived. Moments are
 * ISO 8601 with an offset or Z, and compared in milliseconds.
 */
export function historyFeatures(interactions, at, rules) {
  const caps = rules.history;
  const now = Date.parse(at);
  const features = { ...caps.if_unknown };
  const earlier = interactions.map((one) => Date.parse(one.timestamp)).filter((moment) => moment < now);
  features.interaction_count = Math.min(earlier.length / caps.interaction_count_cap, 1);
  if (earlier.length > 0) {
    const since = now - caps.activity_window_days * MS_PER_DAY;
    features.activity_level = Math.min(earlier.filter((moment) => moment >= since).length / caps.activity_cap, 1);
  }
  const past = interactions
    .filter((one) => one.outcome_type != null && one.outcome_timestamp != null)
    .map((one) => ({ ...one, arrived: Math.max(Date.parse(one.outcome_timestamp), Date.parse(one.timestamp)) }))
    .filter(({ arrived }) => arrived < now);
  if (past.length === 0) return features;
  const share = (kind) => past.filter((one) => one.outcome_type === kind).length / past.length;
  features.past_positive_rate = share("positive");
  features.past_negative_rate = share("negative");
  features.average_engagement = sum(past.map((one) => one.outcome_score)) / past.length;
  const positive = past.filter((one) => one.outcome_type === "positive").map(({ arrived }) => arrived);
  features.time_since_last_positive =
    positive.length === 0
      ? caps.time_since_last_positive_if_never_positive
      : Math.min((now - Math.max(...positive)) / MS_PER_DAY / caps.recency_cap_days, 1);
  return features;
}

// --- 2. The formula -------------------------------------------------------------------------------------------------

/** Sum of weight x value. */
const weighted = (weights, values) => sum(Object.entries(weights).map(([name, weight]) => weight * values[name]));

/** Multiply factors: (1 - share) + share x value for each share, and the values that count whole. */
function product({ shares, whole }, inputs) {
  let result = 1;
  for (const [name, share] of Object.entries(shares)) result *= 1 - share + share * inputs[name];
  for (const name of whole) result *= inputs[name];
  return result;
}

/** Score by the formula; every part of it, and the score itself under `score`. */
export function formula(inputs, record, rules) {
  const weights = rules.formula;
  const parts = { vibe_compatibility: inputs.vibe_compatibility };
  parts.meaningful_connection = weighted(weights.meaningful_connection, {
    ...inputs,
    liveliness: (inputs.opportunity_overall_energy + inputs.opportunity_social_preference) / 2,
  });
  parts.fulfilment = weighted(weights.fulfilment, {
    energy: inputs.energy_match,
    exploration: explorationAgreement(inputs, rules),
    social: 1 - Math.abs(inputs.agent_social_preference - inputs.opportunity_social_preference),
  });
  parts.life_betterment = weighted(weights.life_betterment, {
    ...parts,
    trajectory_potential: either(record.trajectory_potential, rules.unknown_value),
    positive_influence: either(record.positive_influence, rules.unknown_value),
  });
  const { context } = weights;
  let distance = 1;
  if (inputs.location_proximity < context.far_below) distance = context.far_factor;
  else if (inputs.location_proximity > context.near_above) distance = context.near_factor;
  parts.context = distance * product(context, inputs);
  parts.timing = product(weights.timing, inputs);
  parts.score = Math.min(Math.max(weighted(weights.score, parts), 0), 1);
  return parts;
}

// --- 3. The decision ------------------------------------------------------------------------------------------------

/** Tell an agent's group from the first byte of SHA-256 of its id in UTF-8; half of a surrogate pair is U+FFFD. */
export function group(agentId, rules) {
  const { groups } = rules;
  if (agentId === null) return groups.unknown_agent;
  const byte = createHash(groups.digest).update(agentId, "utf8").digest()[groups.byte];
  return byte < groups.hybrid_below ? groups.below : groups.else;
}

/** Place an agent in [0, 1): the first bits of a digest of salt and id, as a fraction. An empty salt is an error. */
export function place(agentId, salt, rules) {
  if (!salt) throw new RangeError("a rollout has no salt");
  const how = rules.rollouts;
  const digest = createHash(how.digest).update(salt + how.between_salt_and_agent + agentId, "utf8").digest();
  return Number(digest.readBigUInt64BE(0) >> BigInt(64 - how.bits)) / 2 ** how.bits;
}

/**
 * Tell which versions decide about an agent, with which weight and filter, and what is reported of it.
 *
 * `models` is that part of the phone's manifest. Each model that is rolled out draws for itself: an agent of the group is
 * treated when its place by that model's salt is below its traffic, and then has that version and weight.
 */
export function assign(agentId, models, rules) {
  const agentsGroup = group(agentId, rules);
  const drawn = agentsGroup === rules.groups.below;
  const found = { group: agentsGroup, places: {}, treated: {}, versions: {} };
  const answering = {};
  const names = [];
  const stages = [];
  for (const modelType of rules.rollouts.models_in_order) {
    const { active, rolling_out: told } = models[modelType];
    const offer = told?.salt === undefined || told.salt === null ? null : told; // without a salt it is for nobody
    const where = offer !== null && agentId !== null ? place(agentId, offer.salt, rules) : null;
    const treated = drawn && where !== null && where < offer.traffic;
    answering[modelType] = treated ? offer : active;
    found.places[modelType] = where;
    found.treated[modelType] = treated;
    found.versions[modelType] = answering[modelType]?.version ?? null;
    if (drawn && offer !== null) {
      names.push(offer.experiment);
      stages.push(offer.stage);
    }
  }
  return {
    ...found,
    weight: drawn ? (answering.calling_score?.weight ?? 0) : 0,
    filter_on: answering.outcome?.filter_on ?? false,
    experiment: names.join(rules.rollouts.between_names) || null,
    stage: stages.length > 0 ? Number(stages.join("")) : null,
  };
}

/** Stand in for the outcome model. */
export function outcomeRule(inputs, rules) {
  const rule = rules.outcome_rule;
  const means = {};
  for (const name of ["context_mean", "timing_mean"]) {
    means[name] = sum(rule[name].map((feature) => inputs[feature])) / rule[name].length;
  }
  return weighted(rule.weights, { ...inputs, ...means });
}

/**
 * Blend, filter, boost, compare; a neural score of null did not come, and weighs nothing. Where the filter is off
 * (`models.outcome.filter_on` of decision.json), P(positive) blocks nothing and does not count.
 */
export function decide({ formulaScore, neuralScore, weight, outcomeProbability, trendBoost, filterOn }, rules) {
  const thresholds = rules.decision;
  const share = neuralScore === null ? 0 : weight;
  const hybridScore = (1 - share) * formulaScore + share * (neuralScore ?? 0);
  const decision = { weight: share, outcome_probability: outcomeProbability, hybrid_score: hybridScore };
  if (filterOn && !(outcomeProbability > thresholds.outcome_above)) {
    return { ...decision, blocked: true, score: hybridScore, called: false };
  }
  const factor = filterOn ? outcomeProbability : 1;
  const score = Math.min(hybridScore * factor * (1 + trendBoost), 1);
  return { ...decision, blocked: false, score, called: score >= thresholds.called_from };
}
