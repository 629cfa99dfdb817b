#!/usr/bin/env python3
"""Measures decavox against all its peers and makes the table; scripts/peers.sh prepares and calls.

    measure.py --build BUILD [--part train,infer,features,start] [--quick] [--device cuda]

A result replaces that of the same configuration in OUT/peers-PROCESSOR.json, so that parts can be
measured one by one. Each result keeps its date and commit.
"""
import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from types import SimpleNamespace

import features
import start
import steps
import table
from records import (PEERS, RESULTS, ROOT, importable, model_path, output_of, processor, stamp,
                     torch_cache, warn_of_load, write_json)

PARTS = ("train", "infer", "features", "start")
TRAINED = "lightweight,advanced,efficient,transformer"
ALL = "advanced,efficient,transformer,ensemble,lightweight,mini,resnet18"
PLAIN = "eager,channels_last,conv1d"  # variants that need no minutes of compiling
QUICK = {"rounds": 2, "warm": 0.05, "block": 0.05}


class Store:
    """The file of results."""

    def __init__(self, folder, name, cores, load, quick):
        slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
        self.path = os.path.join(folder, f"peers-{slug}.json")
        self.load = load
        self.content = {"processor": name, "cores": cores, "results": []}
        if os.path.exists(self.path):
            with open(self.path, encoding="utf-8") as file:
                self.content = json.load(file)
        self.content |= {"system": platform.platform(), "quick": quick}

    def take(self, result):
        result["load_of_others"] = round(self.load, 2)
        kept = [r for r in self.content["results"] if table.key(r) != table.key(result)]
        self.content["results"] = sorted([*kept, result], key=table.key)
        write_json(self.path, self.content)


# ---- on the CPU ----

def settings(arguments, part):
    """The options of the program of a part."""
    chosen = {"build": arguments.build, "python": arguments.python, "device": "cpu",
              "threads": arguments.threads, "inference": part == "infer", "rounds": 9,
              "warm": 1.0, "block": 0.6, "variants": "", "batch": "32", "models": TRAINED}
    if part == "infer":
        chosen |= {"rounds": 7, "warm": 0.5, "block": 0.3, "batch": "1,64", "models": ALL,
                   "variants": PLAIN + ",compile"}
    elif part == "features":
        chosen |= {"rounds": 9, "warm": 0.5, "block": 0.3, "types": "mfcc,mel"}
    elif part == "start":
        chosen |= {"rounds": 15, "models": "lightweight,advanced_fine"}
    if arguments.quick:
        chosen |= QUICK | {"variants": PLAIN}
    for name in ("models", "batch", "rounds", "variants"):
        if getattr(arguments, name):
            chosen[name] = getattr(arguments, name)
    return SimpleNamespace(**chosen)


def measure_on_cpu(arguments, store):
    programs = {"train": steps, "infer": steps, "features": features, "start": start}
    for part in arguments.part.split(","):
        program = programs[part]

        def take(result):
            program.print_record(result)
            store.take(result)
        program.measure_all(settings(arguments, part), take)


def compile_all(arguments):
    """Fills the cache of torch.compile, without timing."""
    for part in arguments.part.split(","):
        chosen = settings(arguments, part)
        if part not in ("train", "infer") or "compile" not in (chosen.variants or "compile"):
            continue
        for model in chosen.models.split(","):
            for batch in chosen.batch.split(","):
                for threads in chosen.threads.split(","):
                    print(f"{part}, {model}, batch {batch}, {threads} thread(s)", flush=True)
                    subprocess.run(
                        [arguments.python, os.path.join(PEERS, "torch_step.py"),
                         model_path(model), "--batch", batch, "--threads", threads,
                         "--trials", "1", *["--inference"] * (part == "infer"),
                         *(["--variants", chosen.variants] if chosen.variants else [])],
                        env=os.environ | torch_cache() | {"OMP_NUM_THREADS": threads},
                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)


# ---- on a GPU, where the programs write files of their own ----

def from_device(part, arguments, result):
    row = {"part": part, "batch": result["batch"], "threads": 0, "device": arguments.device,
           "precision": result.get("precision", "fp32"), "notes": result["notes"],
           "microseconds": result["microseconds"], "decavox": result["microseconds"]["decavox"],
           "peers": result.get("peers", {}), "versions": result.get("versions", {})} | stamp()
    if part == "features":
        return row | {"what": "mfcc"}
    if "best_torch" in result:
        best = result["best_torch"]
        row["peers"] = {"PyTorch": {
            "form": best, "microseconds": result["microseconds"][best],
            "ratio": result["ratio"], "ratio_spread": result["ratio_spread"]}}
        row["versions"] = {"decavox": result["decavox_backend"], "PyTorch": result["torch"]}
    return row | {"model": result["model"], "parameters": result["parameters"]}


def device_command(part, arguments):
    common = ["--build", arguments.build, "--device", arguments.device, "--python",
              arguments.python]
    small = ["--report", "2", "--rounds", "1", "--warm", "0.01", "--block", "0.01"]
    if part == "features":
        return [os.path.join(PEERS, "features.py"), *common, "--batch", arguments.batch or "32,256",
                *(small if arguments.quick else [])]
    infer = part == "infer"
    models = arguments.models or (ALL if infer else TRAINED)
    batch = arguments.batch or ("1,64" if infer else "32")
    chosen = ["--models", models, "--batch", batch, "--precision", "fp32,tf32,fp16,bf16",
              *["--inference"] * infer,
              *(["--rounds", str(arguments.rounds)] if arguments.rounds else ["--rounds", "5"]),
              *(["--variants", arguments.variants] if arguments.variants else [])]
    return [os.path.join(PEERS, "steps.py"), *common, *chosen,
            *([*small, "--no-compile"] if arguments.quick else [])]


def measure_on_device(arguments, store):
    good = True
    for part in arguments.part.split(","):
        if part == "start":
            print("start: measured on the CPU alone")
            continue
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "results.json")
            command = [sys.executable, *device_command(part, arguments), "--out", path]
            good &= subprocess.run(command, check=False).returncode == 0
            if not os.path.exists(path):
                continue
            with open(path, encoding="utf-8") as file:
                content = json.load(file)
        for result in content["results"]:
            if "decavox" in result["microseconds"] and not result.get("problems"):
                store.take(from_device(part, arguments, result))
    return good


def device_name(arguments):
    if arguments.device == "cpu":
        return processor()
    name = output_of("sh", "-c", "nvidia-smi --query-gpu=name --format=csv,noheader 2>/dev/null "
                                 "| head -n 1")
    return name or arguments.device


def parse():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, help="a release build with DV_BENCHMARKS")
    parser.add_argument("--part", default=",".join(PARTS), help="of " + ", ".join(PARTS))
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:N or cudasim")
    parser.add_argument("--quick", action="store_true",
                        help="short, without torch.compile: to try it, the figures mean little")
    parser.add_argument("--prepare", action="store_true",
                        help="only let torch.compile fill its cache; nothing is timed")
    parser.add_argument("--models", default="", help="a comma between")
    parser.add_argument("--batch", default="", help="a comma between")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--variants", default="", help="of PyTorch; see torch_step.py")
    parser.add_argument("--python", default=sys.executable, help="the Python that has the peers")
    parser.add_argument("--out", default="",
                        help="folder; default: benchmarks/results, quick: build/peers/quick")
    arguments = parser.parse_args()
    unknown = [part for part in arguments.part.split(",") if part not in PARTS]
    if unknown:
        parser.error(f"no part '{unknown[0]}'; there are: {', '.join(PARTS)}")
    return arguments


def main():
    arguments = parse()
    missing = importable(arguments.python, "torch", "yaml", "numpy", "safetensors")
    if missing is not None:
        sys.exit(f"measure.py: {arguments.python}: {missing}; scripts/peers.sh installs the peers")
    if arguments.prepare:
        compile_all(arguments)
        return
    usual = os.path.join(ROOT, "build", "peers", "quick") if arguments.quick else RESULTS
    folder = arguments.out or usual
    store = Store(folder, device_name(arguments), os.cpu_count(), warn_of_load(), arguments.quick)
    good = True
    if arguments.device == "cpu":
        measure_on_cpu(arguments, store)
    else:
        good = measure_on_device(arguments, store)
    print("\n" + table.page(store.content))
    print(f"written to {os.path.relpath(store.path)}")
    if folder == RESULTS:
        table.write(RESULTS, table.PAGE)
        print("benchmarks/results/peers.md and docs/performance.md have the table")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
