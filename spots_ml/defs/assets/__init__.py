"""The assets, one module per part of the chain."""
