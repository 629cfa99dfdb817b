"""Two or more programs that do the same, timed by turns: what the measurements against peers share.

All programs are children of one process and wait on their stdin while another one works. Each
answers a command with a line of JSON; the first line, sent when it is ready, is about itself.
"""
import json
import os
import platform
import select
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)

MOST_STEPS = 60000  # of one answer


def blas_environment():
    """Threads are the programs' own, and OpenBLAS chooses its kernels."""
    variables = {k: v for k, v in os.environ.items() if k != "OPENBLAS_CORETYPE"}
    return variables | {"OPENBLAS_NUM_THREADS": "1"}


class Child:
    """`must`: without it the program cannot go on, which then ends. Else `problem` tells why, with
    what the child said last, and kill() shows all that it said."""

    def __init__(self, name, command, threads, must=True, environment=None):
        self.name, self.must = name, must
        self.errors = None if must else tempfile.TemporaryFile()
        counts = {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.errors, text=True,
                                        env=blas_environment() | counts | (environment or {}))
        self.about, self.problem = None, None

    def __enter__(self):
        self.ready()
        return self

    def __exit__(self, *_):
        self.close()

    def ready(self, seconds=None):
        """Waits for the first line. False: it did not come, and `problem` says why."""
        if self.about is None and self.problem is None:
            if seconds is not None:
                found, _, _ = select.select([self.process.stdout], [], [], max(0, seconds))
                if not found:
                    self.problem = "not ready in time"
                    self.process.kill()
                    return False
            self.about = self.read()
        return self.problem is None

    def read(self):
        line = self.process.stdout.readline()
        if line:
            return json.loads(line)
        self.problem = f"{self.name} ended with {self.process.wait()}"
        self.problem += "".join(": " + line[:300] for line in self.said().splitlines()[-1:])
        if self.must:
            sys.exit(self.problem)
        return None

    def said(self):
        if self.errors is None:
            return ""
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace").strip()

    def ask(self, command):
        try:
            self.process.stdin.write(command + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # read() tells
        return self.read()

    def close(self):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        self.process.wait()

    def kill(self):
        self.process.kill()
        self.process.wait()
        if self.said():
            print(self.said(), file=sys.stderr, flush=True)


class Contender:
    """One way to do the step, and the times of its blocks in microseconds."""

    def __init__(self, name, child, command, block_seconds):
        self.name, self.child, self.command = name, child, command
        self.block_seconds = block_seconds
        self.medians, self.all, self.cpu, self.steps = [], [], [], 0
        self.last = {}  # answer to the last block

    def run(self, steps):
        return self.child.ask(f"{self.command} {steps}")

    def warm(self, seconds, least=5):
        """Runs for a while and finds out how many steps make a block. False: it has failed."""
        if self.run(3) is None:
            return False
        answer = self.run(5)
        if answer is None:
            return False
        one = statistics.median(answer["microseconds"]) * 1e-6
        self.steps = min(MOST_STEPS, max(least, int(self.block_seconds / one)))
        return self.run(min(MOST_STEPS, max(1, int(seconds / one)))) is not None

    def block(self, before=3):
        """`before`: steps that bring threads and caches back. False: it has failed."""
        if before > 0 and self.run(before) is None:
            return False
        answer = self.run(self.steps)
        if answer is None:
            return False
        self.medians.append(statistics.median(answer["microseconds"]))
        self.all += answer["microseconds"]
        self.cpu.append(answer["cpu_microseconds"])
        self.last = answer
        return True


def quartiles(values):
    if len(values) < 2:
        return [values[0], values[0]]
    first, _, third = statistics.quantiles(values, n=4, method="inclusive")
    return [first, third]


def by_turns(contenders, rounds, warm, before=3, least=5, deadline=None):
    """Blocks of all, of `least` steps or more, in an order that turns; those that did not fail.
    `deadline` (monotonic) ends it after the round at hand."""
    running = [c for c in contenders if c.warm(warm, least)]
    for number in range(rounds):
        if not running or deadline is not None and number > 0 and time.monotonic() > deadline:
            break
        turn = number % len(running)
        failed = [c for c in running[turn:] + running[:turn] if not c.block(before)]
        running = [c for c in running if c not in failed]
    return running


def ratios(theirs, ours):
    """Their time over ours within each round."""
    return [their / our for their, our in zip(theirs.medians, ours.medians)]


def load_of_others():
    """The machine's processors in use over a second, before anything is started."""
    def busy():
        with open("/proc/stat", encoding="ascii") as file:
            values = [int(v) for v in file.readline().split()[1:]]
        return sum(values) - values[3] - values[4], sum(values)
    first = busy()
    subprocess.run(["sleep", "1"], check=True)
    second = busy()
    return (second[0] - first[0]) / max(1, second[1] - first[1]) * (os.cpu_count() or 1)


def program(build, name):
    """The command that starts a part of a build's benchmark program: "step", "features" or
    "dump_features"."""
    return [os.path.join(build, "benchmarks", "decavox_bench"), name]


def module_path(build):
    """Where a benchmark program finds the module of a device: beside `decavox`."""
    return {"DECAVOX_MODULE_PATH": os.path.join(os.path.abspath(build), "runner")}


def output_of(*command):
    result = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                            text=True, check=False)
    return result.stdout.strip()


def processor():
    """As engine/base/proc.h: a name alone may be that of a whole line of processors."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        lines = [line.partition(":") for line in file]
    values = {key.strip(): value.strip() for key, _, value in reversed(lines)}  # the first's
    if "model name" not in values:
        return platform.machine()
    if "cpu family" not in values or "model" not in values:
        return values["model name"]
    return f"{values['model name']} (family {values['cpu family']}, model {values['model']})"
