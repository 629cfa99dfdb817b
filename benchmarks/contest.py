"""Times two or more programs that do the same, in turn. Shared by the measurements against peers.

All programs are children of one process and wait on their stdin while another one works. Each
answers a command with a line of JSON. The first line, sent when a program is ready, describes it.
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

MOST_STEPS = 60000  # steps of one answer


def blas_environment():
    """An environment in which programs use their own threads, and OpenBLAS chooses its kernels."""
    variables = {k: v for k, v in os.environ.items() if k != "OPENBLAS_CORETYPE"}
    return variables | {"OPENBLAS_NUM_THREADS": "1"}


class Child:
    """One program. A failure with `must` ends this process. Otherwise `problem` holds the reason
    and the child's last words, and kill() shows all its output."""

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
        """Waits for the first line. Returns False if it does not come; `problem` says why."""
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
            pass  # read() reports it
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
        self.last = {}  # the answer to the last block

    def run(self, steps):
        return self.child.ask(f"{self.command} {steps}")

    def warm(self, seconds, least=5):
        """Runs for a while and finds the number of steps of a block. Returns False after a
        failure."""
        if self.run(3) is None:
            return False
        answer = self.run(5)
        if answer is None:
            return False
        one = statistics.median(answer["microseconds"]) * 1e-6
        self.steps = min(MOST_STEPS, max(least, int(self.block_seconds / one)))
        return self.run(min(MOST_STEPS, max(1, int(seconds / one)))) is not None

    def block(self, before=3):
        """Runs a block after `before` steps that wake threads and fill caches. Returns False after
        a failure."""
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
    """Runs blocks of at least `least` steps of all contenders, in a changing order. Returns those
    that did not fail. Ends after the round in which `deadline` (monotonic) passes."""
    running = [c for c in contenders if c.warm(warm, least)]
    for number in range(rounds):
        if not running or deadline is not None and number > 0 and time.monotonic() > deadline:
            break
        turn = number % len(running)
        failed = [c for c in running[turn:] + running[:turn] if not c.block(before)]
        running = [c for c in running if c not in failed]
    return running


def ratios(theirs, ours):
    """The ratio of their time to ours within each round."""
    return [their / our for their, our in zip(theirs.medians, ours.medians)]


def load_of_others():
    """The number of the machine's processors in use over a second, before any program starts."""
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
    """The folder in which a benchmark program finds a device's module, beside `decavox`."""
    return {"DECAVOX_MODULE_PATH": os.path.join(os.path.abspath(build), "runner")}


def output_of(*command):
    result = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                            text=True, check=False)
    return result.stdout.strip()


def processor():
    """The processor as in engine/base/proc.h. A name alone may stand for a whole product line."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        lines = [line.partition(":") for line in file]
    values = {key.strip(): value.strip() for key, _, value in reversed(lines)}  # of the first
    if "model name" not in values:
        return platform.machine()
    if "cpu family" not in values or "model" not in values:
        return values["model name"]
    return f"{values['model name']} (family {values['cpu family']}, model {values['model']})"
