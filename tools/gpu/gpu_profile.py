"""The line `profile`: the time of each kernel of a step, by ncu, or else of each layer."""
import collections
import csv
import glob
import os
import shutil
import subprocess

from gpu_common import ROOT, keep_folder, left, program

CASES = [("lightweight", "fp32"), ("advanced", "fp32"), ("advanced", "bf16"),
         ("lightweight", "bf16")]
STEPS = 2
MOST_ROWS = 16  # rows of a table
TIME = "gpu__time_duration.sum"
METRICS = [TIME, "dram__bytes.sum", "launch__grid_size", "launch__registers_per_thread",
           "sm__throughput.avg.pct_of_peak_sustained_elapsed"]
MICROSECONDS = {"ns": 1e-3, "nsecond": 1e-3, "us": 1, "usecond": 1, "ms": 1e3, "msecond": 1e3}


def find_tool(name):
    """Finds a tool on the PATH, or where NVIDIA's packages put it."""
    places = ["/usr/local/cuda/bin", f"/usr/local/cuda/{name}",
              *sorted(glob.glob("/opt/nvidia/nsight-compute/*"), reverse=True),
              *sorted(glob.glob(f"/opt/nvidia/{name}*"), reverse=True)]
    return shutil.which(name) or shutil.which(name, path=os.pathsep.join(places))


def bench(arguments, model, precision, *options):
    batch = "4" if arguments.quick else "32"
    return [program(arguments, "decavox_bench"), "step",
            os.path.join(ROOT, "configs", "models", model + ".yaml"), "--device", arguments.device,
            "--precision", precision, "--batch", batch, "--resident", "--record=false", *options]


def obey(arguments, command, commands):
    """Runs a program with commands on stdin. Returns its exit status and all output."""
    print("$ " + " ".join(command), flush=True)
    try:
        done = subprocess.run(command, cwd=ROOT, input="\n".join(commands) + "\n", text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                              timeout=left(arguments, 3), errors="replace")
    except subprocess.TimeoutExpired:
        return None, "not at its end in time"
    print(done.stdout[-4000:], flush=True)
    return done.returncode, done.stdout


# ---- Kernels ----

def read_kernels(path):
    """(name, microseconds) of each launch, [] if the file holds none."""
    with open(path, encoding="utf-8", errors="replace", newline="") as file:
        lines = [line for line in file if line.startswith('"')]
    rows = list(csv.DictReader(lines))
    if not rows or TIME not in rows[0]:
        return []
    scale = MICROSECONDS.get(rows[0][TIME], 1)  # the first row holds the units
    return [(row["Kernel Name"], scale * float(row[TIME].replace(",", ""))) for row in rows[1:]
            if row[TIME]]


def kernel_table(kernels):
    total = collections.defaultdict(lambda: [0, 0.0])
    for name, time in kernels:
        total[name][0] += 1
        total[name][1] += time
    ordered = sorted(total.items(), key=lambda item: -item[1][1])
    return [f"    {time / STEPS:9.1f} us {count / STEPS:6.1f} times  {name[:90]}"
            for name, (count, time) in ordered[:MOST_ROWS]]


def by_kernel(arguments, findings, ncu, model, precision):
    """Profiles by kernel. Returns whether ncu could. Algorithms are fixed, because measuring them
    would be profiled as well."""
    folder = os.path.join(arguments.work, "ncu")
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, f"{model}-{precision}.csv")
    status, text = obey(arguments, [
        ncu, "--clock-control", "none", "--csv", "--page", "raw", "--metrics", ",".join(METRICS),
        "--log-file", path, *bench(arguments, model, precision, "--algorithms", "fixed")],
                         [f"run {STEPS}", "quit"])
    kernels = read_kernels(path) if os.path.exists(path) else []
    if not kernels:
        findings.line(f"ncu measured nothing (exit status {status}): "
                      + " ".join(text.split())[-300:])
        return False
    findings.figure(f"{model} {precision}, a training step by ncu: {len(kernels) / STEPS:.0f} "
                    f"kernels, {sum(time for _, time in kernels) / STEPS:.1f} us together")
    for line in kernel_table(kernels):
        findings.line(line)
    keep_folder(arguments, findings, folder, "ncu")
    return True


# ---- Layers ----

def by_layer(arguments, findings, model, precision):
    status, text = obey(arguments, bench(arguments, model, precision, "--time_layers"),
                        ["run 20", "layers", "quit"])
    if status != 0:
        findings.problem(f"{model} {precision}: decavox_bench step --time_layers ended with "
                         f"{status}: " + " ".join(text.split())[-300:])
        return
    lines = text[text.find("layer (ms per batch)"):].splitlines()
    findings.line(f"{model} {precision}")
    for line in lines:
        findings.line("    " + line)
    total = [line for line in lines if line.startswith("total")]
    findings.figure(f"{model} {precision}, milliseconds forward and backward: "
                    + " ".join("".join(total).split()[1:]))


def profile(arguments, findings):
    """Profiles the first case always, and the others while there is time."""
    ncu = find_tool("ncu")
    if ncu is None:
        findings.line("ncu is not here: times per layer in its place")
    for number, (model, precision) in enumerate(CASES[:1] if arguments.quick else CASES):
        if number > 0 and left(arguments, 3) < 2:
            findings.line(f"{model} {precision}: no time was left")
            continue
        if ncu is not None and not by_kernel(arguments, findings, ncu, model, precision):
            ncu = None
        if ncu is None:
            by_layer(arguments, findings, model, precision)
