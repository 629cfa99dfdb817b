"""Shared by the programs of gpu_first.sh and gpu_second.sh."""
import glob
import json
import os
import shutil
import subprocess
import sys
import tarfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SKIPPED = 77
MOST_BYTES = 15_000_000  # largest file that comes back from another machine
START = time.monotonic()


class Findings:
    """The findings of a line so far, written to the disk after each change. `line` is for the page,
    `figure` also for the summary, and a `problem` makes the line fail."""

    def __init__(self, arguments):
        self.path = os.path.join(arguments.work, arguments.line + ".json")
        self.content = {"lines": [], "figures": [], "problems": []}
        self.lock = threading.Lock()
        self.save()

    def save(self):
        with open(self.path + ".new", "w", encoding="utf-8") as file:
            json.dump(self.content, file, indent=1)
        os.replace(self.path + ".new", self.path)

    def put(self, **more):
        with self.lock:
            self.content |= more
            self.save()

    def line(self, text):
        print(text, flush=True)
        self.add("lines", text)

    def figure(self, text):
        self.line(text)
        self.add("figures", text)

    def problem(self, text):
        print("PROBLEM: " + text, flush=True)
        self.add("problems", text)

    def add(self, key, item):
        with self.lock:
            self.content.setdefault(key, []).append(item)
            self.save()

    def skip(self, reason):
        self.put(skipped=reason)
        print("skipped: " + reason, flush=True)
        sys.exit(SKIPPED)


def read_json(path):
    """Reads JSON. Returns {} if the file is missing or holds no JSON."""
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return {}


def output_of(*command, seconds=60):
    """The program's standard output, or None if it is missing or fails."""
    try:
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              text=True, check=False, timeout=seconds, errors="replace")
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def left(arguments, reserve):
    """The seconds until the line must end, `reserve` before it is killed."""
    return max(1.0, arguments.seconds - reserve - (time.monotonic() - START))


def cores():
    return len(os.sched_getaffinity(0))


def simulated(arguments):
    return arguments.device.startswith("cudasim")


def program(arguments, name):
    """The path of decavox, decavox_bench or a test program in the pack or the build."""
    folder = {"decavox": "runner", "decavox_bench": "benchmarks"}.get(name, "tests")
    return os.path.join(arguments.root, folder, name)


def keep_folder(arguments, findings, folder, name):
    """Packs a folder as OUT/NAME.tar.xz, or reports that it is too large to be brought back."""
    path = os.path.join(arguments.work, name + ".tar.xz")
    with tarfile.open(path, "w:xz", preset=1) as archive:
        archive.add(folder, name)
    size = os.path.getsize(path)
    if size > MOST_BYTES:
        findings.line(f"{name}: {size} bytes packed, not kept: at most {MOST_BYTES}")
        return
    shutil.move(path, os.path.join(arguments.out, name + ".tar.xz"))
    findings.line(f"{name}: in {name}.tar.xz, {size} bytes")


def nvidia_folders(python):
    """The folders of the libraries that NVIDIA's packages have installed for this Python."""
    text = output_of(python, "-c", "import nvidia; print('\\n'.join(nvidia.__path__))", seconds=5)
    return [folder for path in (text or "").splitlines()
            for folder in sorted(glob.glob(path + "/*/lib"))]


def environment(root, python):
    """Environment variables for all programs: the places of libraries and of the CUDA module."""
    folders = [os.path.join(root, "lib"), *nvidia_folders(python),
               *os.environ.get("LD_LIBRARY_PATH", "").split(":")]
    return {"LD_LIBRARY_PATH": ":".join(folder for folder in folders if folder),
            "DECAVOX_MODULE_PATH": os.path.join(root, "runner"), "OMP_NUM_THREADS": "1"}
