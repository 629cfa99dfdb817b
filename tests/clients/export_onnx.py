"""Exports every shipped checkpoint to ONNX, checks it, and compares its answers to recordings in
several runtimes with those of `decavox predict`.

    export_onnx.py BUILD [--python PYTHON] [--precision fp16] [--clips N] [--checkpoint FILE]...

The runtimes are those of the Python that runs it, or of PYTHON: ONNX Runtime, OpenVINO, and ONNX
Runtime with the file simplified by onnxsim. Missing ones are left out. Debian's onnx 1.12 checks
the files, too, if /usr/bin/python3 has it. The exit code is 77 without a runtime or recordings.
"""
import os
import subprocess
import sys

import exported

OLD_CHECKER = """
import sys
import onnx
onnx.checker.check_model(onnx.load(sys.argv[1]), full_check=True)
print(onnx.__version__)
"""


# ---- Runtimes, which turn a path into a function (batch, samples) -> probabilities, logits ----

def of_session(session):
    return lambda audio: session.run(None, {"audio": audio})


def onnx_runtime(path):
    return of_session(onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]))


def open_vino(path):
    """Opens a file in OpenVINO, in FP32; its default on this processor may be BF16."""
    model = openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda audio: [model(audio)[i] for i in (0, 1)]


def simplified(path):
    model, same = onnxsim.simplify(onnx.load(path))
    if not same:
        raise ValueError(f"{path}: onnxsim's model answers otherwise than the file's")
    return of_session(onnxruntime.InferenceSession(model.SerializeToString(),
                                                   providers=["CPUExecutionProvider"]))


def runtimes():
    """The available runtimes, {name: function}."""
    found = {f"ONNX Runtime {onnxruntime.__version__}": onnx_runtime}
    if openvino is not None and CHOSEN.precision == "fp32":
        found["OpenVINO " + openvino.__version__.split("-")[0]] = open_vino
    if onnxsim is not None:
        found["onnxsim"] = simplified
    return found


# ---- Checking ----

def difference(one, other):
    return float(numpy.abs(numpy.asarray(one) - numpy.asarray(other)).max())


def in_batches(model, clips):
    """The largest difference between a batch of clips of one length and the same clips one by
    one."""
    length = int(sum(map(len, clips)) / len(clips))
    equal = numpy.stack([numpy.pad(clip, (0, max(0, length - len(clip))))[:length]
                         for clip in clips[:exported.BATCH]])
    alone = numpy.concatenate([model(clip[None])[1] for clip in equal])
    return difference(model(equal)[1], alone)


def check_file(path):
    """Checks a file by this Python's checker and by Debian's. Returns the names of the checkers."""
    told = []
    if onnx is not None:
        onnx.checker.check_model(onnx.load(path), full_check=True)
        told.append(f"onnx {onnx.__version__}")
    done = subprocess.run(["/usr/bin/python3", "-c", OLD_CHECKER, path], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True)
    if done.returncode == 0:
        told.append(f"onnx {done.stdout.strip()}")
    elif "No module named 'onnx'" not in done.stderr:
        raise ValueError(f"{path}: {done.stderr}")
    return " and ".join(told) or "no checker"


def check(name, path, answers, samples):
    clips = [numpy.array(each, numpy.float32) / 32768 for each in samples]
    print(f"{name}: {os.path.getsize(path)} bytes, clean for {check_file(path)}")
    labels = answers[0]["labels"]
    problems = exported.run_example(name, "answer_onnx.py", path, answers)
    for runtime, load in runtimes().items():
        model = load(path)
        logits = numpy.concatenate([model(clip[None])[1] for clip in clips])
        same = sum(labels[word] == one["label"] for word, one in zip(logits.argmax(1), answers))
        figures = {"predict": difference(logits, [one["logits"] for one in answers]),
                   f"batch of {exported.BATCH}": in_batches(model, clips)}
        problems += exported.judge(f"{name}: {runtime}", same, answers, figures, CHOSEN.precision)
    return problems


def optional(name):
    try:
        return __import__(name)
    except ImportError as missing:
        print(f"left out: {missing}")
        return None


if __name__ == "__main__":
    CHOSEN = exported.options(__doc__)
    try:
        import numpy
        import onnxruntime
    except ImportError as error:
        print(f"skipped: {sys.executable}: {error}")
        sys.exit(exported.SKIPPED)
    onnx, onnxsim, openvino = (optional(name) for name in ("onnx", "onnxsim", "openvino"))
    sys.exit(exported.check_all(CHOSEN, (".onnx",), check))
