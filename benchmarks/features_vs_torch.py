#!/usr/bin/env python3
"""Times the front-end on a device, on the CPU, and PyTorch's on the device, by turns.

    features_vs_torch.py --build BUILD --device cuda [--batch 32,256]

The figure is utterances of one second per second, from the median over all times of a contender.
"""
import argparse
import json
import os
import statistics
import sys

from contest import HERE, Child, Contender, by_turns, module_path, program, quartiles
from device_steps import torch_device, why_no_torch


def children(arguments, batch, reason):
    """Name and program of each contender's process."""
    bench = program(arguments.build, "bench_features")
    cores = len(os.sched_getaffinity(0))
    report = ["--batch", str(batch), "--report", str(arguments.report)]
    environment = module_path(arguments.build)
    wanted = {"decavox": [*bench, *report, "--device", arguments.device],
              "decavox_cpu_1": [*bench, "--batch", str(batch), "--threads", "1"],
              f"decavox_cpu_{cores}": [*bench, "--batch", str(batch), "--threads", str(cores)]}
    made = [(name, Child(name, command, cores, must=False, environment=environment))
            for name, command in wanted.items()]
    if reason is None:
        made.append(("torch", Child("torch_features", [
            arguments.python, os.path.join(HERE, "torch_features.py"), *report, "--device",
            torch_device(arguments.device)], 1, must=False)))
    return made


def measure(arguments, batch, reason):
    contenders, notes, about = [], {}, {}
    made = children(arguments, batch, reason)
    for name, child in made:
        if not child.ready(60):
            notes[name] = child.problem
        elif name == "torch":
            notes |= child.about["skipped"]
            contenders += [Contender(variant, child, f"run {variant}", arguments.block)
                           for variant in child.about["variants"]]
        else:
            about = about or child.about
            contenders.append(Contender(name, child, "run", arguments.block))
    running = by_turns(contenders, arguments.rounds, arguments.warm, before=0)
    for _, child in made:
        child.process.kill()
        child.process.wait()
    for contender in contenders:
        if contender not in running:
            notes[contender.name] = f"failed: {contender.child.problem}"
    return {"batch": batch, "features": f"{about.get('rows')} x {about.get('frames')}",
            "utterances_per_second": {c.name: round(batch * 1e6 / statistics.median(c.all))
                                      for c in running},
            "microseconds": {c.name: round(statistics.median(c.all), 2) for c in running},
            "quartiles": {c.name: [round(v, 2) for v in quartiles(c.all)] for c in running},
            "notes": notes}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, help="a release build with DV_BENCHMARKS")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--batch", default="32,256", help="a comma between")
    parser.add_argument("--report", type=int, default=64, help="batches to a time")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--block", type=float, default=0.1)
    parser.add_argument("--warm", type=float, default=0.2)
    parser.add_argument("--python", default=sys.executable, help="the Python that has PyTorch")
    parser.add_argument("--out", default="", help="file for the JSON")
    arguments = parser.parse_args()
    reason = why_no_torch(arguments)
    content = {"device": arguments.device, "results": []}
    if reason is not None:
        content["without_torch"] = reason
    for batch in arguments.batch.split(","):
        result = measure(arguments, int(batch), reason)
        content["results"].append(result)
        print(f"batch {batch}, features {result['features']}: utterances per second")
        for name, value in result["utterances_per_second"].items():
            print(f"  {name:24}{value:12}")
        for name, note in result["notes"].items():
            print(f"  {name:24}not measured: {note}")
        if arguments.out:
            with open(arguments.out, "w", encoding="utf-8") as file:
                json.dump(content, file, indent=1)
                file.write("\n")
    sys.exit(0 if all("decavox" in r["utterances_per_second"] for r in content["results"]) else 1)


if __name__ == "__main__":
    main()
