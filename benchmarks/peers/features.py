#!/usr/bin/env python3
"""Times decavox's front-end and others in turn, from waveforms of one second to features.

    features.py --build BUILD [--threads 1,2] [--types mfcc,mel]
    features.py --build BUILD --device cuda [--batch 32,256]

The first form compares with librosa, torchaudio and PyTorch. The second compares MFCC on a device,
on the CPU, and by PyTorch on the device.

The figure is utterances of one second per second, from the median of all times of a contender.
"""
import argparse
import os
import statistics
import subprocess
import sys

from device_steps import torch_device, why_no_torch
from records import (PEERS, Child, Contender, by_turns, module_path, peer, program, quartiles,
                     run_part, stamp, write_json)

# Programs that answer `run FORM K`, and whether they compute other features than MFCC.
PROGRAMS = {"PyTorch": ("torch_features.py", "torch", False),
            "torchaudio": ("torchaudio_features.py", "torchaudio", True),
            "librosa": ("librosa_features.py", "librosa", True)}
OWN = {"PyTorch": ["stft"]}  # own forms of a program that also has others' forms


def bench(arguments, batch, *options):
    return [*program(arguments.build, "features"), "--batch", str(batch), *options]


def versions_of(child):
    return {key: value for key, value in child.about.items() if isinstance(value, str)}


# ---- on the CPU ----

def start_peers(arguments, kind, batch, threads):
    """Starts the programs. Returns them by peer, and the reasons why others are missing."""
    common = ["--batch", str(batch), "--threads", str(threads)]
    children, notes = [], {}
    for name, (script, module, all_kinds) in PROGRAMS.items():
        if not all_kinds and kind != "mfcc":
            continue
        if not is_there(arguments.python, module):
            notes[name] = f"no {module} in {arguments.python}"
            continue
        command = [arguments.python, os.path.join(PEERS, script), *common,
                   *(["--type", kind] if all_kinds else [])]
        children.append((name, Child(script, command, threads)))
    return children, notes


def is_there(python, module):
    """Whether the module exists, without importing it, which torchaudio may refuse."""
    test = f"import importlib.util as u, sys; sys.exit(u.find_spec('{module}') is None)"
    return subprocess.run([python, "-c", test], check=False).returncode == 0


def measure_cpu(arguments, kind, batch, threads):
    ours = Child("features", bench(arguments, batch, "--threads", str(threads), "--type", kind),
                 threads)
    children, notes = start_peers(arguments, kind, batch, threads)
    ours.ready()
    decavox = Contender("decavox", ours, "run", arguments.block)
    groups, versions = {}, {}
    for name, child in children:
        child.ready()
        notes |= child.about["skipped"]
        versions |= versions_of(child)
        groups[name] = [Contender(form, child, f"run {form}", arguments.block)
                        for form in child.about["variants"] if form in OWN.get(name, [form])]
    contenders = [decavox, *sum(groups.values(), [])]
    by_turns(contenders, arguments.rounds, arguments.warm)
    for child in (ours, *[child for _, child in children]):
        child.close()
    notes.pop("stft_graph", None)  # a form for GPUs
    return {"part": "features", "what": kind, "batch": batch, "threads": threads,
            "precision": "fp32", "device": "cpu", "rounds": arguments.rounds,
            "features": f"{ours.about.get('rows')} x {ours.about.get('frames')}",
            "decavox": round(statistics.median(decavox.medians), 1),
            "peers": {name: peer(group, decavox) for name, group in groups.items()},
            "microseconds": {c.name: round(statistics.median(c.medians), 1) for c in contenders},
            "cpu_microseconds": {c.name: round(statistics.median(c.cpu), 1) for c in contenders},
            "notes": notes, "versions": versions} | stamp()


def print_record(result):
    print(f"\nfeatures {result['what']}, batch {result['batch']}, {result['threads']} thread(s): "
          "utterances per second")
    for name, value in sorted(result["microseconds"].items(), key=lambda item: item[1]):
        print(f"  {name:24}{1e6 * result['batch'] / value:12.0f}")
    for name, reason in result["notes"].items():
        print(f"  {name:24}not measured: {reason}")
    for name, other in result["peers"].items():
        print(f"  decavox is {other['ratio']:.2f} times as fast as {name}, {other['form']}",
              flush=True)


def measure_all(arguments, take):
    for kind in arguments.types.split(","):
        for batch in arguments.batch.split(","):
            for threads in arguments.threads.split(","):
                take(measure_cpu(arguments, kind, int(batch), int(threads)))


# ---- on a device ----

def children_on_device(arguments, batch, reason):
    """The names and programs of the contenders' processes."""
    cores = len(os.sched_getaffinity(0))
    report = ["--report", str(arguments.report)]
    environment = module_path(arguments.build)
    wanted = {"decavox": bench(arguments, batch, *report, "--device", arguments.device),
              "decavox_cpu_1": bench(arguments, batch, "--threads", "1"),
              f"decavox_cpu_{cores}": bench(arguments, batch, "--threads", str(cores))}
    made = [(name, Child(name, command, cores, must=False, environment=environment))
            for name, command in wanted.items()]
    if reason is None:
        made.append(("torch", Child("torch_features", [
            arguments.python, os.path.join(PEERS, "torch_features.py"), "--batch", str(batch),
            *report, "--device", torch_device(arguments.device)], 1, must=False)))
    return made


def measure_on_device(arguments, batch, reason):
    contenders, notes, about, versions = [], {}, {}, {}
    made = children_on_device(arguments, batch, reason)
    for name, child in made:
        if not child.ready(60):
            notes[name] = child.problem
        elif name == "torch":
            notes |= child.about["skipped"]
            versions = versions_of(child)
            contenders += [Contender(variant, child, f"run {variant}", arguments.block)
                           for variant in child.about["variants"]]
        else:
            about = about or child.about
            contenders.append(Contender(name, child, "run", arguments.block))
    running = by_turns(contenders, arguments.rounds, arguments.warm, before=0)
    for _, child in made:
        child.kill()
    for contender in contenders:
        if contender not in running:
            notes[contender.name] = f"failed: {contender.child.problem}"
    result = {"batch": batch, "features": f"{about.get('rows')} x {about.get('frames')}",
              "utterances_per_second": {c.name: round(batch * 1e6 / statistics.median(c.all))
                                        for c in running},
              "microseconds": {c.name: round(statistics.median(c.all), 2) for c in running},
              "quartiles": {c.name: [round(v, 2) for v in quartiles(c.all)] for c in running},
              "notes": notes, "versions": versions}
    ours = [c for c in running if c.name == "decavox"]
    theirs = [c for c in running if not c.name.startswith("decavox")]
    if ours and theirs:
        result["peers"] = {"PyTorch": peer(theirs, ours[0])}
    return result


def run_on_device(arguments):
    """Measures all batch sizes. Returns the exit status."""
    reason = why_no_torch(arguments)
    content = {"device": arguments.device, "results": []}
    if reason is not None:
        content["without_torch"] = reason
    for batch in arguments.batch.split(","):
        result = measure_on_device(arguments, int(batch), reason)
        content["results"].append(result)
        print(f"batch {batch}, features {result['features']}: utterances per second")
        for name, value in result["utterances_per_second"].items():
            print(f"  {name:24}{value:12}")
        for name, note in result["notes"].items():
            print(f"  {name:24}not measured: {note}")
        if arguments.out:
            write_json(arguments.out, content)
    good = all("decavox" in r["utterances_per_second"] for r in content["results"])
    return 0 if good else 1


def add_options(parser):
    parser.add_argument("--build", required=True, help="a release build with DV_BENCHMARKS")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:N or cudasim")
    parser.add_argument("--batch", default="", help="a comma between; default: 32, on a device "
                        "32,256")
    parser.add_argument("--threads", default="1", help="on the CPU, a comma between")
    parser.add_argument("--types", default="mfcc", help="mfcc,mel,spectrogram, on the CPU")
    parser.add_argument("--report", type=int, default=64, help="batches to a time, on a device")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--block", type=float, default=0.1)
    parser.add_argument("--warm", type=float, default=0.2)
    parser.add_argument("--python", default=sys.executable, help="the Python that has the peers")
    parser.add_argument("--out", default="", help="file for the JSON")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    arguments = parser.parse_args()
    if arguments.device != "cpu":
        arguments.batch = arguments.batch or "32,256"
        sys.exit(run_on_device(arguments))
    arguments.batch = arguments.batch or "32"
    run_part(arguments, measure_all, print_record)


if __name__ == "__main__":
    main()
