#!/usr/bin/env python3
"""Counts the launches, copies and fills of recorded steps, for results/nodes.md.

    benchmarks/nodes.py --build build/release [--device cudasim] [--models lightweight,advanced]

A training step and a forward pass of batch 32 are recorded for each model in each precision, and
the nodes of the CUDA graph are counted from its DOT file. On the simulated device a library call is
one node, but a real library may launch several kernels. cuDNN's FP32 kernels for recent GPUs need
another order of memory, so that a convolution may be four launches (two tensors and the filter are
converted). The table has both counts. The program ends with 1 if a step is not recorded, or if a
slow kernel stands in for a library.
"""
import argparse
import os
import re
import sys
import tempfile

from contest import ROOT, Child, module_path, output_of, program

PRECISIONS = ("fp32", "tf32", "fp16", "bf16")
RESULT = os.path.join(ROOT, "benchmarks", "results", "nodes.md")


def measure(arguments, model, precision, inference):
    """Returns (nodes, nodes of cuDNN, nodes of cuBLASLt)."""
    with tempfile.TemporaryDirectory(prefix="decavox-") as folder:
        dot = os.path.join(folder, "step.dot")
        command = [*program(arguments.build, "step"),
                   os.path.join(ROOT, "configs", "models", model + ".yaml"), "--device",
                   arguments.device, "--resident", "--batch", str(arguments.batch), "--precision",
                   precision, "--algorithms", "fixed", "--dot", dot,
                   *(["--inference"] if inference else [])]
        with Child(model, command, 1, environment=module_path(arguments.build)) as child:
            answer = child.ask("run 2")
        if (answer["replays"], answer["eager"]) != (1, 1) or answer["warnings"]:
            sys.exit(f"{model} in {precision}: {answer['replays']} steps replayed, "
                     f"{answer['eager']} call by call; {'; '.join(answer['warnings'])}")
        with open(dot, encoding="utf-8") as file:
            labels = re.findall(r'label="(.*?)"', file.read())
    if len(labels) != answer["nodes"]:
        sys.exit(f"{model} in {precision}: {answer['nodes']} nodes, {len(labels)} in the DOT file")
    return (len(labels), sum(label.startswith("cudnn") for label in labels),
            sum(label.startswith("cublasLt") for label in labels))


def cell(counts, precision):
    """The number of nodes, and that with four launches per convolution if these are possible."""
    nodes, convolutions, _ = counts
    floats = precision in ("fp32", "tf32") and convolutions > 0
    return f"{nodes} / {nodes + 3 * convolutions}" if floats else str(nodes)


def table(arguments):
    lines = ["| model | of these cuDNN, cuBLASLt | " + " | ".join(PRECISIONS) + " |",
             "|---" * (2 + len(PRECISIONS)) + "|"]
    for inference in (False, True):
        what = "forward pass" if inference else "training step"
        for model in arguments.models.split(","):
            counts = {p: measure(arguments, model, p, inference) for p in PRECISIONS}
            _, convolutions, products = counts["fp32"]
            cells = " | ".join(cell(counts[p], p) for p in PRECISIONS)
            lines.append(f"| {model}, {what} | {convolutions}, {products} | {cells} |")
            print(lines[-1], flush=True)
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--device", default="cudasim")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--models", default="lightweight,advanced,efficient,transformer,ensemble,"
                                            "resnet18,mini")
    parser.add_argument("--out", default=RESULT)
    arguments = parser.parse_args()
    lines = table(arguments)
    commit = output_of("git", "rev-parse", "--short", "HEAD")
    head = [f"Nodes of a recorded step of batch {arguments.batch} on {arguments.device}, counted "
            f"at commit {commit} by",
            "`benchmarks/nodes.py`: the launches, copies and fills of its CUDA graph. Where there "
            "are two", "numbers, the first counts each convolution by cuDNN as one launch, the "
            "second as four.", ""]
    with open(arguments.out, "w", encoding="utf-8") as file:
        file.write("\n".join(head + lines) + "\n")


if __name__ == "__main__":
    main()
