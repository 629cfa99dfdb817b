"""Every shipped checkpoint as ONNX: exported, checked, and its answers for recordings in several
runtimes against those of `decavox predict`.

    export_onnx.py BUILD [--python PYTHON] [--precision fp16] [--clips N] [--checkpoint FILE]...

The runtimes are those of the Python that runs it, or of PYTHON: ONNX Runtime, OpenVINO, and ONNX
Runtime with what onnxsim makes of the file. One that is not there is left out. Debian's onnx 1.12
checks the files too, where /usr/bin/python3 has it. Exit code 77 where there is no runtime, or there
are no recordings.
"""
import argparse
import glob
import json
import os
import subprocess
import sys
import tempfile
import wave

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SKIPPED = 77
LIMITS = {"fp32": 1e-3, "fp16": 2e-2}  # between logits
BATCH = 64

OLD_CHECKER = """
import sys
import onnx
onnx.checker.check_model(onnx.load(sys.argv[1]), full_check=True)
print(onnx.__version__)
"""


def recordings():
    """The official test part of the Free Spoken Digit Dataset."""
    data = os.environ.get("DECAVOX_DATA") or os.path.join(ROOT, "..", "shared", "data")
    return [path for i in range(5)
            for path in sorted(glob.glob(os.path.join(data, "fsdd", f"*_{i}.wav")))]


def read(path):
    with wave.open(path, "rb") as file:
        samples = numpy.frombuffer(file.readframes(file.getnframes()), "<i2")
    return samples.astype(numpy.float32) / 32768


def decavox(program, *arguments):
    """What it prints; warnings of clips that are longer than a window are none of this."""
    done = subprocess.run([program, *arguments], cwd=ROOT, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise OSError(done.stderr)
    return done.stdout


# ---- Runtimes: a path -> a function from (batch, samples) to probabilities and logits ----

def of_session(session):
    return lambda audio: session.run(None, {"audio": audio})


def onnx_runtime(path):
    return of_session(onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]))


def open_vino(path):
    """Its default on this processor may be BF16."""
    model = openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda audio: [model(audio)[i] for i in (0, 1)]


def simplified(path):
    model, same = onnxsim.simplify(onnx.load(path))
    if not same:
        raise ValueError(f"{path}: onnxsim's model answers otherwise than the file's")
    return of_session(onnxruntime.InferenceSession(model.SerializeToString(),
                                                   providers=["CPUExecutionProvider"]))


def runtimes():
    """{name: function}"""
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
    """The largest difference between a batch of clips of one length and the same one at a time."""
    length = int(sum(map(len, clips)) / len(clips))
    equal = numpy.stack([numpy.pad(clip, (0, max(0, length - len(clip))))[:length]
                         for clip in clips[:BATCH]])
    alone = numpy.concatenate([model(clip[None])[1] for clip in equal])
    return difference(model(equal)[1], alone)


def check_file(path):
    """By this Python's checker, and by Debian's; who has checked."""
    told = []
    if onnx is not None:
        onnx.checker.check_model(onnx.load(path), full_check=True)
        told.append(f"onnx {onnx.__version__}")
    done = subprocess.run(["/usr/bin/python3", "-c", OLD_CHECKER, path], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True)
    if done.returncode == 0:
        told.append(f"onnx {done.stdout.strip()}")
    elif "No module named 'onnx'" not in done.stderr and "FileNotFound" not in done.stderr:
        raise ValueError(f"{path}: {done.stderr}")
    return " and ".join(told) or "no checker"


def check(name, path, answers, clips):
    """Prints a line for each runtime; the problems."""
    print(f"{name}: {os.path.getsize(path)} bytes, clean for {check_file(path)}")
    wanted, words = [[one[what] for one in answers] for what in ("logits", "label")]
    labels, limit, problems = answers[0]["labels"], LIMITS[CHOSEN.precision], []
    for runtime, load in runtimes().items():
        model = load(path)
        logits = numpy.concatenate([model(clip[None])[1] for clip in clips])
        same = sum(labels[word] == one for word, one in zip(logits.argmax(1), words))
        figures = {"predict": difference(logits, wanted),
                   f"batch of {BATCH}": in_batches(model, clips)}
        told = ", ".join(f"{what} {value:.2g}" for what, value in figures.items())
        print(f"{name}: {runtime}: {same} of {len(clips)} words the same; largest difference to "
              f"{told}", flush=True)
        if same != len(clips):
            problems.append(f"{name}: {runtime}: other words")
        problems += [f"{name}: {runtime}: {what} differs by {value:.2g}, limit {limit}"
                     for what, value in figures.items() if not value <= limit]
    return problems


def main():
    paths = recordings()[:CHOSEN.clips]
    if not paths:
        print("skipped: no recordings (set DECAVOX_DATA)")
        return SKIPPED
    program = os.path.join(os.path.abspath(CHOSEN.build), "runner", "decavox")
    print(f"{CHOSEN.precision}, {len(paths)} clips")
    clips, problems = [read(path) for path in paths], []
    shipped = sorted(glob.glob(os.path.join(ROOT, "checkpoints", "*.safetensors")))
    with tempfile.TemporaryDirectory() as folder:
        for checkpoint in CHOSEN.checkpoint or shipped:
            name = os.path.splitext(os.path.basename(checkpoint))[0]
            path = os.path.join(folder, name + ".onnx")
            answers = json.loads(decavox(program, "predict", checkpoint, *paths, "--format",
                                         "json"))
            decavox(program, "export", checkpoint, "--precision", CHOSEN.precision, "--out", path)
            problems += check(name, path, answers, clips)
    print("\n".join(problems))
    return 1 if problems else 0


def optional(name):
    try:
        return __import__(name)
    except ImportError as missing:
        print(f"left out: {missing}")
        return None


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("build", help="a release build")
    parser.add_argument("--python", help="whose runtimes they are")
    parser.add_argument("--precision", default="fp32", choices=LIMITS)
    parser.add_argument("--clips", type=int, help="as many at most")
    parser.add_argument("--checkpoint", action="append", help="in place of those that are shipped")
    CHOSEN = parser.parse_args()
    if CHOSEN.python:
        at = sys.argv.index("--python")
        os.execv(CHOSEN.python, [CHOSEN.python, "-B", *sys.argv[:at], *sys.argv[at + 2:]])
    try:
        import numpy
        import onnxruntime
    except ImportError as error:
        print(f"skipped: {sys.executable}: {error}")
        sys.exit(SKIPPED)
    onnx, onnxsim, openvino = (optional(name) for name in ("onnx", "onnxsim", "openvino"))
    sys.exit(main())
