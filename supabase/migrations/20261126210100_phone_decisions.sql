-- What phones decided, in the words of the decision log: a row of the app that reports any part of its decision. What a
-- report may claim is judged where it is read (spots_ml/scoring/decision_log/phone_claims.py), so that what fails is counted.
-- Outcomes are those of the log, of interactions that have their number.
create view public.phone_decisions with (security_invoker = true) as
select known.row_sequence, data.id::text as decision_id, data.agent_id, data.opportunity_id,
    data."timestamp" as decided_at, data.arm as agent_group, data.model_version as version,
    data.outcome_model_version as outcome_version, data.weight, data.formula_calling_score as formula_score,
    data.neural_score, data.calling_score as score, data.is_called as called, data.propensity, data.fallback,
    known.outcome_type, known.outcome_score, known.outcome_at, known.first_outcome_at
from public.calling_score_training_data as data join public.training_arrivals as known on known.id = data.id
where data.source_kind = 'real' and num_nonnulls(
    data.arm, data.model_version, data.outcome_model_version, data.weight, data.neural_score, data.calling_score,
    data.is_called, data.propensity, data.fallback
) > 0;
revoke all on public.phone_decisions from public, anon, authenticated, service_role, spots_ml_reader;
grant select on public.phone_decisions to service_role, spots_ml_reader;
