"""`decavox export`: the weights alone, in FP32 and FP16, also of a training; and PyTorch's archives
as read by Python's zipfile."""
import io
import json
import os
import re
import shutil
import struct
import zipfile

import support
from support import FAILED, GOOD, USAGE, decavox, read_tensors


def write_tensors(path, tensors, shapes, metadata):
    """Writes a safetensors file as other programs do, without checksum."""
    header, blob = {"__metadata__": {k: v for k, v in metadata.items()
                                     if k not in ("decavox.checksum", "decavox.format")}}, b""
    for name, (dtype, content) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shapes[name],
                        "data_offsets": [len(blob), len(blob) + len(content)]}
        blob += content
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + blob)


def read_shapes(path):
    data = support.read_bytes(path)
    size, = struct.unpack_from("<Q", data)
    return {name: info["shape"] for name, info in json.loads(data[8:8 + size]).items()
            if name != "__metadata__"}


def rounded(content):
    """Rounds F32 by the standard library, which also rounds to nearest even."""
    count = len(content) // 4
    return struct.pack(f"<{count}e", *struct.unpack(f"<{count}f", content))


class Export(support.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.run_folder = cls.train_once(cls.at("run"))
        cls.model = os.path.join(cls.run_folder, "model.safetensors")
        cls.f16 = cls.at("f16.safetensors")
        cls.exported = decavox("export", cls.model, "--out", cls.f16, "--precision", "fp16")

    def export(self, source, *arguments):
        out = self.at("out.safetensors")
        if os.path.exists(out):
            os.remove(out)
        return out, decavox("export", source, "--out", out, *arguments)

    def test_full_precision_is_the_trained_model(self):
        out, done = self.export(self.model)
        self.ends(done, GOOD)
        tensors, metadata = read_tensors(out)
        trained, trained_metadata = read_tensors(self.model)
        self.assertEqual(tensors, trained)
        self.assertEqual(metadata["decavox.labels"], trained_metadata["decavox.labels"])
        self.assertIn("precision: fp32\n", self.ends(decavox("info", out), GOOD).out)

    def test_fp16(self):
        self.ends(self.exported, GOOD)
        full, metadata = read_tensors(self.model)
        f16, same_metadata = read_tensors(self.f16)
        self.assertEqual(metadata["decavox.labels"], same_metadata["decavox.labels"])
        self.assertEqual(full.keys(), f16.keys())
        shapes = read_shapes(self.model)
        for name, (dtype, content) in f16.items():
            large = len(shapes[name]) > 1
            self.assertEqual(dtype, "F16" if large else "F32", name)
            self.assertEqual(content, rounded(full[name][1]) if large else full[name][1], name)
        weights = [sum(len(content) for _, content in tensors.values()) for tensors in (full, f16)]
        self.assertLess(weights[1], 0.6 * weights[0])
        info = self.ends(decavox("info", self.f16), GOOD).out
        self.assertIn(f"precision: fp16 (3 of {len(f16)} tensors, the others fp32)\n", info)

    def test_where_things_lie_is_left_out(self):
        """Every path of the configuration is left out, and all other keys stay."""
        run, noise, voices = self.at("placed"), self.at("noises"), self.at("more", "voices")
        shutil.copytree(self.data, voices)
        shutil.copytree(self.data, noise)
        skipped = support.write_text(self.at("skipped.csv"), "0_ann_7.wav\n")
        self.train_once(run, "--set", f"augment.noise_path={noise},{noise}", "--set",
                        "augment.noise=0.5", "--set", f"data.exclude={skipped}", "--set",
                        f"data.more=[{{path: '{voices}/', exclude: '{skipped}'}}]", "--init_from",
                        f"{self.model},{self.model}", "--epochs", "1")
        model = os.path.join(run, "model.safetensors")
        before = read_tensors(model)[1]["decavox.config"]
        out, done = self.export(model)
        self.ends(done, GOOD)
        after = read_tensors(out)[1]["decavox.config"]
        self.assertIn(self.folder, before)
        self.assertNotIn(self.folder, after)
        for line in ("path: data", "noise_path: noises,noises", "exclude: skipped.csv",
                     "path: voices", "init_from: model.safetensors,model.safetensors"):
            self.assertIn(line + "\n", after.replace('"', "").replace("- path", "path"))
        places = re.compile(r" *(- )?(path|exclude|noise_path|init_from): .*")
        self.assertEqual(*([line for line in text.splitlines() if not places.fullmatch(line)]
                           for text in (before, after)))

    def test_back_to_full_precision(self):
        out, done = self.export(self.f16)
        self.ends(done, GOOD)
        self.assertEqual({dtype for dtype, _ in read_tensors(out)[0].values()}, {"F32"})
        again, done = self.export(self.f16, "--precision=fp16")
        self.ends(done, GOOD)
        self.assertEqual(support.read_bytes(again), support.read_bytes(self.f16))

    def logits(self, model):
        clips = [os.path.join(self.data, name) for name in sorted(os.listdir(self.data))[:6]]
        done = self.ends(decavox("predict", model, *clips, "--format", "json"), GOOD)
        answers = json.loads(done.out)
        return [answer["logits"] for answer in answers]

    def test_answers_of_both(self):
        full, f16 = self.logits(self.model), self.logits(self.f16)
        differences = [abs(a - b) for one, other in zip(full, f16) for a, b in zip(one, other)]
        self.assertLess(max(differences), 2e-2)
        self.assertGreater(max(differences), 0)
        report = json.loads(decavox("eval", self.f16, "--data", self.data, "--format",
                                    "json").out)
        self.assertGreater(report["count"], 0)

    def test_a_training_begins_with_fp16(self):
        run = self.at("begun")
        done = decavox("train", self.config, "--data", self.data, "--out", run, "--init_from",
                       self.f16, "--epochs", "1")
        self.ends(done, GOOD)
        self.assertIn("f16.safetensors: 14 of 14 tensors loaded", done.out)

    def kept(self, name, *arguments):
        """The export of last.safetensors holds the weights with which the training ended."""
        run = self.train_once(self.at(name), *arguments)
        out, done = self.export(os.path.join(run, "last.safetensors"))
        self.ends(done, GOOD)
        self.assertEqual(*(read_tensors(path)[0]
                           for path in (out, os.path.join(run, "model.safetensors"))))
        clip = os.path.join(self.data, "0_ann_0.wav")
        answers = [decavox("predict", os.path.join(run, f"{file}.safetensors"), clip).out
                   for file in ("model", "last")]
        self.assertEqual(*answers)
        last, _ = read_tensors(os.path.join(run, "last.safetensors"))
        return {name: tensor for name, (_, tensor) in last.items()}, read_tensors(out)[0]

    def test_the_best_of_a_training(self):
        # The rate is so high that the last epoch is not the best one.
        last, kept = self.kept("best", "--learning_rate", "0.3", "--epochs", "6",
                               "--scheduler", "none")
        self.assertEqual(kept["head.weight"][1], last["best/head.weight"])
        self.assertNotEqual(kept["head.weight"][1], last["head.weight"])

    def test_the_averages_of_a_training(self):
        last, kept = self.kept("averages", "--ema_decay", "0.9", "--set", "data.validation=0")
        self.assertEqual(kept["head.weight"][1], last["average/head.weight"])
        self.assertNotEqual(kept["head.weight"][1], last["head.weight"])

    def test_the_values_of_a_training(self):
        last, kept = self.kept("values", "--set", "data.validation=0")
        self.assertEqual(kept["head.weight"][1], last["head.weight"])

    def archive(self, ending, *arguments):
        """The entries of an exported archive, {name without "decavox/": bytes}."""
        path, again = self.at("one" + ending), self.at("two" + ending)
        for out in (path, again):
            self.ends(decavox("export", self.model, "--out", out, *arguments), GOOD)
        self.assertEqual(support.read_bytes(path), support.read_bytes(again))
        with zipfile.ZipFile(path) as archive:
            self.assertIsNone(archive.testzip())
            for info in archive.infolist():
                self.assertEqual(info.compress_type, zipfile.ZIP_STORED)
                self.assertTrue(info.filename.startswith("decavox/"), info.filename)
            self.assertEqual(len(set(archive.namelist())), len(archive.namelist()))
            return {name[len("decavox/"):]: archive.read(name) for name in archive.namelist()}

    def check_notes(self, entries):
        self.assertEqual(json.loads(entries["extra/labels"]), ["0", "1", "2", "3"])
        self.assertEqual(entries["extra/sample_rate"], b"8000")
        for key in ("decavox.config", "decavox.front_end", "decavox.version", "description"):
            self.assertTrue(entries["extra/" + key], key)
        self.assertNotIn(self.folder.encode(), b"".join(entries.values()))

    def test_torchscript(self):
        entries = self.archive(".pt")
        self.check_notes(entries)
        self.assertEqual(entries["version"], b"3\n")
        code = entries["code/__torch__.py"].decode()
        self.assertIn("forward(self: __torch__.Decavox, audio: Tensor) -> Tuple[Tensor, Tensor]:",
                      code)
        self.assertTrue(code.endswith("    return (probabilities, logits)\n"))
        for name, (_, content) in read_tensors(self.model)[0].items():
            if name.startswith("head."):
                self.assertIn(content, entries.values(), name)
        features = self.archive(".pt", "--input", "features", "--batch", "5")
        code = features["code/__torch__.py"].decode()
        self.assertIn("features: Tensor", code)
        self.assertNotIn("front_end", code)
        self.assertNotIn("[-1, ", code)

    def test_pt2(self):
        entries = self.archive(".pt2")
        self.check_notes(entries)
        self.assertEqual(entries["archive_format"], b"pt2")
        with zipfile.ZipFile(io.BytesIO(entries["data/sample_inputs/model.pt"])) as sample:
            self.assertIsNone(sample.testzip())
        model = json.loads(entries["models/model.json"])
        self.assertEqual(model["schema_version"]["major"], 8)
        self.assertEqual(len(model["range_constraints"]), 2)
        graph, signature = (model["graph_module"][key] for key in ("graph", "signature"))
        self.assertEqual([one["as_tensor"]["name"] for one in graph["outputs"]],
                         ["probabilities", "logits"])
        weights = json.loads(entries["data/weights/model_weights_config.json"])["config"]
        self.assertEqual(len(signature["input_specs"]), len(weights) + 1)
        known = {one["as_tensor"]["name"] for one in graph["inputs"]}
        for node in graph["nodes"]:  # in order, so that no value is used before it is made
            for argument in node["inputs"]:
                for kind, value in argument["arg"].items():
                    named = value if kind == "as_tensors" else [value]
                    if kind in ("as_tensor", "as_tensors"):
                        self.assertLessEqual({one["name"] for one in named}, known, node)
            known |= {one["as_tensor"]["name"] for one in node["outputs"] if "as_tensor" in one}
        self.assertEqual(known, set(graph["tensor_values"]))
        head = entries["data/weights/" + weights["head_weight"]["path_name"]]
        self.assertEqual(head, read_tensors(self.model)[0]["head.weight"][1])
        fixed = self.archive(".pt2", "--input", "features", "--batch", "5")
        model = json.loads(fixed["models/model.json"])
        self.assertEqual(model["range_constraints"], {})
        self.assertNotIn(b"Symbol", fixed["models/model.json"])

    def test_refusals(self):
        before = support.read_bytes(self.model)
        link = self.at("link.safetensors")
        os.link(self.model, link)
        for out in (self.model, os.path.join(self.run_folder, ".", "model.safetensors"), link):
            done = decavox("export", self.model, "--out", out, "--precision", "fp16")
            self.ends(done, USAGE, "is the checkpoint itself")
        self.assertEqual(support.read_bytes(self.model), before)
        self.ends(decavox("export", self.model), USAGE, "out")
        _, done = self.export(self.model, "--precision", "fp15")
        self.ends(done, USAGE, "fp15")
        _, done = self.export(self.model, "--format", "tflite")
        self.ends(done, USAGE, "tflite")
        self.ends(decavox("export", self.model, "--out", self.at("no", "x.onnx")), FAILED, "no/x")
        _, done = self.export(self.at("absent.safetensors"))
        self.ends(done, FAILED, "absent.safetensors")

    def changed(self, name, value):
        tensors, metadata = read_tensors(self.model)
        dtype, content = tensors[name]
        tensors[name] = (dtype, struct.pack("<f", value) + content[4:])
        path = self.at("changed.safetensors")
        write_tensors(path, tensors, read_shapes(self.model), metadata)
        return path

    def test_overflow_is_named(self):
        path = self.changed("conv_2.weight", 7e4)
        out, done = self.export(path, "--precision", "fp16")
        self.ends(done, FAILED, "parameter 'conv_2.weight': 70000 is too large for FP16")
        self.assertFalse(os.path.exists(out))
        self.ends(self.export(path)[1], GOOD)
        self.ends(self.export(self.changed("norm_1.running_var", 7e4), "--precision=fp16")[1], GOOD)

    def test_nan_is_named(self):
        for number in (float("nan"), float("inf")):
            for precision in ("fp32", "fp16"):
                out, done = self.export(self.changed("head.weight", number), "--precision",
                                        precision)
                self.ends(done, FAILED, "tensor 'head.weight' holds NaN or infinity")
                self.assertFalse(os.path.exists(out))


if __name__ == "__main__":
    support.main()
