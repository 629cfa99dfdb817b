"""Compares a checkpoint in FP16 with the one in FP32, by the public safetensors package and numpy's
rounding: check_f16.py FP32 FP16 COUNT. COUNT is the number of F16 tensors."""

import sys

import numpy
from safetensors import safe_open

rounded = 0
with (
    safe_open(sys.argv[1], framework="numpy") as full,
    safe_open(sys.argv[2], framework="numpy") as f16,
):
    assert set(full.keys()) == set(f16.keys()), (full.keys(), f16.keys())
    for name in full.keys():
        want, got = full.get_tensor(name), f16.get_tensor(name)
        if got.dtype == numpy.float16:
            rounded += 1
            want = want.astype(numpy.float16)
            assert want.ndim > 1, name
        assert got.dtype == want.dtype and got.shape == want.shape, name
        assert got.tobytes() == want.tobytes(), name
    texts = [{k: v for k, v in file.metadata().items() if k != "decavox.checksum"}
             for file in (full, f16)]
    assert texts[0] == texts[1], texts
assert rounded == int(sys.argv[3]), rounded
