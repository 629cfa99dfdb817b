"""`decavox export` to ONNX: the content of the file, and answers equal to decavox's, by the checker
and the reference evaluator of onnx if it is installed."""
import json
import os
import re
import shutil
import stat
import sys
import unittest
import wave

import support
from support import FAILED, GOOD, USAGE, decavox

try:
    import numpy
    import onnx
    import onnx_reference
except ImportError as error:
    onnx, reason = None, str(error)
else:
    reason = ""

TYPES, PLACEMENTS = ("mfcc", "mel", "spectrogram", "fbank"), ("energy", "middle", "start")
CLIPS = ("0_ann_0.wav", "1_ann_0.wav")


class Case(support.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = os.path.join(cls.train_once(cls.at("run")), "model.safetensors")

    def export(self, name, model, *arguments):
        out = self.at(name)
        return out, self.ends(decavox("export", model, "--out", out, *arguments), GOOD)

    def python(self, text):
        """Makes a program in the place of Python."""
        path = support.write_text(self.at("python"), "#!/bin/sh\n" + text)
        os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)
        return path


class Files(Case):
    def test_endings_and_formats(self):
        out, done = self.export("a.onnx", self.model)
        self.assertIn("a.onnx: onnx, ", done.out)
        other, _ = self.export("b", self.model, "--format", "onnx")
        self.assertEqual(*(support.read_bytes(path) for path in (out, other)))
        for name in ("model", "model.onx", "model.tflite"):
            path = self.at(name)
            done = self.ends(decavox("export", self.model, "--out", path), USAGE,
                             "tells no format", ".onnx (onnx)", ".safetensors (safetensors")
            self.assertFalse(os.path.exists(path))

    def test_refusals(self):
        for batch in ("0", "-1", "many", "1.5"):
            done = decavox("export", self.model, "--out", self.at("no.onnx"), "--batch", batch)
            self.ends(done, USAGE, f"--batch is '{batch}'")
        done = decavox("export", self.model, "--out", self.at("no.onnx"), "--batch", "99999999999")
        self.ends(done, USAGE, "batch is 99999999999, must be 0 to 2147483647")
        for option in (("--verify",), ("--batch", "2"), ("--license", "MIT"),
                       ("--input", "features")):
            done = decavox("export", self.model, "--out", self.at("no.safetensors"), *option)
            self.ends(done, USAGE, f"{option[0].lstrip('-')} has no effect")
        done = decavox("export", self.model, "--out", self.at("no.onnx"), "--license", b"\xff")
        self.ends(done, USAGE, "not UTF-8")
        for name in ("no.onnx", "no.safetensors"):
            self.assertFalse(os.path.exists(self.at(name)))

    def test_a_file_that_may_not_grow(self):
        path = self.at("limited.onnx")
        done = decavox("export", self.model, "--out", path, limit=20000)
        self.ends(done, FAILED, "limited.onnx", "File too large")
        self.assertEqual([name for name in os.listdir(self.folder) if "limited" in name], [])

    def test_verify_by_what_a_runtime_answers(self):
        """A missing runtime, one that cannot be started, fewer answers, and other answers."""
        answer = "echo runtime None 1\nfor i in $(seq {}); do echo answer {}; done\n"
        for text, parts in (("echo missing No module named onnxruntime\n",
                             ("No module named onnxruntime", "--python")),
                            ("exit 3\n", ("ended with code 3",)),
                            (answer.format(3, 1), ("answered with 3 numbers and no others", "must answer with 80")),
                            (answer.format(80, "x"), ("answered with 80 numbers and some that are no numbers",)),
                            (answer.format(81, 1), ("answered with 81 numbers",)),
                            (answer.format(80, "nan"),
                             ("the file in None 1 gives the same word for", "of 20 sounds"))):
            path = self.at("verified.onnx")
            done = decavox("export", self.model, "--out", path, "--verify", "--python",
                           self.python(text))
            self.ends(done, FAILED, "is written, but not verified", *parts)
            self.assertTrue(os.path.exists(path))

    def test_what_verify_needs_is_told_before_anything_is_written(self):
        path = self.at("unwritten.onnx")
        done = decavox("export", self.model, "--out", path, "--verify", "--data",
                       self.at("nowhere"))
        self.ends(done, FAILED, "nowhere")
        os.makedirs(self.at("empty"), exist_ok=True)
        done = decavox("export", self.model, "--out", path, "--verify", "--data",
                       self.at("empty"))
        self.ends(done, FAILED, "holds no sound files")
        for option in ("--data", "--python"):
            done = decavox("export", self.model, "--out", path, option, "x")
            self.ends(done, USAGE, f"{option} has no effect without --verify")
        self.assertFalse(os.path.exists(path))


@unittest.skipIf(onnx is None, reason)
class Answers(Case):
    def load(self, path):
        model = onnx.load(path)
        onnx.checker.check_model(model, full_check=True)
        return model

    def notes(self, model):
        return {entry.key: entry.value for entry in model.metadata_props}

    def sound(self, name):
        with wave.open(os.path.join(self.data, name)) as file:
            samples = numpy.frombuffer(file.readframes(file.getnframes()), "<i2")
        return samples.astype(numpy.float32)[None] / 32768

    def compare(self, checkpoint, path, limit):
        """Compares clips one by one, and one clip twice at a time."""
        evaluator = onnx_reference.evaluator(path)
        files = [os.path.join(self.data, name) for name in CLIPS]
        done = self.ends(decavox("predict", checkpoint, *files, "--format", "json"), GOOD)
        for name, answer in zip(CLIPS, json.loads(done.out)):
            x = self.sound(name)
            for audio in (x, numpy.concatenate([x, x])):
                probabilities, logits = evaluator.run(None, {"audio": audio})
                for i in range(len(audio)):
                    self.assertLess(numpy.abs(logits[i] - answer["logits"]).max(), limit)
                    self.assertLess(
                        numpy.abs(probabilities[i] - answer["probabilities"]).max(), limit)

    def test_what_the_file_holds(self):
        path, _ = self.export("held.onnx", self.model, "--license", "CC BY 4.0")
        model = self.load(path)
        self.assertEqual((model.ir_version, model.opset_import[0].version), (8, 17))
        notes = self.notes(model)
        self.assertEqual(json.loads(notes["labels"]), ["0", "1", "2", "3"])
        self.assertEqual(notes["sample_rate"], "8000")
        self.assertEqual(notes["license"], "CC BY 4.0")
        self.assertIn("type: mfcc", notes["decavox.front_end"])
        self.assertIn("layers:", notes["decavox.config"])
        self.assertNotIn(self.folder, notes["decavox.config"])
        self.assertNotIn("card", notes)
        self.assertEqual([value.name for value in model.graph.input], ["audio"])
        self.assertEqual([value.name for value in model.graph.output],
                         ["probabilities", "logits"])
        sizes = [dim.dim_param or dim.dim_value
                 for dim in model.graph.input[0].type.tensor_type.shape.dim]
        self.assertEqual(sizes, ["batch", "samples"])
        names = [node.name for node in model.graph.node]
        self.assertEqual(len(names), len(set(names)))
        for scope in ("front_end/dc/", "front_end/transform/", "network/conv_1/", "network/head/"):
            self.assertTrue(any(name.startswith(scope) for name in names), scope)
        used = {name for node in model.graph.node for name in node.input}
        self.assertLessEqual({tensor.name for tensor in model.graph.initializer}, used)

    def test_a_card_beside_the_checkpoint(self):
        copy = shutil.copy(self.model, self.at("named.safetensors"))
        support.write_text(self.at("named.md"), "# What it is\n")
        path, _ = self.export("named.onnx", copy)
        self.assertEqual(self.notes(self.load(path))["card"], "# What it is\n")

    def test_answers(self):
        path, _ = self.export("answers.onnx", self.model)
        self.compare(self.model, path, 1e-4)
        path, _ = self.export("half.onnx", self.model, "--precision", "fp16")
        self.compare(self.model, path, 2e-2)

    def test_every_type_of_features_and_placement(self):
        for kind in TYPES:
            for placement in PLACEMENTS:
                run = self.train_once(self.at(f"{kind}_{placement}"), "--epochs", "1", "--set",
                                      f"features.type={kind}", "--set",
                                      f"features.placement={placement}", "--set",
                                      "features.n_fft=256", "--set", "features.window=200")
                checkpoint = os.path.join(run, "model.safetensors")
                path, _ = self.export(f"{kind}_{placement}.onnx", checkpoint)
                self.compare(checkpoint, path, 1e-3)

    def test_short_hops(self):
        """A frame consists of many pieces, but needs few statements."""
        run = self.train_once(self.at("hops"), "--epochs", "1", "--set", "features.hop=8", "--set",
                              "features.duration=0.3")
        checkpoint = os.path.join(run, "model.safetensors")
        path, done = self.export("hops.onnx", checkpoint)
        self.assertLess(int(re.search(r"(\d+) statements", done.out)[1]), 250)
        self.compare(checkpoint, path, 1e-3)

    def test_a_fixed_batch(self):
        path, _ = self.export("two.onnx", self.model, "--batch", "2")
        model = self.load(path)
        for value in [*model.graph.input, *model.graph.output]:
            self.assertEqual(value.type.tensor_type.shape.dim[0].dim_value, 2)

    def test_features(self):
        path, _ = self.export("features.onnx", self.model, "--input", "features")
        model = self.load(path)
        self.assertEqual([value.name for value in model.graph.input], ["features"])
        self.assertFalse(any(node.name.startswith("front_end") for node in model.graph.node))
        sizes = [dim.dim_param or dim.dim_value
                 for dim in model.graph.input[0].type.tensor_type.shape.dim]
        self.assertEqual(sizes, ["batch", 13, 32])

    def test_the_reference_evaluator_by_verify(self):
        """The program of --verify works with onnx in place of ONNX Runtime."""
        folder = self.at("modules")
        os.makedirs(folder, exist_ok=True)
        support.write_text(os.path.join(folder, "onnxruntime.py"),
                           "import onnx, onnx_reference\n__version__ = 'of onnx'\n"
                           "class InferenceSession:\n"
                           "    def __init__(self, path, providers):\n"
                           "        self.inputs = onnx.load(path).graph.input\n"
                           "        self.run = onnx_reference.evaluator(path).run\n"
                           "    def get_inputs(self):\n"
                           "        return self.inputs\n")
        python = self.python(f"PYTHONPATH={folder}:{os.path.dirname(os.path.abspath(__file__))} exec {sys.executable} \"$@\"\n")
        for more in ((), ("--input", "features"), ("--batch", "3"), ("--data", self.data)):
            _, done = self.export("verified.onnx", self.model, "--force", "--verify", "--python",
                                  python, *more)
            self.assertRegex(done.out, r"ONNX Runtime of onnx: the same word for (\d+) of \1 ")


if __name__ == "__main__":
    support.main()
