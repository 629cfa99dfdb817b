#!/usr/bin/env python3
"""Runs the forward pass in ONNX Runtime on request, with the commands and answers of
`decavox_bench step`.

    onnx_step.py FILE.onnx... --batches FILE [--threads 1]

The files are the same model in several forms (onnx_export.py). `--batches` holds features and
decavox's logits for them; a form whose logits differ by more than LIMIT of the sample's largest
ends the program. A session can be called with arrays or with memory bound to it. A few trials
choose the fastest form and way.

    run K     {"microseconds": [...], "cpu_microseconds": mean}
    quit
"""
import argparse
import itertools
import os
import statistics
import sys

import numpy
import onnxruntime
from safetensors.numpy import load_file

from on_request import say, serve, timed

LIMIT = 1e-4
CHECKED_SAMPLES = 64  # least number, with at least four batches
WAYS = ("arrays", "binding")


def open_session(path, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def difference(ours, theirs):
    """The largest difference, relative to the sample's largest logit."""
    scale = numpy.maximum(numpy.abs(theirs).max(1, keepdims=True), 1e-6)
    return float((numpy.abs(ours - theirs) / scale).max())


class Form:
    def __init__(self, path, way, arguments, batches):
        self.name = f"{os.path.basename(path).rsplit('_', 1)[0]}_{way}"
        self.session = open_session(path, arguments.threads)
        self.batches, self.turn = batches, itertools.cycle(batches)
        self.work = self.call_with_arrays
        if way == "binding":
            self.bind()

    def bind(self):
        self.input = numpy.empty_like(self.batches[0])
        shape = self.session.get_outputs()[0].shape
        self.output = numpy.empty(shape, numpy.float32)
        self.binding = self.session.io_binding()
        self.binding.bind_cpu_input("features", self.input)
        self.binding.bind_output("logits", "cpu", 0, numpy.float32, shape,
                                 self.output.ctypes.data)
        self.work = self.call_bound

    def call_with_arrays(self, features):
        return self.session.run(None, {"features": features})[0]

    def call_bound(self, features):
        numpy.copyto(self.input, features)
        self.session.run_with_iobinding(self.binding)
        return self.output

    def step(self):
        self.work(next(self.turn))

    def run(self, steps):
        return timed(self.step, steps)


def check(form, logits):
    """Compares a form with decavox's logits (batches, batch, classes)."""
    count = min(len(logits), max(4, CHECKED_SAMPLES // logits.shape[1]))
    far = max(difference(ours, form.work(features))
              for ours, features in zip(logits[:count], form.batches))
    if not far <= LIMIT:
        sys.exit(f"onnx_step: {form.name}: the logits are {far:.1e} from decavox's, limit {LIMIT}")
    return far


def fastest(forms):
    """The fastest form by the median of a few steps, and the medians of all."""
    medians = {}
    for form in forms:
        form.run(3)
        one = statistics.median(form.run(5)["microseconds"])
        medians[form.name] = statistics.median(
            form.run(max(5, int(0.1e6 / one)))["microseconds"])
    return min(forms, key=lambda form: medians[form.name]), medians


def parse():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--batches", required=True, help="safetensors with features and logits")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def main():
    arguments = parse()
    data = load_file(arguments.batches)
    size = open_session(arguments.files[0], 1).get_inputs()[0].shape[0]
    rows, frames = data["features"].shape[1:]
    batches = list(data["features"].reshape(-1, size, 1, rows, frames))
    logits = data["logits"].reshape(len(batches), size, -1)
    forms = [Form(path, way, arguments, batches) for path in arguments.files for way in WAYS]
    far = max(check(form, logits) for form in forms)
    form, trials = fastest(forms)
    say(onnxruntime=onnxruntime.__version__, form=form.name, difference=far,
        trials={name: round(value, 1) for name, value in trials.items()})
    serve(lambda words: form.run(int(words[1])) if len(words) == 2 and words[0] == "run" else None)


if __name__ == "__main__":
    main()
