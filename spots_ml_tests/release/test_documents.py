import os
import platform

from spots_ml.release.documents import environment_versions, machine


def test_versions_name_what_shapes_a_model():
    versions = environment_versions()

    assert versions["python"] == platform.python_version()
    assert {"torch", "onnx", "onnxruntime", "numpy"} <= set(versions)


def test_the_machine_is_one_line_with_its_cores():
    assert f", {os.cpu_count()} cores, " in machine()
    assert "\n" not in machine()
