"""Records that tell of few interactions, often and differently, and what they say together, worked out plainly."""

from datetime import UTC, datetime, timedelta
from itertools import groupby

from hypothesis import strategies as st

from spots_ml.features.contract import RAW_FEATURES
from spots_ml.interactions.schema import OUTCOME_TYPES

MOMENT = datetime(2026, 11, 11, 10, tzinfo=UTC)
NUMBERS = (RAW_FEATURES[0], RAW_FEATURES[13], RAW_FEATURES[25], RAW_FEATURES[-1], "formula_score")
LABEL = ("outcome_type", "outcome_score", "outcome_at")
FIRST = "first_outcome_at"
SAID = ("agent_id", "opportunity_id", "scored_at", *RAW_FEATURES, "formula_score", "is_called", *LABEL, FIRST)

_OUTCOMES = [
    ("positive", 0.9),
    ("positive", 0.7),
    ("neutral", 0.7),
    ("neutral", 0.4),
    ("negative", 0.4),
    ("negative", 0.0),
]
_ids = st.sampled_from(["a", "a", "a", "A", None])
_moments = st.sampled_from([*(MOMENT + timedelta(microseconds=us) for us in (0, 0, 1, 999, 1000)), None])
_arrivals = st.sampled_from([MOMENT + timedelta(hours=hours) for hours in (1, 2)] + [None])
_labels = st.one_of(
    st.just((None, None, None)),
    st.tuples(st.sampled_from(_OUTCOMES), _arrivals).map(lambda told: (*told[0], told[1])),
)


@st.composite
def records(draw, ids=_ids, moments=_moments):
    """One acceptable record."""
    row = dict.fromkeys(SAID) | {"agent_id": draw(ids), "opportunity_id": draw(ids), "scored_at": draw(moments)}
    row |= {name: draw(st.sampled_from([None, 0.0, 0.25, 0.5, 0.75, 1.0])) for name in NUMBERS}
    row["is_called"] = draw(st.sampled_from([None, True, False]))
    return row | dict(zip(LABEL, draw(_labels), strict=True))


def of_one():
    """A record of always the same interaction."""
    within = st.sampled_from([0, 1, 999]).map(lambda us: MOMENT + timedelta(microseconds=us))
    return records(ids=st.just("a"), moments=within)


def key(row):
    """Tell what makes a record an interaction of its own."""
    who_when = (row["agent_id"], row["opportunity_id"], row["scored_at"])
    if None in who_when:
        return (False, *(str(row[name]) for name in SAID))
    moment = row["scored_at"]
    return (True, *who_when[:2], moment.replace(microsecond=moment.microsecond // 1000 * 1000).isoformat())


def together(rows):
    """Merge records of one interaction."""
    said = dict(rows[0]) | {"scored_at": max((row["scored_at"] for row in rows), default=None, key=_none_first)}
    for name in (*RAW_FEATURES, "formula_score"):
        values = sorted({row[name] for row in rows} - {None})
        said[name] = next((value for value in values if value != 0.5), values[0] if values else None)
    called = {row["is_called"] for row in rows} - {None}
    said["is_called"] = False if False in called else True if called else None
    labels = [tuple(row[name] for name in LABEL) for row in rows if row["outcome_type"]]
    latest = max(labels, key=lambda told: (_none_first(told[2]), -told[1], OUTCOME_TYPES.index(told[0])), default=None)
    latest = latest or (None, None, None)
    first = min((told[2] for told in labels if told[2] is not None), default=None)
    return said | dict(zip(LABEL, latest, strict=True)) | {FIRST: None if first == latest[2] else first}


def interactions(rows):
    """Merge records into interactions, in the order in which these were first told of."""
    places = {}
    for place, row in enumerate(rows):
        places.setdefault(key(row), place)
    ordered = sorted(rows, key=lambda row: places[key(row)])
    return [together(list(same)) for _, same in groupby(ordered, key)]


def _none_first(moment):
    return (moment is not None, moment or MOMENT)
