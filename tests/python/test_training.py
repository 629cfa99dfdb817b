"""Training, evaluation and export from Python leave the same bytes as the commands."""
import json
import logging
import math
import os
import pathlib
import signal
import subprocess
import threading

import package  # imported first: it reports missing modules
import numpy
import support
from decavox import (ConfigError, FileError, Progress, Recognizer, evaluate, export, train)
from decavox._training import setting_text

SETTINGS = {"train.epochs": 3, "train.batch_size": 4}


def command(*arguments):
    return subprocess.run([package.PROGRAM, *arguments], check=True, capture_output=True,
                          text=True).stdout


class Case(package.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data = support.make_data(cls.at("sounds ü"), digits=3, count=8)
        cls.settings = SETTINGS | {"data.path": cls.data}
        cls.run_folder = cls.at("command")
        command("train", "configs/mini.yaml", "--data", cls.data, "--epochs", "3", "--batch_size",
                "4", "--device", "cpu", "--threads", "1", "--out", cls.run_folder)
        cls.model = os.path.join(cls.run_folder, "model.safetensors")

    def train(self, name, **options):
        options = {"settings": self.settings} | options
        return train("configs/mini.yaml", self.at(name), device="cpu", threads=1, **options)

    def same_model(self, result):
        self.assertEqual(support.read_bytes(result.model), support.read_bytes(self.model))


class Training(Case):
    def test_progress(self):
        told, lines = [], []
        result = self.train("whole", progress=told.append, log=lines.append)
        self.same_model(result)
        report = json.loads(support.read_text(os.path.join(self.at("whole"), "report.json")))
        self.assertEqual((result.correct, result.count, result.loss, result.accuracy),
                         (report["correct"], report["count"], report["loss"],
                          report["correct"] / report["count"]))
        self.assertEqual((result.paused, result.epochs, result.is_test, result.folder),
                         (False, 3, report["part"] == "test", self.at("whole")))
        self.assertIn(result.best_epoch, (1, 2, 3))
        self.assertEqual(lines, support.read_text(self.at("whole", "log.txt")).splitlines())
        ended = [one for one in told if one.epoch_ended]
        self.assertEqual([one.epoch for one in ended], [1, 2, 3])
        for one in told:
            self.assertIsInstance(one, Progress)
            self.assertEqual((one.pretraining, one.epochs), (False, 3))
            self.assertLessEqual(one.step, one.steps)
            self.assertEqual(math.isnan(one.accuracy), not one.epoch_ended)
        self.assertTrue(ended[0].improved)

    def test_paused_and_resumed(self):
        paused = self.train("paused", progress=lambda p: "pause" if p.epoch == 2 else "continue")
        self.assertTrue(paused.paused)
        self.assertLess(paused.epochs, 3)
        self.assertFalse(os.path.exists(paused.model))
        result = train(None, pathlib.Path(self.at("paused")), resume=True, device="cpu", threads=1)
        self.assertFalse(result.paused)
        self.same_model(result)

    def test_finished_early(self):
        result = self.train("finished", progress=lambda p: "finish" if p.epoch == 2 else None)
        self.assertEqual((result.paused, result.epochs), (False, 2))

    def test_an_exception_pauses(self):
        def fail(told):
            if told.epoch == 2:
                raise KeyError("mine")

        with self.assertRaisesRegex(KeyError, "mine"):
            self.train("raised", progress=fail)
        self.same_model(self.train("raised", resume=True))

        def fail_in_log(line):
            raise LookupError(line)

        with self.assertRaises(LookupError):
            self.train("raised_in_log", log=fail_in_log)
        self.same_model(self.train("raised_in_log", resume=True))
        with self.assertRaisesRegex(ValueError, "'stop'"):
            self.train("wrong_word", progress=lambda p: "stop")

    def test_ctrl_c(self):
        """Ctrl-C ends a training, with and without functions of the caller."""
        def interrupt(told):
            if told.epoch == 2 and not told.epoch_ended:
                os.kill(os.getpid(), signal.SIGINT)

        before = signal.getsignal(signal.SIGINT)
        with self.assertRaises(KeyboardInterrupt):
            self.train("interrupted", progress=interrupt)
        self.assertIs(signal.getsignal(signal.SIGINT), before)
        self.same_model(self.train("interrupted", resume=True))
        timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        with self.assertRaises(KeyboardInterrupt):
            self.train("endless", settings=self.settings | {"train.epochs": 100000})

    def test_threads(self):
        """Trainings run in different folders, each in a thread of its own."""
        results = {}
        threads = [threading.Thread(target=lambda name=name: results.update(
            {name: self.train(name)})) for name in ("one", "two")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for result in results.values():
            self.same_model(result)
        self.assertEqual(len(results), 2)

    def test_the_logger(self):
        with self.assertLogs("decavox", logging.INFO) as told:
            self.train("logged")
        text = "\n".join(told.output)
        self.assertIn("best epoch", text)
        self.assertEqual(len(told.output),
                         len(support.read_text(self.at("logged", "log.txt")).splitlines()))

    def test_settings(self):
        for value, text in ((3, "3"), (0.5, "0.5"), (True, "true"), (False, "false"),
                            (None, "null"), ("a: 'ü'", '"a: \'ü\'"'), ([1, 2], "[1, 2]"),
                            ((1, "x"), '[1, "x"]'), ({"path": pathlib.Path("a")}, '{"path": "a"}'),
                            (numpy.float64(0.25), "0.25"), (numpy.arange(2), "[0, 1]"),
                            (numpy.int64(7), "7")):
            self.assertEqual(setting_text(value), text)
        with self.assertRaises(TypeError):
            setting_text({1, 2})
        result = self.train("many", settings=self.settings | {
            "train.epochs": numpy.int64(1), "train.check_finite": True,
            "train.class_weights": [1, 2, 1], "features.type": "mel"})
        text = support.read_text(os.path.join(result.folder, "config.yaml"))
        for line in ("check_finite: true", "type: mel", f'path: {self.data}'):
            self.assertIn(line, text.replace('"', ""))

    def test_refused(self):
        with self.assertRaisesRegex(ConfigError, "did you mean"):
            self.train("refused", settings={"train.epoch": 3})
        with self.assertRaisesRegex(FileNotFoundError, "nowhere.yaml"):
            train("nowhere.yaml", self.at("refused"))
        with self.assertRaisesRegex(ValueError, "needs a configuration"):
            train(None, self.at("refused"))
        with self.assertRaisesRegex(ValueError, "there is none"):
            train(None, self.at("refused"), settings={"train.epochs": 3}, resume=True)
        with self.assertRaisesRegex(FileNotFoundError, "no_data"):
            self.train("refused", settings={"data.path": self.at("no_data")})
        with self.assertRaisesRegex(ValueError, "threads is 2000"):
            train("configs/mini.yaml", self.at("refused"), threads=2000)


class Evaluating(Case):
    def check(self, found):
        report = json.loads(command("eval", self.model, "--device", "cpu", "--format", "json"))
        self.assertEqual(found.report["accuracy"], report["accuracy"])
        self.assertEqual((found.count, found.correct, found.loss),
                         (report["count"], report["correct"], report["loss"]))
        self.assertEqual(found.accuracy, found.correct / found.count)
        self.assertEqual(found.labels, ("0", "1", "2"))
        self.assertEqual(found.confusion.dtype, numpy.int64)
        self.assertEqual(int(found.confusion.sum()), found.count)
        self.assertEqual(int(found.confusion.trace()), found.correct)

    def test_evaluate(self):
        self.check(evaluate(self.model))
        with Recognizer(self.model) as recognizer:
            self.check(evaluate(recognizer, threads=1))
            self.check(evaluate(recognizer, pathlib.Path(self.data)))
            self.assertEqual(evaluate(recognizer, self.data, split="official").count, 30)
            everything = evaluate(recognizer, self.data, part="all")
            self.assertEqual(everything.count, 48)
            first = sorted(os.listdir(self.data))[0]
            excluded = support.write_text(self.at("excluded.csv"), first + "\n")
            self.assertEqual(evaluate(recognizer, self.data, part="all", exclude=excluded).count,
                             47)

    def test_evaluations_refused(self):
        with self.assertRaisesRegex(ValueError, "some"):
            evaluate(self.model, part="some")
        with self.assertRaises(FileNotFoundError):
            evaluate(self.model, self.at("no_data"))
        with self.assertRaises(FileNotFoundError):
            evaluate(self.at("no_model.safetensors"))
        closed = Recognizer(self.model)
        closed.close()
        with self.assertRaisesRegex(ValueError, "closed"):
            evaluate(closed)

    def test_export(self):
        with Recognizer(self.model) as recognizer:
            for name, options, arguments in (
                    ("a.onnx", {}, ()), ("a.pt", {"input": "features"}, ("--input", "features")),
                    ("a.pt2", {"batch": 2, "license": "MIT – ü"},
                     ("--batch", "2", "--license", "MIT – ü")),
                    ("ä.safetensors", {"precision": "fp16"}, ("--precision", "fp16")),
                    ("a", {"format": "onnx"}, ("--format", "onnx"))):
                ours, theirs = self.at("ours_" + name), self.at("theirs_" + name)
                for model in (recognizer, self.model):
                    export(model, pathlib.Path(ours), **options)
                    command("export", self.model, "--out", theirs, *arguments, "--force")
                    self.assertEqual(support.read_bytes(ours), support.read_bytes(theirs), name)
        content = pathlib.Path(self.model).read_bytes()
        export(content, self.at("of_bytes.onnx"))
        self.assertEqual(support.read_bytes(self.at("of_bytes.onnx")),
                         support.read_bytes(self.at("ours_a.onnx")))

    def test_export_from_another_device(self):
        """The file has the same bytes, whatever the model was opened for."""
        with Recognizer(self.model, device="ref") as one, Recognizer(self.model) as other:
            for ending in ("onnx", "safetensors"):
                paths = [self.at(f"{name}.{ending}") for name in ("by_ref", "by_cpu")]
                for model, path in zip((one, other), paths):
                    export(model, path)
                self.assertEqual(*map(support.read_bytes, paths))

    def test_exports_refused(self):
        mine = support.write_text(self.at("mine.onnx"), "mine")
        with self.assertRaisesRegex(FileError, "mine.onnx.*the option force"):
            export(self.model, mine)
        self.assertEqual(support.read_text(mine), "mine")
        export(self.model, mine, force=True)
        for options in ({"format": "tflite"}, {"input": "sound"}, {"precision": "int8"},
                        {"batch": -1}):
            with self.assertRaises(ValueError):
                export(self.model, self.at("b.onnx"), **options)
        with self.assertRaisesRegex(ValueError, "log_mel"):
            export(self.model, self.at("b.onnx"), input="log_mel")
        with self.assertRaisesRegex(ValueError, "itself"):
            export(self.model, self.model, force=True)
        self.assertFalse(os.path.exists(self.at("b.onnx")))


if __name__ == "__main__":
    package.main()
