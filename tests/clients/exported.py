"""Shared by the clients of exported files: recordings, decavox's answers to them, and options."""
import argparse
import array
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


def options(about):
    """The options of the command line. A Python that it names replaces the running one."""
    parser = argparse.ArgumentParser(description=about.split("\n\n", maxsplit=1)[0])
    parser.add_argument("build", help="a release build")
    parser.add_argument("--python", help="whose runtimes they are")
    parser.add_argument("--precision", default="fp32", choices=LIMITS)
    parser.add_argument("--clips", type=int, help="as many at most")
    parser.add_argument("--checkpoint", action="append", help="in place of those that are shipped")
    chosen = parser.parse_args()
    if chosen.python:
        at = sys.argv.index("--python")
        os.execv(chosen.python, [chosen.python, "-B", *sys.argv[:at], *sys.argv[at + 2:]])
    return chosen


def recordings():
    """The official test part of the Free Spoken Digit Dataset."""
    data = os.environ.get("DECAVOX_DATA") or os.path.join(ROOT, "..", "shared", "data")
    return [path for i in range(5)
            for path in sorted(glob.glob(os.path.join(data, "fsdd", f"*_{i}.wav")))]


def read(path):
    """Reads samples of 16 bits."""
    with wave.open(path, "rb") as file:
        return array.array("h", file.readframes(file.getnframes()))


def on_constants(path, folder):
    """Writes a constant, and a recording on one: the rest of a mean in FP32 must not count as
    sound."""
    made = []
    for name, samples in (("constant", [0] * 24017), ("word", read(path))):
        made.append(os.path.join(folder, name + ".wav"))
        with wave.open(made[-1], "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(8000)
            file.writeframes(array.array("h", [min(one + 9831, 32767) for one in samples]))
    return made


def decavox(program, *arguments):
    """Runs decavox and returns its output, without warnings of clips longer than a window."""
    done = subprocess.run([program, *arguments], cwd=ROOT, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise OSError(done.stderr)
    return done.stdout


def check_all(chosen, endings, check):
    """Exports each checkpoint to each ending and calls check(name, path, answers, samples), which
    returns a list of problems. Returns the exit code."""
    paths = recordings()[:chosen.clips]
    if not paths:
        print("skipped: no recordings (set DECAVOX_DATA)")
        return SKIPPED
    program = os.path.join(os.path.abspath(chosen.build), "runner", "decavox")
    shipped, problems = sorted(glob.glob(os.path.join(ROOT, "checkpoints", "*.safetensors"))), []
    with tempfile.TemporaryDirectory() as folder:
        paths += on_constants(paths[0], folder)
        samples = [read(path) for path in paths]
        print(f"{chosen.precision}, {len(paths)} clips")
        for checkpoint in chosen.checkpoint or shipped:
            name = os.path.splitext(os.path.basename(checkpoint))[0]
            answers = json.loads(decavox(program, "predict", checkpoint, *paths, "--format",
                                         "json"))
            for ending in endings:
                path = os.path.join(folder, name + ending)
                decavox(program, "export", checkpoint, "--precision", chosen.precision, "--out",
                        path)
                problems += check(name + ending, path, answers, samples)
                os.remove(path)
    print("\n".join(problems))
    return 1 if problems else 0


def run_example(name, script, path, answers):
    """Runs the program in examples/export on three recordings. Returns the problems."""
    done = subprocess.run([sys.executable, "-B", os.path.join(ROOT, "examples", "export", script),
                           path, *recordings()[:3]], stdout=subprocess.PIPE, text=True)
    words = [line.split("\t")[1] for line in done.stdout.splitlines()]
    return [] if words == [one["label"] for one in answers[:3]] else [
        f"{name}: {script} ends with {done.returncode} and prints {done.stdout!r}"]


def judge(name, same, answers, figures, precision):
    """Prints a line with the number of `same` words and {what: largest difference}. Returns the
    problems."""
    told = ", ".join(f"{what} {value:.2g}" for what, value in figures.items())
    print(f"{name}: {same} of {len(answers)} words the same; largest difference to {told}",
          flush=True)
    problems = [] if same == len(answers) else [f"{name}: other words"]
    return problems + [f"{name}: {what} differs by {value:.2g}, limit {LIMITS[precision]}"
                       for what, value in figures.items() if not value <= LIMITS[precision]]
