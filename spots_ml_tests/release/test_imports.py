"""What reads manifests must not wait for torch, ONNX or a runtime."""

import subprocess
import sys


def test_manifests_are_read_without_heavy_imports():
    code = (
        "import sys, spots_ml.release.manifest, spots_ml.release.manifest;"
        "print(sorted({'torch', 'onnx', 'onnxruntime', 'numpy', 'pyarrow'} & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
