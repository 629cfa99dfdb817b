"""Compares the models in PyTorch and in ONNX Runtime with decavox: our files loaded by name, logits
in inference, gradients of training steps. `peers.py BUILD`; the exit code is 77 without peers.

The peers are those of the Python that runs it.
"""
import glob
import os
import re
import subprocess
import sys
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PEERS = os.path.join(ROOT, "benchmarks", "peers")
MODELS = ("advanced", "advanced_fine", "efficient", "efficient_fine", "ensemble", "ensemble_fine",
          "lightweight", "lightweight_fine", "mini", "resnet18", "transformer", "transformer_fine")
NEEDED = "numpy, onnx, onnxruntime, safetensors, torch, yaml"
SKIPPED = 77

BY_NAME = """
import sys
sys.path.insert(0, sys.argv[1])
import twin
from safetensors.torch import load_file
model = twin.build(sys.argv[2], 13, 32, 10)
tensors = load_file(sys.argv[3])
model.load_state_dict(tensors)
print(sum(v.numel() for v in tensors.values()))
tensors["head.wight"] = tensors.pop("head.weight")
try:
    model.load_state_dict(tensors)
except RuntimeError as error:
    print("head.wight" in str(error) and "head.weight" in str(error))
"""


def missing():
    """The reason why this Python cannot run the peers, empty if it can."""
    done = subprocess.run([PYTHON, "-c", f"import {NEEDED}"], stderr=subprocess.PIPE, text=True)
    return "" if done.returncode == 0 else done.stderr.strip().splitlines()[-1]


class Peers(unittest.TestCase):
    def run_peers(self, *command):
        environment = {k: v for k, v in os.environ.items() if k != "OPENBLAS_CORETYPE"}
        done = subprocess.run([PYTHON, "-B", *command], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, cwd=ROOT, timeout=500,
                              env=environment | {"OPENBLAS_NUM_THREADS": "1"})
        return done

    def test_by_name(self):
        """load_state_dict itself loads our files, and reports a wrong name."""
        done = self.run_peers("-c", BY_NAME, PEERS, "configs/models/advanced_fine.yaml",
                              "checkpoints/advanced_fine.safetensors")
        self.assertEqual(done.returncode, 0, done.stderr)
        values, told = done.stdout.split()
        self.assertGreater(int(values), 2_500_000)
        self.assertEqual(told, "True")

    def test_parity(self):
        files = sorted(glob.glob(os.path.join(ROOT, "configs", "models", "*.yaml")))
        self.assertEqual([os.path.basename(file)[:-5] for file in files], sorted(MODELS))
        done = self.run_peers(os.path.join(PEERS, "parity.py"), "--build", BUILD, "--quick",
                              "--onnx", *files)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        for model in MODELS:
            # The steps that are undecided within rounding differ between processors.
            for what in (r", adamw, step by step( \(undecided: \[\d\]\))?: ",
                         ", inference, batch 8: ", ", inference, batch 8, ONNX Runtime: "):
                lines = [line for line in done.stdout.splitlines() if re.match(model + what, line)]
                self.assertEqual(len(lines), 1, done.stdout)
                self.assertTrue(lines[0].endswith(": agree"), lines[0])
                print(lines[0])

    def test_parity_can_fail(self):
        """With other weights, ONNX Runtime's logits are refused before anything is timed."""
        done = self.run_peers("-c", DIFFERENT, PEERS, os.path.join(ROOT, "configs", "models",
                                                                   "mini.yaml"), BUILD)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn("from decavox's, limit 0.0001", done.stderr)
        self.assertNotIn("microseconds", done.stdout)


# Exports the twin with its own random weights, and compares it with decavox's logits.
DIFFERENT = """
import os, subprocess, sys, tempfile
sys.path[:0] = [sys.argv[1], os.path.dirname(sys.argv[1])]
import onnx_export, twin
from contest import Child, program
model, build = sys.argv[2:]
with tempfile.TemporaryDirectory() as folder:
    command = program(build, "step") + [model, "--inference", "--batch", "2"]
    ours = Child("step", command, 1)
    ours.ready()
    ours.ask("batches " + folder + "/batches")
    ours.close()
    onnx_export.quiet()
    path = folder + "/script_17_2.onnx"
    onnx_export.export(twin.build(model, 13, 32, 10).eval(), 2, 13, 32, "script_17", path)
    sys.exit(subprocess.run([sys.executable, sys.argv[1] + "/onnx_step.py", path, "--batches",
                             folder + "/batches"], input="run 1\\n", text=True).returncode)
"""

if __name__ == "__main__":
    BUILD = os.path.abspath(sys.argv.pop(1))
    PYTHON = sys.executable
    reason = missing()
    if reason:
        print(f"skipped: {PYTHON}: {reason}")
        sys.exit(SKIPPED)
    unittest.main(verbosity=2)
