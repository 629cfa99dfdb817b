#!/usr/bin/env python3
"""The part `start` of measure.py: one prediction by a new process. cold_start.py starts `decavox
predict` and a Python that imports PyTorch in turn; the results have the form of records.py.

    start.py --build BUILD [--models lightweight,advanced_fine] [--rounds 15]

Both read the same checkpoint of checkpoints/ and the same sound file.
"""
import argparse
import json
import math
import os
import struct
import subprocess
import sys
import tempfile
import wave

from records import PEERS, ROOT, output_of, run_part, stamp

RATE = 8000
NAME = "Python with PyTorch"
PROGRAM = os.path.join(PEERS, "cold_start.py")


def write_sound(path):
    """Writes half a second of three partials that swell and fade."""
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


def checkpoint_of(model):
    return os.path.join(ROOT, "checkpoints", model + ".safetensors")


def measure(arguments, model, sound):
    """Measures one model. The fastest of the programs in Python counts."""
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "results.json")
        subprocess.run([arguments.python, "-B", PROGRAM, "--build", arguments.build, "--rounds",
                        str(arguments.rounds), "--python", arguments.python, "--out", out,
                        checkpoint_of(model), sound], check=True)
        with open(out, encoding="utf-8") as file:
            programs = json.load(file)["results"][0]["programs"]
    ours = programs["decavox"]
    best = min((name for name in programs if name != "decavox"),
               key=lambda name: programs[name]["milliseconds"])
    theirs = programs[best]
    version = output_of(arguments.python, "-c", "import torch; print(torch.__version__)")
    return {"part": "start", "model": model, "batch": 1, "threads": 0, "precision": "fp32",
            "device": "cpu", "rounds": arguments.rounds, "notes": {},
            "decavox": 1e3 * ours["milliseconds"],
            "peers": {NAME: {"form": best, "microseconds": 1e3 * theirs["milliseconds"],
                             "ratio": theirs["ratio"], "ratio_spread": theirs["ratio_quartiles"]}},
            "memory_kib": {"decavox": ours["memory_kib"], NAME: theirs["memory_kib"]},
            "programs": programs, "versions": {"PyTorch": version}} | stamp()


def print_record(result):
    other = result["peers"][NAME]
    print(f"{result['model']}: decavox is {other['ratio']:.0f} times as fast as {NAME}, "
          f"{other['form']}", flush=True)


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
    parser.add_argument("--models", default="lightweight,advanced_fine",
                        help="of checkpoints/")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--python", default=sys.executable, help="the Python that has PyTorch")
    parser.add_argument("--out", default="", help="file for the JSON")
    arguments = parser.parse_args()
    run_part(arguments, measure_all, print_record)


if __name__ == "__main__":
    main()
