"""What may ship: ONNX export, certification in the client's runtime, latency, manifest, version names."""
