"""Compares exported models: bytes of each form, and microseconds in ONNX Runtime on one thread, of
the whole and of the network alone.

    build/peers/bin/python benchmarks/exports.py DECAVOX [--rounds N] [CHECKPOINT...]

Prints two tables in Markdown. The front-end's time is that of the file from audio minus that of the
file from features. Both are medians of runs in turn on one clip of a second. The measurement is
refused if other programs use the processor meanwhile. scripts/peers.sh --install makes the
environment.
"""
import argparse
import glob
import json
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import time

import numpy
import onnxruntime

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FORMS = (("onnx", "fp32"), ("onnx", "fp16"), ("pt", "fp32"), ("pt2", "fp32"))
RUNS = 20        # runs of a model in a turn
MOST_BUSY = 0.1  # processors that other programs may use


def seconds_of_others():
    """The processor time of all programs except this one and its children."""
    with open("/proc/stat", encoding="ascii") as file:
        user, nice, system, _, _, irq, soft, steal = map(int, file.readline().split()[1:9])
    times = os.times()
    ticks = user + nice + system + irq + soft + steal
    return ticks / os.sysconf("SC_CLK_TCK") - sum(times[:4])


def export(program, checkpoint, out, *options):
    subprocess.run([program, "export", checkpoint, "--out", out, *options], check=True,
                   stdout=subprocess.DEVNULL, cwd=ROOT)
    return os.path.getsize(out)


def parameter_bytes(checkpoint, program, folder):
    """The bytes of all trained numbers and running statistics in FP32."""
    out = os.path.join(folder, "weights.safetensors")
    export(program, checkpoint, out, "--force")
    with open(out, "rb") as file:
        size, = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
    return sum(info["data_offsets"][1] - info["data_offsets"][0]
               for name, info in header.items() if name != "__metadata__")


def table_bytes(path):
    """The bytes of the front-end's tables in an ONNX file."""
    import onnx
    return sum(len(tensor.raw_data) for tensor in onnx.load(path).graph.initializer
               if tensor.name.startswith("front_end/"))


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    made = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    given, rng = made.get_inputs()[0], numpy.random.default_rng(0)
    sizes = [size if isinstance(size, int) else 1 for size in given.shape]
    if given.name == "audio":
        sizes[1] = int(made.get_modelmeta().custom_metadata_map["sample_rate"])
    x = {given.name: rng.standard_normal(sizes).astype(numpy.float32)}
    return lambda: made.run(None, x)


def medians(runs, rounds):
    """Runs all in turn. Returns the median microseconds of a run of each."""
    times = [[] for _ in runs]
    for turn in range(rounds + 1):
        for each, run in zip(times, runs):
            begun = time.perf_counter()
            for _ in range(RUNS):
                run()
            if turn > 0:  # the first turn warms up
                each.append((time.perf_counter() - begun) / RUNS * 1e6)
    return [statistics.median(each) for each in times]


def measure(program, checkpoint, folder, rounds):
    sizes, paths = {}, {}
    for ending, precision in FORMS:
        path = paths[ending, precision] = os.path.join(folder, f"{precision}.{ending}")
        sizes[ending, precision] = export(program, checkpoint, path, "--precision", precision,
                                          "--force")
    features = os.path.join(folder, "features.onnx")
    export(program, checkpoint, features, "--input", "features", "--force")
    full = paths["onnx", "fp32"]
    times = medians([session(full), session(features)], rounds)
    return parameter_bytes(checkpoint, program, folder), table_bytes(full), sizes, times


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("decavox", type=os.path.abspath)
    parser.add_argument("checkpoints", nargs="*")
    parser.add_argument("--rounds", type=int, default=31)
    chosen = parser.parse_args()
    checkpoints = chosen.checkpoints or sorted(
        glob.glob(os.path.join(ROOT, "checkpoints", "*.safetensors")))
    others, begun, rows = seconds_of_others(), time.monotonic(), []
    with tempfile.TemporaryDirectory() as folder:
        for checkpoint in checkpoints:
            rows.append(measure(chosen.decavox, checkpoint, folder, chosen.rounds))
    busy = (seconds_of_others() - others) / (time.monotonic() - begun)
    names = [os.path.splitext(os.path.basename(path))[0] for path in checkpoints]
    print("| model | parameters, bytes | front-end's tables | ONNX | ONNX, FP16 | TorchScript | "
          ".pt2 |\n|---|---|---|---|---|---|---|")
    for name, (weights, tables, sizes, _) in zip(names, rows):
        print(f"| {name} | {weights:,} | {tables:,} | "
              + " | ".join(f"{sizes[form]:,}" for form in FORMS) + " |")
    print("\n| model | from audio, us | from features, us | front-end, us |\n|---|---|---|---|")
    for name, (_, _, _, (full, network)) in zip(names, rows):
        print(f"| {name} | {full:,.0f} | {network:,.0f} | {full - network:,.0f} |")
    print(f"\nONNX Runtime {onnxruntime.__version__}, one thread, {chosen.rounds} rounds; other "
          f"programs used {busy:.2f} processors")
    if busy > MOST_BUSY:
        print(f"refused: other programs used more than {MOST_BUSY} processors", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
