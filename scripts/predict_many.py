#!/usr/bin/env python3
"""Shows that `decavox predict --input --output` answers any number of files, whatever happens to
it. Prints one line, and what it is made of before.

    scripts/predict_many.py DECAVOX [--files 1000000] [--data FSDD] [--model NAME] [--work DIR]
                            [--workers N] [--before DECAVOX] [--seed N]

Makes the files in DIR, a temporary folder by default: clips of the Free Spoken Digit Dataset, or
tones where it is not there, each with a gain and an offset of its own, so that no two are alike,
and one in a thousand damaged. Then
    the files are answered; the process is killed twice and goes on each time;
    the file of rows must hold each file once, in order, and tell what is wrong with the damaged;
    four shares of the files, answered one after the other, must give the same rows;
    answers drawn at random must be those of `decavox predict` with that file alone;
    memory must stay flat once the rows come, within 64 MiB;
    with --before, files a second are those of another build's `decavox predict`, by turns.

Needs numpy. Everything is removed in the end. Exit code 0 if all that is shown, 1 if not, 2 if it
was used wrongly.
"""
import argparse
import concurrent.futures
import glob
import json
import os
import random
import re
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import wave

import numpy

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
A_FOLDER = 1000   # files in each
A_DAMAGED = 1001  # one of so many is, in each share
FLAT = 64 << 20   # bytes
TURNS, A_TURN = 5, 20000  # comparisons with another build, and files of each


# ---- The files ----

def clips(data):
    """Recordings as (rate, int16)."""
    found = []
    for path in sorted(glob.glob(os.path.join(data, "*.wav"))) if data else []:
        with wave.open(path) as file:
            found.append((file.getframerate(),
                          numpy.frombuffer(file.readframes(file.getnframes()), numpy.int16)))
    if found:
        return found
    time_axis = numpy.arange(4000) / 8000
    return [(8000, (12000 * numpy.sin(2 * numpy.pi * (300 + 37 * i) * time_axis) *
                    numpy.exp(-3 * time_axis)).astype(numpy.int16)) for i in range(100)]


def wav(rate, samples):
    data = samples.astype("<i2").tobytes()
    return struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16, 1, 1,
                       rate, 2 * rate, 2, 16, b"data", len(data)) + data


def is_damaged(number):
    return number % A_DAMAGED == A_DAMAGED // 2


def damage(number, content):
    kind = number // A_DAMAGED % 4
    return (b"", content[:len(content) // 2], b"no sound at all\n", content[:20])[kind]


def make_part(root, data, first, last):
    """Files first, ..., last - 1. The gain has 13 bits of the number, the offset the others."""
    found = clips(data)
    for number in range(first, last):
        if number % A_FOLDER == 0 or number == first:
            folder = os.path.join(root, f"{number // A_FOLDER:05}")
            os.makedirs(folder, exist_ok=True)
        rate, samples = found[number % len(found)]
        place = number // len(found)
        gain = 0.25 + 0.65 * (place % 509) / 509
        changed = numpy.rint(samples * gain + (place // 509 % 64) * 4 - 128).clip(-32768, 32767)
        content = wav(rate, changed)
        with open(os.path.join(folder, f"{number}.wav"), "wb") as file:
            file.write(damage(number, content) if is_damaged(number) else content)


def make(root, data, count):
    step = A_FOLDER * 10
    with concurrent.futures.ProcessPoolExecutor(os.cpu_count()) as pool:
        jobs = [pool.submit(make_part, root, data, first, min(first + step, count))
                for first in range(0, count, step)]
        for job in jobs:
            job.result()


def path_of(root, number):
    return os.path.join(root, f"{number // A_FOLDER:05}", f"{number}.wav")


def checkpoint(model):
    """The file of a model, which older builds do not know by its name."""
    return model if "/" in model else os.path.join(ROOT, "checkpoints", f"{model}.safetensors")


# ---- Running ----

class Failure(Exception):
    """What is not as it must be."""


def check(good, text):
    if not good:
        raise Failure(text)


class Run:
    """A process that answers, with its memory over time."""

    def __init__(self, command):
        self.memory = []  # resident bytes since rows came
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True)

    def resident(self):
        try:
            with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as file:
                return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except (OSError, IndexError):
            return None

    def watch(self, part, kill_at=None):
        """Until the end, or until the part has so many bytes: then it is killed. Whether it was.
        Memory counts once rows are added: by then all names are in it."""
        before = os.path.getsize(part) if os.path.exists(part) else 0
        while self.process.poll() is None:
            size = os.path.getsize(part) if os.path.exists(part) else 0
            resident = self.resident()
            if size > before and resident:
                self.memory.append(resident)
            if kill_at is not None and size >= kill_at:
                self.process.send_signal(signal.SIGKILL)
                self.process.communicate()
                return True
            time.sleep(0.02)
        self.out, self.err = self.process.communicate()
        return False


def spread(runs):
    return max(max(run.memory) - min(run.memory) for run in runs if run.memory)


def command(arguments, root, out, *more):
    return [arguments.decavox, "predict", arguments.model, "--input", root, "--output", out,
            *(("--workers", str(arguments.workers)) if arguments.workers else ()), *more]


def answer_all(arguments, root, out):
    """Killed twice; the runs, and files a second of the first one up to its kill."""
    runs, row = [], 150  # bytes of a row, about
    for share in (0.3, 0.6, None):
        run = Run(command(arguments, root, out, "--resume"))
        kill_at = share and int(share * arguments.files * row)
        was = run.watch(out + ".part", kill_at)
        check(was == (share is not None), f"ended before it was killed: {getattr(run, 'err', '')}")
        runs.append(run)
    check(runs[-1].process.returncode == 1, f"exit code {runs[-1].process.returncode}, not 1")
    check(not os.path.exists(out + ".part"), "the part is left")
    return runs


def check_rows(root, out, count):
    """Each file once, in order; the damaged ones with their faults. The number of those."""
    damaged = number = 0
    with open(out, encoding="utf-8") as file:
        for number, line in enumerate(file):
            row = json.loads(line)
            check(row["file"] == path_of(root, number), f"row {number} is of {row['file']}")
            check(("error" in row) == is_damaged(number), f"row {number}: {line}")
            damaged += "error" in row
    check(number + 1 == count, f"{number + 1} rows for {count} files")
    return damaged


def check_shares(arguments, root, out, work):
    """Four shares have the rows of the whole between them. The runs."""
    runs, parts = [], [os.path.join(work, f"share{i}.jsonl") for i in range(1, 5)]
    for i, part in enumerate(parts, 1):
        run = Run(command(arguments, root, part, "--shard", f"{i}/4"))
        run.watch(part + ".part")
        check(run.process.returncode == 1, f"share {i}: exit code {run.process.returncode}")
        runs.append(run)
    files = [open(part, encoding="utf-8") for part in parts]
    with open(out, encoding="utf-8") as whole:
        for number, line in enumerate(whole):
            check(files[number % 4].readline() == line, f"share {number % 4 + 1} differs: {line}")
    for file, part in zip(files, parts):
        check(file.readline() == "", "a share has more rows")
        file.close()
        os.unlink(part)
        os.unlink(part + ".job")
    return runs


def check_alone(arguments, root, out, drawn):
    """Answers of one process a file."""
    wanted = set(drawn)
    with open(out, encoding="utf-8") as file:
        rows = {number: json.loads(line) for number, line in enumerate(file) if number in wanted}
    for number in drawn:
        done = subprocess.run([arguments.decavox, "predict", arguments.model, "--format", "json",
                               path_of(root, number)], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True)
        alone, row = json.loads(done.stdout)[0], rows[number]
        for key in ("label", "error", "seconds"):
            check(row.get(key) == alone.get(key), f"{number}: {key}: {row} and {alone}")
        check("error" in row or f"{alone['confidence']:.9g}" == f"{row['confidence']:.9g}",
              f"{number}: {row} and {alone}")


def rate_of_list(arguments, files, before):
    """Files a second of a build with these files; of another build they are operands. Both answer
    all but the damaged ones."""
    good = sum(not is_damaged(int(os.path.basename(file)[:-4])) for file in files)
    begin = time.monotonic()
    if before:
        done = subprocess.run([before, "predict", checkpoint(arguments.model), *files],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        answered = done.stdout.count("\n")
    else:
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as names:
            names.write("".join(f"{file}\n" for file in files))
            names.flush()
            out = names.name + ".csv"
            subprocess.run(command(arguments, names.name, out), stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
        with open(out, encoding="utf-8") as rows:
            answered = sum(row.rstrip("\n").endswith(",") for row in rows)
        os.unlink(out)
        os.unlink(out + ".job")
    seconds = time.monotonic() - begin
    check(answered == good, f"{before or arguments.decavox}: {answered} answers, not {good}")
    return len(files) / seconds


def compare_builds(arguments, root):
    """Medians of files a second, rows and lines counted too: of this build, and of the other."""
    rates = {None: [], arguments.before: []}
    for turn in range(TURNS):
        first = turn * A_TURN % max(1, arguments.files - A_TURN)
        files = [path_of(root, number) for number in
                 range(first, min(first + A_TURN, arguments.files))]
        for before in sorted(rates, key=str, reverse=turn % 2 == 1):
            rates[before].append(rate_of_list(arguments, files, before))
    return [statistics.median(rates[before]) for before in (None, arguments.before)]


def show(arguments, root, work):
    out = os.path.join(work, "rows.jsonl")
    runs = answer_all(arguments, root, out)
    said = re.search(r"(\d+) files \((\d+) of them before\) in ([0-9.]+) s, (\d+)/s, (\d+) failed",
                     runs[-1].out)
    check(said is not None and int(said[1]) == arguments.files, runs[-1].out)
    damaged = check_rows(root, out, arguments.files)
    check(int(said[5]) == damaged, f"{said[5]} failed, {damaged} are damaged")
    print(f"killed twice, gone on: {arguments.files} rows, {damaged} of them with an error, each "
          f"once and in order; {said[4]} files/s", flush=True)
    runs += check_shares(arguments, root, out, work)
    print("four shares: the same rows", flush=True)
    drawn = random.Random(arguments.seed).sample(range(arguments.files),
                                                 min(1000, arguments.files // 50))
    check_alone(arguments, root, out, drawn)
    print(f"{len(drawn)} files alone: the same answers", flush=True)
    text = ""
    if arguments.before:
        now, before = compare_builds(arguments, root)
        text = f", {now:.0f} files/s against {before:.0f}, {now / before:.2f} times as many"
    flat = spread(runs)
    check(flat <= FLAT, f"memory grows by {flat >> 20} MiB")
    peak = max(max(run.memory) for run in runs if run.memory)
    print(f"{arguments.files} files, {damaged} damaged, killed twice, in four shares, {len(drawn)} "
          f"alone: each once, the same answers; memory within {flat / 2**20:.0f} MiB, at most "
          f"{peak / 2**20:.0f} MiB{text}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("decavox")
    parser.add_argument("--files", type=int, default=1000000)
    parser.add_argument("--data", default="")
    parser.add_argument("--model", default="lightweight")
    parser.add_argument("--work", default=None)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--before", default=None)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    work = tempfile.mkdtemp(prefix="decavox-many-", dir=arguments.work)
    try:
        root = os.path.join(work, "files")
        make(root, arguments.data, arguments.files)
        show(arguments, root, work)
    except Failure as failure:
        print(f"NOT SHOWN: {failure}")
        return 1
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
