"""The models of decavox in PyTorch, built from the same YAML files and nothing else.

    model = build("configs/models/advanced.yaml", rows=13, frames=32, classes=10)
    model.load_state_dict(safetensors.torch.load_file("checkpoints/advanced_fine.safetensors"))
    logits = model(features)                  # features (N, 1, rows, frames)

Names and shapes of the parameters and running statistics are those of a checkpoint, so the twin is
an oracle for whole models. `one_dimensional` builds a model with kernels of height 1 from Conv1d
and similar modules, as usual in PyTorch; its weights lack the dimension of size 1.
"""
import math
import os

import torch
import torch.nn.functional as F
import yaml
from torch import nn

ACTIVATIONS = {
    "none": nn.Identity,
    "relu": lambda: nn.ReLU(inplace=True),
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "silu": nn.SiLU,
    "gelu": nn.GELU,
    "hardswish": nn.Hardswish,
}


def pair(value):
    return tuple(value) if isinstance(value, list) else (value, value)


def decimal(value):
    """The number of a value: YAML 1.1 reads 1e-5 as a text."""
    return float(value)


class Frames(nn.Module):
    """Turns (N,C,H,W) into (N,HC,1,W) or (N,HC,W): coefficient h of channel c becomes channel
    h C + c."""

    def __init__(self, one_dimensional):
        super().__init__()
        self.one_dimensional = one_dimensional

    def forward(self, x):
        n, c, h, w = x.shape
        if self.one_dimensional:
            return x.permute(0, 2, 1, 3).reshape(n, h * c, w)
        return x.permute(0, 2, 1, 3).reshape(n, h * c, 1, w)


class Tokens(nn.Module):
    """Turns (N,C,H,W) into (N,W,HC), the same channels last, for layers of a transformer."""

    def forward(self, x):
        n, c, h, w = x.shape
        return x.permute(0, 3, 2, 1).reshape(n, w, h * c)


class TokenConv(nn.Conv2d):
    """A convolution over the tokens (N,T,C), with the weight of a convolution of height 1."""

    def forward(self, x):
        return super().forward(x.transpose(1, 2).unsqueeze(2)).squeeze(2).transpose(1, 2)


class GlobalMean(nn.Module):
    def forward(self, x):
        return x.mean(tuple(range(2, x.dim())))


class TokenMean(nn.Module):
    def forward(self, x):
        return x.mean(1)


class GlobalMaximum(nn.Module):
    def forward(self, x):
        return x.amax(tuple(range(2, x.dim())))


class Norm1d(nn.BatchNorm1d):
    """Batch normalisation with an activation."""

    def __init__(self, channels, epsilon=1e-5, momentum=0.1, activation="none"):
        super().__init__(channels, eps=epsilon, momentum=momentum)
        self.activation = ACTIVATIONS[activation]()

    def forward(self, x):
        return self.activation(super().forward(x))


class Norm2d(nn.BatchNorm2d):
    def __init__(self, channels, epsilon=1e-5, momentum=0.1, activation="none"):
        super().__init__(channels, eps=epsilon, momentum=momentum)
        self.activation = ACTIVATIONS[activation]()

    def forward(self, x):
        return self.activation(super().forward(x))


class Dense(nn.Linear):
    def __init__(self, inputs, units, bias=True, activation="none"):
        super().__init__(inputs, units, bias=bias)
        self.activation = ACTIVATIONS[activation]()

    def forward(self, x):
        return self.activation(super().forward(x))


class Chain(nn.Module):
    """Modules one after the other, under their own names. It may also have others."""

    def __init__(self):
        super().__init__()
        self.order = []

    def append(self, name, module):
        self.add_module(name, module)
        self.order.append(name)

    def forward(self, x):
        for name in self.order:
            x = self._modules[name](x)
        return x


class SqueezeExcite(nn.Module):
    def __init__(self, channels, reduction, activation="relu", units=0):
        super().__init__()
        middle = units or max(1, channels // reduction)
        self.reduce = Dense(channels, middle, activation=activation)
        self.expand = Dense(middle, channels, activation="sigmoid")

    def forward(self, x):
        return x * self.expand(self.reduce(x.mean((2, 3))))[:, :, None, None]


class SpatialAttention(nn.Module):
    def __init__(self, kernel):
        super().__init__()
        self.conv = nn.Conv2d(2, 1, kernel, padding=kernel // 2, bias=False)

    def forward(self, x):
        gate = torch.cat([x.mean(1, keepdim=True), x.max(1, keepdim=True)[0]], 1)
        return x * torch.sigmoid(self.conv(gate))


class ConvNorm(nn.Sequential):
    def __init__(self, inputs, filters, kernel, stride, activation, groups=1):
        super().__init__()
        self.conv = nn.Conv2d(inputs, filters, kernel, stride, kernel // 2, groups=groups,
                              bias=False)
        self.norm = Norm2d(filters, activation=activation)


class ResidualBlock(Chain):
    def __init__(self, inputs, spec, stride):
        super().__init__()
        filters, kernel, activation = spec["filters"], spec["kernel"], spec["activation"]
        self.shortcut = nn.Identity()
        if stride != 1 or inputs != filters:
            self.shortcut = ConvNorm(inputs, filters, 1, stride, "none")
        middle, last_kernel = filters, kernel
        if spec["bottleneck"] > 0:
            middle = max(1, math.floor(spec["bottleneck"] * filters + 0.5))
            self.append("reduce", ConvNorm(inputs, middle, 1, 1, activation))
            inputs, last_kernel = middle, 1
        self.append("middle", ConvNorm(inputs, middle, kernel, stride, activation))
        self.append("expand", ConvNorm(middle, filters, last_kernel, 1, "none"))
        if spec["se_reduction"] > 0:
            self.append("se", SqueezeExcite(filters, spec["se_reduction"]))
        self.activation = ACTIVATIONS[activation]()

    def forward(self, x):
        return self.activation(super().forward(x) + self.shortcut(x))


class MBConvBlock(Chain):
    def __init__(self, inputs, spec, stride):
        super().__init__()
        filters, activation = spec["filters"], spec["activation"]
        middle = spec["expand"] * inputs
        self.skip = stride == 1 and inputs == filters
        if spec["expand"] > 1:
            self.append("expand", ConvNorm(inputs, middle, 1, 1, activation))
        self.append("depthwise", ConvNorm(middle, middle, spec["kernel"], stride, activation,
                                          groups=middle))
        if spec["se_reduction"] > 0:
            units = max(1, inputs // spec["se_reduction"])
            self.append("se", SqueezeExcite(middle, 1, activation, units))
        self.append("project", ConvNorm(middle, filters, 1, 1, "none"))

    def forward(self, x):
        return super().forward(x) + x if self.skip else super().forward(x)


class Ensemble(nn.Module):
    """Mixes the members' logits. The members are modules of the model, where their names prefix
    their parameters, so they are kept in a tuple here."""

    def __init__(self, members):
        super().__init__()
        self.members = tuple(members)
        self.weight = nn.Parameter(torch.zeros(len(members)))

    def forward(self, x):
        shares = torch.softmax(self.weight, 0)
        return sum(share * member(x) for share, member in zip(shares, self.members))


class Positions(nn.Module):
    """Adds the sinusoidal positions of Vaswani et al. 2017 to x (N,T,C)."""

    def __init__(self, frames, channels):
        super().__init__()
        angles = (torch.arange(frames, dtype=torch.float64)[:, None] /
                  10000.0 ** (torch.arange(0, channels, 2, dtype=torch.float64) / channels))
        table = torch.stack([angles.sin(), angles.cos()], 2).flatten(1)[:, :channels]
        self.register_buffer("table", table.float(), persistent=False)

    def forward(self, x):
        return x + self.table


class EncoderLayer(nn.Module):
    """nn.TransformerEncoderLayer with norm_first. The names of its attention's parameters have no
    level of their own."""

    def __init__(self, units, heads, feed_forward, rate, activation):
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(units)
        self.in_proj = nn.Linear(units, 3 * units)
        self.out_proj = nn.Linear(units, units)
        self.norm2 = nn.LayerNorm(units)
        self.linear1 = nn.Linear(units, feed_forward)
        self.linear2 = nn.Linear(feed_forward, units)
        self.dropout = nn.Dropout(rate)
        self.activation = ACTIVATIONS[activation]()

    def attention(self, x):
        n, t, units = x.shape
        split = self.in_proj(x).reshape(n, t, 3, self.heads, units // self.heads)
        heads = F.scaled_dot_product_attention(*split.permute(2, 0, 3, 1, 4))
        return self.out_proj(heads.transpose(1, 2).reshape(n, t, units))

    def forward(self, x):
        x = x + self.dropout(self.attention(self.norm1(x)))
        middle = self.dropout(self.activation(self.linear1(self.norm2(x))))
        return x + self.dropout(self.linear2(middle))


def has_tokens(model):
    """Whether the model has layers that treat frames as tokens, so that sequences are (N,T,C)."""
    kinds = {item if isinstance(item, str) else next(iter(item)) for item in model["layers"]}
    return bool(kinds & {"positions", "encoder", "layer_norm"})


class Builder:
    """Turns the list of layers into modules and tracks the shape (channels, height, width)."""

    def __init__(self, rows, frames, classes, one_dimensional, tokens):
        self.shape = (1, rows, frames)
        self.classes = classes
        self.one_dimensional = one_dimensional
        self.tokens = tokens
        self.model = Chain()
        self.counts = {}

    def size(self, kernel, stride, padding, dilation=(1, 1)):
        return tuple(
            (self.shape[1 + axis] + 2 * padding[axis] - dilation[axis] * (kernel[axis] - 1) - 1)
            // stride[axis] + 1 for axis in range(2))

    def per_axis(self, two, one, *pairs):
        """The kind of module and its sizes, reduced to the width in one dimension."""
        if not self.one_dimensional:
            return two, pairs
        return one, tuple(p[1] for p in pairs)

    def frames(self):
        c, h, w = self.shape
        self.shape = (c * h, 1, w)
        if self.tokens:
            return Tokens()
        return Frames(self.one_dimensional)

    def conv2d(self, filters, kernel, stride=1, padding=-1, dilation=1, groups=1, bias=True):
        kernel, stride, dilation, padding = map(pair, (kernel, stride, dilation, padding))
        padding = tuple(d * (k - 1) // 2 if p == -1 else p
                        for p, d, k in zip(padding, dilation, kernel))
        inputs = self.shape[0]
        kind, sizes = self.per_axis(nn.Conv2d, nn.Conv1d, kernel, stride, padding, dilation)
        self.shape = (filters, *self.size(kernel, stride, padding, dilation))
        if self.tokens:
            return TokenConv(inputs, filters, *sizes, groups=groups or inputs, bias=bias)
        return kind(inputs, filters, *sizes, groups=groups or inputs, bias=bias)

    def batchnorm(self, epsilon=1e-5, momentum=0.1, activation="none"):
        kind = Norm1d if self.one_dimensional else Norm2d
        return kind(self.shape[0], decimal(epsilon), decimal(momentum), activation)

    def maxpool(self, kernel, stride=0, padding=0):
        kernel, stride, padding = pair(kernel), pair(stride), pair(padding)
        stride = tuple(s or k for s, k in zip(stride, kernel))
        kind, sizes = self.per_axis(nn.MaxPool2d, nn.MaxPool1d, kernel, stride, padding)
        self.shape = (self.shape[0], *self.size(kernel, stride, padding))
        return kind(*sizes)

    def residual(self, filters, blocks=1, kernel=3, stride=1, bottleneck=0, se_reduction=0,
                 activation="relu"):
        spec = {"filters": filters, "kernel": kernel, "bottleneck": decimal(bottleneck),
                "se_reduction": se_reduction, "activation": activation}
        sequence = nn.Sequential()
        for block in range(blocks):
            step = stride if block == 0 else 1
            sequence.add_module(f"block_{block + 1}", ResidualBlock(self.shape[0], spec, step))
            size = self.size((kernel, kernel), (step, step), (kernel // 2, kernel // 2))
            self.shape = (filters, *size)
        return sequence

    def mbconv(self, filters, blocks=1, expand=6, kernel=3, stride=1, se_reduction=4,
               activation="silu"):
        spec = {"filters": filters, "expand": expand, "kernel": kernel,
                "se_reduction": se_reduction, "activation": activation}
        sequence = nn.Sequential()
        for block in range(blocks):
            step = stride if block == 0 else 1
            sequence.add_module(f"block_{block + 1}", MBConvBlock(self.shape[0], spec, step))
            size = self.size((kernel, kernel), (step, step), (kernel // 2, kernel // 2))
            self.shape = (filters, *size)
        return sequence

    def ensemble(self, models):
        members = [build(model, *self.shape[1:], self.classes) for model in models]
        for model, member in zip(models, members):
            self.model.add_module(model["name"], member)
        self.shape = (self.classes, 1, 1)
        return Ensemble(members)

    def squeeze_excite(self, reduction=16, activation="relu", units=0):
        return SqueezeExcite(self.shape[0], reduction, activation, units)

    def spatial_attention(self, kernel=7):
        return SpatialAttention(kernel)

    def global_avgpool(self):
        self.shape = (self.shape[0], 1, 1)
        return TokenMean() if self.tokens else GlobalMean()

    def global_maxpool(self):
        self.shape = (self.shape[0], 1, 1)
        return GlobalMaximum()

    def flatten(self):
        self.shape = (math.prod(self.shape), 1, 1)
        return nn.Flatten()

    def dropout(self, rate=0.5, channels=False):
        if channels:
            raise ValueError("dropout: channels are not implemented")
        return nn.Dropout(decimal(rate))

    def linear(self, units, bias=True, activation="none"):
        units = self.classes if units == "classes" else units
        inputs = self.shape[0]
        self.shape = (units, *self.shape[1:])
        return Dense(inputs, units, bias, activation)

    def positions(self):
        return Positions(self.shape[2], self.shape[0])

    def layer_norm(self, epsilon=1e-5):
        return nn.LayerNorm(self.shape[0], decimal(epsilon))

    def encoder(self, units, heads, feed_forward, layers=1, dropout=0.1, activation="gelu"):
        return nn.Sequential(*[EncoderLayer(units, heads, feed_forward, decimal(dropout),
                                            activation) for _ in range(layers)])

    def add(self, item):
        kind, attributes = (item, None) if isinstance(item, str) else next(iter(item.items()))
        attributes = dict(attributes or {})
        self.counts[kind] = self.counts.get(kind, 0) + 1
        name = attributes.pop("name", f"{kind}_{self.counts[kind]}")
        self.model.append(name, getattr(self, kind)(**attributes))


def members_of(item):
    """The list of an ensemble's models, empty for another layer."""
    return item["ensemble"]["models"] if isinstance(item, dict) and "ensemble" in item else []


def read_model(path):
    """Reads the section `model` of an experiment's file, or a whole file without it. Names of an
    ensemble's members are replaced by the contents of the files beside it."""
    with open(path, encoding="utf-8") as file:
        tree = yaml.safe_load(file)
    model = tree if "layers" in tree else tree["model"]
    for item in model["layers"]:
        members = members_of(item)
        for i, member in enumerate(members):
            if isinstance(member, str):
                beside = os.path.join(os.path.dirname(path), f"{member}.yaml")
                members[i] = {**read_model(beside), "name": member}
    return model


def build(model, rows, frames, classes, one_dimensional=False):
    """Builds a model from a path or from its content."""
    if isinstance(model, str):
        model = read_model(model)
    builder = Builder(rows, frames, classes, one_dimensional, has_tokens(model))
    for item in model["layers"]:
        builder.add(item)
    return builder.model


def fits_one_dimension(model):
    """Whether the model works on a sequence: `frames` comes first and every kernel has height 1."""
    kinds = [item if isinstance(item, str) else next(iter(item)) for item in model["layers"]]
    kernels = [spec["kernel"] for item in model["layers"] if isinstance(item, dict)
               for spec in item.values() if spec and "kernel" in spec]
    plain = {"frames", "conv2d", "batchnorm", "maxpool", "global_avgpool", "global_maxpool",
             "flatten", "dropout", "linear"}
    flat = all(pair(kernel)[0] == 1 for kernel in kernels)
    return kinds[0] == "frames" and set(kinds) <= plain and flat


def without_dropout(model):
    """The same model with rate 0 for every dropout."""
    layers = []
    for item in model["layers"]:
        if isinstance(item, dict) and "dropout" in item:
            item = {"dropout": {**(item["dropout"] or {}), "rate": 0}}
        elif members_of(item):
            members = [without_dropout(member) for member in members_of(item)]
            item = {"ensemble": {**item["ensemble"], "models": members}}
        elif isinstance(item, dict) and "encoder" in item:
            item = {"encoder": {**item["encoder"], "dropout": 0}}
        layers.append(item)
    return {**model, "layers": layers}


def names_of(module):
    """All parameters and running statistics by their names in a checkpoint."""
    return {name: tensor for name, tensor in module.state_dict(keep_vars=True).items()
            if not name.endswith("num_batches_tracked")}


def load(module, tensors):
    """Fills the module from a checkpoint's {name: tensor}. All names on both sides and all shapes
    must agree. Names with a slash (moments, best values) do not belong to the model."""
    state = {name: torch.as_tensor(value) for name, value in tensors.items() if "/" not in name}
    for name, tensor in names_of(module).items():
        if name in state and tensor.dim() == 3 and state[name].shape[2:3] == (1,):
            state[name] = state[name].squeeze(2)  # Conv1d
    module.load_state_dict(state)


def parameter_groups(module, weight_decay):
    """Parameter groups with weight decay on matrices and kernels, and none on norms and biases."""
    parameters = list(module.parameters())
    return [{"params": [p for p in parameters if p.dim() > 1], "weight_decay": weight_decay},
            {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0}]


def parameter_count(module):
    return sum(p.numel() for p in module.parameters())


def loss_of(logits, targets, smoothing):
    """The loss for targets (N, classes) of probabilities, or (N) of classes."""
    return F.cross_entropy(logits, targets, label_smoothing=smoothing)
