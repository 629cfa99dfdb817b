#!/usr/bin/env python3
"""Times decavox's training step and PyTorch's by turns, on the same machine at the same time.

    step_vs_torch.py --build BUILD [--models lightweight,advanced] [--threads 1,2] [--batch 32]
    step_vs_torch.py --build BUILD --inference --batch 1
    step_vs_torch.py --build BUILD --device cuda --batch 32,128,512 --precision fp32,fp16,bf16

Both programs are children of this one and wait while the other works. A round is a block of steps
of each contender, in an order that turns from round to round; a block's figure is its median step.
The result is PyTorch's best variant against decavox, as the median over rounds of the ratio within
a round, with the smallest and the largest. Prints a table and writes it with versions, processor
and commit to benchmarks/results/cpu-PROCESSOR.json (under a key for each way of measuring).
With --device the work is done on a GPU: device_steps.py.
"""
import argparse
import datetime
import json
import os
import platform
import re
import shlex
import statistics
import sys

import device_steps
from contest import (HERE, ROOT, Child, Contender, by_turns, load_of_others, output_of, processor,
                     program, ratios)

BUSY = 0.4  # load of others, in processors, from which the figures are worth little
BLOCK_SECONDS = 0.6


def measure(arguments, model, threads):
    """All contenders on one model with one number of threads; the record of the result."""
    path = os.path.join(ROOT, "configs", "models", model + ".yaml")
    common = [path, "--batch", arguments.batch, "--threads", str(threads)]
    if arguments.inference:
        common.append("--inference")
    ours = Child("bench_step", [*program(arguments.build, "bench_step"), *common], threads)
    extra = ["--variants", arguments.variants] if arguments.variants else []
    torch = Child("torch_step", [sys.executable, os.path.join(HERE, "torch_step.py"), *common,
                                 *extra], threads)
    ours.ready()
    torch.ready()
    if ours.about["parameters"] != torch.about["parameters"]:
        sys.exit(f"{model}: {ours.about['parameters']} parameters, in PyTorch "
                 f"{torch.about['parameters']}")
    contenders = [Contender("decavox", ours, "run", BLOCK_SECONDS)]
    contenders += [Contender(name, torch, f"run {name}", BLOCK_SECONDS)
                   for name in torch.about["variants"]]
    by_turns(contenders, arguments.rounds, arguments.warm)
    ours.close()
    torch.close()
    return record(arguments, model, threads, contenders, ours.about, torch.about)


def record(arguments, model, threads, contenders, ours, torch):
    decavox, *others = contenders
    best = min(others, key=lambda c: statistics.median(c.medians))
    times = ratios(best, decavox)
    return {
        "model": model, "batch": int(arguments.batch), "threads": threads,
        "what": "inference" if arguments.inference else "training step",
        "parameters": ours["parameters"], "rounds": arguments.rounds,
        "microseconds": {c.name: round(statistics.median(c.medians), 1) for c in contenders},
        "spread": {c.name: [round(min(c.medians), 1), round(max(c.medians), 1)]
                   for c in contenders},
        "cpu_microseconds": {c.name: round(statistics.median(c.cpu), 1) for c in contenders},
        "best_torch": best.name, "ratio": round(statistics.median(times), 3),
        "ratio_spread": [round(min(times), 3), round(max(times), 3)],
        "torch_update": torch["update"], "torch_update_trials": torch["updates"],
        "torch_skipped": torch["skipped"], "decavox_backend": ours["version"],
        "torch": torch["torch"],
    }


def print_record(result):
    print(f"\n{result['model']}, {result['what']}, batch {result['batch']}, "
          f"{result['threads']} thread(s), {result['parameters']} parameters")
    print(f"  {'':24}{'us':>10}{'min':>10}{'max':>10}{'cpu us':>10}")
    for name, time in sorted(result["microseconds"].items(), key=lambda item: item[1]):
        low, high = result["spread"][name]
        print(f"  {name:24}{time:10.0f}{low:10.0f}{high:10.0f}"
              f"{result['cpu_microseconds'][name]:10.0f}")
    for name, reason in result["torch_skipped"].items():
        print(f"  {name:24}skipped: {reason}")
    low, high = result["ratio_spread"]
    print(f"  decavox is {result['ratio']:.2f} times as fast as {result['best_torch']} "
          f"({low:.2f} to {high:.2f} over {result['rounds']} rounds)", flush=True)


def write(arguments, results, load):
    name = processor()
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    path = arguments.out or os.path.join(HERE, "results", f"cpu-{slug}.json")
    content = {"processor": name, "cores": os.cpu_count(), "sets": {}}
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
    key = (("inference" if arguments.inference else "training") + f", batch {arguments.batch}")
    content["sets"][key] = {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": output_of("git", "rev-parse", "--short", "HEAD"),
        "changed_files": len(output_of("git", "status", "--porcelain").splitlines()),
        "command": shlex.join(["benchmarks/step_vs_torch.py", *sys.argv[1:]]),
        "python": platform.python_version(), "system": platform.platform(),
        "load_of_others": round(load, 2), "results": results,
    }
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=1)
        file.write("\n")
    print(f"\nwritten to {os.path.relpath(path)}")


def parse():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, help="a release build with DV_BENCHMARKS")
    parser.add_argument("--models", default="lightweight,advanced")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--batch", default="32", help="on a device a list, a comma between")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--warm", type=float, default=1.0, help="seconds for each contender")
    parser.add_argument("--variants", default="", help="of PyTorch, a comma between; default: all")
    parser.add_argument("--inference", action="store_true")
    parser.add_argument("--out", default="", help="file for the JSON")
    device_steps.add_options(parser)
    return parser.parse_args()


def main():
    arguments = parse()
    if arguments.device != "cpu":
        sys.exit(device_steps.run(arguments))
    load = load_of_others()
    if load > BUSY:
        print(f"warning: others use {load:.1f} processors of this machine: "
              "these figures are worth little", file=sys.stderr)
    results = []
    for model in arguments.models.split(","):
        for threads in arguments.threads.split(","):
            results.append(measure(arguments, model, int(threads)))
            print_record(results[-1])
    write(arguments, results, load)


if __name__ == "__main__":
    main()
