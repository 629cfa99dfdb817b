#!/usr/bin/env python3
"""One part of gpu_check.sh: does it, prints what it does, and writes what it found.

    gpu_parts.py PART --build DIR --work DIR --device cuda [--data DIR] [--seconds S] [--quick]

The findings go to WORK/PART.json after each item, so that a part that is killed has told what it
knew: {"lines": [...], "problems": [...], "skipped": reason, ...}. Exit status: 0 good, 1 failed,
77 skipped. Needs the standard library alone.
"""
import argparse
import csv
import glob
import os
import re
import shutil
import statistics
import subprocess
import sys
import time

from gpu_common import ROOT, START, Findings, cores, environment, left, output_of
from gpu_programs import sanitizer, tests

sys.path.append(os.path.join(ROOT, "benchmarks"))
from contest import processor


def decavox(arguments):
    return os.path.join(arguments.build, "runner", "decavox")


# ---- machine ----

def query_gpu(arguments, *fields):
    index = arguments.device.partition(":")[2] or "0"
    text = output_of("nvidia-smi", "-i", index, "--query-gpu=" + ",".join(fields),
                     "--format=csv,noheader")
    values = [v.strip() for v in text.splitlines()[0].split(",")] if text else []
    return dict(zip(fields, values)) if len(values) == len(fields) else {}


def include_folders():
    places = [os.environ.get("CUDA_PATH", ""), os.environ.get("CUDA_HOME", ""), "/usr/local/cuda"]
    nvcc = shutil.which("nvcc")
    if nvcc:
        places.append(os.path.dirname(os.path.dirname(os.path.realpath(nvcc))))
    pip = output_of("python3", "-c", "import nvidia; print('\\n'.join(nvidia.__path__))")
    for folder in (pip or "").splitlines():
        places += sorted(glob.glob(folder + "/*"))
    return [p + "/include" for p in places if p] + ["/usr/include", "/usr/local/include"]


def version_in(header, *names):
    """The numbers of macros in the first such header, and where it lies."""
    for folder in include_folders():
        path = os.path.join(folder, header)
        if not os.path.exists(path):
            continue
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
        found = [re.search(rf"#define\s+{name}\s+(\d+)", text) for name in names]
        if all(found):
            return ".".join(f.group(1) for f in found) + f" ({path})"
    return "not found"


def torch_version(arguments):
    text = output_of(arguments.python, "-c", "import torch; print(torch.__version__, 'CUDA', "
                     "torch.version.cuda, 'cuDNN', torch.backends.cudnn.version(), 'sees the GPU' "
                     "if torch.cuda.is_available() else 'sees no GPU')")
    return text or "not there"


def machine(arguments, findings):
    gpu = {}
    if arguments.device.startswith("cuda") and not arguments.device.startswith("cudasim"):
        gpu = query_gpu(arguments, "name", "driver_version", "memory.total", "compute_cap")
        gpu |= query_gpu(arguments, "clocks.sm", "clocks.mem", "clocks.max.sm", "clocks.max.mem")
        gpu |= query_gpu(arguments, "memory.used", "utilization.gpu", "temperature.gpu",
                         "power.limit")
        if "name" not in gpu:
            findings.problem("nvidia-smi does not answer")
    nvcc = output_of("nvcc", "--version") or output_of("/usr/local/cuda/bin/nvcc", "--version")
    changed = output_of("git", "status", "--porcelain")
    versions = {
        "nvcc": nvcc.splitlines()[-1] if nvcc else "not there",
        "cuDNN": version_in("cudnn_version.h", "CUDNN_MAJOR", "CUDNN_MINOR", "CUDNN_PATCHLEVEL"),
        "cuBLAS": version_in("cublas_api.h", "CUBLAS_VER_MAJOR", "CUBLAS_VER_MINOR",
                             "CUBLAS_VER_PATCH"),
        "cuFFT": version_in("cufft.h", "CUFFT_VER_MAJOR", "CUFFT_VER_MINOR", "CUFFT_VER_PATCH"),
        "processor": f"{processor()}, {cores()} cores",
        "system": " ".join(os.uname()[i] for i in (0, 2, 4)),
        "python": sys.version.split()[0],
        "torch": torch_version(arguments),
        "cmake": (output_of("cmake", "--version") or "not there").splitlines()[0],
        "commit": output_of("git", "rev-parse", "--short", "HEAD") or "not a git checkout",
        "changed files": "unknown" if changed is None else str(len(changed.splitlines())),
    }
    findings.put(gpu=gpu, versions=versions)
    for name, value in (gpu | versions).items():
        findings.line(f"{name:20} {value}")


# ---- build ----

def architecture(arguments):
    capability = query_gpu(arguments, "compute_cap").get("compute_cap", "")
    return capability.replace(".", "") + "-real" if re.fullmatch(r"\d+\.\d", capability) else (
        "90" if arguments.device.startswith("cudasim") else "native")


def stream(command, log):
    """Runs it, its output to ours and to `log`; the exit status."""
    print("$ " + " ".join(command), flush=True)
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace") as process:
        for line in process.stdout:
            print(line, end="", flush=True)
            log.append(line.rstrip())
    return process.returncode


def build(arguments, findings):
    """Warnings are not this build's business: another compiler has others."""
    log = []
    simulated = arguments.device.startswith("cudasim")
    if not shutil.which("cmake"):
        findings.problem("cmake is not there")
        return
    generator = ["-G", "Ninja"] if shutil.which("ninja") else []
    nvcc = [] if shutil.which("nvcc") or not os.path.exists("/usr/local/cuda/bin/nvcc") else [
        "-DCMAKE_CUDA_COMPILER=/usr/local/cuda/bin/nvcc"]
    configure = ["cmake", "-S", ".", "-B", arguments.build, *generator, *nvcc,
                 "-DCMAKE_BUILD_TYPE=Release", "-DDV_BENCHMARKS=ON", "-DDV_TESTS=ON",
                 f"-DDV_CUDA={'AUTO' if simulated else 'ON'}", "-DCMAKE_C_FLAGS=-w",
                 "-DCMAKE_CXX_FLAGS=-w", f"-DCMAKE_CUDA_ARCHITECTURES={architecture(arguments)}"]
    if stream(configure, log) != 0:
        findings.problem("cmake: " + " ".join(line for line in log if "rror" in line)[-400:])
        return
    findings.line(f"architecture {architecture(arguments)}, configured after "
                  f"{time.monotonic() - START:.0f} s")
    keep_going = ["--", "-k", "0"] if generator else ["--", "-k"]
    status = stream(["cmake", "--build", arguments.build, "-j", str(cores()), *keep_going], log)
    findings.line(f"built after {time.monotonic() - START:.0f} s on {cores()} cores")
    if status != 0:
        failed = [line for line in log if line.startswith("FAILED:") or " error" in line]
        findings.problem(f"the build ended with {status}: " + "; ".join(failed[:8])[:1500])
    module = "libdecavox_cudasim.so" if simulated else "libdecavox_cuda.so"
    for program in ("runner/decavox", "runner/" + module, "benchmarks/decavox_bench"):
        if not os.path.exists(os.path.join(arguments.build, program)):
            findings.problem(program + " has not been built")
    about = output_of(decavox(arguments), "info")
    for line in (about or "").splitlines():
        findings.line(line)
    if not simulated and "multiprocessors" not in (about or ""):
        findings.problem("`decavox info` sees no GPU")


# ---- train ----

def find_data(arguments):
    places = [arguments.data] if arguments.data else [
        os.path.join(ROOT, "..", "shared", "data", "fsdd"), "/data/fsdd"]
    for place in places:
        if os.path.isdir(place) and any(name.endswith((".wav", ".flac")) for name in
                                        os.listdir(place)):
            return os.path.abspath(place)
    return None


def train_once(arguments, name, config, device, *more):
    """Runs `decavox train`; {"status", "seconds", metrics...}."""
    run = os.path.join(arguments.work, "run-" + name)
    shutil.rmtree(run, ignore_errors=True)
    command = [decavox(arguments), "train", os.path.join(ROOT, "configs", config + ".yaml"),
               "--data", find_data(arguments), "--split", "official", "--seed", "1", "--device",
               device, "--out", run, *more]
    begin = time.monotonic()
    variables = environment(arguments)
    if device == "cpu":
        del variables["OMP_NUM_THREADS"]
    done = subprocess.run(command, cwd=ROOT, env=variables, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
    result = {"name": name, "seconds": round(time.monotonic() - begin, 2),
              "exit_status": done.returncode}
    print("$ " + " ".join(command) + "\n" + done.stdout[-4000:], flush=True)
    if done.returncode != 0:
        return result | {"last_lines": done.stdout.strip().splitlines()[-5:]}
    with open(os.path.join(run, "metrics.csv"), encoding="utf-8", newline="") as file:
        result["epochs"] = list(csv.DictReader(file))
    accuracy = re.search(r"^accuracy ([\d.]+)%", done.stdout, re.MULTILINE)
    counts = re.search(r"(\d+) steps replayed, (\d+) call by call", done.stdout)
    seconds = [float(row["seconds"]) for row in result["epochs"]]
    last = result["epochs"][-1]
    return result | {
        "accuracy": float(accuracy.group(1)) if accuracy else None,
        "seconds_per_epoch": round(statistics.median(seconds), 4),
        "first_epoch_seconds": seconds[0],
        "skipped_steps": int(last.get("skipped_steps") or 0),
        "last_train_loss": float(last["train_loss"]),
        "replayed": int(counts.group(1)) if counts else None,
        "eager": int(counts.group(2)) if counts else None,
    }


LEAST_ACCURACY = 98.0  # README's 99.0 % of three seeds on the CPU, less a point for one seed


def train_fully(arguments, findings, config, precision):
    halves = [] if precision == "fp32" else ["--set", "train.mixed_precision=" + precision]
    quick = ["--set", "train.max_steps=2", "--set", "train.batch_size=4"] * arguments.quick
    name = f"{config}-{precision}"
    result = train_once(arguments, name, config, arguments.device, *halves, *quick)
    epochs = result.pop("epochs", [])
    findings.add("runs", result)
    if result["exit_status"] != 0:
        findings.problem(f"{name}: exit status {result['exit_status']}: "
                         + " / ".join(result["last_lines"])[-400:])
        return
    findings.line(f"{name:20} accuracy {result['accuracy']} %, {len(epochs)} epochs of "
                  f"{result['seconds_per_epoch']} s (the first {result['first_epoch_seconds']} s), "
                  f"{result['replayed']} steps replayed, {result['eager']} call by call, "
                  f"{result['skipped_steps']} skipped, {result['seconds']} s in all")
    if result["accuracy"] is None:
        findings.problem(f"{name}: no accuracy was printed")
    elif not arguments.quick and result["accuracy"] < LEAST_ACCURACY:
        findings.problem(f"{name}: accuracy {result['accuracy']} %, below {LEAST_ACCURACY} %")


def compare_with_cpu(arguments, findings):
    """The same 20 steps on both: AdamW makes rounding grow, so the tolerances are not those of an
    operation. CPU and plain-C reference differ by 1.4e-4 and 6e-4."""
    steps, limits = ("2", "20")[not arguments.quick], {"train_loss": 2e-3, "validation_loss": 1e-2}
    config = "lightweight" if arguments.quick else "advanced"
    more = ["--set", "train.max_steps=" + steps]
    if arguments.quick:
        more += ["--set", "train.batch_size=4"]
    rows = {}
    for device in (arguments.device, "cpu"):
        result = train_once(arguments, "steps-" + device.replace(":", ""), config, device, *more)
        if result["exit_status"] != 0:
            findings.problem(f"{steps} steps on {device}: " + " / ".join(result["last_lines"]))
            return
        rows[device] = result["epochs"][0]
    for key, limit in limits.items():
        got, want = (float(rows[device][key] or "nan") for device in (arguments.device, "cpu"))
        off = abs(got - want) / abs(want)
        findings.add("against_cpu", {"what": key, "device": got, "cpu": want, "relative": off})
        findings.line(f"{config}, {steps} steps, {key:16} {got:.6f}, on the CPU {want:.6f}: "
                      f"{off:.1e} apart, at most {limit:.0e}")
        if not off <= limit:
            findings.problem(f"{config}: {key} after {steps} steps is {off:.1e} from the CPU's")


def train(arguments, findings):
    if find_data(arguments) is None:
        findings.skip("no recordings of the Free Spoken Digit Dataset in "
                      + (arguments.data or "../shared/data/fsdd or /data/fsdd") + ": give --data")
    if not os.path.exists(decavox(arguments)):
        findings.problem(decavox(arguments) + " is not there: run the part build")
        return
    findings.put(criterion=f"accuracy on the official test part at least {LEAST_ACCURACY} % with "
                           "seed 1: the CPU's 99.0 % less one point")
    findings.line(findings.content["criterion"] + "; not judged here" * arguments.quick)
    if arguments.quick:
        compare_with_cpu(arguments, findings)
        train_fully(arguments, findings, "lightweight", "fp16")
        return
    train_fully(arguments, findings, "lightweight", "fp32")
    train_fully(arguments, findings, "advanced", "fp32")
    compare_with_cpu(arguments, findings)
    for precision in ("fp16", "bf16"):
        for config in ("advanced", "lightweight"):
            train_fully(arguments, findings, config, precision)


# ---- against PyTorch: the benchmarks write their results themselves ----

def measure(arguments, findings, program, *options):
    results = os.path.join(arguments.work, arguments.part + ".results.json")
    command = [sys.executable, os.path.join(ROOT, "benchmarks", "peers", program), "--build",
               arguments.build, "--device", arguments.device, "--python", arguments.python,
               "--out", results, *options]
    if not os.path.exists(os.path.join(arguments.build, "benchmarks", "decavox_bench")):
        findings.skip(f"{arguments.build} has no decavox_bench: run the part build")
    if os.path.exists(results):
        os.remove(results)
    status = stream(command, [])
    if status != 0:
        findings.problem(f"{program} ended with {status}")


def common_options(arguments, reserve):
    return ["--deadline", str(int(left(arguments, reserve)))]


def step(arguments, findings):
    if arguments.quick:
        measure(arguments, findings, "steps.py", "--models", "lightweight", "--batch", "4",
                "--report", "2", "--rounds", "1", "--warm", "0.01", "--block", "0.01",
                "--no-compile", "--variants", "eager", *common_options(arguments, 5))
        return
    prepare = min(100, int(arguments.seconds * 0.52))
    measure(arguments, findings, "steps.py", "--batch", "32,128,512", "--precision",
            "fp32,fp16,bf16", "--rounds", "4", "--warm", "0.1", "--prepare", str(prepare),
            "--compile-batches", "32,512", *common_options(arguments, 8))


def infer(arguments, findings):
    if arguments.quick:
        measure(arguments, findings, "steps.py", "--inference", "--models", "lightweight",
                "--batch", "1", "--report", "2", "--rounds", "1", "--warm", "0.01", "--block",
                "0.01", "--no-compile", "--variants", "eager", *common_options(arguments, 5))
        return
    measure(arguments, findings, "steps.py", "--inference", "--batch", "1,32,256",
            "--precision", "fp32,fp16,bf16", "--rounds", "3", "--warm", "0.1", "--block", "0.05",
            "--prepare", "30", "--no-compile", *common_options(arguments, 6))


def features(arguments, findings):
    quick = ["--batch", "2", "--report", "1", "--rounds", "1", "--warm", "0.01", "--block", "0.01"]
    measure(arguments, findings, "features.py", *(quick if arguments.quick else []))


PARTS = {part.__name__: part for part in (machine, build, tests, sanitizer, train, step, infer,
                                          features)}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--build", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--data", default="")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--python", default="python3")
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    arguments.build, arguments.work = map(os.path.abspath, (arguments.build, arguments.work))
    findings = Findings(arguments)
    PARTS[arguments.part](arguments, findings)
    sys.exit(1 if findings.content["problems"] else 0)


if __name__ == "__main__":
    main()
