"""What made or measured a release, for the record: versions of libraries, and the machine."""

import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Final

_RECORDED: Final = ("spots_ml", "torch", "onnx", "onnxruntime", "numpy", "scikit-learn", "pyarrow")


def environment_versions() -> dict[str, str]:
    """Collect the versions of the interpreter and of the libraries that shape a model; imports none.

    Returns:
        Versions by name; `python` and `platform` beside the libraries.

    Raises:
        importlib.metadata.PackageNotFoundError: When one is not installed.

    >>> sorted(environment_versions())[:3]
    ['numpy', 'onnx', 'onnxruntime']
    """
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        **{name: importlib.metadata.version(name) for name in _RECORDED},
    }


def machine() -> str:
    """Describe the machine: processor, logical cores, operating system.

    Returns:
        One line, such as `Some CPU, 8 cores, Linux x86_64`.
    """
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(errors="replace").splitlines() if cpuinfo.is_file() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    processor = (named or [platform.processor() or "unknown processor"])[0]
    return f"{processor}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}"
