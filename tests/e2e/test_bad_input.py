"""Errors of the input name the file, and no work is lost."""
import json
import math
import os
import shutil
import struct
import subprocess
import time
import unittest

import support
from support import FAILED, GOOD, USAGE, decavox

TWO_GIGABYTES = 2 << 30


def header(samples_bytes):
    """The header of a 16-bit WAV file that promises this number of bytes."""
    return struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + samples_bytes, b"WAVE", b"fmt ", 16, 1,
                       1, support.RATE, 2 * support.RATE, 2, 16, b"data", samples_bytes)


def write_bytes(path, content, size=None):
    with open(path, "wb") as file:
        file.write(content)
        if size is not None:
            file.truncate(size)
    return path


def write_bad_sounds(folder, prefix=""):
    """Writes each kind of broken sound file. Returns {path: part of the message}."""
    def at(name):
        return os.path.join(folder, prefix + name)

    whole = header(4000) + bytes(4000)
    support.write_float_wav(at("nan_90.wav"), [0.1] * 500 + [math.nan] + [0.1] * 500)
    support.write_float_wav(at("infinite_91.wav"), [0.1] * 500 + [math.inf])
    return {
        write_bytes(at("empty_92.wav"), b""): "",
        write_bytes(at("text_93.wav"), b"this is no sound\n" * 40): "",
        write_bytes(at("truncated_94.wav"), whole[:1500]): "",
        write_bytes(at("cut_95.wav"), whole[:20]): "",
        write_bytes(at("silent_96.wav"), header(0)): "no samples",
        at("nan_90.wav"): "not",
        at("infinite_91.wav"): "not",
    }


class Prediction(support.Case):
    epochs = 1

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = os.path.join(cls.train_once(cls.at("run")), "model.safetensors")
        cls.good = os.path.join(cls.data, "1_ann_0.wav")

    def test_bad_files_are_named_and_the_others_answered(self):
        os.makedirs(self.at("bad"))
        bad = write_bad_sounds(self.at("bad"))
        bad[self.at("bad")] = ""  # a folder
        bad[self.at("bad", "missing.wav")] = "No such file"
        files = [self.good]
        for path in bad:
            files += [path, self.good]
        done = self.ends(decavox("predict", self.model, *files), FAILED)
        lines = done.err.splitlines()
        self.assertEqual(len(lines), len(bad))
        for line, (path, part) in zip(lines, bad.items()):
            self.assertIn(path, line)
            self.assertIn(part, line)
        self.assertEqual([line.split("  ")[0] for line in done.out.splitlines()],
                         [self.good] * (len(bad) + 1))
        for workers in ("1", "2"):
            done = decavox("predict", self.model, *files, "--format", "json", "--workers", workers)
            answers = json.loads(self.ends(done, FAILED).out)
            self.assertEqual([answer["file"] for answer in answers], files)
            for answer in answers:
                self.assertEqual("error" in answer, answer["file"] in bad)
                self.assertEqual("label" in answer, answer["file"] == self.good)

    def test_silence_and_shortness_are_answered(self):
        os.makedirs(self.at("odd"))
        odd = {"silence": [0.0] * 4000, "one": [0.5], "click": [0.0] * 900 + [1.0] + [0.0] * 900,
               "clipped": [1.0, -1.0] * 2000, "constant": [0.25] * 3000}
        files = []
        for name, samples in odd.items():
            files.append(self.at("odd", name + ".wav"))
            support.write_wav(files[-1], samples)
        files.append(self.at("odd", "fast.wav"))
        support.write_wav(files[-1], support.tone(1, 0, 0, 12000), rate=44100)
        done = self.ends(decavox("predict", self.model, *files, "--format", "json"), GOOD)
        for answer in json.loads(done.out):
            self.assertTrue(all(math.isfinite(logit) for logit in answer["logits"]), answer)

    def test_two_gigabytes_are_refused_quickly(self):
        files = [write_bytes(self.at("zeros.wav"), b"", TWO_GIGABYTES),
                 write_bytes(self.at("long.wav"), header(TWO_GIGABYTES - 44), TWO_GIGABYTES)]
        for path in files:
            self.assertLess(os.stat(path).st_blocks * 512, 1 << 20, "not sparse")
            began = time.monotonic()
            self.ends(decavox("predict", self.model, path), FAILED, path)
            self.assertLess(time.monotonic() - began, 5)

    def test_damaged_checkpoints(self):
        content = support.read_bytes(self.model)
        flipped = bytearray(content)
        flipped[len(content) // 2] ^= 4
        huge = struct.pack("<Q", 1 << 62) + content[8:]
        cases = {"truncated": content[:-100], "flipped": bytes(flipped), "huge": huge,
                 "empty": b"", "text": b"model: mini\n"}
        for name, damaged in cases.items():
            path = write_bytes(self.at(name + ".safetensors"), damaged)
            for command in (["predict", path, self.good], ["eval", path], ["info", path]):
                self.ends(decavox(*command), FAILED, path)
        other = os.path.join(support.ROOT, "tests", "golden", "python.safetensors")
        self.ends(decavox("predict", other, self.good), FAILED, other, "no checkpoint of decavox")
        for path in (self.at("absent.safetensors"), self.folder):
            self.ends(decavox("predict", path, self.good), FAILED, path)

    def test_damaged_checkpoint_of_a_run(self):
        run = self.at("damaged")
        shutil.copytree(self.at("run"), run)
        last = os.path.join(run, "last.safetensors")
        damaged = bytearray(support.read_bytes(last))
        damaged[-8] ^= 1
        write_bytes(last, bytes(damaged))
        self.ends(decavox("train", "--resume", run), FAILED, last)
        self.assertEqual(support.read_bytes(last), bytes(damaged))
        self.assertEqual(len(support.read_metrics(run)), 1)

    def test_data_with_other_labels(self):
        data = support.make_data(self.at("more"), digits=5, speakers=("cy",), count=6)
        self.ends(decavox("eval", self.model, "--data", data), FAILED, "label '4'")


class Data(support.Case):
    epochs = 1

    def test_broken_files_are_named_counted_and_left_out(self):
        data, run = self.at("mixed"), self.at("mixed_run")
        shutil.copytree(self.data, data)
        bad = write_bad_sounds(data, prefix="2_")
        done = decavox("train", self.config, "--data", data, "--out", run)
        self.ends(done, GOOD)
        for path in bad:
            self.assertIn(f"left out: {path}", done.out)
        model = os.path.join(run, "model.safetensors")
        done = self.ends(decavox("eval", model), GOOD)
        self.assertIn(f"{len(bad)} unreadable files left out", done.out)
        for path in bad:
            self.assertIn(path, done.err)
        done = self.ends(decavox("eval", model, "--format=json"), GOOD)
        self.assertEqual(json.loads(done.out)["skipped"], len(bad))

    def test_unreadable_clips_of_the_test_part(self):
        data, run = self.at("holes"), self.at("holes_run")
        shutil.copytree(self.data, data)
        self.ends(decavox("train", self.config, "--data", data, "--out", run), GOOD)
        model = os.path.join(run, "model.safetensors")
        write_bytes(os.path.join(data, "2_ann_0.wav"), b"no sound")
        done = self.ends(decavox("eval", model), FAILED,
                         "1 clip of the evaluated part cannot be read, and at most 0 may be missing; "
                         "--allow_missing 1 accepts that")
        self.assertIn(" of 39; ", done.out)
        self.assertIn("without 1 unreadable clip of the part\n1 unreadable file left out", done.out)
        self.ends(decavox("eval", model, "--part", "train"), GOOD)
        done = self.ends(decavox("eval", model, "--allow_missing=1", "--format=json"), GOOD)
        self.assertEqual(json.loads(done.out)["missing"], 1)

    def test_too_many_open_files_end_an_evaluation(self):
        """Only descriptor 3 is left for the clips, and two threads may both need it."""
        model = os.path.join(self.train_once(self.at("open_run")), "model.safetensors")
        command = ["sh", "-c", 'ulimit -n 4; exec "$@"', "sh", support.binary(), "eval", model]
        for _ in range(5):
            done = subprocess.run(command, env=support.environment(4), capture_output=True,
                                  text=True, timeout=120, check=False)
            if done.returncode == GOOD:
                self.assertIn(" of 40; ", done.stdout)
            else:
                self.assertEqual(done.returncode, FAILED, done.stderr)
                self.assertIn("Too many open files", done.stderr)
                self.assertNotIn("accuracy", done.stdout)

    def test_nothing_left_is_refused(self):
        data = self.at("broken")
        os.makedirs(data)
        write_bad_sounds(data, prefix="3_")
        write_bad_sounds(data, prefix="4_")
        done = decavox("train", self.config, "--data", data, "--out", self.at("broken_run"),
                       "--split", "random")
        self.ends(done, FAILED, "none of the 14 clips can be read")
        self.assertFalse(os.path.exists(self.at("broken_run", "config.yaml")))

    def test_no_data(self):
        empty = self.at("empty")
        os.makedirs(empty)
        for path in (empty, self.at("absent")):
            done = decavox("train", self.config, "--data", path, "--out", self.at("none_run"))
            self.ends(done, FAILED, path)
        self.ends(decavox("train", self.config, "--out", self.at("none_run")), USAGE, "--data")

    def test_names_that_tell_no_class(self):
        data = self.at("unlike")
        os.makedirs(data)
        write_bytes(os.path.join(data, "unlike.wav"), b"")
        done = decavox("train", self.config, "--data", data, "--out", self.at("unlike_run"))
        self.ends(done, FAILED, data, "{label}_{speaker}_{index}")

    def test_a_split_that_does_not_fit(self):
        done = decavox("train", self.config, "--data", self.data, "--split", "leave_one_out:bbo",
                       "--out", self.at("split_run"))
        self.ends(done, USAGE, "bbo", "bob")


class Configuration(support.Case):
    def refuse(self, text, *parts, code=USAGE):
        path = support.write_text(self.at("wrong.yaml"), text)
        done = decavox("train", path, "--data", self.data, "--out", self.at("refused"))
        self.ends(done, code, *parts)
        self.assertFalse(os.path.exists(self.at("refused", "model.safetensors")))

    def config_with(self, line):
        return support.CONFIG.format(model=support.MODEL, epochs=1) + line

    def test_keys_and_values(self):
        line = len(self.config_with("").splitlines()) + 1
        place = f"{self.at('wrong.yaml')}:{line}: "
        for text, *parts in (
                ("  optimiser: sgd\n", place, "optimiser", "'optimizer'"),
                ("  optimizer: sdg\n", place, "sdg", "sgd"),
                ("  patience: soon\n", place, "patience", "soon"),
                ("  patience: 1.5\n", place, "patience", "1.5"),
                ("  patience: -1\n", place, "patience", "-1", "0"),
                ("  warmup: 3\n", place, "warmup", "0.9"),
                ("  mixed_precision: maybe\n", place, "mixed_precision", "maybe"),
                ("  epochs: 4\n", place, "epochs"),  # given twice
                ("  seed: &a [*a]\n", place),
                ("  seed: *a\n", place),
                ("trian: {}\n", place, "trian", "'train'")):
            with self.subTest(text):
                self.refuse(self.config_with(text), *parts)

    def test_files(self):
        self.refuse("", "wrong.yaml")
        self.refuse("- a\n", "wrong.yaml", "sections")
        self.refuse("a: [\n", "wrong.yaml:")
        self.refuse("data: {path: x}\n", "'model' is missing")
        self.refuse("model: advnaced\n", "wrong.yaml:1", "advnaced")
        self.refuse("model: ../mini\n", "wrong.yaml:1", "is a name")
        path = self.at("absent.yaml")
        self.ends(decavox("train", path, "--data", self.data), FAILED, path)
        self.ends(decavox("train", self.folder, "--data", self.data), FAILED, self.folder)

    def test_bases(self):
        for base in ("{a: b}", "[]", "[[a]]"):
            self.refuse(f"base: {base}\n", "wrong.yaml:1", "base: expected the name of a file")
        self.refuse("base: [nowhere.yaml]\n", self.at("nowhere.yaml"), code=FAILED)
        self.refuse("base: nowhere.yaml\n", self.at("nowhere.yaml"), code=FAILED)
        self.refuse("base: wrong.yaml\n", "wrong.yaml:1", "begin with itself")
        support.write_text(self.at("list.yaml"), "- a\n")
        self.refuse("base: list.yaml\n", "wrong.yaml:1", "list.yaml is no configuration: it has no sections")
        low = support.write_text(self.at("low.yaml"), self.config_with("  epoch: 1\n"))
        line = len(self.config_with("").splitlines()) + 1
        self.refuse("base: low.yaml\ntrain: {epochs: 1}\n", f"{low}:{line}: ", "'epochs'")

    def test_a_model_that_does_not_fit(self):
        text = self.config_with("").replace("    - frames:\n", "    - conv2d: {filters: 4, kernel: "
                                            "[20, 3], padding: 0, name: tall}\n")
        self.refuse(text, "wrong.yaml:", "'tall'", "13, 32, 1)")
        text = self.config_with("").replace("units: classes", "units: 3")
        self.refuse(text, "'head'", "(8, 1, 1, 3)", "4 classes")

    def test_options(self):
        train = ["train", self.config, "--data", self.data, "--out", self.at("refused")]
        for arguments, *parts in (
                (train + ["--epoch", "3"], "--epoch", "'--epochs'"),
                (train + ["--leerning-rate", "3"], "leerning_rate", "learning_rate"),
                (train + ["--epochs", "many"], "--epochs", "many"),
                (train + ["--epochs", "0"], "--epochs", "0"),
                (train + ["--epochs"], "--epochs", "value must follow"),
                (train + ["--set", "train.epoch=3"], "epoch", "'epochs'"),
                (train + ["--set", "train"], "--set", "key=value"),
                # 0 / 0 if a gradient is 0
                (train + ["--set", "train.epsilon=0"], "epsilon", "1e-12 to 1"),
                (train + ["--device", "cqu"], "cqu", "cpu"),
                (train + ["--threads", "-1"], "threads"),
                (train + ["extra.yaml"], "extra.yaml"),
                (["predict"], "predict"),
                (["eval"], "eval"),
                (["eval", "x", "--format", "jsn"], "jsn", "json"),
                (["tarin"], "tarin"),
                ([], "Usage: decavox COMMAND")):
            with self.subTest(arguments[-2:]):
                self.ends(decavox(*arguments), USAGE, *parts)
        self.ends(decavox(*train, "--device", "cuda"), FAILED, "cuda")
        self.ends(decavox("compare", "--classes", "16384", self.config), USAGE, "classes")

    @unittest.skipUnless(os.path.exists("/dev/full"), "there is no /dev/full")
    def test_a_drawing_that_cannot_be_written(self):
        self.ends(decavox("train", self.config, "--data", self.data, "--out", self.at("drawn"),
                          "--dot", "/dev/full"), FAILED, "/dev/full")

    def test_folders(self):
        file = support.write_text(self.at("file"), "")
        train = ["train", self.config, "--data", self.data, "--out"]
        self.ends(decavox(*train, file), FAILED, file)
        self.ends(decavox(*train, os.path.join(file, "run")), FAILED, file)
        self.assertEqual(support.read_text(file), "")
        long = self.at("long" * 400)
        self.assertNotEqual(decavox(*train, long).code, GOOD)


class FullDisk(support.Case):
    epochs = 2

    def test_the_first_checkpoint_does_not_fit(self):
        run = self.at("full")
        done = decavox("train", self.config, "--data", self.data, "--out", run, limit=8192)
        self.ends(done, FAILED, "last.safetensors")
        self.assertFalse([name for name in os.listdir(run) if "safetensors" in name])
        self.ends(decavox("train", "--resume", run), GOOD)
        whole = self.train_once(self.at("whole"))
        for name in ("model.safetensors", "config.yaml"):
            self.assertEqual(support.read_bytes(os.path.join(run, name)),
                             support.read_bytes(os.path.join(whole, name)))

    def test_nothing_fits(self):
        done = decavox("train", self.config, "--data", self.data, "--out", self.at("nothing"),
                       limit=0)
        self.ends(done, FAILED, "config.yaml")


if __name__ == "__main__":
    support.main()
