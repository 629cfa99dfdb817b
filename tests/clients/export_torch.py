"""Exports every shipped checkpoint to PyTorch, and compares its answers to recordings with those of
`decavox predict`.

    export_torch.py BUILD [--python PYTHON] [--precision fp16] [--clips N] [--checkpoint FILE]...

PyTorch is that of the Python that runs it, or of PYTHON. One without torch.export.load only reads
TorchScript. The exit code is 77 without PyTorch or recordings.
"""
import json
import os
import sys
import warnings

import exported


def load_torchscript(path, notes):
    return torch.jit.load(path, _extra_files=notes)


def load_pt2(path, notes):
    return torch.export.load(path, extra_files=notes).module()


def loaders():
    """The functions that load files, {ending: function}."""
    found = {".pt": load_torchscript}
    if hasattr(getattr(torch, "export", None), "load"):
        found[".pt2"] = load_pt2
    return found


def difference(one, other):
    return (one - other).abs().max().item()


def answer(model, clips):
    """The logits (clips, words), one clip at a time."""
    return torch.cat([model(clip[None])[1] for clip in clips])


def in_batches(model, clips):
    """The largest difference between a batch of clips of one length and the same clips one by
    one."""
    length = int(sum(map(len, clips)) / len(clips))
    equal = torch.stack([torch.nn.functional.pad(clip, (0, max(0, length - len(clip))))[:length]
                         for clip in clips[:exported.BATCH]])
    return difference(model(equal)[1], answer(model, equal))


def again(model, clips, path):
    """The largest difference after freezing, saving and loading."""
    before, largest = answer(model, clips), 0
    frozen = torch.jit.freeze(model)
    for one in (model, frozen):
        torch.jit.save(one, path)
        for each in (one, torch.jit.load(path)):
            largest = max(largest, difference(before, answer(each, clips)))
    os.remove(path)
    return largest


def check(name, path, answers, samples):
    notes = {"labels": "", "sample_rate": ""}
    problems = exported.run_example(name, "answer_torch.py", path, answers)
    clips = [torch.tensor(each, dtype=torch.float32) / 32768 for each in samples]
    with torch.no_grad():
        model = loaders()[os.path.splitext(path)[1]](path, notes)
        labels, logits = json.loads(notes["labels"]), answer(model, clips)
        same = sum(labels[word] == one["label"]
                   for word, one in zip(logits.argmax(1).tolist(), answers))
        figures = {"predict": difference(logits,
                                         torch.tensor([one["logits"] for one in answers])),
                   f"batch of {exported.BATCH}": in_batches(model, clips)}
        if path.endswith(".pt"):
            figures["frozen, saved and loaded"] = again(model, clips[:8], path + ".again")
    print(f"{name}: {os.path.getsize(path)} bytes")
    return problems + exported.judge(f"{name}: PyTorch {torch.__version__}", same, answers,
                                     figures, CHOSEN.precision)


if __name__ == "__main__":
    CHOSEN = exported.options(__doc__)
    try:
        import torch
    except ImportError as error:
        print(f"skipped: {sys.executable}: {error}")
        sys.exit(exported.SKIPPED)
    warnings.filterwarnings("ignore", category=FutureWarning)  # about the end of TorchScript
    sys.exit(exported.check_all(CHOSEN, loaders(), check))
