"""Answers to sounds that are longer than the model's window, come through pipes, or are damaged."""
import json
import math
import os
import subprocess
import sys
import threading
import unittest

import support
from support import FAILED, GOOD, USAGE, decavox

CASES = os.path.join(support.ROOT, "..", "shared", "cases", "sound")
SHIPPED = os.path.join(support.ROOT, "checkpoints", "lightweight.safetensors")
HANGS = 60  # s


def piped(*arguments, data=None, shell=None):
    """Runs with `data` as standard input, or as `"$@"` of a shell line. A hang is a failure."""
    command = [support.binary(), *arguments]
    if shell is not None:
        command = ["bash", "-c", shell, "bash", *command]
    done = subprocess.run(command, input=data, capture_output=True, env=support.environment(),
                          timeout=HANGS, check=False)
    return support.Result(done.returncode, done.stdout.decode(errors="replace"),
                          done.stderr.decode(errors="replace"))


class Case(support.Case):
    epochs = 3

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = os.path.join(cls.train_once(cls.at("run")), "model.safetensors")
        cls.good = os.path.join(cls.data, "1_ann_0.wav")

    def answers(self, *arguments):
        return json.loads(self.ends(decavox("predict", self.model, "--format", "json",
                                            *arguments), GOOD).out)


class Windows(Case):
    """The window has one second, and words have 0.3 s."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        quiet = [0.0] * 2000
        cls.long = cls.at("long.wav")
        cls.words = [quiet + support.tone(digit, 0, 0) + [0.0] * 3600 for digit in (0, 2, 3)]
        cls.rest = 3000  # samples behind the last whole second
        support.write_wav(cls.long, sum(cls.words, []) + support.tone(1, 0, 0)[:cls.rest]
                          + [0.0] * (cls.rest - 2400))

    def test_what_was_seen_is_said(self):
        loud = self.at("loud.wav")
        support.write_wav(loud, [0.0] * 12000 + support.tone(2, 0, 0) + [0.0] * 9600)
        done = self.ends(decavox("predict", self.model, loud, self.good), GOOD)
        self.assertEqual(len(done.out.splitlines()), 2)
        warning, = done.err.splitlines()
        self.assertRegex(warning, r"warning: .*loud\.wav: is 3\.00 s long, more than one window; "
                                  r"the model has seen 1\.\d\d to 2\.\d\d s of it; .*--windows")
        answer, short = self.answers(loud, self.good)
        self.assertEqual(answer["seconds"], 3)
        self.assertAlmostEqual(answer["seconds_seen"], 1)
        self.assertAlmostEqual(answer["seen_from"], 1.65 - 0.5, delta=0.05)
        self.assertAlmostEqual(short["seconds"], 0.3)
        self.assertAlmostEqual(short["seconds_seen"], 0.3)
        self.assertEqual(short["seen_from"], 0)

    def test_each_window_is_answered(self):
        """Each window is answered like a file of its own, and the last one ends with the sound."""
        done = self.ends(decavox("predict", self.model, "--windows", self.long), GOOD)
        self.assertEqual(done.err, "")
        lines = [line.split("  ") for line in done.out.splitlines()]
        self.assertEqual([line[:2] for line in lines],
                         [[self.long, start] for start in ("0.00", "1.00", "2.00", "2.38")])
        answer, = self.answers(self.long, "--windows")
        self.assertEqual(answer["file"], self.long)
        self.assertEqual(answer["seconds"], 3.375)
        self.assertEqual([(w["start"], w["end"]) for w in answer["windows"]],
                         [(0, 1), (1, 2), (2, 3), (2.375, 3.375)])
        self.assertEqual(len({tuple(w["logits"]) for w in answer["windows"]}), 4)
        for window, line, samples in zip(answer["windows"], lines, self.words):
            path = self.at("alone.wav")
            support.write_wav(path, samples)
            alone, = self.answers(path)
            self.assertEqual(window["logits"], alone["logits"])
            self.assertEqual(window["label"], alone["label"])
            self.assertEqual(window["label"], line[2])
            self.assertEqual(f"{window['confidence']:.4f}", line[3])
            self.assertAlmostEqual(sum(window["probabilities"]), 1)

    def test_a_short_file_is_one_window(self):
        answer, failed = json.loads(self.ends(decavox(
            "predict", self.model, "--windows", "--format=json", self.good, "absent.wav"),
            FAILED).out)
        self.assertEqual([(w["start"], w["end"]) for w in answer["windows"]], [(0, 0.3)])
        self.assertEqual(answer["windows"][0]["logits"], self.answers(self.good)[0]["logits"])
        self.assertIn("absent.wav", failed["error"])
        line = self.ends(decavox("predict", self.model, "--windows", self.good), GOOD).out
        self.assertTrue(line.startswith(f"{self.good}  0.00  "), line)


class Pipes(Case):
    def test_standard_input(self):
        content = support.read_bytes(self.good)
        want = decavox("predict", self.model, self.good).out
        got = self.ends(piped("predict", self.model, "-", data=content), GOOD)
        self.assertEqual(got.out, want.replace(self.good, "-"))
        answer, other = json.loads(self.ends(piped(
            "predict", self.model, "-", self.good, "--format", "json", data=content), GOOD).out)
        self.assertEqual(answer["file"], "-")
        self.assertEqual(answer["logits"], other["logits"])
        self.ends(piped("predict", self.model, "-", data=b""), FAILED, "-: is empty")
        self.ends(piped("predict", self.model, "-", data=content[:-100]), FAILED,
                  "-: is truncated")
        self.ends(piped("predict", self.model, "-", "-", data=content), USAGE, "only once")
        self.ends(piped(shell='"$@" < /', *("predict", self.model, "-")), FAILED, "-: cannot be")
        self.ends(piped(shell='"$@" <&-', *("predict", self.model, "-")), FAILED, "-: ")

    def test_pipes(self):
        want = decavox("predict", self.model, self.good).out.split("  ")[1:]
        done = piped("predict", self.model, shell=f'"$@" <(cat {self.good}) <(cat {self.good})')
        lines = self.ends(done, GOOD).out.splitlines()
        self.assertEqual([line.split("  ")[1:] for line in lines],
                         [[want[0], want[1].strip()]] * 2)
        fifo = self.at("fifo")
        os.mkfifo(fifo)

        def write():
            with open(fifo, "wb") as file:
                file.write(support.read_bytes(self.good))

        writer = threading.Timer(0.5, write)  # the program waits for it
        writer.start()
        done = self.ends(piped("predict", self.model, fifo), GOOD)
        writer.join()
        self.assertEqual(done.out.split("  "), [fifo, *want])


class BusyMachine(Case):
    def test_ten_answers_are_the_same(self):
        """No choice by measurement changes an answer. Digits beyond the printed text are compared,
        too."""
        busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(4)]
        try:
            files = [os.path.join(self.data, name) for name in sorted(os.listdir(self.data))]
            answers = {decavox("predict", self.model, "--format", "json", *files[:40]).out
                       for _ in range(10)}
        finally:
            for process in busy:
                process.kill()
                process.wait()
        self.assertEqual(len(answers), 1)
        self.assertEqual(len(json.loads(answers.pop())), 40)


class FilesReadTwice(Case):
    """A pipe is refused at once if the file may be read more than once."""

    def test_pipes_are_refused(self):
        fifo, wav = self.at("fifo"), self.at("fifo.wav")
        os.mkfifo(fifo)
        os.mkfifo(wav)
        based = support.write_text(self.at("based.yaml"), f"base: {fifo}\n")
        named = self.at("models", "named.yaml")
        os.makedirs(self.at("models"))
        os.mkfifo(named)
        called = support.write_text(self.at("called.yaml"), "model: named\n")
        shaped = support.write_text(self.at("shaped.yaml"), support.CONFIG.format(
            model="  layers:\n    - ensemble: {models: [named, named]}\n", epochs=1))
        more = support.make_data(self.at("more"), speakers=("cy",), count=2)
        train = ["train", self.config, "--out", self.at("refused")]
        folds = ["--out", self.at("folds"), "--folds", "2"]
        with_data = [*train, "--data", self.data]
        for arguments in (
                ["train", fifo, "--data", self.data], ["train", based, "--data", self.data],
                ["train", called, "--data", self.data], ["train", shaped, "--data", self.data],
                [*train, "--data", fifo], [*with_data, "--set", f"data.exclude={fifo}"],
                [*with_data, "--set", f"data.more=[{{path: {fifo}}}]"],
                [*with_data, "--set", f"data.more=[{{path: {more}, exclude: {fifo}}}]"],
                [*with_data, "--init_from", fifo], [*with_data, "--init_from", f"a.={fifo}"],
                [*with_data, "--set", f"augment.noise_path={fifo}",
                 "--set", "augment.noise=0.5"],
                ["augment", fifo, "--data", self.data, "--out", self.at("sounds")],
                ["augment", self.config, "--data", fifo, "--out", self.at("sounds")],
                ["crossval", fifo, "--data", self.data, *folds],
                ["crossval", self.config, "--data", fifo, *folds],
                ["eval", fifo], ["eval", self.model, "--data", fifo],
                ["eval", self.model, "--noise", fifo], ["info", fifo],
                ["predict", fifo, self.good], ["export", fifo, "--out", self.at("x.onnx")],
                ["compare", fifo], ["compare", based], ["compare", self.model, fifo]):
            with self.subTest(arguments):
                done = piped(*arguments)
                self.assertIn(done.code, (FAILED, USAGE), done.err)
                self.assertRegex(done.err, "(fifo|named.yaml): is a pipe")
                self.assertNotIn("Sanitizer", done.err)

    def test_a_card_or_a_clip_that_is_a_pipe(self):
        """A pipe as card or clip is reported as missing, and the rest goes on."""
        model = self.at("carded.safetensors")
        os.link(self.model, model)
        os.mkfifo(self.at("carded.json"))
        self.ends(piped("compare", model, "--seconds", "0.001"), GOOD, "carded.json: is a pipe")
        data = support.make_data(self.at("leaky"))
        os.mkfifo(os.path.join(data, "1_cy_20.wav"))
        self.ends(piped("eval", self.model, "--data", data), GOOD, "1_cy_20.wav: is a pipe")


class FilesOfUsers(Case):
    """The shipped model's answers to ../shared/cases/sound, and the warnings."""

    right = {  # name: (label, least confidence, part of the warning) or part of the refusal
        "whole.wav": ("7", 0.91, None),
        "fan_pipe.mp3": ("7", 0.90, None),
        "soxs_24_1.wav": ("7", 0.91, None),
        "rf64_cut.wav": "is truncated",
        "cut_a.aiff": "is truncated",
        "mp3_in.wav": ("7", 0.80, None),
        "opus_noeos.ogg": ("7", 0.80, "the end is not marked"),
        "flac_native.ogg": "is FLAC in OGG, which is not read",
        "size_whole_file.wav": ("7", 0.91, "a few bytes more"),
        "size_0.wav": ("7", 0.91, "0 bytes of samples"),
        "mp3_junk_first.mp3": ("7", 0.80, None),
        "stereo_inv.wav": ("7", 0.91, "cancel each other"),
    }

    @unittest.skipUnless(os.path.isdir(CASES), f"{CASES} is not there")
    def test_answers(self):
        for name, right in self.right.items():
            path = os.path.join(CASES, name)
            with self.subTest(name):
                if isinstance(right, str):
                    self.ends(decavox("predict", SHIPPED, path), FAILED, name, right)
                    continue
                label, least, warning = right
                done = self.ends(decavox("predict", SHIPPED, path), GOOD)
                _, answer, confidence = done.out.split("  ")
                self.assertEqual(answer, label)
                self.assertGreaterEqual(float(confidence), least)
                others = [line for line in done.err.splitlines() if "the model has seen" not in line]
                self.assertEqual(len(others), 0 if warning is None else 1, done.err)
                self.assertIn(warning or "", others[0] if others else "")


if __name__ == "__main__":
    support.main()
