"""What phones report, of which this store has none: implements `scoring.decision_log.phone_decisions.PhoneDecisions`.

Phones write to a Supabase project; exports of its table bring interactions and their outcomes, not what phones report.
"""

from datetime import datetime

import pyarrow as pa

from spots_ml.scoring.decision_log.phone_decisions import PHONE_DECISIONS
from spots_ml.stores.moments import check_period


class NoPhoneDecisions:
    """Reports of phones that nobody writes here."""

    def read_phone_decisions(self, since: datetime, until: datetime) -> pa.Table:
        """Give what there is.

        Args:
            since: Start of the period, with a time zone; inclusive.
            until: Its end; exclusive.

        Returns:
            No rows, of schema `PHONE_DECISIONS`.

        Raises:
            InputError: When a moment has no zone, or the period ends before it starts.
        """
        check_period(since, until)
        return PHONE_DECISIONS.empty_table()
