#!/usr/bin/env python3
"""Makes the golden vectors of the operations: PyTorch's results, in float64, for the cases of
tests/op_cases/cases.c.

    make_ops.py path/to/op_tool tests/golden/ops.safetensors

The cases and their data come from `op_tool --list`. Each case has "y", "dx0", "dx1",
"d<parameter>", the running statistics after one training step, "y_inference" if inference differs,
and "hash" of the data. Dropout's mask follows from its definition, with a Philox4x32-10 that is
written here a second time.
"""
import json
import math
import subprocess
import sys

import numpy as np
import safetensors
import safetensors.numpy
import torch
import torch.nn.functional as F

import make_types

torch.set_num_threads(1)
DROPOUT_USE = 256


def philox(seed, use, step, count):
    """Words (count, 4) of Philox4x32-10 (Salmon et al. 2011) for indices 0 to count - 1."""
    mask = np.uint64(0xFFFFFFFF)
    c = np.empty((count, 4), np.uint64)
    c[:, 0] = np.arange(count)
    c[:, 1], c[:, 2], c[:, 3] = use, step & 0xFFFFFFFF, step >> 32
    k0, k1 = seed & 0xFFFFFFFF, seed >> 32
    for _ in range(10):
        p0, p1 = c[:, 0] * np.uint64(0xD2511F53), c[:, 2] * np.uint64(0xCD9E8D57)
        c = np.stack([(p1 >> np.uint64(32)) ^ c[:, 1] ^ np.uint64(k0), p1 & mask,
                      (p0 >> np.uint64(32)) ^ c[:, 3] ^ np.uint64(k1), p0 & mask], axis=1)
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return c


def to_bool(text):
    return text in ("true", "yes", "on")


def pair(value):
    return [int(v) for v in value] if isinstance(value, list) else [int(value)] * 2


ACTIVATIONS = {
    "none": lambda x: x,
    "relu": F.relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "silu": F.silu,
    "gelu": F.gelu,
    "hardswish": F.hardswish,
}


def conv2d(a, x, w, run):
    kernel, stride, dilation = pair(a["kernel"]), pair(a["stride"]), pair(a["dilation"])
    padding = [(d * (k - 1)) // 2 if p < 0 else p
               for p, k, d in zip(pair(a["padding"]), kernel, dilation)]
    groups = int(a["groups"]) or x[0].shape[1]
    return F.conv2d(x[0], w["weight"], w.get("bias"), stride, padding, dilation, groups)


def linear(a, x, w, run):
    y = F.linear(x[0].permute(0, 2, 3, 1), w["weight"], w.get("bias")).permute(0, 3, 1, 2)
    return ACTIVATIONS[a["activation"]](y)


def batchnorm(a, x, w, run):
    y = F.batch_norm(x[0], w["running_mean"], w["running_var"], w["weight"], w["bias"],
                     run["training"], float(a["momentum"]), float(a["epsilon"]))
    return ACTIVATIONS[a["activation"]](y + x[1] if len(x) > 1 else y)


def pool(a):
    kernel, stride = pair(a["kernel"]), pair(a["stride"])
    return kernel, [s or k for s, k in zip(stride, kernel)], pair(a["padding"])


def squeeze_excite(a, x, w, run):
    mean = x[0].mean((2, 3))
    hidden = F.linear(mean, w["reduce.weight"], w["reduce.bias"])
    gate = F.linear(ACTIVATIONS[a["activation"]](hidden), w["expand.weight"], w["expand.bias"])
    return x[0] * torch.sigmoid(gate)[:, :, None, None]


def spatial_attention(a, x, w, run):
    maps = torch.cat([x[0].mean(1, keepdim=True), x[0].max(1, keepdim=True).values], 1)
    gate = F.conv2d(maps, w["conv.weight"], padding=int(a["kernel"]) // 2)
    return x[0] * torch.sigmoid(gate)


def frames(a, x, w, run):
    n, c, h, width = x[0].shape
    return x[0].permute(0, 2, 1, 3).reshape(n, h * c, 1, width)


def dropout(a, x, w, run):
    if not run["training"]:
        return x[0].clone()
    n, c, h, width = x[0].shape
    rate = float(a["rate"])
    count = n * c if to_bool(a["channels"]) else x[0].numel()
    words = philox(run["seed"], DROPOUT_USE + run["node"], run["step"], (count + 3) // 4)
    uniform = (words.reshape(-1)[:count] >> np.uint64(8)).astype(np.float64) / 2**24
    stays = torch.from_numpy((uniform >= rate).astype(np.float64))
    if to_bool(a["channels"]):
        stays = stays.reshape(n, c, 1, 1)
    else:
        stays = stays.reshape(n, h, width, c).permute(0, 3, 1, 2)
    return x[0] * stays / (1 - rate)


def layer_norm(a, x, w, run):
    y = F.layer_norm(x[0].permute(0, 2, 3, 1), w["weight"].shape, w["weight"], w["bias"],
                     float(a["epsilon"]))
    return y.permute(0, 3, 1, 2)


def positions(a, x, w, run):
    n, channels, _, frames = x[0].shape
    even = torch.arange(0, channels, 2, dtype=torch.float64)
    angles = torch.arange(frames).unsqueeze(1) * torch.exp(-math.log(10000) * even / channels)
    table = torch.zeros(frames, channels, dtype=torch.float64)
    table[:, 0::2] = torch.sin(angles)
    table[:, 1::2] = torch.cos(angles)[:, :channels // 2]
    return x[0] + table.T.reshape(1, channels, 1, frames)


def softmax_cross_entropy(a, x, w, run):
    """The loss. A sample's weight is the sum of its targets, which PyTorch's smoothing lacks."""
    logits, targets = x[0].flatten(1), x[1].flatten(1)
    weights = targets.sum(1)
    losses = F.cross_entropy(logits, targets / weights[:, None], reduction="none",
                             label_smoothing=float(a["smoothing"]))
    return (weights * losses).reshape(-1, 1, 1, 1)


def distillation(a, x, w, run):
    """The distillation loss. F.kl_div takes log-probabilities, also as target."""
    loss, logits, teacher, targets = (part.flatten(1) for part in x)
    weight, temperature = float(a["weight"]), float(a["temperature"])
    distance = F.kl_div(F.log_softmax(logits / temperature, 1),
                        F.log_softmax(teacher / temperature, 1), reduction="none",
                        log_target=True).sum(1)
    y = (1 - weight) * loss[:, 0] + weight * temperature**2 * targets.sum(1) * distance
    return y.reshape(-1, 1, 1, 1)


def weighted_sum(a, x, w, run):
    return sum(share * part for share, part in zip(torch.softmax(w["weight"], 0), x))


def attention(a, x, w, run):
    n, c, _, t = x[0].shape
    heads = int(a["heads"])
    q, k, v = x[0].reshape(n, 3, heads, c // 3 // heads, t).transpose(-1, -2).unbind(1)
    y = F.scaled_dot_product_attention(q, k, v)
    return y.transpose(-1, -2).reshape(n, c // 3, 1, t)


# All tensors are (N,C,H,W) here.
OPERATIONS = {
    "conv2d": conv2d,
    "linear": linear,
    "batchnorm": batchnorm,
    "activation": lambda a, x, w, run: ACTIVATIONS[a["kind"]](x[0]),
    "add": lambda a, x, w, run: x[0] + x[1],
    "squeeze_excite": squeeze_excite,
    "spatial_attention": spatial_attention,
    "maxpool": lambda a, x, w, run: F.max_pool2d(x[0], *pool(a)),
    "avgpool": lambda a, x, w, run: F.avg_pool2d(x[0], *pool(a)),
    "global_avgpool": lambda a, x, w, run: F.adaptive_avg_pool2d(x[0], 1),
    "global_maxpool": lambda a, x, w, run: F.adaptive_max_pool2d(x[0], 1),
    "concat": lambda a, x, w, run: torch.cat(x, 1),
    "flatten": lambda a, x, w, run: x[0].flatten(1)[:, :, None, None],
    "frames": frames,
    "dropout": dropout,
    "softmax_cross_entropy": softmax_cross_entropy,
    "distillation": distillation,
    "weighted_sum": weighted_sum,
    "attention": attention,
    "layer_norm": layer_norm,
    "positions": positions,
}
INFERENCE_DIFFERS = ("batchnorm", "dropout")


def load(item):
    """Loads inputs as (N,C,H,W) leaves, parameters by name, and the output's gradient or None."""
    inputs, parameters, dy = [], {}, None
    for tensor in item["tensors"]:
        if tensor["kind"] == "output" and not tensor["gradient"]:
            continue
        value = torch.tensor(tensor["values"], dtype=torch.float64).reshape(tensor["shape"])
        if tensor["kind"] == "output":
            dy = value
        elif tensor["kind"] == "input":
            value = value.permute(0, 3, 1, 2).contiguous()
            inputs.append(value.requires_grad_(tensor["gradient"]))
        else:
            parameters[tensor["name"]] = value.requires_grad_(tensor["kind"] == "parameter")
    return inputs, parameters, dy


def channels_last(tensor):
    return tensor.detach().permute(0, 2, 3, 1).contiguous().numpy().reshape(-1)


def vectors(item):
    name, operation = item["name"], OPERATIONS[item["op"]]
    inputs, parameters, dy = load(item)
    y = operation(item["attributes"], inputs, parameters, item)
    shape = next(t["shape"] for t in item["tensors"] if t["kind"] == "output")
    assert list(y.permute(0, 2, 3, 1).shape) == shape, (name, y.shape, shape)
    out = {"y": channels_last(y), "hash": np.array([item["hash"]], np.float64)}
    if item["training"]:
        y.backward(dy.permute(0, 3, 1, 2))
        for i, x in enumerate(inputs):
            if x.requires_grad:
                out[f"dx{i}"] = channels_last(x.grad)
        for key, value in parameters.items():
            if value.requires_grad:
                out["d" + key] = value.grad.numpy().reshape(-1)
            else:
                out[key] = value.numpy().reshape(-1)
        if item["op"] in INFERENCE_DIFFERS:
            inputs, parameters, _ = load(item)
            y = operation(item["attributes"], inputs, parameters, dict(item, training=False))
            out["y_inference"] = channels_last(y)
    return {f"{name}/{key}": value for key, value in out.items()}


def optimizer_vectors(item):
    """The values after each of the updates, concatenated."""
    steps = torch.tensor(item["steps"], dtype=torch.float64)
    cut = item["decay_count"]
    parts = [torch.nn.Parameter(p.clone()) for p in (steps[0][:cut], steps[0][cut:])]
    groups = [{"params": [parts[0]], "weight_decay": item["weight_decay"]},
              {"params": [parts[1]], "weight_decay": 0.0}]
    common = {"lr": item["learning_rate"]}
    adam = dict(common, betas=(item["beta1"], item["beta2"]), eps=item["epsilon"])
    if item["kind"] == "adamw":
        optimizer = torch.optim.AdamW(groups, **adam)
    elif item["kind"] == "adam":
        optimizer = torch.optim.Adam(groups, **adam)
    else:
        momentum = item["beta1"]
        optimizer = torch.optim.SGD(groups, momentum=momentum, nesterov=momentum > 0, **common)
    after = []
    for gradient in steps[1:] * item["gradient_scale"]:
        parts[0].grad, parts[1].grad = gradient[:cut].clone(), gradient[cut:].clone()
        optimizer.step()
        after.append(torch.cat([p.detach().clone() for p in parts]))
    name = "optimizer/" + item["name"]
    return {f"{name}/values": torch.cat(after).numpy(),
            f"{name}/hash": np.array([item["hash"]], np.float64)}


def main():
    tool, path = sys.argv[1:]
    table = json.loads(subprocess.run([tool, "--list"], check=True, capture_output=True).stdout)
    out = {}
    for item in table["cases"]:
        typed = make_types.is_typed(item)
        out.update(make_types.vectors(item) if typed else vectors(item))
    for item in table["optimizers"]:
        out.update(optimizer_vectors(item))
    # One key only: safetensors writes several in an order that changes from run to run.
    metadata = {"made_by": "tests/golden/make_ops.py with "
                f"python {sys.version.split()[0]}, torch {torch.__version__}, "
                f"numpy {np.__version__}, safetensors {safetensors.__version__}"}
    safetensors.numpy.save_file(out, path, metadata)
    print(f"{len(table['cases'])} cases, {len(out)} tensors, "
          f"{sum(v.nbytes for v in out.values())} bytes")


if __name__ == "__main__":
    main()
