"""Rollouts as they happen: looking at them and acting on it, watching over what answers, people's hands, rehearsals.

Which change follows from what is known is decided in `experiments`; who looks when is said in `defs` and `cli`.
"""
