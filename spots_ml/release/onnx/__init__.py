"""The ONNX file: written, read, kept and run in this process."""
