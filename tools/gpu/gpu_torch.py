"""The line `compile`: fills the cache of torch.compile for the comparison in the second run."""
import os
import sys

from gpu_common import ROOT, cores, keep_folder, left, simulated

sys.path.append(os.path.join(ROOT, "benchmarks", "peers"))
from device_steps import torch_device, why_no_torch
from records import PEERS, Child, model_path

MODELS = ("lightweight", "advanced")


def start(arguments, model, precision, *options):
    variants = "compile" if simulated(arguments) else "compile,graph_compile"
    return Child(f"{model} {precision} {' '.join(options)}", [
        arguments.python, "-B", os.path.join(PEERS, "torch_step.py"), model_path(model),
        "--precision", precision, "--device", torch_device(arguments.device), "--variants",
        variants, *options], 1, must=False, environment={
            "TORCHINDUCTOR_COMPILE_THREADS": str(max(1, cores() // 4))})


def compile_all(arguments, findings, *options):
    children = [start(arguments, model, precision, *options)
                for model in MODELS for precision in ("fp32", "bf16")]
    for child in children:
        if not child.ready(left(arguments, 15)):
            findings.problem(f"{child.name}: {child.problem}")
            continue
        findings.line(f"{child.name}: {', '.join(child.about['variants']) or 'nothing'} compiled")
        for name, reason in child.about["skipped"].items():
            findings.problem(f"{child.name}: {name}: {reason}")
    for child in children:
        child.kill()


def keep_cache(arguments, findings):
    folder = os.environ["TORCHINDUCTOR_CACHE_DIR"]
    if os.path.isdir(folder) and os.listdir(folder):
        keep_folder(arguments, findings, folder, "inductor")
    else:
        findings.problem("torch.compile has left no cache")


def compile_models(arguments, findings):
    reason = why_no_torch(arguments)
    if reason is not None:
        findings.skip(f"no PyTorch: {reason}")
    if arguments.quick:
        findings.skip("compiling takes long, which --quick leaves out")
    compile_all(arguments, findings, "--batch", "32")
    keep_cache(arguments, findings)
    if left(arguments, 15) > 20:
        compile_all(arguments, findings, "--batch", "1", "--inference")
        keep_cache(arguments, findings)
