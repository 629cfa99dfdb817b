"""Every shipped checkpoint as PyTorch loads it: exported, and its answers for recordings against
those of `decavox predict`.

    export_torch.py BUILD [--python PYTHON] [--precision fp16] [--clips N]

The PyTorch is that of the Python that runs it, or of PYTHON; one without torch.export.load reads
TorchScript alone. Exit code 77 where there is no PyTorch, or there are no recordings.
"""
import argparse
import array
import glob
import json
import os
import subprocess
import sys
import tempfile
import warnings
import wave

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SKIPPED = 77
LIMITS = {"fp32": 1e-3, "fp16": 2e-2}  # between logits
BATCH = 64


def recordings():
    """The official test part of the Free Spoken Digit Dataset."""
    data = os.environ.get("DECAVOX_DATA") or os.path.join(ROOT, "..", "shared", "data")
    return [path for i in range(5)
            for path in sorted(glob.glob(os.path.join(data, "fsdd", f"*_{i}.wav")))]


def read(path):
    with wave.open(path, "rb") as file:
        samples = array.array("h", file.readframes(file.getnframes()))
    return torch.tensor(samples, dtype=torch.float32) / 32768


def decavox(program, *arguments):
    done = subprocess.run([program, *arguments], cwd=ROOT, stdout=subprocess.PIPE, check=True)
    return done.stdout


def load_torchscript(path, notes):
    return torch.jit.load(path, _extra_files=notes)


def load_pt2(path, notes):
    return torch.export.load(path, extra_files=notes).module()


def loaders():
    """{ending: how such a file is loaded}"""
    found = {".pt": load_torchscript}
    if hasattr(getattr(torch, "export", None), "load"):
        found[".pt2"] = load_pt2
    return found


def difference(one, other):
    return (one - other).abs().max().item()


def answer(model, clips):
    """(clips, words): the logits, one clip at a time."""
    return torch.cat([model(clip[None])[1] for clip in clips])


def in_batches(model, clips):
    """The largest difference between a batch of clips of one length and the same one at a time."""
    length = int(sum(map(len, clips)) / len(clips))
    equal = torch.stack([torch.nn.functional.pad(clip, (0, max(0, length - len(clip))))[:length]
                         for clip in clips[:BATCH]])
    return difference(model(equal)[1], answer(model, equal))


def again(model, clips, folder):
    """The largest difference after freezing, saving and loading."""
    path = os.path.join(folder, "again.pt")
    before, largest = answer(model, clips), 0
    frozen = torch.jit.freeze(model)
    for one in (model, frozen):
        torch.jit.save(one, path)
        for each in (one, torch.jit.load(path)):
            largest = max(largest, difference(before, answer(each, clips)))
    return largest


def decomposed(path, logits, clips):
    """The largest difference after torch has followed the sizes through the graph anew."""
    return difference(answer(torch.export.load(path).run_decompositions().module(), clips), logits)


def check(name, ending, answers, clips, folder):
    """Prints a line; the problems."""
    path = os.path.join(folder, name + ending)
    notes = {"labels": "", "sample_rate": ""}
    model = loaders()[ending](path, notes)
    labels = json.loads(notes["labels"])
    limit, problems = LIMITS[CHOSEN.precision], []
    logits = answer(model, clips)
    wanted = torch.tensor([one["logits"] for one in answers])
    same = sum(labels[word] == one["label"] for word, one in zip(logits.argmax(1).tolist(),
                                                                 answers))
    figures = {"predict": difference(logits, wanted), f"batch of {BATCH}": in_batches(model, clips)}
    if ending == ".pt":
        figures["frozen, saved and loaded"] = again(model, clips[:8], folder)
    else:
        figures["decomposed"] = decomposed(path, logits[:8], clips[:8])
    told = ", ".join(f"{what} {value:.2g}" for what, value in figures.items())
    print(f"{name}{ending}: {os.path.getsize(path)} bytes, {same} of {len(clips)} words the same; "
          f"largest difference to {told}", flush=True)
    if same != len(clips) and CHOSEN.precision == "fp32":
        problems.append(f"{name}{ending}: other words")
    problems += [f"{name}{ending}: {what} differs by {value:.2g}, limit {limit}"
                 for what, value in figures.items() if not value <= limit]
    return problems


def main():
    paths = recordings()[:CHOSEN.clips]
    if not paths:
        print("skipped: no recordings (set DECAVOX_DATA)")
        return SKIPPED
    program = os.path.join(os.path.abspath(CHOSEN.build), "runner", "decavox")
    print(f"PyTorch {torch.__version__}, {CHOSEN.precision}, {len(paths)} clips")
    clips, problems = [read(path) for path in paths], []
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        for checkpoint in sorted(glob.glob(os.path.join(ROOT, "checkpoints", "*.safetensors"))):
            name = os.path.splitext(os.path.basename(checkpoint))[0]
            answers = json.loads(decavox(program, "predict", checkpoint, *paths, "--format",
                                         "json"))
            for ending in loaders():
                decavox(program, "export", checkpoint, "--precision", CHOSEN.precision, "--out",
                        os.path.join(folder, name + ending))
                problems += check(name, ending, answers, clips, folder)
    print("\n".join(problems))
    return 1 if problems else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("build", help="a release build")
    parser.add_argument("--python", help="whose PyTorch it is")
    parser.add_argument("--precision", default="fp32", choices=LIMITS)
    parser.add_argument("--clips", type=int, help="as many at most")
    CHOSEN = parser.parse_args()
    if CHOSEN.python:
        at = sys.argv.index("--python")
        os.execv(CHOSEN.python, [CHOSEN.python, "-B", *sys.argv[:at], *sys.argv[at + 2:]])
    try:
        import torch
    except ImportError as error:
        print(f"skipped: {sys.executable}: {error}")
        sys.exit(SKIPPED)
    warnings.filterwarnings("ignore", category=FutureWarning)  # of TorchScript, which ends
    sys.exit(main())
