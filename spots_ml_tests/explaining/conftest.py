from spots_ml_tests.training.trained_once import calling_score, outcome, quick, rows, split

__all__ = ["calling_score", "outcome", "quick", "rows", "split"]
