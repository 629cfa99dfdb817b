"""Compares decavox with the same model in PyTorch; exit code 1 where they differ.

    parity.py --build BUILD configs/models/advanced.yaml ...     training steps, then inference
    parity.py --build BUILD --checkpoint FILE SOUND...           `decavox predict` on sound files

Training: from the same initial weights and batches, dropout 0, every parameter, running statistic
and loss after some steps of SGD and of AdamW, against PyTorch in double. Arithmetic in float makes
a difference of its own, so PyTorch in float is measured in the same way, and ours may be at most
`--factor` times as far from the truth (or within a small absolute floor).
Inference: logits within 1e-4 relative to the largest.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

import numpy
import torch
import yaml
from safetensors import safe_open
from safetensors.numpy import load_file

import torch_twin

LIMIT = 1e-4  # of logits, relative to the largest one of the sample
FLOOR = 1e-5  # differences below count as rounding, relative to the tensor's largest value
RATES = {"sgd": 0.01, "adamw": 0.001}
DECAY, SMOOTHING, CLIP = 0.02, 0.1, 1.0


class Bench:
    """bench_step as a child."""

    def __init__(self, build, model, *options):
        program = os.path.join(build, "benchmarks", "bench_step")
        self.child = subprocess.Popen([program, model, *options], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, text=True)
        self.about = self.read()

    def read(self):
        line = self.child.stdout.readline()
        if not line:
            sys.exit(f"bench_step ended with {self.child.wait()}")
        return json.loads(line)

    def ask(self, command):
        self.child.stdin.write(command + "\n")
        self.child.stdin.flush()
        return self.read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.stdin.close()
        self.child.wait()


def our_training(arguments, folder, model_path, optimizer):
    """Initial and final parameters, batches, losses, of `bench_step`."""
    first, last, batches = (os.path.join(folder, name + ".safetensors")
                            for name in ("first", "last", "batches"))
    with Bench(arguments.build, model_path, "--optimizer", optimizer, "--threads",
               str(arguments.threads), "--learning_rate", str(RATES[optimizer]), "--weight_decay",
               str(DECAY), "--batch", str(arguments.batch), "--device", arguments.device) as bench:
        bench.ask(f"save {first}")
        bench.ask(f"batches {batches}")
        losses = bench.ask(f"run {arguments.steps}")["losses"]
        bench.ask(f"save {last}")
    return load_file(first), load_file(last), load_file(batches), losses


def torch_training(arguments, model, first, batches, optimizer, dtype):
    """The same in PyTorch: parameters by our names, losses."""
    twin = torch_twin.build(model, 13, 32, 10).train()
    torch_twin.load(twin, first)
    twin = twin.to(dtype)
    groups = torch_twin.parameter_groups(twin, DECAY)
    if optimizer == "sgd":
        update = torch.optim.SGD(groups, lr=RATES["sgd"], momentum=0.9, nesterov=True)
    else:
        update = torch.optim.AdamW(groups, lr=RATES["adamw"])
    features = torch.from_numpy(batches["features"]).to(dtype).unsqueeze(1)
    targets = torch.from_numpy(batches["targets"]).to(dtype)
    losses = []
    for step in range(arguments.steps):
        part = slice(step * arguments.batch, (step + 1) * arguments.batch)
        update.zero_grad()
        loss = torch_twin.loss_of(twin(features[part]), targets[part], SMOOTHING)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(twin.parameters(), CLIP)
        update.step()
        losses.append(loss.item())
    return {k: v.detach().numpy() for k, v in torch_twin.decavox_names(twin).items()}, losses


def distance(values, truth):
    """Root of the mean square of the difference, relative to the truth's largest value."""
    scale = max(float(numpy.abs(truth).max()), 1e-3)
    return float(numpy.sqrt(numpy.mean((values - truth) ** 2))) / scale


def compare_training(arguments, model_path, folder):
    model = torch_twin.without_dropout(torch_twin.read_model(model_path))
    quiet = os.path.join(folder, "model.yaml")
    with open(quiet, "w", encoding="utf-8") as file:
        yaml.safe_dump(model, file, sort_keys=False)
    good = True
    for optimizer in RATES:
        first, last, batches, losses = our_training(arguments, folder, quiet, optimizer)
        truth, true_losses = torch_training(arguments, model, first, batches, optimizer,
                                            torch.float64)
        single, single_losses = torch_training(arguments, model, first, batches, optimizer,
                                               torch.float32)
        tensors = {"losses": (losses, single_losses, true_losses)}
        tensors |= {name: (last[name], single[name], truth[name]) for name in truth}
        assert last.keys() == truth.keys()
        good &= judge(arguments, f"{model['name']}, {optimizer}", tensors)
        moved = min(distance(last[n], first[n]) for n in truth if n.endswith("weight"))
        if moved == 0:
            print(f"  FAIL: a weight has not moved in {arguments.steps} steps")
            good = False
    return good & compare_inference(arguments, quiet, model, folder)


def judge(arguments, title, tensors):
    rows, worst = [], 0.0
    for name, (ours, single, truth) in tensors.items():
        ours, single, truth = map(numpy.asarray, (ours, single, truth))
        far, allowed = distance(ours, truth), distance(single, truth)
        bad = not far <= max(arguments.factor * allowed, FLOOR)
        worst = max(worst, far)
        if bad:
            rows.append(f"  FAIL {name}: {far:.2e} from PyTorch in double; PyTorch in float "
                        f"{allowed:.2e}")
    print(f"{title}: {len(tensors) - 1} tensors and {arguments.steps} losses after "
          f"{arguments.steps} steps, largest difference {worst:.2e}: "
          f"{'differ' if rows else 'agree'}")
    print("\n".join(rows) + "\n" if rows else "", end="")
    return not rows


def compare_logits(title, ours, theirs):
    scale = numpy.maximum(numpy.abs(theirs).max(1, keepdims=True), 1e-6)
    worst = float((numpy.abs(ours - theirs) / scale).max())
    good = worst <= LIMIT
    print(f"{title}: logits of {len(ours)} samples, largest difference {worst:.2e} "
          f"relative: {'agree' if good else f'FAIL, limit {LIMIT}'}")
    return good


def logits_of(model, tensors, features):
    classes = next(reversed([v for v in tensors.values() if v.ndim == 2])).shape[0]
    twin = torch_twin.build(model, *features.shape[1:], classes).eval()
    torch_twin.load(twin, tensors)
    with torch.inference_mode():
        return twin(torch.from_numpy(features).unsqueeze(1)).numpy()


def compare_inference(arguments, model_path, model, folder):
    """With the trained parameters, whose running statistics are no longer 0 and 1."""
    good = True
    last = os.path.join(folder, "last.safetensors")
    for batch in (1, arguments.batch):
        out = os.path.join(folder, "inference.safetensors")
        with Bench(arguments.build, model_path, "--inference", "--batch", str(batch), "--threads",
                   str(arguments.threads), "--checkpoint", last, "--device",
                   arguments.device) as bench:
            bench.ask(f"batches {out}")
        data = load_file(out)
        theirs = logits_of(model, load_file(last), data["features"])
        good &= compare_logits(f"{model['name']}, inference, batch {batch}", data["logits"],
                               theirs)
    return good


def compare_predictions(arguments, folder):
    """`decavox predict` against the twin on the features that the front-end gives."""
    out = os.path.join(folder, "features.safetensors")
    dump = os.path.join(arguments.build, "benchmarks", "dump_features")
    decavox = os.path.join(arguments.build, "runner", "decavox")
    subprocess.run([dump, arguments.checkpoint, out, *arguments.files], check=True)
    answers = json.loads(subprocess.run(
        [decavox, "predict", arguments.checkpoint, *arguments.files, "--format", "json"],
        check=True, stdout=subprocess.PIPE).stdout)
    with safe_open(arguments.checkpoint, "np") as file:
        model = yaml.safe_load(file.metadata()["decavox.config"])["model"]
    ours = numpy.array([answer["logits"] for answer in answers])
    theirs = logits_of(model, {n: t for n, t in load_file(arguments.checkpoint).items()
                               if "/" not in n}, load_file(out)["features"])
    return compare_logits(arguments.checkpoint, ours, theirs)


def parse():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, help="folder of the build, with DV_BENCHMARKS")
    parser.add_argument("--checkpoint", help="compare predictions from this checkpoint")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--factor", type=float, default=4)
    parser.add_argument("files", nargs="+", help="model files, or sound files")
    return parser.parse_args()


def main():
    arguments = parse()
    torch.set_num_threads(arguments.threads)
    good = True
    with tempfile.TemporaryDirectory() as folder:
        if arguments.checkpoint:
            good = compare_predictions(arguments, folder)
        else:
            for path in arguments.files:
                good &= compare_training(arguments, path, folder)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
