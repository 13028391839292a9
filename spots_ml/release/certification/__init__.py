"""Certifying an ONNX file in the client's runtime and in the current one."""
