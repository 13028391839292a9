"""What every store promises about what phones report; that of a Supabase project has more to tell."""

import pytest

from spots_ml.errors import InputError
from spots_ml.scoring.decision_log.phone_decisions import PHONE_DECISIONS
from spots_ml_tests.stores.keeping_decisions import EVER


def test_a_store_without_reports_gives_none(store):
    assert store.phones.read_phone_decisions(*EVER).equals(PHONE_DECISIONS.empty_table())


SINCE, UNTIL = EVER


@pytest.mark.parametrize(
    ("since", "until"), [(UNTIL, SINCE), (SINCE.replace(tzinfo=None), UNTIL), (SINCE, UNTIL.replace(tzinfo=None))]
)
def test_a_period_without_a_zone_or_backwards_is_refused(store, since, until):
    with pytest.raises(InputError):
        store.phones.read_phone_decisions(since, until)
