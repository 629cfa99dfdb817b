#!/usr/bin/env python3
"""Times answers to files of `decavox predict` and of ONNX Runtime in Python with soundfile, in
turn.

    predict_files.py --build BUILD --data FOLDER [--threads 2] [--rounds 7] [--files 3000]
                     [--models lightweight,mini,...] [--out FILE]

FOLDER has recordings at 8 kHz. Each program answers --files of them in a round, and the same at 16
kHz. Both use the model that decavox exports, from samples to probabilities. The peer reads with
soundfile, resamples with soxr, and is timed in each of its forms:
    threads   each of the Python threads reads a file and runs a session of one thread
    session   files are read one after the other, for one session of all threads
    batches   all threads read, and files are padded to the longest of 32, for one session
The fastest form counts. decavox's time includes the start of its process; the peer's Python,
imports and session are ready before. All must give the same labels, except `batches`, whose padding
moves the window.

Prints the median files per second, and the median of the ratios within a round. Refuses to measure
if other programs use the processor.
"""
import argparse
import concurrent.futures
import csv
import glob
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import numpy
import onnxruntime
import soundfile
import soxr

from onnx_step import open_session
from records import ROOT, load_of_others, stamp, write_json

MOST_BUSY = 0.1  # processors that other programs may use
BATCH = 32
RATES = (8000, 16000)


class Peer:
    """The exported model in ONNX Runtime."""

    def __init__(self, model, rate, threads):
        self.rate, self.threads = rate, threads
        self.one = open_session(model, 1)
        self.all = open_session(model, threads)
        self.labels = json.loads(self.one.get_modelmeta().custom_metadata_map["labels"])

    def read(self, file):
        samples, rate = soundfile.read(file, dtype="float32")
        return samples if rate == self.rate else soxr.resample(samples, rate, self.rate)

    def best(self, probabilities):
        return [self.labels[k] for k in probabilities.argmax(1)]

    def answer(self, session, samples):
        return session.run(["probabilities"], {"audio": samples})[0]

    def by_threads(self, files):
        answers, place = [None] * len(files), iter(range(len(files)))
        lock = threading.Lock()

        def work():
            while True:
                with lock:
                    i = next(place, None)
                if i is None:
                    return
                answers[i] = self.best(self.answer(self.one, self.read(files[i])[None]))[0]
        workers = [threading.Thread(target=work) for _ in range(self.threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return answers

    def by_session(self, files):
        return [self.best(self.answer(self.all, self.read(file)[None]))[0] for file in files]

    def by_batches(self, files):
        answers = []
        with concurrent.futures.ThreadPoolExecutor(self.threads) as pool:
            sounds = pool.map(self.read, files)
            for first in range(0, len(files), BATCH):
                part = [next(sounds) for _ in files[first:first + BATCH]]
                batch = numpy.zeros((len(part), max(map(len, part))), numpy.float32)
                for row, samples in zip(batch, part):
                    row[:len(samples)] = samples
                answers += self.best(self.answer(self.all, batch))
        return answers

    def forms(self):
        return {"threads": self.by_threads, "session": self.by_session, "batches": self.by_batches}


def resampled(files, folder, rate):
    """Writes the same recordings at another rate."""
    made = []
    for file in files:
        samples, old = soundfile.read(file, dtype="float32")
        made.append(os.path.join(folder, os.path.basename(file)))
        soundfile.write(made[-1], soxr.resample(samples, old, rate), rate, subtype="PCM_16")
    return made


def run_decavox(arguments, model, names, out):
    """Runs decavox. Returns the labels of the files in the list."""
    subprocess.run([os.path.join(arguments.build, "runner", "decavox"), "predict", model, "--input",
                    names, "--output", out, "--workers", str(arguments.threads), "--force"],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT)
    with open(out, newline="", encoding="utf-8") as file:
        return [row["label"] for row in csv.DictReader(file)]


def measure(arguments, model, files, peer, folder):
    """Returns {program: files per second in each round}. A first round, which does not count, fills
    caches and compares labels."""
    names, out = (os.path.join(folder, name) for name in ("names.txt", "rows.csv"))
    with open(names, "w", encoding="utf-8") as file:
        file.write("".join(f"{os.path.abspath(path)}\n" for path in files))
    programs = {"decavox": lambda paths: run_decavox(arguments, model, names, out)} | peer.forms()
    rates, labels = {name: [] for name in programs}, {}
    for number in range(-1, arguments.rounds):
        order = list(programs)
        turn = number % len(order)
        for name in order[turn:] + order[:turn]:
            begin = time.perf_counter()
            answers = programs[name](files)
            seconds = time.perf_counter() - begin
            if number < 0:
                labels[name] = answers
            else:
                rates[name].append(len(files) / seconds)
    for name in ("threads", "session"):
        if labels[name] != labels["decavox"]:
            sys.exit(f"predict_files: {model}: '{name}' has other labels")
    return rates


def tell(model, rate, rates):
    best = max((name for name in rates if name != "decavox"),
               key=lambda name: statistics.median(rates[name]))
    ratios = [ours / theirs for ours, theirs in zip(rates["decavox"], rates[best])]
    result = {"model": model, "rate": rate, "form": best,
              "files_per_second": {name: round(statistics.median(values))
                                   for name, values in rates.items()},
              "ratio": round(statistics.median(ratios), 2),
              "ratio_spread": [round(min(ratios), 2), round(max(ratios), 2)]}
    print(f"{model}, {rate} Hz: " + ", ".join(f"{name} {value}" for name, value in
                                               result["files_per_second"].items()) +
          f" files/s; {result['ratio']} times '{best}' ({result['ratio_spread'][0]} to "
          f"{result['ratio_spread'][1]})", flush=True)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, help="a release build")
    parser.add_argument("--data", required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--files", type=int, default=3000)
    parser.add_argument("--models", default="lightweight,mini,efficient_fine,advanced_fine,"
                                            "transformer_fine")
    parser.add_argument("--out", default="", help="file for the JSON")
    parser.add_argument("--busy", action="store_true", help="measure on a busy machine, too")
    arguments = parser.parse_args()
    if not arguments.busy and load_of_others() > MOST_BUSY:
        sys.exit("predict_files: other programs use the processor; nothing is measured")
    files = sorted(glob.glob(os.path.join(arguments.data, "*.wav")))[:arguments.files]
    results = []
    with tempfile.TemporaryDirectory() as folder:
        wide = os.path.join(folder, "wide")
        os.makedirs(wide)
        of_rate = {8000: files, 16000: resampled(files, wide, 16000)}
        for model in arguments.models.split(","):
            exported = os.path.join(folder, model + ".onnx")
            subprocess.run([os.path.join(arguments.build, "runner", "decavox"), "export", model,
                            "--out", exported], check=True, stdout=subprocess.DEVNULL, cwd=ROOT)
            peer = Peer(exported, 8000, arguments.threads)
            for rate in RATES:
                rates = measure(arguments, model, of_rate[rate], peer, folder)
                results.append(tell(model, rate, rates))
    if arguments.out:
        write_json(arguments.out, stamp() | {"threads": arguments.threads, "files": len(files),
                                             "onnxruntime": onnxruntime.__version__,
                                             "results": results})


if __name__ == "__main__":
    main()
