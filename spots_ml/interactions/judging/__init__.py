"""Judging what happened: rules, reasons, which interactions are the same one, and counting what is taken in."""
