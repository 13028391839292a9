"""The SQL of logging and reading decisions in the embedded store; its columns are in `decision_columns`."""

from typing import Final

from spots_ml.stores.embedded.decision_columns import COLUMNS, CONTENT, TOLD

_NAMES: Final = ", ".join(COLUMNS)


def _differs(name: str, mark: str | None) -> str:
    differs = f"incoming.{name} IS NOT known.{name}"
    return differs if mark is None else f"(known.{mark} IS NOT NULL AND {differs})"


STAGE: Final = f"CREATE TEMP TABLE incoming (position INTEGER PRIMARY KEY, {_NAMES})"
"""Holds the decisions of one call, seen by nobody else."""

ADD: Final = f"INSERT INTO incoming VALUES (?, {', '.join('?' * len(COLUMNS))})"  # noqa: S608 - placeholders only
"""Takes the position in the call and `COLUMNS`."""

INSERT: Final = f"""
INSERT INTO decisions (logged_at, {_NAMES})
SELECT ?, {_NAMES} FROM incoming WHERE true ORDER BY position
ON CONFLICT (decision_id) DO NOTHING
"""  # noqa: S608 - names of columns
"""Adds the decisions that are not known; takes the present."""

CONFLICTS: Final = f"""
SELECT incoming.position, {", ".join(f"known.{name}" for name in TOLD)},
    {", ".join(f"incoming.{name}" for name in TOLD)}
FROM incoming JOIN decisions AS known ON known.decision_id = incoming.decision_id
WHERE {" OR ".join(_differs(name, mark) for name, mark in CONTENT.items())}
ORDER BY incoming.position
LIMIT 1
"""  # noqa: S608 - names of columns
"""The first decision of the call whose id is logged with other content, asked after `INSERT`.

Its position, then `TOLD` of the one that is logged, then `TOLD` of the one that is not.
"""

COUNT: Final = "SELECT count(*) FROM decisions WHERE decided_at >= :since AND decided_at < :until"
"""Decisions of a period in microseconds, from an index."""

READ: Final = f"""
SELECT {", ".join(f"decisions.{name}" for name in TOLD)},
    outcome.outcome_type, outcome.outcome_score, outcome.outcome_at
FROM decisions LEFT JOIN interactions AS outcome ON outcome.identity = decisions.identity
WHERE decided_at >= :since AND decided_at < :until
ORDER BY decided_at, decision_id
"""  # noqa: S608 - names of columns
"""Decisions of a period with their outcomes: an identity is that of one interaction at most."""
