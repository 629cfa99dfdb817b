"""Compares a checkpoint in half precision with the one in full precision, by the public safetensors
package and numpy's rounding: check_half.py FULL HALF COUNT, which is the number of F16 tensors."""

import sys

import numpy
from safetensors import safe_open

halves = 0
with (
    safe_open(sys.argv[1], framework="numpy") as full,
    safe_open(sys.argv[2], framework="numpy") as half,
):
    assert set(full.keys()) == set(half.keys()), (full.keys(), half.keys())
    for name in full.keys():
        want, got = full.get_tensor(name), half.get_tensor(name)
        if got.dtype == numpy.float16:
            halves += 1
            want = want.astype(numpy.float16)
            assert want.ndim > 1, name
        assert got.dtype == want.dtype and got.shape == want.shape, name
        assert got.tobytes() == want.tobytes(), name
    texts = [{k: v for k, v in file.metadata().items() if k != "decavox.checksum"}
             for file in (full, half)]
    assert texts[0] == texts[1], texts
assert halves == int(sys.argv[3]), halves
