#!/usr/bin/env python3
"""Times a step of decavox and of the same model elsewhere in turn, on one machine at one time.

    steps.py --build BUILD [--models lightweight,advanced] [--threads 1,2] [--batch 32]
    steps.py --build BUILD --inference --batch 1,64
    steps.py --build BUILD --device cuda --batch 32,128,512 --precision fp32,fp16,bf16

The training step is compared with PyTorch, and with --inference the forward pass with ONNX Runtime
as well. All programs are children of this one and wait while one works. A round is a block of steps
of each contender, in an order that changes from round to round. A block's figure is its median
step. The result compares the fastest form of each peer with decavox: the median over rounds of the
ratio within a round, with the smallest and the largest. --out FILE writes all as JSON. With
--device the work is done on a GPU, by device_steps.py.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

import device_steps
from records import (PEERS, Child, Contender, by_turns, check_parameters, importable, model_path,
                     peer, program, run_part, stamp, torch_cache)

BLOCK_SECONDS = 0.6
TRAINED_STEPS = 10  # training before the forward pass, so that running statistics are not 0 and 1


class Forward:
    """Shared by the forward passes of one model: a checkpoint, its ONNX files, and decavox's
    results for the batches."""

    def __init__(self, arguments, model, batches, folder):
        self.arguments, self.model, self.folder = arguments, model, folder
        self.sizes = batches
        self.checkpoint = os.path.join(folder, model + ".safetensors")
        self.files, self.skipped, self.problem = [], {}, None
        with Child("step", [*program(arguments.build, "step"), model_path(model)], 1) as ours:
            ours.ask(f"run {TRAINED_STEPS}")
            ours.ask(f"save {self.checkpoint}")
        self.export()

    def export(self):
        python = self.arguments.python
        self.problem = importable(python, "onnxruntime", "onnx", "onnxscript")
        if self.problem is not None:
            return
        done = subprocess.run(
            [python, os.path.join(PEERS, "onnx_export.py"), model_path(self.model), "--checkpoint",
             self.checkpoint, "--batches", ",".join(map(str, self.sizes)), "--out", self.folder],
            stdout=subprocess.PIPE, text=True, check=True)
        answer = json.loads(done.stdout.splitlines()[-1])
        self.files, self.skipped = answer["files"], answer["skipped"]
        if not self.files:
            self.problem = f"no export: {self.skipped}"

    def start(self, ours, batch, threads):
        """Starts ONNX Runtime, which checks decavox's results."""
        batches = os.path.join(self.folder, f"batches_{batch}.safetensors")
        if not os.path.exists(batches):
            ours.ask(f"batches {batches}")
        files = [file for file in self.files if file.endswith(f"_{batch}.onnx")]
        return Child("onnx_step", [self.arguments.python, os.path.join(PEERS, "onnx_step.py"),
                                   *files, "--batches", batches, "--threads", str(threads)],
                     threads)


def start_torch(arguments, common, threads):
    extra = ["--variants", arguments.variants] if arguments.variants else []
    return Child("torch_step", [arguments.python, os.path.join(PEERS, "torch_step.py"), *common,
                                *extra], threads, environment=torch_cache())


def measure(arguments, model, batch, threads, forward=None):
    """Measures all contenders on one model with one number of threads. Returns the record."""
    common = [model_path(model), "--batch", str(batch), "--threads", str(threads)]
    if arguments.inference:
        common.append("--inference")
    own = ["--checkpoint", forward.checkpoint] if forward else []
    ours = Child("step", [*program(arguments.build, "step"), *common, *own], threads)
    ours.ready()
    torch = start_torch(arguments, common, threads)
    torch.ready()
    check_parameters(model, ours, torch)
    block = arguments.block or BLOCK_SECONDS
    decavox = Contender("decavox", ours, "run", block)
    groups = {"PyTorch": [Contender(name, torch, f"run {name}", block)
                          for name in torch.about["variants"]]}
    onnx = None
    if forward and forward.problem is None:
        onnx = forward.start(ours, batch, threads)
        onnx.ready()
        groups["ONNX Runtime"] = [Contender(onnx.about["form"], onnx, "run", block)]
    contenders = [decavox, *sum(groups.values(), [])]
    by_turns(contenders, arguments.rounds, arguments.warm)
    for child in (ours, torch, onnx):
        if child is not None:
            child.close()
    result = {"part": "infer" if arguments.inference else "train", "model": model, "batch": batch,
              "threads": threads, "precision": "fp32", "device": "cpu"}
    return result | record(arguments, contenders, groups, ours, torch, onnx, forward)


def record(arguments, contenders, groups, ours, torch, onnx, forward):
    decavox = contenders[0]
    result = {
        "parameters": ours.about["parameters"], "rounds": arguments.rounds,
        "decavox": round(statistics.median(decavox.medians), 1),
        "peers": {name: peer(group, decavox) for name, group in groups.items() if group},
        "microseconds": {c.name: round(statistics.median(c.medians), 1) for c in contenders},
        "spread": {c.name: [round(min(c.medians), 1), round(max(c.medians), 1)]
                   for c in contenders},
        "cpu_microseconds": {c.name: round(statistics.median(c.cpu), 1) for c in contenders},
        "notes": dict(torch.about["skipped"]),
        "torch_update": torch.about["update"], "torch_update_trials": torch.about["updates"],
        "versions": {"decavox": ours.about["version"], "PyTorch": torch.about["torch"]},
    }
    if onnx is not None:
        result["versions"]["ONNX Runtime"] = onnx.about["onnxruntime"]
        result["onnx"] = {"trials": onnx.about["trials"], "logits": onnx.about["difference"]}
        result["notes"] |= forward.skipped
    elif forward is not None:
        result["notes"]["ONNX Runtime"] = forward.problem
    return result | stamp()


def print_record(result):
    what = "inference" if result["part"] == "infer" else "training step"
    print(f"\n{result['model']}, {what}, batch {result['batch']}, "
          f"{result['threads']} thread(s), {result['parameters']} parameters")
    print(f"  {'':24}{'us':>10}{'min':>10}{'max':>10}{'cpu us':>10}")
    for name, time in sorted(result["microseconds"].items(), key=lambda item: item[1]):
        low, high = result["spread"][name]
        print(f"  {name:24}{time:10.0f}{low:10.0f}{high:10.0f}"
              f"{result['cpu_microseconds'][name]:10.0f}")
    for name, reason in result["notes"].items():
        print(f"  {name:24}not measured: {reason}")
    for name, other in result["peers"].items():
        low, high = other["ratio_spread"]
        print(f"  decavox is {other['ratio']:.2f} times as fast as {name}, {other['form']} "
              f"({low:.2f} to {high:.2f} over {result['rounds']} rounds)", flush=True)


def measure_all(arguments, take):
    """Passes the record of each configuration to `take` as soon as it exists."""
    threads = [int(count) for count in arguments.threads.split(",")]
    batches = [int(size) for size in arguments.batch.split(",")]
    for model in arguments.models.split(","):
        with tempfile.TemporaryDirectory() as folder:
            forward = Forward(arguments, model, batches, folder) if arguments.inference else None
            for batch in batches:
                for count in threads:
                    take(measure(arguments, model, batch, count, forward))


def add_options(parser):
    parser.add_argument("--build", required=True, help="a release build with DV_BENCHMARKS")
    parser.add_argument("--models", default="lightweight,advanced")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--batch", default="32", help="a comma between")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--warm", type=float, default=1.0, help="seconds for each contender")
    parser.add_argument("--variants", default="", help="of PyTorch, a comma between; default: all")
    parser.add_argument("--inference", action="store_true")
    parser.add_argument("--out", default="", help="file for the JSON")
    device_steps.add_options(parser)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    arguments = parser.parse_args()
    if arguments.device != "cpu":
        sys.exit(device_steps.run(arguments))
    run_part(arguments, measure_all, print_record)


if __name__ == "__main__":
    main()
