"""Shared by the tests of the whole program: running it, tiny data, small configurations.

Each test file is run as `python3 FILE BINARY` and needs only the standard library.
"""
import csv
import fcntl
import json
import math
import os
import random
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import unicodedata
import unittest
from unittest import mock
import wave

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RATE = 8000
GOOD, FAILED, USAGE = 0, 1, 2

MODEL = """\
  name: small
  layers:
    - frames:
    - conv2d: {filters: 16, kernel: [1, 3], name: conv_1}
    - batchnorm: {activation: relu, name: norm_1}
    - maxpool: {kernel: [1, 2]}
    - conv2d: {filters: 24, kernel: [1, 3], name: conv_2}
    - batchnorm: {activation: relu, name: norm_2}
    - global_maxpool:
    - dropout: {rate: 0.2}
    - linear: {units: classes, name: head}
"""

CONFIG = """\
data:
  split: official
  validation: 0.2
features:
  n_mels: 32
augment:
  shift: 0.05
  gain: 3
model:
{model}
train:
  epochs: {epochs}
  batch_size: 8
  learning_rate: 0.01
  checkpoint_seconds: 0
"""


def binary():
    return os.path.abspath(BINARY)


def release_binary():
    """The program of the release build, if $DECAVOX_RELEASE_BUILD names one, for tests that take
    long and look for no memory errors."""
    build = os.environ.get("DECAVOX_RELEASE_BUILD")
    return os.path.join(os.path.abspath(build), "runner", "decavox") if build else binary()


def environment(threads=1):
    """The environment of a call, with one OpenMP thread, or for None the program's own number. The
    device `auto` is the CPU, even on a machine with a GPU, because no module is found unless a test
    sets its place."""
    variables = {"DECAVOX_MODULE_PATH": ""} | os.environ
    variables.pop("OMP_NUM_THREADS", None)
    if threads is not None:
        variables["OMP_NUM_THREADS"] = str(threads)
    return variables


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err


def decavox(*arguments, threads=1, limit=None, stdout=None, timeout=120, folder=None):
    """Runs decavox to its end. `limit` is the largest file that it may write, in bytes."""

    def limit_files():
        # A write over the limit then fails with EFBIG, as one on a full disk with ENOSPC.
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    command = [binary(), *[os.fsencode(a) if isinstance(a, str) else a for a in arguments]]
    done = subprocess.run(command, stdout=stdout or subprocess.PIPE, stderr=subprocess.PIPE,
                          env=environment(threads), timeout=timeout, cwd=folder,
                          preexec_fn=limit_files if limit is not None else None)
    return Result(done.returncode, (done.stdout or b"").decode(errors="replace"),
                  done.stderr.decode(errors="replace"))


def write_wav(path, samples, rate=RATE, kind="h"):
    with wave.open(path, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(struct.calcsize("<" + kind))
        file.setframerate(rate)
        scaled = [int(32767 * max(-1.0, min(1.0, s))) for s in samples]
        file.writeframes(struct.pack(f"<{len(scaled)}{kind}", *scaled))


def write_float_wav(path, samples, rate=RATE):
    """Writes 32-bit IEEE floats, which may be NaN."""
    data = struct.pack(f"<{len(samples)}f", *samples)
    with open(path, "wb") as file:
        file.write(struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16,
                               3, 1, rate, 4 * rate, 4, 32, b"data", len(data)))
        file.write(data)


def tone(digit, speaker, number, count=2400):
    """A sound of the digit's pitch, a little different by speaker and number."""
    draw = random.Random(f"{digit} {speaker} {number}")
    pitch = 280 * 1.5**digit * (1 + 0.03 * speaker) * draw.uniform(0.97, 1.03)
    return [0.5 * math.sin(2 * math.pi * pitch * t / RATE) * math.sin(math.pi * t / count)
            + draw.gauss(0, 0.02) for t in range(count)]


def make_data(folder, digits=4, speakers=("ann", "bob"), count=11):
    """Writes {digit}_{speaker}_{index}.wav, 5 of each for the test part of the official split."""
    os.makedirs(folder)
    for digit in range(digits):
        for s, speaker in enumerate(speakers):
            for i in range(count):
                write_wav(os.path.join(folder, f"{digit}_{speaker}_{i}.wav"), tone(digit, s, i))
    return folder


def cells(text):
    """The cells that a text takes on a terminal."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def cells_before(part, line):
    """The cells of a line before the first `part` in it."""
    return cells(line[:line.index(part)])


def is_free(folder):
    """Whether no process has locked it."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False
    finally:
        os.close(opened)


def write_text(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def read_bytes(path):
    with open(path, "rb") as file:
        return file.read()


def read_text(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def read_stable(path):
    """The bytes of a run's file, report.json without what differs from one training to the next."""
    if os.path.basename(path) != "report.json":
        return read_bytes(path)
    report = json.loads(read_text(path))
    for key in ("seconds", "date", "data", "repeat", "predict", "commit"):
        report["run"].pop(key, None)
    return report


def read_tensors(path):
    """Reads {name: (dtype, bytes)} of a safetensors file, and its metadata."""
    data = read_bytes(path)
    size, = struct.unpack_from("<Q", data)
    header = json.loads(data[8:8 + size])
    metadata = header.pop("__metadata__")
    start = 8 + size
    return {name: (info["dtype"], data[start + info["data_offsets"][0]:
                                       start + info["data_offsets"][1]])
            for name, info in header.items()}, metadata


def change_metadata(path, key, change):
    """Writes a safetensors file again with one text of its metadata changed by `change`, and, like
    other programs, without checksum."""
    data = read_bytes(path)
    size, = struct.unpack_from("<Q", data)
    header = json.loads(data[8:8 + size])
    texts = header["__metadata__"]
    texts[key] = change(texts[key])
    for name in ("decavox.checksum", "decavox.format"):
        texts.pop(name, None)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data[8 + size:])


def read_metrics(run):
    with open(os.path.join(run, "metrics.csv"), encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


class Case(unittest.TestCase):
    """A folder for each test class, with tiny data and a configuration in it."""

    epochs = 3

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="decavox-")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cache = mock.patch.dict(os.environ, XDG_CACHE_HOME=cls.at("cache"))  # instead of the user's
        cache.start()
        cls.addClassCleanup(cache.stop)
        cls.data = make_data(cls.at("data"))
        cls.config = write_text(cls.at("small.yaml"),
                                CONFIG.format(model=MODEL, epochs=cls.epochs))

    @classmethod
    def at(cls, *parts):
        return os.path.join(cls.folder, *parts)

    @classmethod
    def train_once(cls, run, *more, **options):
        """Makes a training that must succeed, for setUpClass."""
        done = decavox("train", cls.config, "--data", cls.data, "--out", run, *more, **options)
        if done.code != GOOD:
            raise AssertionError(done.err + done.out)
        return run

    def ends(self, done, code, *parts):
        """Asserts the exit code, and parts of the message on stderr."""
        self.assertEqual(done.code, code, done.err + done.out)
        for part in parts:
            self.assertIn(part, done.err)
        self.assertNotIn("Sanitizer", done.err)
        self.assertNotIn("runtime error", done.err)
        return done


def main():
    global BINARY
    if len(sys.argv) < 2:
        sys.exit(f"usage: {sys.argv[0]} BINARY [unittest options]")
    BINARY = sys.argv.pop(1)
    unittest.main(module="__main__", verbosity=2)
