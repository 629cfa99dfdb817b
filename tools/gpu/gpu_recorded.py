"""The line `recorded`: the nodes of the recorded step of each model and precision."""
import concurrent.futures
import os
import sys

from gpu_common import ROOT, keep_folder, left, program

sys.path.append(os.path.join(ROOT, "benchmarks", "peers"))
from device_steps import step_problems
from records import Child, model_path

MODELS = ("lightweight", "advanced")
PRECISIONS = ("fp32", "tf32", "fp16", "bf16")
STEPS = 60


class Case:
    """One `decavox_bench step` with its commands and result."""

    def __init__(self, arguments, model, precision, what):
        self.arguments, self.model, self.precision, self.what = arguments, model, precision, what
        self.name = f"{model}-{precision}-{what}"
        self.dot = os.path.join(arguments.work, "dots", self.name + ".dot")
        self.result = {"model": model, "precision": precision, "what": what}

    def run(self):
        batch = 4 if self.arguments.quick else 1 if self.what == "inference" else 32
        steps = 4 if self.arguments.quick else STEPS
        child = Child(self.name, [
            program(self.arguments, "decavox_bench"), "step", model_path(self.model), "--device",
            self.arguments.device, "--precision", self.precision, "--batch", str(batch),
            "--resident", "--report", str(steps), "--algorithms", "fixed", "--dot", self.dot,
            *(["--inference"] if self.what == "inference" else [])], 1, must=False)
        try:
            self.ask(child, steps)
        finally:
            child.kill()
        if child.problem is not None:
            self.result["problem"] = child.problem
        return self

    def ask(self, child, steps):
        if not child.ready(left(self.arguments, 2)):
            return
        answer = child.ask(f"run {steps}")
        if answer is not None:
            self.result |= answer
            self.result |= child.ask("algorithms") or {}

    def problems(self):
        found = [self.result["problem"]] if "problem" in self.result else []
        if not found and self.result.get("nodes", 0) == 0:
            found.append("the recorded step has no nodes")
        return [f"{self.model} {self.precision} {self.what}: {text}"
                for text in found + step_problems(self.result)]


def tell(case, findings):
    result = case.result
    findings.line(f"{case.name:32} {result.get('replays', '-'):>4} replayed, "
                  f"{result.get('eager', '-')} call by call, {result.get('nodes', '-')} nodes")
    for algorithm in result.get("algorithms", []):
        findings.line("    " + algorithm)
    for problem in case.problems():
        findings.problem(problem)


def table(cases, findings):
    findings.figure("nodes of a recorded step".ljust(28)
                    + "".join(f"{precision:>6}" for precision in PRECISIONS))
    for model in MODELS:
        for what in ("training", "inference"):
            nodes = {c.precision: c.result.get("nodes", "-") for c in cases
                     if (c.model, c.what) == (model, what)}
            if nodes:
                findings.figure(f"{model + ', ' + what:28}"
                                + "".join(f"{nodes.get(p, '-'):>6}" for p in PRECISIONS))


def recorded(arguments, findings):
    """Runs all cases side by side, because none is timed."""
    folder = os.path.join(arguments.work, "dots")
    os.makedirs(folder, exist_ok=True)
    models = MODELS[:1] if arguments.quick else MODELS
    cases = [Case(arguments, model, precision, what) for what in ("training", "inference")
             for model in models for precision in PRECISIONS]
    with concurrent.futures.ThreadPoolExecutor(max_workers=len(os.sched_getaffinity(0))) as pool:
        for future in concurrent.futures.as_completed([pool.submit(c.run) for c in cases]):
            tell(future.result(), findings)
    # Cases were reported as they ended; the final findings are in the order of the cases.
    findings.put(cases=[case.result for case in cases],
                 problems=[problem for case in cases for problem in case.problems()])
    table(cases, findings)
    if os.listdir(folder):
        keep_folder(arguments, findings, folder, "dots")
