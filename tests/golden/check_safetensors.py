"""Checks the file that test_safetensors.c writes, with the public safetensors package."""

import sys

import numpy
from safetensors import safe_open

expected = {
    "rng": numpy.array([0, 1, 127, 128, 255], dtype=numpy.uint8),
    "conv.weight": numpy.array([1, -2.5, 3e-38, 0, -0.0, 3e38], dtype=numpy.float32).reshape(
        2, 1, 1, 3
    ),
    "empty": numpy.zeros((0, 4), dtype=numpy.float32),
    "step": numpy.array(-7123456789, dtype=numpy.int64),
    "rates": numpy.array([0.1, -1e-300], dtype=numpy.float64),
}
config = 'model:\n  name: "mini"\n\t\\ "decavox.checksum":"x" \u00e4\n'

with safe_open(sys.argv[1], framework="numpy") as file:
    metadata = file.metadata()
    assert set(file.keys()) == set(expected), file.keys()
    for name, value in expected.items():
        got = file.get_tensor(name)
        assert got.dtype == value.dtype and got.shape == value.shape, (name, got)
        assert got.tobytes() == value.tobytes(), (name, got)
assert metadata["config"] == config, metadata
assert metadata["note"] == "", metadata
