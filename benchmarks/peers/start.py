#!/usr/bin/env python3
"""Times one prediction from nothing by turns: `decavox predict`, and a Python that imports PyTorch.

    start.py --build BUILD [--models lightweight,advanced] [--rounds 15]

Both read the same checkpoint of checkpoints/ and the same sound file, and are started anew each
time; the file cache is warm. Beside the wall time stands the largest resident memory.
"""
import argparse
import math
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import wave

from records import PEERS, ROOT, output_of, stamp, warn_of_load, write_json

RATE = 8000
NAME = "Python with PyTorch"
THEIRS = os.path.join(PEERS, "predict_torch.py")


def write_sound(path):
    """Half a second that swells and fades, with three partials."""
    count = RATE // 2
    values = []
    for i in range(count):
        swell = math.sin(math.pi * i / count)
        tone = sum(math.sin(2 * math.pi * f * i / RATE) / k for k, f in enumerate((220, 660, 1500),
                                                                                  1))
        values.append(int(8000 * swell * tone))
    with wave.open(path, "wb") as file:
        file.setparams((1, 2, RATE, count, "NONE", ""))
        file.writeframes(struct.pack(f"<{count}h", *values))


def run_once(command):
    """Wall time in microseconds, and largest resident memory in KiB."""
    environment = {k: v for k, v in os.environ.items() if k != "OPENBLAS_CORETYPE"}
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL,
                             env=environment | {"OPENBLAS_NUM_THREADS": "1"})
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"start.py: {' '.join(command)} ended with {child.returncode}")
    return seconds * 1e6, usage.ru_maxrss


def checkpoint_of(model):
    return os.path.join(ROOT, "checkpoints", model + ".safetensors")


def measure(arguments, model, sound):
    checkpoint = checkpoint_of(model)
    commands = {"decavox": [os.path.join(arguments.build, "runner", "decavox"), "predict",
                            checkpoint, sound],
                NAME: [arguments.python, "-B", THEIRS, checkpoint, sound]}
    notes = {}
    if not os.path.exists(THEIRS):
        notes[NAME] = f"{os.path.relpath(THEIRS, ROOT)} is not there"
        del commands[NAME]
    times = {name: [] for name in commands}
    memory = {name: [] for name in commands}
    for number in range(-1, arguments.rounds):  # the first fills the file cache
        for name, command in commands.items():
            wall, peak = run_once(command)
            if number >= 0:
                times[name].append(wall)
                memory[name].append(peak)
    medians = {name: round(statistics.median(values), 1) for name, values in times.items()}
    peers = {}
    if NAME in times:
        ratios = [their / our for their, our in zip(times[NAME], times["decavox"])]
        peers[NAME] = {"form": os.path.basename(THEIRS), "microseconds": medians[NAME],
                       "ratio": round(statistics.median(ratios), 3),
                       "ratio_spread": [round(min(ratios), 3), round(max(ratios), 3)]}
    return {"part": "start", "model": model, "batch": 1, "threads": 0, "precision": "fp32",
            "device": "cpu", "rounds": arguments.rounds, "decavox": medians["decavox"],
            "peers": peers, "microseconds": medians,
            "spread": {name: [round(min(v), 1), round(max(v), 1)] for name, v in times.items()},
            "memory_kib": {name: max(v) for name, v in memory.items()}, "notes": notes,
            "versions": {} if not peers else {"PyTorch": output_of(
                arguments.python, "-c", "import torch; print(torch.__version__)")}} | stamp()


def print_record(result):
    print(f"\n{result['model']}, one prediction from nothing: ms, and MiB of resident memory")
    for name, value in result["microseconds"].items():
        low, high = result["spread"][name]
        print(f"  {name:24}{value / 1e3:10.1f} ({low / 1e3:.1f} to {high / 1e3:.1f})"
              f"{result['memory_kib'][name] / 1024:10.1f}")
    for name, reason in result["notes"].items():
        print(f"  {name:24}not measured: {reason}")
    for name, other in result["peers"].items():
        print(f"  decavox is {other['ratio']:.0f} times as fast as {name}", flush=True)


def measure_all(arguments, take):
    with tempfile.TemporaryDirectory() as folder:
        sound = os.path.join(folder, "sound.wav")
        write_sound(sound)
        for model in arguments.models.split(","):
            if os.path.exists(checkpoint_of(model)):
                take(measure(arguments, model, sound))
            else:
                print(f"{model}: checkpoints/ has no {model}.safetensors", file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, help="a release build")
    parser.add_argument("--models", default="lightweight,advanced", help="of checkpoints/")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--python", default=sys.executable, help="the Python that has PyTorch")
    parser.add_argument("--out", default="", help="file for the JSON")
    arguments = parser.parse_args()
    warn_of_load()
    results = []

    def take(result):
        print_record(result)
        results.append(result)
        if arguments.out:
            write_json(arguments.out, {"results": results})
    measure_all(arguments, take)


if __name__ == "__main__":
    main()
