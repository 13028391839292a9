"""How a model learns: networks, fit, baselines, calibration, evaluation."""
