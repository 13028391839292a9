"""How fast an ONNX file answers: measured, judged and kept."""
