"""The point of arrival that a Supabase project has reached."""

from spots_ml.stores.supabase.transport.calls import Calls
from spots_ml.stores.watermark import Watermark

_FUNCTION = "label_watermark"
_OF_COMPARISON = "comparison_watermark"


def present(calls: Calls) -> Watermark:
    """Number what has arrived, and read the point that is reached.

    Args:
        calls: The project.

    Returns:
        The watermark, both numbers of one moment; 0/0 for an empty project.

    Raises:
        CallError: When the call ends in no answer.
    """
    arrival = calls.execute(
        "read the point of arrival", _FUNCTION, lambda client: client.rpc(_FUNCTION, {}), repeat="keyed"
    ).data
    return Watermark(arrival["labels"], arrival["rows"], "supabase")


def present_comparison(calls: Calls) -> int:
    """Number what has arrived of the app's own comparison, and read the number that is reached.

    Args:
        calls: The project.

    Returns:
        The number of its newest row; 0 without any.

    Raises:
        CallError: When the call ends in no answer.
    """
    reached: int = calls.execute(
        "read the point of arrival", _OF_COMPARISON, lambda client: client.rpc(_OF_COMPARISON, {}), repeat="keyed"
    ).data
    return reached
