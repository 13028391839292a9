"""The largest share of one agent in whatever is counted; what is left out for it is in `caps`."""

from typing import Final

MAX_AGENT_SHARE: Final = 0.02
"""Largest share of one agent in whatever is counted; with few agents it is a multiple of an equal share."""
