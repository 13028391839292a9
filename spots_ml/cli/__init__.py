"""`spots-ml`: the command line, for people and scripts. It calls the same functions as the assets.

Commands are loaded when they are named, and heavy libraries inside them, so that `spots-ml --help` is fast.
"""

from spots_ml.cli.group import main

__all__ = ["main"]
