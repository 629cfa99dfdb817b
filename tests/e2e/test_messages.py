"""Messages of the commands about mistakes that their users make: a table of command and text. Each
says what is wrong, where, and the way out."""
import json
import os
import unittest
from unittest import mock

import support
from support import FAILED, GOOD, USAGE, decavox

MODELS = "There are advanced, "
ISO = b"\0\0\0\x20ftyp"  # MP4 and its kin: the brand follows
EBML = b"\x1A\x45\xDF\xA3\x9F\x42\x86\x81\1\x42\xF7\x81\1\x42\xF2\x81\4\x42\xF3\x81\x08\x42\x82\x84"
FOREIGN = {  # name: (first bytes, format)
    "a.m4a": (ISO + b"M4A \0\0\2\0", "M4A"),
    "a.mp4": (ISO + b"isom\0\0\2\0", "MP4"),
    "a.3gp": (ISO + b"3gp4\0\0\2\0", "3GP"),
    "a.amr": (b"#!AMR\n", "AMR"),
    "a.webm": (EBML + b"webm", "WebM"),
    "a.mkv": (EBML + b"matroska", "Matroska"),
    "a.wma": (b"\x30\x26\xB2\x75\x8E\x66\xCF\x11", "WMA (ASF)"),
    "a.asf": (b"\x30\x26\xB2\x75\x8E\x66\xCF\x11", "WMA (ASF)"),
    "a.aac": (b"\xFF\xF1\x50\x80", "AAC"),
}


def write_bytes(path, content):
    with open(path, "wb") as file:
        file.write(content)
    return path


class Messages(support.Case):
    epochs = 1

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.run_folder = cls.train_once(cls.at("run"), "--threads", "1")
        cls.model = os.path.join(cls.run_folder, "model.safetensors")
        cls.sound = os.path.join(cls.data, "1_ann_0.wav")
        cls.nameless = cls.at("nameless")  # one clip of each word has no speaker
        for digit, word in enumerate(("yes", "no")):
            os.makedirs(os.path.join(cls.nameless, word))
            for number, name in enumerate(("ann_0", "bob_0", "0")):
                support.write_wav(os.path.join(cls.nameless, word, name + ".wav"),
                                  support.tone(digit, 0, number))

    def train(self, *more, config=None, data=None):
        return decavox("train", config or self.config, "--data", data or self.data, "--out",
                       self.at("none"), *more)

    def configuration(self, text, name="c.yaml"):
        return support.write_text(self.at(name), text)

    # ---- A file in the place of another ----

    def test_not_a_checkpoint(self):
        text = support.write_text(self.at("text.txt"), "a text\n" * 20)
        archive = write_bytes(self.at("model.pt"), b"PK\3\4" + bytes(60))
        onnx = self.at("model.onnx")
        self.ends(decavox("export", self.model, "--out", onnx), GOOD)
        for command, parts in (
                (["predict", self.sound, self.model],
                 [f"{self.sound}: is a sound file (WAV), not a checkpoint",
                  "the checkpoint comes first: decavox predict CHECKPOINT FILE..."]),
                (["info", self.config], [f"{self.config}: is a configuration, not a checkpoint",
                                         "training with it makes a checkpoint"]),
                (["info", text], [f"{text}: is a text, not a checkpoint"]),
                (["eval", archive], [f"{archive}: is a zip archive, not a checkpoint"]),
                (["predict", onnx, self.sound], [f"{onnx}: is an ONNX model, not a checkpoint"]),
                (["export", self.sound, "--out", self.at("x.onnx")],
                 ["is a sound file (WAV), not a checkpoint"])):
            self.ends(decavox(*command), FAILED, *parts)

    def test_not_a_sound(self):
        for path, part in ((self.model, "is a checkpoint, not a sound file"),
                           (self.config, "is a configuration, not a sound file")):
            self.ends(decavox("predict", self.model, path), FAILED, f"{path}: {part}",
                      "these formats are read: WAV, AIFF, AU, W64, CAF, FLAC, MP3, OGG")

    def test_formats_that_are_not_read(self):
        for name, (begin, kind) in FOREIGN.items():
            with self.subTest(name):
                path = write_bytes(self.at(name), begin + bytes(100))
                line = f"ffmpeg -i {path} {self.at('a.wav')}\n"
                self.ends(decavox("predict", self.model, path), FAILED,
                          f"{path}: is {kind}, which is not read; this line converts it: {line}")
        path = write_bytes(self.at("an amr.wav"), b"#!AMR\n" + bytes(100))
        self.ends(decavox("predict", self.model, path), FAILED,
                  f"ffmpeg -i '{path}' '{path}.wav'\n")

    def test_not_a_configuration(self):
        readme = os.path.join(support.ROOT, "README.md")
        for path, part in ((self.sound, "is a sound file (WAV), not a configuration"),
                           (self.model, "is a checkpoint, not a configuration"),
                           (readme, "is this a configuration? Its name does not end in .yaml"),
                           (self.configuration("hello\n"), "this is no configuration: expected the "
                                                           "sections data, features")):
            self.ends(self.train(config=path), USAGE, path, part)

    def test_yaml(self):
        for text, part in (("data:\n\tpath: x\n", "c.yaml:2: a tab cannot indent in YAML"),
                           ("data: a: b\n", "c.yaml:1: not valid YAML: no key can begin here; a "
                                            "text with a colon needs quotes"),
                           ("data: [1\n", "c.yaml:2: not valid YAML: "),
                           ("", "c.yaml:1: the text is empty; expected a map of keys")):
            self.ends(self.train(config=self.configuration(text)), USAGE, part)

    # ---- Names ----

    def test_names_of_models(self):
        for arguments in ({"config": self.configuration("model: lightwait\n")},
                          {"config": self.configuration("model: {name: m, layers: [{ensemble: "
                                                        "{models: [lightwait, mini]}}]}\n")}):
            self.ends(self.train(**arguments), USAGE, "c.yaml:1: model: there is no model "
                      f"'lightwait'; did you mean 'lightweight'? {MODELS}")
        done = decavox("train", "--model_type", "lightwait", "--data", self.data)
        self.ends(done, USAGE, "--model_type: there is no model 'lightwait'; did you mean "
                               f"'lightweight'? {MODELS}")
        for wrong in ("lightweight", "lightwei", "config/lightweight.yaml", "configs/lightweight",
                      "configs/lightwieght.yaml", "lightweight.yml"):
            self.ends(self.train(config=wrong), FAILED, f"{wrong}: cannot be opened: No such file "
                      "or directory; did you mean 'configs/lightweight.yaml'?\n")
        self.ends(self.train(config="xyzzy"), FAILED,
                  "xyzzy: cannot be opened: No such file or directory\n")
        self.ends(self.train(config=self.configuration("model: xyzzy\n")), USAGE,
                  "there is no model 'xyzzy'; there are advanced, ")
        layer = self.configuration("model: {name: m, layers: [{xyzzyxyzzy: }]}\n")
        self.ends(self.train(config=layer), USAGE, "unknown layer 'xyzzyxyzzy'. Layers: ",
                  "conv2d")

    def test_names_of_checkpoints(self):
        offer = ("lightwieght: cannot be opened: No such file or directory; did you mean "
                 "'lightweight'? There are ")
        for command in (["predict", "lightwieght", self.sound], ["info", "lightwieght"],
                        ["eval", "lightwieght"],
                        ["export", "lightwieght", "--out", self.at("x.onnx")],
                        ["ensemble", "lightwieght", "mini", "--data", self.data, "--out",
                         self.at("e.safetensors")]):
            self.ends(decavox(*command), FAILED, offer)
        self.ends(decavox("compare", "mini", "lightwieght"), FAILED, offer)
        self.ends(self.train("--init_from", "lightwieght"), FAILED, offer)
        # The mistake is told before any data are read, for that may take long.
        self.ends(self.train("--init_from", "lightwieght", "--data", "nowhere"), FAILED, offer)

    def test_keys_of_missing_files(self):
        """The message begins with the key that names the file."""
        below = self.configuration("base: nosuch.yaml\n")
        for arguments, part in (
                (["--set", "data.exclude=nosuch"], "train: data.exclude: nosuch: cannot be opened"),
                (["--set", "augment.noise_path=nosuch", "--set", "augment.noise=1"],
                 "noise_path: nosuch: cannot be read"),
                (["--init_from", "./nosuch"], "train: train.init_from: ./nosuch: cannot be opened")):
            self.ends(self.train(*arguments), FAILED, part)
        self.ends(self.train(config=below), FAILED, f"{below}:1: base: ",
                  "nosuch.yaml: cannot be opened")

    def test_run_that_is_not_finished(self):
        run = self.at("unfinished")
        os.makedirs(run)
        support.write_text(os.path.join(run, "last.safetensors"), "")
        self.ends(decavox("predict", run, self.sound), FAILED, "the training in this folder is not "
                  "finished; decavox train --resume goes on with it, and "
                  f"'{run}/last.safetensors' has its weights until now")

    def test_failures_leave_no_folder(self):
        """A training that fails before it begins leaves no folder of its own making."""
        home = self.at("failing")
        os.makedirs(home)
        for more in (["--split", "foo"], ["--split", "leave_one_out:nobody"]):
            done = decavox("train", self.config, "--data", self.data, *more, folder=home)
            self.ends(done, USAGE)
        self.assertEqual([names for _, names, _ in os.walk(os.path.join(home, "runs"))], [[]])

    def test_folders_in_the_place_of_files(self):
        """A cross-validation has no model itself; a run is no configuration."""
        cross = self.at("cross")
        for name in ("a", "b"):
            os.makedirs(os.path.join(cross, name))
            support.write_text(os.path.join(cross, name, "model.safetensors"), "")
        offer = ("cross/model.safetensors: cannot be opened: No such file or directory; the runs in "
                 f"the folder '{cross}' have one: a, b\n")
        for command in (["predict", cross, self.sound], ["info", cross + "/"], ["eval", cross]):
            self.ends(decavox(*command), FAILED, offer)
        support.write_text(os.path.join(cross, "a", "config.yaml"), "")
        self.ends(self.train(config=os.path.join(cross, "a")), FAILED, "/a: is a directory, not a "
                  f"regular file; did you mean '{cross}/a/config.yaml'?\n")
        self.ends(self.train(config=os.path.join(cross, "b")), FAILED,
                  "/b: is a folder, not a configuration; the key data.path (--data) names a folder "
                  "of recordings\n")

    def test_names_of_devices(self):
        for device in ("gpu", "GPU", "nvidia", "gpu:0"):
            self.ends(self.train("--device", device), USAGE, f"there is no device '{device}'; did "
                      "you mean 'cuda'? The devices are auto, cpu, cuda, cuda:N, ref and cudasim")
        self.ends(self.train("--device", "xyzzyx"), USAGE, "'xyzzyx'; the devices are auto")

    def test_the_device_of_a_training(self):
        """Without a GPU one line says so; `info` has the details."""
        folder = self.at("modules")
        os.makedirs(folder)
        write_bytes(os.path.join(folder, "libdecavox_cuda.so"), b"no module")
        with mock.patch.dict(os.environ, DECAVOX_MODULE_PATH=folder):
            done = decavox("train", self.config, "--data", self.data, "--out", self.at("auto"))
            self.ends(done, GOOD)
            self.assertRegex(done.out, r"(?m)^device: cpu \((no NVIDIA GPU found|cuda cannot be "
                                       r"used: .*)\)$")
            self.assertEqual(done.out.count("device: "), 1)
            self.assertIn("libdecavox_cuda.so cannot be loaded: ", decavox("info").out)

    def test_a_run_stands_for_its_model(self):
        run = self.run_folder
        plain = self.ends(decavox("predict", self.model, self.sound), GOOD).out
        for folder in (run, run + "/"):
            self.assertEqual(self.ends(decavox("predict", folder, self.sound), GOOD).out, plain)
        self.ends(decavox("info", run), GOOD)
        self.ends(decavox("eval", run), GOOD)
        self.ends(decavox("export", run, "--out", self.at("run.onnx")), GOOD)
        self.ends(decavox("ensemble", run, run, "--shares", "0.5,0.5", "--out",
                          self.at("both.safetensors")), GOOD)
        done = decavox("train", self.config, "--data", self.data, "--out", self.at("taught"),
                       "--init_from", run, "--teacher", run)
        self.ends(done, GOOD)
        self.assertIn(f"{self.model}: 14 of 14 tensors loaded", done.out)
        self.ends(decavox("compare", run, "--seconds", "0.001"), GOOD)
        self.ends(decavox("predict", self.folder, self.sound), FAILED,
                  f"{self.at('model.safetensors')}: cannot be opened")

    # ---- Data ----

    def test_data_that_are_not_there(self):
        where = f"(a relative path begins in the working folder, which is {os.getcwd()})"
        self.ends(self.train(data="nodata"), FAILED, "nodata: No such file or directory", where)
        written = self.configuration(support.read_text(self.config).replace(
            "data:\n", "data:\n  path: nodata\n"))
        self.ends(decavox("train", written, "--out", self.at("none")), FAILED, where)
        done = self.ends(self.train(data=self.at("nodata")), FAILED, self.at("nodata"))
        self.assertNotIn("relative", done.err)
        self.ends(decavox("train", self.config, "--out", self.at("none")), USAGE,
                  "there are no data: give --data PATH", "or set data.path")

    def test_splits(self):
        classes = self.at("classes")
        for word in ("yes", "no"):
            os.makedirs(os.path.join(classes, word))
            for i, part in enumerate("abcd"):
                support.write_wav(os.path.join(classes, word, f"{part}.wav"),
                                  support.tone(len(word), 0, i))
        self.ends(self.train("--split", "official", data=classes), USAGE,
                  "data.split: official: these data bring no split", "random, speaker")
        for name, part in (("ana", "unknown speaker 'ana'; did you mean 'ann'? The speakers are "
                                   "'ann', 'bob'\n"),
                           ("xyzzy", "unknown speaker 'xyzzy'; the speakers are 'ann', 'bob'\n")):
            self.ends(self.train("--split", f"leave_one_out:{name}"), USAGE, part)

    def test_manifests(self):
        path = self.at("list.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump([{"path": self.sound, "label": "a"}], file)
        self.ends(self.train(data=path), FAILED, f"{path}: is one JSON list",
                  "jq -c '.[]' FILE > FILE.jsonl")

    def test_weights_of_classes(self):
        for wrong in ("7", "{a: 1}"):
            self.ends(self.train("--set", f"train.class_weights={wrong}"), USAGE,
                      "expected none, balanced or a list such as [1, 2.5]")
        self.ends(self.train("--class_weights", "1,2"), USAGE, "there are 2 weights for 4 labels")
        for number, weights in enumerate(("[1, 2, 1, 1]", "1,2,1,1")):
            done = decavox("train", self.config, "--data", self.data, "--out",
                           self.at(f"weighed_{number}"), "--class_weights", weights)
            self.ends(done, GOOD)
        self.assertEqual(*(support.read_bytes(self.at(f"weighed_{number}", "metrics.csv"))[:60]
                           for number in (0, 1)))

    # ---- One of a kind ----

    def test_singular(self):
        self.assertIn("cpu in fp32, 1 thread; ",
                      support.read_text(os.path.join(self.run_folder, "log.txt")))
        out = self.at("one.jsonl")
        folder = self.at("one")
        os.makedirs(folder)
        support.write_wav(os.path.join(folder, "a.wav"), support.tone(1, 0, 0))
        support.write_text(os.path.join(folder, "a.txt"), "a text\n")
        done = decavox("predict", self.model, "--input", folder, "--output", out)
        self.ends(done, GOOD, "1 file is left out, with no ending of a sound file: 1 .txt")
        self.assertIn("one.jsonl: 1 file in ", done.out)

    def test_endings_in_capitals(self):
        for name in ("A.JSONL", "A.CSV", "A.NdJson"):
            self.ends(decavox("predict", self.model, "--input", self.data, "--output",
                              self.at(name)), GOOD)
        self.ends(decavox("export", self.model, "--out", self.at("A.ONNX")), GOOD)

    # ---- What goes together ----

    def test_options(self):
        for command, part in (
                (["compare", self.model, "--min_accuracy", "90"],
                 "--max_latency_ms, --max_size_mb and --min_accuracy need --use_case"),
                (["crossval", self.config, "--data", self.data, "--folds", "2", "--seeds", "1,x",
                  "--out", self.at("folds")],
                 "--seeds '1,x': 'x' is not a whole number from 0 to 4294967295"),
                (["crossval", self.config, "--data", self.data, "--folds", "2", "--seeds",
                  ",".join(map(str, range(65))), "--out", self.at("folds")],
                 "there are more than 64 seeds"),
                (["predict", self.model, self.data],
                 f"'{self.data}' is a folder: --input PATH answers the sound files of a folder"),
                (["eval", self.model, "--out", self.at("e.html")],
                 "--out writes JSON; --html FILE writes the page"),
                (["crossval", self.config, "--data", self.nameless, "--folds", "speaker", "--out",
                  self.at("folds")], "0.wav' has no speaker; --folds K makes K parts without "
                                     "speakers"),
                (["eval", self.model, "--snr", "10"], "--snr has no effect without --noise"),
                (["train", self.config, "--data", self.data, "--out", self.run_folder],
                 f"{self.run_folder} holds a run already: resume it, or choose another folder "
                 f"(--resume {self.run_folder}, or another --out)")):
            self.ends(decavox(*command), USAGE, part)


if __name__ == "__main__":
    support.main()
