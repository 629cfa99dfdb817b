"""Training through the public header is silent, works side by side, and leaves the same bytes as
the command.

    test_library.py DECAVOX LABORATORY EXAMPLE_NETWORK
"""
import json
import os
import re
import shutil
import subprocess
import sys

import support
from support import GOOD, decavox

LABORATORY, NETWORK = (os.path.abspath(path) for path in sys.argv[2:4])
del sys.argv[2:4]
SETTINGS = {"mini": ["--epochs", "4"], "lightweight": ["--epochs", "2", "--seed", "7"]}
FILES = ["model.safetensors", "confusion.csv", "config.yaml"]


class Library(support.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data = support.make_data(cls.at("voices"), digits=3, speakers=("ann", "bob"), count=8)
        for name, settings in SETTINGS.items():
            done = decavox("train", f"configs/{name}.yaml", "--data", cls.data, "--batch_size", "4",
                           *settings, "--device", "cpu", "--threads", "1", "--out",
                           cls.at(f"command_{name}"))
            if done.code != GOOD:
                raise RuntimeError(done.out + done.err)

    def laboratory(self, what, name=None, data=None, **variables):
        """Runs the laboratory. Returns its lines. Standard output and error are files that must
        stay empty."""
        name = name or what
        result, folder = self.at(f"{name}.txt"), self.at(name)
        os.makedirs(folder)
        with open(self.at(f"{name}.out"), "w+b") as said:
            done = subprocess.run([LABORATORY, what, result, data or self.data, folder],
                                  stdout=said, stderr=said, env=support.environment(1) | variables, timeout=300)
        self.assertEqual(done.returncode, 0)
        self.assertEqual(os.path.getsize(self.at(f"{name}.out")), 0)
        return support.read_text(result).splitlines(), folder

    def report_of(self, run):
        return json.loads(support.read_text(os.path.join(run, "report.json")))

    def same_run(self, run, name):
        """Compares weights, answers, metrics and reports, except for seconds and paths."""
        command = self.at(f"command_{name}")
        for file in FILES:
            self.assertEqual(support.read_bytes(os.path.join(run, file)),
                             support.read_bytes(os.path.join(command, file)), file)
        metrics = [re.sub(r",[^,]*$", "", support.read_text(os.path.join(folder, "metrics.csv")),
                          flags=re.M) for folder in (run, command)]
        self.assertEqual(*metrics)
        self.assertEqual(*(support.read_stable(os.path.join(folder, "report.json"))
                           for folder in (run, command)))

    def check_result(self, said, run):
        self.assertEqual((said["status"], said["message"], said["misfits"]), (0, "", 0))
        report = self.report_of(run)
        self.assertEqual((said["correct"], said["count"], said["loss"]),
                         (report["correct"], report["count"], report["loss"]))
        self.assertEqual((said["right"], said["of"], said["evaluated"]),
                         (report["correct"], report["count"], report["loss"]))
        self.assertEqual(said["is_test"], int(report["part"] == "test"))
        told = support.read_text(os.path.join(run, "log.txt")).splitlines()
        self.assertEqual(said["lines"], len(told))

    def test_two_at_once(self):
        lines, folder = self.laboratory("both")
        for name, line in zip(SETTINGS, lines, strict=True):
            run = os.path.join(folder, name)
            self.check_result(json.loads(line), run)
            self.same_run(run, name)
            self.assertEqual(json.loads(line)["told"], json.loads(line)["epochs"])

    def test_paused(self):
        lines, folder = self.laboratory("pause")
        run = os.path.join(folder, "mini")
        said = json.loads(lines[0])
        self.check_result(said, run)
        self.assertEqual((said["epochs"], said["told"]), (4, 4))
        self.assertIn("interrupted after step 7; the state is saved",
                      support.read_text(os.path.join(run, "log.txt")))
        self.same_run(run, "mini")

    def test_paused_in_the_last_step_of_an_epoch(self):
        lines, folder = self.laboratory("last")
        run = os.path.join(folder, "mini")
        self.check_result(json.loads(lines[0]), run)
        self.assertIn("interrupted after epoch 1; the state is saved",
                      support.read_text(os.path.join(run, "log.txt")))
        self.same_run(run, "mini")

    def test_paused_within_an_update(self):
        lines, folder = self.laboratory("within")
        run = os.path.join(folder, "mini")
        self.check_result(json.loads(lines[0]), run)
        self.assertIn("interrupted after step 6; the state is saved",
                      support.read_text(os.path.join(run, "log.txt")))

    def test_a_decimal_comma(self):
        """Configuration, files and figures have a point, even if the host's locale writes 0,5."""
        name, places = "de_DE.UTF-8", self.at("locales")
        os.makedirs(places)
        if shutil.which("localedef") is None or subprocess.run(
                ["localedef", "-i", "de_DE", "-f", "UTF-8", os.path.join(places, name)],
                capture_output=True).returncode != 0:
            self.skipTest("no locale with a decimal comma can be made here")
        lines, folder = self.laboratory("pause", "comma", LC_ALL=name, LOCPATH=places)
        run = os.path.join(folder, "mini")
        self.check_result(json.loads(lines[0]), run)
        self.same_run(run, "mini")

    def test_gone_on_with_by_a_configuration(self):
        """The configuration may change the number of epochs, but not the model or the training. A
        program that was started meanwhile does not keep the folder locked."""
        lines, _ = self.laboratory("again")
        other = "invalid argument: the run that goes on has another {} than the given configuration"
        expected = ["no error: ", "no error: ",
                    "no error: ", "no error: ", "2 epochs",
                    "no error: ", other.format("train.seed"), "0 epochs",
                    "no error: ", "no error: ", "2 epochs",
                    "no error: ", other.format("model.name"), "0 epochs",
                    "no error: ", "no error: ", "2 epochs",
                    "no error: ", "no error: ", "3 epochs"]
        self.assertEqual(len(lines), len(expected), lines)
        for line, pattern in zip(lines, expected):
            self.assertTrue(line.startswith(pattern), (line, pattern))

    def test_finished_early(self):
        lines, folder = self.laboratory("finish")
        said = json.loads(lines[0])
        self.check_result(said, os.path.join(folder, "mini"))
        self.assertEqual((said["epochs"], said["told"]), (2, 2))

    def test_refused(self):
        lines, folder = self.laboratory("refuse")
        expected = ["input or output failed: .*nowhere.yaml",
                    "invalid argument: the path of the configuration is too long", "no error: ",
                    "invalid argument: setting: expected key=value, got 'train.epochs'",
                    "invalid configuration: setting train.epoch.*did you mean 'epochs'",
                    "invalid configuration: .*epochs.*-1", "invalid .*none_such", "unchanged",
                    "invalid argument: a training needs options->folder",
                    "invalid argument: a training needs a configuration",
                    "invalid configuration: there are no data: set data.path",
                    "invalid argument: dv_train_options: threads is 1025, must be 0 to 1024",
                    "device failure|invalid argument: .*abacus",
                    ".*refused.*", "invalid argument: dv_train_options: its size is 3"]
        self.assertEqual(len(lines), len(expected), lines)
        for line, pattern in zip(lines, expected):
            self.assertRegex(line, pattern)
        self.assertEqual(os.listdir(folder), ["refused"])

    def test_exported(self):
        """Every form has the same bytes as the command's. A refused export leaves no file."""
        model = os.path.join(self.at("command_mini"), "model.safetensors")
        lines, folder = self.laboratory("export", data=model)
        refused = ["input or output failed: path: '.*mine.onnx' exists and is not a model that "
                   "decavox wrote; .* replace it with the option force",
                   "invalid argument: path: .* is the checkpoint itself",
                   "invalid argument: path: .*mine.wav' is a sound file",
                   "no error: ", "invalid argument: an export needs the path of a file to write",
                   "invalid argument: the ending of '.*a.onx' tells no format; .*onnx.*safetensors",
                   "input or output failed: .*none/a.onnx",
                   "invalid argument: there is no format 'tflite'; .*onnx.*safetensors",
                   "invalid argument: input is 'sound', must be one of audio, features, log_mel",
                   "invalid configuration: .*this model cannot have the input log_mel",
                   "invalid argument: input has no effect on weights alone",
                   "invalid argument: precision is 'bf16', must be one of fp32, fp16",
                   "invalid argument: batch is -1, must be 0 to 2147483647",
                   "invalid argument: batch has no effect on weights alone",
                   "invalid argument: the license is not UTF-8",
                   "invalid argument: dv_export_options: its size is 3"]
        self.assertEqual(lines[:11], ["no error: "] * 11)
        self.assertEqual(len(lines), 11 + len(refused), lines)
        for line, pattern in zip(lines[11:], refused):
            self.assertRegex(line, pattern)
            self.assertNotIn("--", line)
        everything = ("--format", "torchscript", "--input", "features", "--precision", "fp16",
                      "--batch", "2", "--license", "MIT")
        for name, options in (("a.onnx", ()), ("a.pt", ()), ("a.pt2", ()), ("a.safetensors", ()),
                              ("mine.onnx", ()), ("all", everything),
                              ("half.safetensors", ("--precision", "fp16"))):
            out = self.at("by_command_" + name)
            self.ends(decavox("export", model, "--out", out, *options), GOOD)
            self.assertEqual(support.read_bytes(out),
                             support.read_bytes(os.path.join(folder, name)), name)
        self.assertEqual(sorted(os.listdir(folder)),
                         ["a.onnx", "a.pt", "a.pt2", "a.safetensors", "all", "half.safetensors",
                          "mine.onnx", "mine.wav"])

    def test_the_example_of_a_network(self):
        done = subprocess.run([NETWORK], capture_output=True, text=True, timeout=300,
                              env=support.environment(1))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout.splitlines()[-1], r"step 4000: loss 0\.\d+, 128 of 128 right")


if __name__ == "__main__":
    support.main()
