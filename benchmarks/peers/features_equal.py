#!/usr/bin/env python3
"""Shows that features of the same clips are equal in decavox, librosa and torchaudio, then times
them in turn on one thread.

    features_equal.py --build BUILD [--types mfcc,mel,spectrogram] [--batch 32] [SOUND...]

The clips are seconds of the sound files (WAV, 8 kHz, 16 bits, one channel; repeated to the batch),
or without files tones in noise; their means are removed. `decavox` goes from samples in memory to
librosa's results. `decavox_whole` does all work before a model in `decavox predict`: mean and level
of the clip, the search for the word, the features, their normalisation. The exit code is 1 if a
value is farther from librosa's than LIMIT of the range of that clip's values.
"""
import argparse
import os
import statistics
import sys
import tempfile
import wave

import numpy

from records import PEERS, Child, Contender, by_turns, program, ratios

RATE, LIMIT = 8000, 2e-4


def second_of(path):
    with wave.open(path) as file:
        if (file.getframerate(), file.getsampwidth(), file.getnchannels()) != (RATE, 2, 1):
            sys.exit(f"{path}: must have {RATE} Hz, 16 bits, one channel")
        samples = numpy.frombuffer(file.readframes(RATE), "<i2") / 32768
    return numpy.pad(samples, (0, RATE - len(samples)))


def make_clips(arguments):
    """Makes the clips (batch, 8000)."""
    if arguments.sounds:
        found = [second_of(path) for path in arguments.sounds[:arguments.batch]]
        clips = numpy.stack([found[i % len(found)] for i in range(arguments.batch)])
    else:
        random = numpy.random.default_rng(1)
        time = numpy.arange(RATE) / RATE
        low, rise = random.uniform(100, 800, (2, arguments.batch, 1))
        clips = 0.3 * numpy.sin(2 * numpy.pi * (low * time + rise * time ** 2))
        clips += 0.01 * random.standard_normal(clips.shape)
    return (clips - clips.mean(1, keepdims=True)).astype(numpy.float32)


def start(arguments, kind, samples):
    """Starts the programs of one type of features. Returns {contender: (child, command)}."""
    common = ["--type", kind, "--batch", str(arguments.batch), "--threads", "1",
              "--samples", samples]
    bench = program(arguments.build, "features")
    commands = {"decavox": [*bench, *common, "--plain"], "decavox_whole": [*bench, *common]}
    commands |= {name: [arguments.python, os.path.join(PEERS, name + ".py"), *common, "--plain"]
                 for name in ("librosa_features", "torchaudio_features")}
    children = {name: Child(name, command, 1, must=name.startswith("decavox"))
                for name, command in commands.items()}
    forms = {}
    for name, child in children.items():
        if not child.ready():
            print(f"  {name}: not measured: {child.problem}")
            continue
        if name.startswith("decavox"):
            forms[name] = (child, "whole" if name == "decavox_whole" else "run")
            continue
        for form, reason in child.about["skipped"].items():
            print(f"  {form}: not measured: {reason}")
        forms |= {form: (child, f"run {form}") for form in child.about["variants"]}
    return children, forms


def features_of(name, child, batch, folder):
    """The features (batch, values) of a form."""
    path = os.path.join(folder, name)
    if name == "decavox":
        child.ask("run 1")
        child.ask(f"features {path}")
    else:
        child.ask(f"features {name} {path}")
    return numpy.fromfile(path, numpy.float32).reshape(batch, -1)


def distances(forms, batch, folder):
    """The largest distance of each form from librosa's values, as a share of the clip's range."""
    truth = features_of("librosa", forms["librosa"][0], batch, folder).astype(numpy.float64)
    span = truth.max(1) - truth.min(1)
    return {name: float((abs(features_of(name, child, batch, folder) - truth).max(1) / span).max())
            for name, (child, _) in forms.items() if name not in ("librosa", "decavox_whole")}


def measure(arguments, kind, samples, folder):
    """Compares and times one type of features. Returns whether all agree."""
    print(f"{kind}, {arguments.batch} clips of one second, one thread")
    children, forms = start(arguments, kind, samples)
    if "librosa" not in forms:
        sys.exit("features_equal: there is no librosa to compare with")
    apart = distances(forms, arguments.batch, folder)
    contenders = {name: Contender(name, child, command, arguments.block)
                  for name, (child, command) in forms.items()}
    by_turns(list(contenders.values()), arguments.rounds, arguments.warm)
    for child in children.values():
        child.close()
    ours = contenders["decavox"]
    for name, contender in contenders.items():
        one = statistics.median(contender.medians) / arguments.batch
        times = ratios(contender, ours)
        note = f"farthest from librosa {apart[name]:.1e}" if name in apart else ""
        print(f"  {name:18}{one:9.1f} us a clip {statistics.median(times):8.2f} times decavox's "
              f"({min(times):.2f} to {max(times):.2f})  {note}", flush=True)
    return all(value <= LIMIT for value in apart.values())


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, help="a release build with DV_BENCHMARKS")
    parser.add_argument("--types", default="mfcc,mel,spectrogram", help="a comma between")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--block", type=float, default=0.05)
    parser.add_argument("--warm", type=float, default=0.1)
    parser.add_argument("--python", default=sys.executable, help="the Python that has the peers")
    parser.add_argument("sounds", nargs="*", metavar="SOUND")
    arguments = parser.parse_args()
    equal = True
    with tempfile.TemporaryDirectory() as folder:
        samples = os.path.join(folder, "samples")
        make_clips(arguments).tofile(samples)
        for kind in arguments.types.split(","):
            equal = measure(arguments, kind, samples, folder) and equal
    if not equal:
        sys.exit(f"features_equal: not equal: farther than {LIMIT} of a clip's range")


if __name__ == "__main__":
    main()
