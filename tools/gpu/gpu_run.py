#!/usr/bin/env python3
"""gpu_first.sh and gpu_second.sh: two short runs on a machine with an NVIDIA GPU.

The first takes at most 390 s and the second 280 s. Each needs this tree, the pack of
scripts/gpu_pack.sh and python3, and PyTorch to compare with it. No program is installed or
compiled. The runs only write the report in --out, a cache of torch.compile in .gpu and a temporary
folder.

gpu_plan.py has the lines of a run. Each is cut off after its time. The run ends if the driver, a
library or the device is missing. Any other failure is recorded, and the run goes on. A summary of
one page always comes last. A run leaves at most 8 files in --out.

The exit status is 0 if every line passed or was skipped for a reason that the summary names, 1 if
one failed or was cut off, and 2 for wrong use.
"""
import argparse
import datetime
import glob
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time

import gpu_plan
import gpu_report
from gpu_common import MOST_BYTES, ROOT, SKIPPED, environment, read_json, simulated

LINES = os.path.join(ROOT, "tools", "gpu", "gpu_lines.py")
GRACE = 1.5  # seconds from SIGTERM to SIGKILL, and for SIGKILL to take effect
LOOK_SECONDS = 0.05


class Interrupted(Exception):
    """A signal has arrived, or the run's time is over."""


class Process:
    """A running line, with all its processes in a group of its own."""

    def __init__(self, line, command, log, seconds):
        self.line, self.seconds = line, seconds
        self.begin = time.monotonic()
        with open(log, "w", encoding="utf-8") as file:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file,
                                            stderr=subprocess.STDOUT, start_new_session=True)

    def signal(self, number):
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            pass

    def end(self):
        """Ends the line in any case. A process that does not even die is left behind."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            self.signal(number)
            try:
                self.process.wait(GRACE)
            except subprocess.TimeoutExpired:
                continue
        self.signal(signal.SIGKILL)  # the rest of the group

    def state(self):
        """The line's state, None while it runs."""
        passed = time.monotonic() - self.begin
        status = self.process.poll()
        if status is None and passed < self.seconds:
            return None
        self.end()
        entry = {"status": "failed", "seconds": time.monotonic() - self.begin, "message": ""}
        if status is None:
            entry |= {"status": "cut off", "message": f"not at its end after {self.seconds:.0f} s"}
        elif status in (0, SKIPPED):
            entry["status"] = "passed" if status == 0 else "skipped"
        elif status != 1:
            entry["message"] = f"exit status {status}"
        return entry


class Run:
    def __init__(self, options):
        self.options = options
        self.budget = options.time.get("all", gpu_plan.SECONDS[options.run])
        self.begin = time.monotonic()
        self.work = tempfile.mkdtemp(prefix="decavox-gpu-")
        self.root = options.root or os.path.join(self.work, "root")
        self.data = options.data or os.path.join(self.root, "data")
        self.states, self.notes, self.running = {}, [], []
        self.planned = gpu_plan.UNPACK.seconds  # seconds for the stages up to the present one
        self.tree, self.name = [], "simulated device" if simulated(options) else "no GPU"
        self.date = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")

    def left(self):
        return self.budget - gpu_plan.RESERVE - (time.monotonic() - self.begin)

    # ---- Lines ----

    def seconds_of(self, line):
        wanted = self.options.time.get(line.name, line.seconds)
        if wanted > 0 and line.elastic and line.name not in self.options.time:
            wanted += max(0, self.planned - (time.monotonic() - self.begin))
        return min(wanted or self.left(), self.left())

    def start(self, line):
        seconds = self.seconds_of(line)
        self.states[line.name] = {"what": line.what, "status": "not begun", "seconds": 0,
                                  "budget": max(0, seconds), "message": "no time was left"}
        if seconds < 0.5:
            return
        print(f"==> {line.name} (at most {seconds:.0f} s)", flush=True)
        command = [sys.executable, "-B", LINES, line.name, "--root", self.root, "--work", self.work,
                   "--out", self.options.out, "--data", self.data, "--device", self.options.device,
                   "--first", self.options.first, "--seconds", str(seconds), "--python",
                   self.options.python, *["--quick"] * self.options.quick]
        self.running.append(Process(line, command, os.path.join(self.work, line.name + ".log"),
                                    seconds))

    def stage(self, lines):
        """Runs lines at the same time. Returns False if one failed that the run cannot do
        without."""
        for line in lines:
            self.start(line)
        self.planned += max(line.seconds for line in lines)
        while self.running:
            for process in list(self.running):
                entry = process.state()
                if entry is not None:
                    self.running.remove(process)
                    self.take(process.line, entry)
            time.sleep(LOOK_SECONDS)
        return all(self.states[line.name]["status"] == "passed" for line in lines if line.must)

    def take(self, line, entry):
        self.states[line.name] |= entry
        print(f"    {line.name}: {entry['status']}, {entry['seconds']:.1f} s", flush=True)
        if line.name == "driver":
            gpu = read_json(os.path.join(self.work, "driver.json")).get("gpu", {})
            self.name = gpu.get("name", self.name)
        self.write()

    # ---- Before the first line ----

    def unpack(self):
        """Unpacks the pack and the cache of the first run. The pack is compared with the tree
        beside it."""
        begin = time.monotonic()
        entry = {"what": gpu_plan.UNPACK.what, "status": "cut off", "seconds": 0,
                 "budget": self.seconds_of(gpu_plan.UNPACK), "message": "the run was ended"}
        self.states["unpack"] = entry
        try:
            if not self.options.root:
                extract(self.options.pack, self.root)
            self.tree = compare_tree(self.root)
            cache = os.path.join(self.options.first, "inductor.tar.xz")
            shutil.rmtree(os.path.join(ROOT, ".gpu", "inductor"), ignore_errors=True)
            if self.options.run == "second" and os.path.exists(cache):
                extract(cache, os.path.join(ROOT, ".gpu"))
            entry |= {"status": "passed", "message": ""}
        except (OSError, tarfile.TarError, EOFError) as error:
            entry |= {"status": "failed", "message": f"{error}: scripts/gpu_pack.sh makes the pack"}
        entry["seconds"] = time.monotonic() - begin
        os.environ.update(environment(self.root, self.options.python))
        os.environ["XDG_CACHE_HOME"] = os.path.join(self.work, "cache")
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = os.path.join(ROOT, ".gpu", "inductor")
        return entry["status"] == "passed"

    # ---- The whole run ----

    def go(self, stages):
        signal.signal(signal.SIGALRM, interrupt)
        signal.alarm(max(1, int(self.budget - gpu_plan.RESERVE) + 1))
        try:
            if self.unpack():
                for stage in stages[1:]:
                    if not self.stage(stage):
                        self.notes.append(f"The run ended after {stage[0].name}, without which "
                                          "there is nothing to do.")
                        break
        except Interrupted as error:
            self.notes.append(f"The run was ended: {error}.")
        for number in (signal.SIGALRM, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        for process in self.running:
            process.signal(signal.SIGTERM)
        for process in self.running:
            process.end()
            self.states[process.line.name] |= {
                "status": "cut off", "seconds": time.monotonic() - process.begin,
                "message": "the run was ended"}
        for line in gpu_plan.lines_of(stages):
            self.states.setdefault(line.name, {
                "what": line.what, "status": "not begun", "seconds": 0, "budget": line.seconds,
                "message": gpu_report.NO_MORE})

    def report(self):
        return {"device": self.name, "run": self.options.run, "date": self.date,
                "seconds": time.monotonic() - self.begin, "budget": self.budget,
                "command": sys.argv[1:], "tree": self.tree, "notes": self.notes,
                "lines": gpu_report.collect(self.work, self.states)}

    def write(self):
        """Writes the report so far. Returns its path without the ending, or None."""
        try:
            return gpu_report.write(self.options.out, self.report())
        except OSError as error:
            note = f"The report could not be written: {error}."
            self.notes += [note] * (note not in self.notes)
            return None

    def merge_logs(self, path):
        """Writes all logs to one file, or only their ends if they are too long together."""
        logs = sorted(glob.glob(os.path.join(self.work, "*.log")), key=os.path.getmtime)
        each = MOST_BYTES // max(1, len(logs))
        with open(path + ".log", "wb") as out:
            for log in logs:
                out.write(f"==== {os.path.basename(log)}\n".encode())
                with open(log, "rb") as file:
                    file.seek(max(0, os.path.getsize(log) - each))
                    shutil.copyfileobj(file, out)

    def finish(self):
        """Writes the report and prints the summary, even if the report cannot be written."""
        path = self.write()
        if path is not None:
            self.notes.append(f"The report is in {path}.json and .txt, the logs in .log.")
            try:
                self.merge_logs(path)
            except OSError as error:
                self.notes.append(f"The logs could not be written: {error}.")
            self.write()
        report = self.report()
        print("\n" + gpu_report.summary(report), end="", flush=True)
        shutil.rmtree(self.work, ignore_errors=True)
        good = all(entry["status"] in ("passed", "skipped") for entry in report["lines"].values())
        return 0 if good else 1


def interrupt(number, frame):
    del frame
    reason = "its time was over" if number == signal.SIGALRM else signal.Signals(number).name
    raise Interrupted(reason)


def extract(path, folder):
    with tarfile.open(path, "r:xz") as archive:
        if hasattr(tarfile, "data_filter"):
            archive.extraction_filter = tarfile.data_filter
        archive.extractall(folder)


def git_hash(path):
    """Git's hash of a file's content, None without the file."""
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError:
        return None
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def compare_tree(root):
    """Lines about the commit of the pack, and whether this tree is the same."""
    try:
        with open(os.path.join(root, "commit.txt"), encoding="utf-8") as file:
            commit = file.read().strip()
        with open(os.path.join(root, "tree.txt"), encoding="utf-8") as file:
            wanted = [line.rstrip("\n").split(" ", 1) for line in file]
    except FileNotFoundError:
        return [f"not a pack but the folder {root}"]
    other = [name for digest, name in wanted if git_hash(os.path.join(ROOT, name)) != digest]
    lines = [f"pack of commit {commit}"]
    if other:
        lines.append(f"THE TREE BESIDE THE PACK IS ANOTHER ONE: {len(other)} files differ, "
                     f"{', '.join(other[:4])}" + ", ..." * (len(other) > 4))
    return lines


# ---- Options ----

def timing(text):
    name, _, seconds = text.partition("=")
    if not re.fullmatch(r"\d+(\.\d+)?", seconds):
        raise argparse.ArgumentTypeError(f"'{text}' is not LINE=SECONDS")
    return name, float(seconds)


def device(text):
    if not re.fullmatch(r"cuda|cuda:\d+|cudasim", text):
        raise argparse.ArgumentTypeError(f"'{text}' is none of cuda, cuda:N and cudasim")
    return text


def parse():
    parser = argparse.ArgumentParser(prog=f"gpu_{sys.argv[1]}.sh", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", choices=gpu_plan.SECONDS, help=argparse.SUPPRESS)
    parser.add_argument("--device", type=device, default="cuda",
                        help="cuda, cuda:N, or cudasim, the simulated device; default: cuda")
    parser.add_argument("--out", help="folder of the report; default: $OUT if it is set, else "
                        "benchmarks/results, or for the simulated device .gpu/report")
    parser.add_argument("--python", default="python3",
                        help="the Python that has PyTorch; default: python3")
    parser.add_argument("--data", default="", help="recordings; default: those of the pack")
    parser.add_argument("--pack", default=os.path.join(ROOT, ".gpu", "decavox.tar.xz"),
                        help="default: .gpu/decavox.tar.xz")
    parser.add_argument("--root", default="", help="a folder with the content of the pack, or a "
                        "build with tests and benchmarks, in place of the pack")
    parser.add_argument("--first", default=os.path.join(ROOT, ".gpu", "first"),
                        help="what the first run has left, for the second; default: .gpu/first")
    parser.add_argument("--single", action="store_true", help="of the first run: there will be no "
                        "second one, so that what matters most comes first")
    parser.add_argument("--lines", default="", help="these alone, a comma between; default: all")
    parser.add_argument("--quick", action="store_true",
                        help="the smallest sizes, to try the run: figures mean nothing")
    parser.add_argument("--time", type=timing, action="append", default=[],
                        metavar="LINE=SECONDS", help="another time for a line; all=SECONDS: for "
                        "the whole run")
    options = parser.parse_args()
    stages = gpu_plan.SECOND if options.run == "second" else (
        gpu_plan.SINGLE if options.single else gpu_plan.FIRST)
    if options.single and options.run == "second":
        parser.error("--single is for the first run")
    options.time = dict(options.time)
    options.lines = options.lines.split(",") if options.lines else []
    known = [line.name for line in gpu_plan.lines_of(stages)]
    for name in [*options.lines, *options.time]:
        if name not in known and (name != "all" or name in options.lines):
            parser.error(f"no line '{name}'; there are: {' '.join(known)}")
    if options.lines:
        stages = gpu_plan.chosen(stages, options.lines)
    options.out = os.path.abspath(options.out or os.environ.get("OUT") or os.path.join(
        ROOT, *((".gpu", "report") if simulated(options) else ("benchmarks", "results"))))
    for name in ("data", "root", "first", "pack"):
        path = getattr(options, name)
        setattr(options, name, os.path.abspath(path) if path else "")
    try:
        os.makedirs(options.out, exist_ok=True)
    except OSError as error:
        parser.error(f"--out: {error}")
    return options, stages


def main():
    options, stages = parse()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, interrupt)
    run = Run(options)
    run.go(stages)
    sys.exit(run.finish())


if __name__ == "__main__":
    main()
