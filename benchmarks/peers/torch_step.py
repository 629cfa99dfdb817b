#!/usr/bin/env python3
"""Makes the step of `decavox_bench step` in PyTorch, on request, in every form that may be the
fastest.

    torch_step.py MODEL.yaml [--batch 32] [--threads 1] [--inference] [--variants eager,compile]

Each command on stdin is answered by a line of JSON on stdout:

    run VARIANT K   {"microseconds": [...], "cpu_microseconds": mean}
    quit

The first line names the variants, and the reasons why others could not be made. A step sets
gradients to None, runs forward, cross-entropy with smoothing, backward, clipping and AdamW, and
reads the loss as a number. On a GPU (--device cuda) torch_gpu.py makes the variants, and a time
covers many steps (--report).
"""
import argparse
import sys
import time

import torch
from torch import nn

import twin
from on_request import reason, say, serve_runs, timed
from training import CLIP, DECAY, RATE, SMOOTHING, random_batches

BATCHES = 64

# Variants that may make PyTorch faster: memory order, 1-D modules, the compiler and its switches.
VARIANTS = {
    "eager": {},
    "channels_last": {"channels_last": True},
    "conv1d": {"one_dimensional": True},
    "compile": {"compile": {}},
    "compile_channels_last": {"compile": {}, "channels_last": True},
    "compile_conv1d": {"compile": {}, "one_dimensional": True},
    "compile_cpp_wrapper": {"compile": {"cpp_wrapper": True}},
    "compile_update": {"compile": {}, "compile_update": True},
}

# Forms of the update. Trials find the fastest one for a model.
UPDATES = [(optimizer, clip) for optimizer in ("fused", "foreach", "loop")
           for clip in (False, True)]


def make_optimizer(model, kind):
    groups = twin.parameter_groups(model, DECAY)
    return torch.optim.AdamW(groups, lr=RATE, fused=kind == "fused", foreach=kind == "foreach")


class Variant:
    """A variant on the CPU. torch_gpu.py has the form for a GPU."""

    def __init__(self, options, arguments, update):
        self.arguments = arguments
        one_dimensional = options.get("one_dimensional", False)
        self.model = twin.build(arguments.model, arguments.rows, arguments.frames,
                                arguments.classes, one_dimensional)
        memory_format = (torch.channels_last if options.get("channels_last")
                         else torch.contiguous_format)
        if options.get("channels_last"):
            self.model = self.model.to(memory_format=memory_format)
        self.model.train(not arguments.inference)
        kind, self.clip_foreach = ("foreach", True) if "compile_update" in options else update
        self.optimizer = make_optimizer(self.model, kind)
        self.parameters = list(self.model.parameters())
        self.forward = self.model
        if "compile" in options:
            self.forward = torch.compile(self.model, options=options["compile"] or None)
        if "compile_update" in options:
            self.update = torch.compile(self.update)
        self.features, self.targets = random_batches(arguments, BATCHES, memory_format)
        self.count = 0

    def update(self):
        nn.utils.clip_grad_norm_(self.parameters, CLIP, foreach=self.clip_foreach)
        self.optimizer.step()

    def train_step(self):
        number = self.count % BATCHES
        self.count += 1
        self.optimizer.zero_grad(set_to_none=True)
        loss = nn.functional.cross_entropy(self.forward(self.features[number]),
                                           self.targets[number], label_smoothing=SMOOTHING)
        loss.backward()
        self.update()
        return loss.item()

    def infer(self):
        number = self.count % BATCHES
        self.count += 1
        with torch.inference_mode():
            return self.forward(self.features[number])

    def run(self, steps):
        """Makes steps. Returns a time for each."""
        return timed(self.infer if self.arguments.inference else self.train_step, steps)


def fastest_update(arguments):
    """The fastest form of the update, by the median of a few steps of the eager model."""
    if arguments.inference or arguments.device != "cpu":
        return UPDATES[0], {}
    medians = {}
    for update in UPDATES:
        variant = Variant(VARIANTS["eager"], arguments, update)
        variant.run(5)
        medians[update] = sorted(variant.run(arguments.trials)["microseconds"])[
            arguments.trials // 2]
    best = min(medians, key=medians.get)
    return best, {f"{kind}, clip foreach {clip}": value
                  for (kind, clip), value in medians.items()}


def make_variants(arguments, update, known, kind):
    """Makes the variants. `known` has their options by name, and `kind` is their class."""
    made, skipped = {}, {}
    begin = time.perf_counter()
    flat = twin.fits_one_dimension(twin.read_model(arguments.model))
    for name in arguments.variants.split(",") if arguments.variants else known:
        options = known[name]
        if arguments.prepare and time.perf_counter() - begin > arguments.prepare:
            skipped[name] = "no time was left to make it"
            continue
        if options.get("one_dimensional") and not flat:
            skipped[name] = "the model is not one-dimensional"
            continue
        if "compile_update" in options and arguments.inference:
            skipped[name] = "inference has no update"
            continue
        if options.get("channels_last") and flat:
            skipped[name] = "height 1: the 1-D form is what one would write"
            continue
        try:
            start = time.perf_counter()
            variant = kind(options, arguments, update)
            variant.run(3)
            made[name] = variant
            print(f"torch_step: {name} ready after {time.perf_counter() - start:.1f} s",
                  file=sys.stderr)
        except Exception as error:  # a failing compiler costs one variant, not the others
            skipped[name] = reason(error)
    return made, skipped


def parse():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rows", type=int, default=13)
    parser.add_argument("--frames", type=int, default=32)
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--trials", type=int, default=15)
    parser.add_argument("--inference", action="store_true")
    parser.add_argument("--variants", default="", help="a comma between; default: all")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    parser.add_argument("--precision", default="fp32", choices=("fp32", "fp16", "bf16"),
                        help="fp16 and bf16 with automatic mixed precision, on a GPU")
    parser.add_argument("--report", type=int, default=1, help="steps to a time, on a GPU")
    parser.add_argument("--prepare", type=float, default=0,
                        help="seconds after which no variant more is begun; 0: any")
    return parser.parse_args()


def main():
    arguments = parse()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)
    torch._dynamo.config.recompile_limit = 64  # the variants share their code
    known, kind, device = VARIANTS, Variant, "cpu"
    if arguments.device != "cpu" or arguments.precision != "fp32":
        import torch_gpu
        known, kind, device = torch_gpu.prepare(arguments.device)
    update, updates = fastest_update(arguments)
    made, skipped = make_variants(arguments, update, known, kind)
    parameters = twin.parameter_count(next(iter(made.values())).model) if made else None
    say(torch=torch.__version__, threads=torch.get_num_threads(), variants=list(made),
        skipped=skipped, update=f"{update[0]}, clip foreach {update[1]}", updates=updates,
        parameters=parameters, onednn=torch.backends.mkldnn.is_available(), torch_device=device)
    serve_runs({name: variant.run for name, variant in made.items()})


if __name__ == "__main__":
    main()
