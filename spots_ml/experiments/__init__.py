"""Is it better: how a version earns its traffic from people's outcomes, and loses it.

What is kept is declared here and kept by `stores`; who looks, and when, is in `pipeline` and `defs`. Which version
rules is the business of `registry`, which knows nothing of this.
"""
