#!/usr/bin/env python3
"""Shows that a build is no slower and takes no more memory than an older one.

    before_after.py OLD_BUILD NEW_BUILD [--rounds 15] [--limit 1.02]

Both are release builds with benchmarks. Training steps, forward passes, features and `decavox
predict` as a new process are measured in turn on one thread. The old build is measured twice, and
its distance from itself is the noise. The medians, the ratio of new to old, and that of old to old
are printed. The exit code is 1 if a ratio is above the limit and beyond the quartiles of old
against old.
"""
import argparse
import os
import statistics
import sys
import tempfile

from contest import ROOT, Child, Contender, blas_environment, by_turns, load_of_others, program, \
    quartiles

sys.path.insert(0, os.path.join(ROOT, "benchmarks", "peers"))
from cold_start import Program
from start import write_sound

MODELS = os.path.join(ROOT, "configs", "models")
CASES = [(f"{what}, {model}, batch {batch}", "step",
          [os.path.join(MODELS, model + ".yaml"), "--batch", str(batch),
           *(["--inference"] if what == "forward" else [])])
         for what, model, batch in (("training step", "lightweight", 32),
                                    ("training step", "advanced", 32),
                                    ("forward", "lightweight", 1), ("forward", "lightweight", 64),
                                    ("forward", "advanced", 1), ("forward", "advanced", 64),
                                    ("forward", "transformer", 1))]
CASES += [(f"features, {kind}, batch 256", "features", ["--type", kind]) for kind in ("mfcc", "mel")]
STARTED = ("lightweight",)


def worse(name, unit, old, new, again, limit):
    """Prints a line and judges it. `old`, `new` and `again` are the values of the rounds."""
    ratio = statistics.median([n / o for n, o in zip(new, old)])
    itself = quartiles([a / o for a, o in zip(again, old)])
    bad = ratio > limit and ratio > itself[1]
    print(f"{name:34}{statistics.median(old):11.1f}{statistics.median(new):11.1f} {unit:4}{ratio:7.3f}  old to old "
          f"{itself[0]:.3f} to {itself[1]:.3f}{'  SLOWER' if bad else ''}", flush=True)
    return bad


def measure_steps(arguments, name, part, options):
    builds = [("old", arguments.old), ("new", arguments.new), ("again", arguments.old)]
    children = [Child(side, [*program(build, part), *options, "--threads", "1"], 1)
                for side, build in builds]
    contenders = [Contender(child.name, child, "run", arguments.block) for child in children]
    for child in children:
        child.ready()
    by_turns(contenders, arguments.rounds, arguments.block)
    for child in children:
        child.close()
    return worse(name, "us", *(c.medians for c in contenders), arguments.limit)


def measure_start(arguments, model, tone):
    checkpoint = os.path.join(ROOT, "checkpoints", model + ".safetensors")
    runs = [Program(side, [os.path.join(build, "runner", "decavox"), "predict", checkpoint, tone])
            for side, build in (("old", arguments.old), ("new", arguments.new),
                                ("again", arguments.old))]
    environment = blas_environment() | {"OMP_NUM_THREADS": "1"}
    memory = {run.name: [] for run in runs}
    for number in range(-1, arguments.rounds):
        turn = number % len(runs)
        for run in runs[turn:] + runs[:turn]:
            run.start(environment)
            run.memory = 0
            run.measure_memory(environment)
            memory[run.name].append(run.memory)
    times = [[1e6 * seconds for seconds in run.wall[1:]] for run in runs]  # without the first
    slow = worse(f"predict from nothing, {model}", "us", *times, arguments.limit)
    return worse(f"its memory, {model}", "KiB", *memory.values(), arguments.limit) or slow


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", metavar="OLD_BUILD")
    parser.add_argument("new", metavar="NEW_BUILD")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--block", type=float, default=0.2, help="seconds of a turn")
    parser.add_argument("--limit", type=float, default=1.02)
    arguments = parser.parse_args()
    if arguments.rounds < 3:
        parser.error("--rounds is at least 3: quartiles of fewer say nothing")
    for build in (arguments.old, arguments.new):
        if not os.path.exists(program(build, "")[0]):
            parser.error(f"{build} is no build with benchmarks: {program(build, '')[0]} is not there")
    load = load_of_others()
    if load > 0.25:
        sys.exit(f"before_after.py: others use {load:.2f} processors: the machine is busy")
    slower = [measure_steps(arguments, *case) for case in CASES]
    with tempfile.TemporaryDirectory() as folder:
        tone = os.path.join(folder, "tone.wav")
        write_sound(tone)
        slower += [measure_start(arguments, model, tone) for model in STARTED]
    print(f"{sum(slower)} of {len(slower) + len(STARTED)} slower")
    return 1 if any(slower) else 0


if __name__ == "__main__":
    sys.exit(main())
