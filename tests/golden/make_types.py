#!/usr/bin/env python3
"""Makes the golden vectors of operations in other types than float, the conversions and the linear
layer of integers, with numpy alone.

    make_types.py path/to/op_tool tests/golden/ops.safetensors

make_ops.py makes them with all others. Without PyTorch, this program replaces them in its file.
Scales, numbers and their quotients are floats. Quotients are rounded to the nearest integer, ties
to even. Sums of products are integers, and all other numbers are float64.
"""
import json
import subprocess
import sys

import numpy as np
import safetensors
import safetensors.numpy

ACTIVATIONS = {"none": lambda y: y, "relu": lambda y: np.maximum(y, 0), "tanh": np.tanh}


def bfloat(values):
    """Rounds to the nearer neighbour in 16 bits, ties to even."""
    bits = np.asarray(values, np.float32).view(np.uint32).astype(np.uint64)
    below = bits & ~np.uint64(0xFFFF)
    above = below + np.uint64(0x10000)
    rest = bits - below
    up = (rest > 0x8000) | ((rest == 0x8000) & ((below >> np.uint64(16)) & np.uint64(1) == 1))
    return np.where(up, above, below).astype(np.uint32).view(np.float32)


def quantize(values, scale):
    q = np.asarray(values, np.float32) / np.asarray(scale, np.float32)
    return np.clip(np.rint(q), -127, 127).astype(np.int64)


def converted(values, attributes):
    scale = np.float32(attributes["scale"])
    return {
        "fp32": lambda: np.asarray(values, np.float32),
        "fp16": lambda: np.asarray(values, np.float32).astype(np.float16),
        "bf16": lambda: bfloat(values),
        "int8": lambda: scale * quantize(values, scale).astype(np.float32),
    }[attributes["dtype"]]().astype(np.float64)


def linear(item, tensors):
    x, weight = tensors["x0"], tensors["weight"]
    scale = np.float32(x["scale"])
    w = np.asarray(weight["values"], np.float32).reshape(weight["shape"])
    scales = np.abs(w).max(1) / np.float32(127)
    scales = np.where(scales == 0, np.float32(1), scales)
    rows = quantize(np.reshape(x["values"], (-1, w.shape[1])), scale)
    sums = rows @ quantize(w, scales[:, None]).T
    y = np.float64(scale) * scales.astype(np.float64) * sums
    if "bias" in tensors:
        y = y + np.asarray(tensors["bias"]["values"])
    return ACTIVATIONS[item["attributes"]["activation"]](y).reshape(-1)


def is_typed(item):
    return item["op"] == "convert" or any(t.get("scale", 0) > 0 for t in item["tensors"])


def vectors(item):
    tensors = {tensor["name"]: tensor for tensor in item["tensors"]}
    out = {"hash": np.array([item["hash"]], np.float64)}
    if item["op"] == "convert":
        out["y"] = converted(tensors["x0"]["values"], item["attributes"])
        if item["training"]:
            out["dx0"] = converted(tensors["y"]["values"], item["attributes"])
    else:
        out["y"] = linear(item, tensors)
    return {f"{item['name']}/{key}": value for key, value in out.items()}


def main():
    tool, path = sys.argv[1:]
    table = json.loads(subprocess.run([tool, "--list"], check=True, capture_output=True).stdout)
    with safetensors.safe_open(path, "numpy") as file:
        out, metadata = {key: file.get_tensor(key) for key in file.keys()}, file.metadata()
    made = [item for item in table["cases"] if is_typed(item)]
    names = {item["name"] for item in table["cases"] if not is_typed(item)}
    out = {key: value for key, value in out.items()
           if key.rsplit("/", 1)[0] in names or key.startswith("optimizer/")}
    for item in made:
        out.update(vectors(item))
    safetensors.numpy.save_file(out, path, metadata)
    print(f"{len(made)} cases")


if __name__ == "__main__":
    main()
