"""Who may do what with the tables, views and functions of the migrations: all of it, of every role but the owner.

The migrations grant it; this is what a database is held against afterwards, by tests and by `spots-ml db status`. A
sequence may be used by nobody: rows are numbered by triggers, and by functions when the pipeline reads.
"""

from typing import Final

READER: Final = "spots_ml_reader"
"""The role that reads in bulk and can do nothing else."""

_TRAINING: Final = "public.calling_score_training_data"
_AB_TEST: Final = "public.calling_score_ab_test_outcomes"

_OUTCOME_COLUMNS: Final = ("outcome_id", "outcome_type", "outcome_score", "outcome_timestamp", "updated_at", "metadata")
_REQUEST_COLUMNS: Final = ("request_id", "model_type", "reason", "actor", "anew", "asked_at")
_PHONE_COLUMNS: Final = (
    *("model_type", "version", "status", "weight", "traffic", "file_path", "size_bytes", "sha256"),
    *("contract_digest", "client_runtime_floor", "filter_on"),
)

RELATION_RIGHTS: Final[dict[str, frozenset[tuple[str, str]]]] = {
    "anon": frozenset(),
    "authenticated": frozenset(
        {
            *((table, right) for table in (_TRAINING, _AB_TEST) for right in ("SELECT", "INSERT")),
            *((f"{_TRAINING}.{name}", "UPDATE") for name in _OUTCOME_COLUMNS),
            *((f"public.model_versions.{name}", "SELECT") for name in _PHONE_COLUMNS),
            *((f"public.model_kinds.{name}", "SELECT") for name in ("name", "audience")),
            ("public.served_models", "SELECT"),
        }
    ),
    "service_role": frozenset(
        {
            *((_TRAINING, right) for right in ("SELECT", "INSERT", "UPDATE", "DELETE")),
            *((_AB_TEST, right) for right in ("SELECT", "INSERT", "DELETE")),
            *((f"public.{name}", "SELECT") for name in ("model_versions", "version_history", "model_kinds")),
            *((f"public.{name}", "SELECT") for name in ("served_models", "decisions", "decisions_with_outcomes")),
            *((f"public.{name}", "SELECT") for name in ("interactions", "training_arrivals", "training_outcomes")),
            *((f"public.{name}", "SELECT") for name in ("phone_decisions", "phone_comparisons", "comparison_arrivals")),
            *(("public.performance", right) for right in ("SELECT", "INSERT", "UPDATE")),
            *(("public.watches", right) for right in ("SELECT", "INSERT", "UPDATE")),
            *(("public.refusals", right) for right in ("SELECT", "INSERT")),
            *((f"public.{name}", "SELECT") for name in ("retraining_requests", "retraining_takings")),
            ("public.open_retraining_requests", "SELECT"),
            *((f"public.retraining_requests.{name}", "INSERT") for name in _REQUEST_COLUMNS),
            ("public.blessings", "SELECT"),
            *((f"public.{name}", "SELECT") for name in ("rollouts", "rollout_events")),
            *((f"public.{name}", "SELECT") for name in ("rollout_looks", "rollout_units")),
            *(("public.forecasts", right) for right in ("SELECT", "INSERT")),
            *(("public.incoming_rows", right) for right in ("SELECT", "INSERT")),
            ("public.quotas", "SELECT"),
            *((f"public.quotas.{name}", "UPDATE") for name in ("rows_added_per_day", "rows_changed_per_day")),
            ("public.quotas.retraining_requests_per_day", "UPDATE"),
            *(("public.quarantined_interactions", right) for right in ("SELECT", "DELETE")),
        }
    ),
    READER: frozenset(
        (name, "SELECT")
        for name in (
            *(_TRAINING, "public.training_arrivals", "public.training_outcomes", "public.interactions"),
            *("public.decisions", "public.decisions_with_outcomes", "public.phone_decisions"),
            *(_AB_TEST, "public.comparison_arrivals", "public.phone_comparisons"),
        )
    ),
}
"""Role -> relations, or columns of one, and what the role may do with them."""

_OF_EVERY_WRITER: Final = ("private.own_agent_id", "private.plain_features", "private.is_blank", "private.is_fallback")
"""Whose rows an agent sees, and what a row's generated column and its checks compute with."""

_OF_EVERY_READER: Final = (
    *("private.interaction_record", "private.interaction_key", "private.digest_id"),
    *("private.record_with_outcome", "private.sees_every_row", "public.reached_watermark"),
    *("private.outcome_elsewhere", "private.reports_decision"),
)
"""What the views compute with, and whether they hide rows."""

FUNCTION_RIGHTS: Final[dict[str, frozenset[str]]] = {
    "anon": frozenset(),
    "authenticated": frozenset({*_OF_EVERY_WRITER, "private.rollouts_on_their_way", "public.phone_manifest"}),
    "service_role": frozenset(
        {
            *_OF_EVERY_WRITER,
            *_OF_EVERY_READER,
            *("public.register_model_version", "public.promote_model_version", "public.rollback_model_version"),
            *("public.archive_model_version", "public.withdraw_model_version", "public.unarchive_model_version"),
            "public.take_back_model_version",
            *("public.set_model_weight", "public.bless_model_version"),
            *("public.start_rollout", "public.record_rollout_look", "public.change_rollout", "public.carry_rollout"),
            *("public.label_watermark", "public.count_labels_after", "public.count_corrections_after"),
            *("public.interaction_kinds", "public.comparison_watermark"),
            "public.keep_phone_reports",
            *("public.log_decisions", "public.import_interactions", "public.phone_manifest"),
            "private.rollouts_on_their_way",
            *("private.is_line", "public.request_retraining", "public.take_retraining_requests"),
        }
    ),
    READER: frozenset({*_OF_EVERY_READER, "private.own_agent_id"}),
}
"""Role -> functions that it may call."""
