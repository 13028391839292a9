"""What goes wrong with the local stack."""

from spots_ml.errors import SpotsMLError


class LocalStackError(SpotsMLError):
    """A part of the local stack is not installed or does not start; the message says what to do."""
