#!/usr/bin/env python3
"""Runs one line of gpu_first.sh or gpu_second.sh, prints its progress and writes its findings.

    gpu_lines.py LINE --root DIR --work DIR --out DIR --data DIR --device cuda --seconds S ...

The findings go to WORK/LINE.json after each item, so that a killed line has written what it knew.
The exit status is 0 for good, 1 for failed and 77 for skipped. Needs only the standard library.
"""
import argparse
import os
import re
import subprocess
import sys

from gpu_common import (ROOT, Findings, cores, left, output_of, program, read_json, simulated)
from gpu_profile import profile
from gpu_programs import again, sanitizer, smoke, tests
from gpu_recorded import recorded
from gpu_torch import compile_models
from gpu_train import predict, train

sys.path.append(os.path.join(ROOT, "benchmarks"))
from contest import processor


# ---- The machine ----

def query_gpu(arguments, *fields):
    index = arguments.device.partition(":")[2] or "0"
    text = output_of("nvidia-smi", "-i", index, "--query-gpu=" + ",".join(fields),
                     "--format=csv,noheader")
    values = [v.strip() for v in text.splitlines()[0].split(",")] if text else []
    return dict(zip(fields, values)) if len(values) == len(fields) else {}


def driver(arguments, findings):
    gpu = {}
    if not simulated(arguments):
        for fields in (("name", "driver_version", "memory.total", "compute_cap"),
                       ("clocks.sm", "clocks.mem", "clocks.max.sm", "clocks.max.mem"),
                       ("memory.used", "utilization.gpu", "temperature.gpu", "power.limit")):
            gpu |= query_gpu(arguments, *fields)
        if "name" not in gpu:
            findings.problem("nvidia-smi, which comes with NVIDIA's driver, shows no GPU for "
                             f"--device {arguments.device}")
    machine = {"processor": f"{processor()}, {cores()} cores",
               "system": " ".join(os.uname()[i] for i in (0, 2, 4)),
               "python": sys.version.split()[0]}
    findings.put(gpu=gpu, machine=machine)
    for name, value in (gpu | machine).items():
        findings.line(f"{name:20} {value}")


def module(arguments):
    name = "cudasim" if simulated(arguments) else "cuda"
    return os.path.join(arguments.root, "runner", f"libdecavox_{name}.so")


def ldd(arguments, findings):
    """Lists the libraries of the programs, of the module and, if NVIDIA's libraries are there, of
    cuDNN's parts, which cuDNN opens itself."""
    files = [program(arguments, "decavox"), program(arguments, "decavox_bench"), module(arguments),
             program(arguments, "test_ops_device")]
    for file in files:
        if not os.path.exists(file):
            findings.problem(f"{file} is not there")
            continue
        text = output_of("ldd", file, seconds=left(arguments, 0.5))
        if text is None:
            findings.problem(f"ldd {file} failed")
            continue
        findings.add("ldd", text)
        missing = sorted(set(re.findall(r"^\s*(\S+) => not found", text, re.MULTILINE)))
        findings.line(f"{os.path.basename(file):24} {len(text.splitlines())} libraries, "
                      f"{len(missing)} missing")
        if missing:
            findings.problem(f"{os.path.basename(file)} needs {', '.join(missing)}, which "
                             f"{'are' if len(missing) > 1 else 'is'} not on this machine")


def info(arguments, findings):
    text = output_of(program(arguments, "decavox"), "info")
    for line in (text or "").splitlines():
        findings.line(line)
    wanted = "cudasim:" if simulated(arguments) else "cuda:"
    if text is None:
        findings.problem("`decavox info` failed")
    elif not re.search(rf"^ +{wanted}\d", text, re.MULTILINE):
        about = re.search(rf"^backend {wanted[:-1]} .*(?:\n +.*)?", text, re.MULTILINE)
        findings.problem("`decavox info` sees no device: " +
                         (about.group() if about else "no such backend"))


def cudnn(arguments, findings):
    if simulated(arguments):
        findings.skip("the simulated device has no cuDNN")
    done = subprocess.run([arguments.python, "-B", os.path.join(ROOT, "tools", "gpu", "gpu_cudnn.py"),
                           arguments.device.partition(":")[2] or "0"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        findings.problem("cuDNN does not tell the properties of the device: "
                         + done.stderr.strip()[-300:])
        return
    with open(os.path.join(arguments.out, "cudnn-device.json"), "w", encoding="utf-8") as file:
        file.write(done.stdout)
    findings.line(f"{len(done.stdout)} characters, in cudnn-device.json")


# ---- Against PyTorch, by benchmarks that write their results themselves ----

TINY = ["--batch", "4", "--report", "2", "--rounds", "1", "--warm", "0.01", "--block", "0.01"]


def measure(arguments, findings, script, *options):
    """Runs a program of benchmarks/peers. Returns its results, and adds its problems to ours."""
    name = "-".join([arguments.line, *(o[2:] for o in options if o == "--inference")])
    path = os.path.join(arguments.work, name + ".results.json")
    command = [sys.executable, "-B", os.path.join(ROOT, "benchmarks", "peers", script), "--build",
               arguments.root, "--device", arguments.device, "--python", arguments.python, "--out",
               path, *options]
    print("$ " + " ".join(command), flush=True)
    status = subprocess.run(command, cwd=ROOT, check=False).returncode
    results = read_json(path)
    findings.add("measured", results)
    found = [problem for result in results.get("results", [])
             for problem in result.get("problems", [])]
    for problem in found:
        findings.problem(problem)
    if status != 0 and not found:
        findings.problem(f"{script} ended with {status}")
    if results.get("without_torch") and "--alone" not in options:
        findings.line("without PyTorch: " + results["without_torch"])
    return results


def step_figures(findings, results):
    for r in results.get("results", []):
        if "decavox" not in r["microseconds"]:
            continue
        text = (f"{r['model']:12} {r['what']:13} {r['precision']:4} batch {r['batch']:3} "
                f"{r['microseconds']['decavox']:9.1f} us")
        if "latency_microseconds" in r:
            text += f", host to host {r['latency_microseconds']:.1f}"
        if "ratio" in r:
            text += (f"; {r['best_torch']} {r['microseconds'][r['best_torch']]:.1f}, "
                     f"{r['ratio']:.2f} times as long")
        findings.figure(text)
    missing = results.get("not_measured", [])
    if missing:
        findings.figure(f"not measured, out of time: {len(missing)}, {', '.join(missing)}")


def steps(arguments, findings, seconds, *options):
    quick = ["--models", "lightweight", *TINY] if arguments.quick else []
    results = measure(arguments, findings, "steps.py", "--deadline", str(int(seconds)), *options,
                      *quick)
    step_figures(findings, results)


def alone(arguments, findings):
    common = ["--alone", "--precision", "fp32,bf16", "--rounds", "3", "--warm", "0.05"]
    steps(arguments, findings, left(arguments, 20), *common, "--batch", "32,512")
    steps(arguments, findings, left(arguments, 3), *common, "--batch", "1,32", "--inference")


def against(arguments, findings):
    steps(arguments, findings, left(arguments, 6), "--precision", "fp32,bf16,tf32", "--batch", "32",
          "--rounds", "5", "--warm", "0.1", "--prepare", str(int(left(arguments, 40))))


def infer(arguments, findings):
    steps(arguments, findings, left(arguments, 4), "--precision", "fp32,bf16", "--batch", "1",
          "--inference", "--rounds", "4", "--warm", "0.05", "--block", "0.05", "--prepare",
          str(int(left(arguments, 20))))


def tf32(arguments, findings):
    steps(arguments, findings, left(arguments, 3), "--alone", "--precision", "fp32,tf32", "--batch",
          "32,512", "--rounds", "3", "--warm", "0.05")


def features(arguments, findings):
    results = measure(arguments, findings, "features.py", *(TINY if arguments.quick else [
        "--batch", "32,256", "--rounds", "3", "--warm", "0.1"]))
    for r in results.get("results", []):
        rates = ", ".join(f"{name} {value:,}" for name, value in r["utterances_per_second"].items())
        findings.figure(f"features, batch {r['batch']}, utterances per second: {rates}")


LINES = {line.__name__: line for line in (
    driver, ldd, info, cudnn, smoke, recorded, tests, alone, train, profile, sanitizer, against,
    infer, predict, features, tf32, again)} | {"compile": compile_models}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("line", choices=LINES)
    for name in ("root", "work", "out", "data", "first"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--python", default="python3")
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    findings = Findings(arguments)
    LINES[arguments.line](arguments, findings)
    sys.exit(1 if findings.content["problems"] else 0)


if __name__ == "__main__":
    main()
