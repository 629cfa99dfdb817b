"""Makes python.safetensors, a file of the public safetensors package, for test_safetensors.c."""

from pathlib import Path

import numpy
import safetensors
from safetensors.numpy import save_file

tensors = {
    "conv.weight": numpy.arange(24, dtype=numpy.float32).reshape(2, 3, 2, 2) / 8 - 1,
    "norm.steps": numpy.array(123456789012345, dtype=numpy.int64),
    "optimizer.rate": numpy.array([0.1, -2.5e-300], dtype=numpy.float64),
    "rng.bytes": numpy.array([0, 127, 255], dtype=numpy.uint8),
    "nothing": numpy.zeros((0, 4), dtype=numpy.float32),
}
metadata = {
    "config": 'model:\n  name: "klein \u00e4\u20ac"\n\ttab and \\ backslash\n',
    "made_with": f"safetensors {safetensors.__version__}, numpy {numpy.__version__}",
}
save_file(tensors, Path(__file__).with_name("python.safetensors"), metadata)
