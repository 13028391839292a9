"""Continuous training for SPOTS: from interactions to proven, certified and watched ONNX models."""
