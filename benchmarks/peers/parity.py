#!/usr/bin/env python3
"""Compares decavox with the same model in PyTorch. The exit code is 1 if they differ.

    parity.py --build BUILD configs/models/advanced.yaml ...     training steps, then inference
    parity.py --build BUILD --quick --onnx MODEL.yaml ...        the essential, in seconds
    parity.py --build BUILD --checkpoint FILE SOUND...           `decavox predict` on sound files

Training is without dropout. The truth is PyTorch in double. Distances are root mean squares
relative to the tensor's largest value, and may reach LIMIT or --factor times that of PyTorch in
float.
  step by step  Before each of our steps PyTorch takes our parameters and moments. Our loss and
                gradient are compared with the true ones, and our update with torch.optim's for our
                gradient. If a maximum or a relu is undecided within rounding, the gradient jumps
                (moving the parameters of PyTorch in double by 1e-7 has the same effect), so a
                minority of the steps need only be within KINK_LIMIT.
  at once       All steps run from our initial values. The losses must be within RUN_LIMIT, and for
                SGD the final values of all but the biases. (AdamW divides a gradient by its size,
                so nothing but rounding becomes a whole step, in PyTorch as well.)
In inference logits must be within LIMIT of the sample's largest, and with --onnx also in ONNX
Runtime, which gets the model from PyTorch. PyTorch loads our files with load_state_dict alone.
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

import twin
from records import Child, module_path, program
from training import CLIP, DECAY, SMOOTHING

LIMIT, KINK_LIMIT = 1e-4, 0.1
RUN_LIMIT = {"sgd": 1e-3, "adamw": 1e-2}
RATES = {"sgd": 0.01, "adamw": 0.001}


def start_step(arguments, model, *options):
    """Starts `decavox_bench step` as a child."""
    return Child("decavox_bench step", [*program(arguments.build, "step"), model, "--threads",
                                        str(arguments.threads), "--device", arguments.device,
                                        *options],
                 arguments.threads, environment=module_path(arguments.build))


def our_training(arguments, folder, model_path, optimizer):
    """Our batches, losses, and the parameters and moments before each step and after the last."""
    batches = os.path.join(folder, "batches.safetensors")
    files = [os.path.join(folder, f"{optimizer}{i}.safetensors")
             for i in range(arguments.steps + 1)]
    losses = []
    with start_step(arguments, model_path, "--optimizer", optimizer, "--learning_rate",
                    str(RATES[optimizer]), "--weight_decay", str(DECAY), "--batch",
                    str(arguments.batch), "--seed", str(arguments.seed)) as bench:
        bench.ask(f"batches {batches}")
        bench.ask(f"save {files[0]}")
        for file in files[1:]:
            losses += bench.ask("run 1")["losses"]
            bench.ask(f"save {file}")
    return load_file(batches), losses, [load_file(file) for file in files]


class Twin:
    """The model in PyTorch, with its optimiser, at one of our states."""

    def __init__(self, arguments, model, state, optimizer, dtype):
        self.arguments, self.optimizer, self.dtype = arguments, optimizer, dtype
        self.model = twin.build(model, 13, 32, 10).train()
        twin.load(self.model, state)
        self.model = self.model.to(dtype)
        self.names = twin.names_of(self.model)
        groups = twin.parameter_groups(self.model, DECAY)
        if optimizer == "sgd":
            self.update = torch.optim.SGD(groups, lr=RATES["sgd"], momentum=0.9, nesterov=True)
        else:
            self.update = torch.optim.AdamW(groups, lr=RATES["adamw"])

    def gradients(self, batches, step):
        """The loss, and the clipped gradients by our names."""
        part = slice(step * self.arguments.batch, (step + 1) * self.arguments.batch)
        features = torch.from_numpy(batches["features"][part]).to(self.dtype).unsqueeze(1)
        targets = torch.from_numpy(batches["targets"][part]).to(self.dtype)
        self.update.zero_grad()
        loss = twin.loss_of(self.model(features), targets, SMOOTHING)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), CLIP)
        return loss.item(), {name: tensor.grad.numpy() for name, tensor in self.names.items()
                             if isinstance(tensor, torch.nn.Parameter)}

    def values(self):
        return {name: tensor.detach().numpy().copy() for name, tensor in self.names.items()}

    def step_with(self, gradients, moments, step):
        """Makes one update with given gradients and moments (first, second by name)."""
        for name, gradient in gradients.items():
            parameter = self.names[name]
            parameter.grad = torch.from_numpy(gradient)
            first, second = (torch.from_numpy(m[name]) for m in moments)
            if self.optimizer == "sgd":
                self.update.state[parameter] = {"momentum_buffer": first}
            else:
                self.update.state[parameter] = {"step": torch.tensor(float(step)),
                                                "exp_avg": first, "exp_avg_sq": second}
        self.update.step()
        return self.values()


def distance(values, truth, scale):
    return float(numpy.sqrt(numpy.mean((values - truth) ** 2))) / scale


class Judge:
    """Collects comparisons under a title and prints the result."""

    def __init__(self, arguments, title):
        self.arguments, self.title = arguments, title
        self.worst, self.count, self.failures = 0.0, 0, []

    def compare(self, what, ours, truth, single=None, floor=0.0):
        """Adds a comparison. `single` is PyTorch's value in float. Values below `floor` are nothing
        but rounding."""
        ours, truth = (numpy.asarray(v, numpy.float64) for v in (ours, truth))
        scale = max(float(numpy.abs(truth).max()), floor)
        far = distance(ours, truth, scale)
        allowed = 0.0 if single is None else distance(numpy.asarray(single), truth, scale)
        self.worst = max(self.worst, far)
        self.count += 1
        if not far <= max(LIMIT, self.arguments.factor * allowed):
            self.failures.append(f"  FAIL {what}: {far:.2e}, PyTorch in float: {allowed:.2e}")

    def take(self, other):
        self.worst = max(self.worst, other.worst)
        self.count += other.count
        self.failures += other.failures

    def verdict(self):
        print(f"{self.title}: {self.count} comparisons, largest difference {self.worst:.2e}: "
              f"{'differ' if self.failures else 'agree'}")
        for line in self.failures:
            print(line)
        return not self.failures


def compare_runs(arguments, model, batches, losses, states, optimizer):
    """Compares whole runs from the same start."""
    double = Twin(arguments, model, states[0], optimizer, torch.float64)
    true_losses = []
    for step in range(arguments.steps):
        true_losses.append(double.gradients(batches, step)[0])
        double.update.step()
    far = max(abs(a / b - 1) for a, b in zip(losses, true_losses))
    judge = Judge(arguments, f"{model['name']}, {optimizer}, {arguments.steps} steps at once, "
                             f"losses within {far:.1e}")
    if not far <= RUN_LIMIT[optimizer]:
        judge.failures.append(f"  FAIL losses: {losses}, PyTorch {true_losses}")
    values = double.values()
    for name, truth in values.items():
        floor = 0.0
        if name.endswith("running_mean"):  # behind a norm and a 1x1 convolution it is zero
            floor = float(values[name.replace("mean", "var")].max()) ** 0.5
        if optimizer == "sgd" and not name.endswith("bias"):
            judge.compare(name, states[-1][name], truth, floor=floor)
        if name.endswith("weight") and numpy.array_equal(states[-1][name], states[0][name]):
            judge.failures.append(f"  FAIL {name} has not moved")
    return judge.verdict()


def our_gradient(before, after, name, optimizer):
    """Our gradient, from the first moment before and after. SGD adds the weight decay to it."""
    old, new = (s[f"moment1/{name}"].astype(numpy.float64) for s in (before, after))
    if optimizer == "adamw":
        return (new - 0.9 * old) / (1 - 0.9)
    value = before[name].astype(numpy.float64)
    return new - 0.9 * old - (DECAY * value if value.ndim > 1 else 0)


def compare_gradients(judge, step, ours, truth, single):
    largest = max(float(numpy.abs(gradient).max()) for gradient in truth.values())
    for name in truth:
        judge.compare(f"step {step}: gradient of {name}", ours[name], truth[name], single[name],
                      floor=1e-4 * largest)


def compare_step(arguments, model, batches, loss, states, step, optimizer, judge):
    before, after = states[step], states[step + 1]
    double = Twin(arguments, model, before, optimizer, torch.float64)
    true_loss, truth = double.gradients(batches, step)
    single_loss, single = Twin(arguments, model, before, optimizer,
                               torch.float32).gradients(batches, step)
    judge.compare(f"step {step}: loss", loss, true_loss, single_loss)
    ours = {name: our_gradient(before, after, name, optimizer) for name in truth}
    gradients = Judge(arguments, "")
    compare_gradients(gradients, step, ours, truth, single)
    undecided = bool(gradients.failures) and gradients.worst <= KINK_LIMIT
    if not undecided:
        judge.take(gradients)
    kinds = ("moment1", "moment1" if optimizer == "sgd" else "moment2")
    moments = [{name: before[f"{kind}/{name}"].astype(numpy.float64) for name in truth}
               for kind in kinds]
    start = double.values()
    end = double.step_with(ours, moments, step)
    for name in truth:
        judge.compare(f"step {step}: update of {name}", after[name] - start[name],
                      end[name] - start[name], floor=1e-3 * float(numpy.abs(start[name]).max()))
    return undecided


def compare_training(arguments, model_path, folder):
    model = twin.without_dropout(twin.read_model(model_path))
    quiet = os.path.join(folder, "model.yaml")
    with open(quiet, "w", encoding="utf-8") as file:
        yaml.safe_dump(model, file, sort_keys=False)
    good = True
    for optimizer in ["adamw"] if arguments.quick else RATES:
        batches, losses, states = our_training(arguments, folder, quiet, optimizer)
        if not arguments.quick:
            good &= compare_runs(arguments, model, batches, losses, states, optimizer)
        judge = Judge(arguments, f"{model['name']}, {optimizer}, step by step")
        undecided = [step for step in range(arguments.steps)
                     if compare_step(arguments, model, batches, losses[step], states, step,
                                     optimizer, judge)]
        if undecided:
            judge.title += f" (undecided: {undecided})"
        if 2 * len(undecided) > arguments.steps:
            judge.failures.append(f"  FAIL the gradient differs in the steps {undecided}")
        good &= judge.verdict()
    return good & compare_inference(arguments, quiet, model, folder)


def compare_logits(title, ours, theirs):
    scale = numpy.maximum(numpy.abs(theirs).max(1, keepdims=True), 1e-6)
    worst = float((numpy.abs(ours - theirs) / scale).max())
    good = worst <= LIMIT
    print(f"{title}: logits of {len(ours)} samples, largest difference {worst:.2e} "
          f"relative: {'agree' if good else f'FAIL, limit {LIMIT}'}")
    return good


def load_twin(model, tensors, shape):
    """Loads the twin for features of `shape`, (rows, frames)."""
    classes = [value for name, value in tensors.items()
               if value.ndim == 2 and "/" not in name][-1].shape[0]
    module = twin.build(model, *shape, classes).eval()
    twin.load(module, tensors)
    return module


def logits_of(module, features):
    with torch.inference_mode():
        return module(torch.from_numpy(features).unsqueeze(1)).numpy()


def logits_of_onnx(module, batch, features, folder):
    import onnx_export
    import onnx_step
    onnx_export.quiet()
    path = os.path.join(folder, "model.onnx")
    onnx_export.export(module, batch, *features.shape[1:], "script_17", path)
    session = onnx_step.open_session(path, 1)
    batches = features.reshape(-1, batch, 1, *features.shape[1:])
    return numpy.concatenate([session.run(None, {"features": part})[0] for part in batches])


def compare_inference(arguments, model_path, model, folder):
    """Compares inference with trained parameters, whose running statistics are no longer 0 and
    1."""
    good = True
    last = os.path.join(folder, f"adamw{arguments.steps}.safetensors")
    for batch in (arguments.batch,) if arguments.quick else (1, arguments.batch):
        out = os.path.join(folder, "inference.safetensors")
        with start_step(arguments, model_path, "--inference", "--batch", str(batch),
                        "--checkpoint", last) as bench:
            bench.ask(f"batches {out}")
        data = load_file(out)
        module = load_twin(model, load_file(last), data["features"].shape[1:])
        title = f"{model['name']}, inference, batch {batch}"
        good &= compare_logits(title, data["logits"], logits_of(module, data["features"]))
        if arguments.onnx:
            theirs = logits_of_onnx(module, batch, data["features"], folder)
            good &= compare_logits(f"{title}, ONNX Runtime", data["logits"], theirs)
    return good


def compare_predictions(arguments, folder):
    """Compares `decavox predict` with the twin on the front-end's features."""
    out = os.path.join(folder, "features.safetensors")
    dump = program(arguments.build, "dump_features")
    decavox = os.path.join(arguments.build, "runner", "decavox")
    subprocess.run([*dump, arguments.checkpoint, out, *arguments.files], check=True)
    answers = json.loads(subprocess.run(
        [decavox, "predict", arguments.checkpoint, *arguments.files, "--format", "json"],
        check=True, stdout=subprocess.PIPE).stdout)
    with safe_open(arguments.checkpoint, "np") as file:
        model = yaml.safe_load(file.metadata()["decavox.config"])["model"]
    ours = numpy.array([answer["logits"] for answer in answers])
    features = load_file(out)["features"]
    module = load_twin(model, load_file(arguments.checkpoint), features.shape[1:])
    return compare_logits(arguments.checkpoint, ours, logits_of(module, features))


def parse():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, help="folder of the build, with DV_BENCHMARKS")
    parser.add_argument("--checkpoint", help="compare predictions from this checkpoint")
    parser.add_argument("--quick", action="store_true",
                        help="two steps of AdamW one by one, batch 8")
    parser.add_argument("--onnx", action="store_true", help="ONNX Runtime's logits as well")
    parser.add_argument("--steps", type=int, default=0, help="default: 5, quick: 2")
    parser.add_argument("--batch", type=int, default=0, help="default: 32, quick: 8")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", default="cpu", help="cpu, ref, cuda or cudasim")
    parser.add_argument("--factor", type=float, default=4)
    parser.add_argument("files", nargs="+", help="model files, or sound files")
    arguments = parser.parse_args()
    arguments.steps = arguments.steps or (2 if arguments.quick else 5)
    arguments.batch = arguments.batch or (8 if arguments.quick else 32)
    return arguments


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
