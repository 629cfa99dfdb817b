"""The event files that TensorBoard reads: the epochs, the configuration and the result of a run."""
import glob
import importlib.util
import json
import math
import os
import shutil
import signal
import struct
import subprocess

import support
from report_page import Page
from support import GOOD, decavox

TAGS = {"train/loss": "train_loss", "validation/loss": "validation_loss",
        "train/accuracy": "train_accuracy", "validation/accuracy": "validation_accuracy",
        "train/learning_rate": "learning_rate", "train/gradient_norm": "gradient_norm"}


def fields(data):
    """The (number, value) of each field of a protocol buffer."""
    def varint():
        nonlocal data
        value = 0
        for i, byte in enumerate(data):
            value |= (byte & 127) << 7 * i
            if byte < 128:
                data = data[i + 1:]
                return value
        raise AssertionError("cut off")

    while data:
        key = varint()
        if key & 7 == 0:
            yield key >> 3, varint()
        else:
            size = {1: 8, 5: 4}.get(key & 7) or varint()
            yield key >> 3, data[:size]
            data = data[size:]


def read_events(run):
    """{run/tag: {step: [values]}} by TensorBoard's rule, of the files in the folder and below it: a
    session that starts at a step ends what was said of this and later steps before. Values are
    numbers of scalars and texts. Also the number of values that were forgotten so."""
    found, forgotten = {}, 0
    for path in sorted(glob.glob(os.path.join(run, "**", "events.out.tfevents.*"), recursive=True)):
        data, below = support.read_bytes(path), os.path.relpath(os.path.dirname(path), run) + "/"
        while data:
            size, = struct.unpack("<Q", data[:8])
            event, data = dict(fields(data[12:12 + size])), data[16 + size:]
            step = event.get(2, 0)
            if 7 in event:
                for steps in (steps for tag, steps in found.items() if tag.startswith(below)):
                    for late in [known for known in steps if known >= step]:
                        forgotten += len(steps.pop(late))
            if 5 in event:
                value = dict(fields(dict(fields(event[5]))[1]))
                values = found.setdefault(below + value[1].decode(), {}).setdefault(step, [])
                if 2 in value:
                    values += struct.unpack("<f", value[2])
                else:
                    values.append(value)
    return found, forgotten


def read_scalars(run):
    """The epochs alone, of the folders for training and validation."""
    found, forgotten = read_events(run)
    return {tag: steps for tag, steps in found.items() if not tag.startswith("./")}, forgotten


class Events(Page):
    epochs = 8

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.whole = cls.train_once(cls.at("whole"), "--batch_size", "2")

    def expected(self, run):
        rows = support.read_metrics(run)
        self.assertEqual([int(row["epoch"]) for row in rows], list(range(1, self.epochs + 1)))
        return {tag: {int(row["epoch"]): float(row[column]) for row in rows}
                for tag, column in TAGS.items()}

    def same(self, got, want):
        """Asserts equal values to six digits, like those of metrics.csv."""
        self.assertEqual(set(got), set(want))
        for tag, steps in want.items():
            self.assertEqual(set(got[tag]), set(steps), tag)
            for step, value in steps.items():
                self.assertTrue(math.isclose(got[tag][step], value, rel_tol=1e-5, abs_tol=1e-6),
                                (tag, step, got[tag][step], value))

    def agree(self, run):
        scalars, forgotten = read_scalars(run)
        for steps in scalars.values():
            self.assertTrue(all(len(values) == 1 for values in steps.values()))
        self.same({tag: {step: values[0] for step, values in steps.items()}
                   for tag, steps in scalars.items()}, self.expected(run))
        return forgotten

    def killed(self, name, *more):
        """Makes a run that was killed after its third epoch and then resumed to its end."""
        run = self.at(name)
        process = subprocess.Popen([support.binary(), "train", self.config, "--data", self.data,
                                    "--batch_size", "2", "--out", run, *more],
                                   stdout=subprocess.PIPE, env=support.environment())
        for line in process.stdout:
            if line.startswith(b"epoch 3/"):
                break
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        if process.returncode == GOOD:
            self.skipTest("the machine is too busy to kill a run in time")
        self.ends(decavox("train", "--resume", run), GOOD)
        return run

    def test_as_metrics(self):
        self.assertEqual(self.agree(self.whole), 0)

    def test_no_validation(self):
        run = self.train_once(self.at("unseen"), "--set", "data.validation=0", "--epochs", "1")
        self.assertEqual(set(read_scalars(run)[0]),
                         {tag for tag in TAGS if not tag.startswith("validation")})
        self.assertFalse(os.path.exists(os.path.join(run, "validation")))
        self.assertIn("There were no clips for validation", support.read_text(
            os.path.join(run, "report.html")))

    def test_result(self):
        """The figures of report.json at the last epoch, and the confusion matrix as a text."""
        run = self.killed("result")
        report = json.loads(support.read_text(os.path.join(run, "report.json")))
        found, _ = read_events(run)
        for tag, value in (("accuracy", report["accuracy"]), ("loss", report["loss"]),
                           ("macro_f1", report["macro"]["f1"]),
                           ("ece", report["calibration"]["ece"])):
            (step, values), = found[f"./test/{tag}"].items()
            self.assertEqual((step, len(values)), (self.epochs, 1))
            self.assertAlmostEqual(values[0], value, 6)
        (value,), = found["./confusion_matrix"].values()
        text = dict(fields(value[8]))[8].decode()
        rows = [[cell.strip(" *") for cell in line.split("|")[1:-1]]
                for line in text.splitlines() if line.startswith("|")]
        self.assertEqual(rows[0], ["true", "0", "1", "2", "3"])
        self.assertEqual([[row[0], *(0 if cell == "·" else int(cell) for cell in row[1:])]
                          for row in rows[2:]],
                         [[label, *counts] for label, counts in zip("0123", report["confusion"])])

    def test_result_again(self):
        """After a kill between the result and report.json one result and one configuration count."""
        run = os.path.join(self.at("again"), "run")
        shutil.copytree(self.whole, run)
        before, _ = read_events(run)
        os.unlink(os.path.join(run, "report.json"))
        self.ends(decavox("train", "--resume", run), GOOD)
        self.assertTrue(os.path.exists(os.path.join(run, "report.json")))
        self.assertEqual(len(glob.glob(os.path.join(run, "events.*"))), 2)
        found, forgotten = read_events(run)
        own = {tag: {step: len(values) for step, values in steps.items()}
               for tag, steps in found.items() if tag.startswith("./")}
        result = {f"./{tag}": {self.epochs: 1} for tag in (
            "test/accuracy", "test/loss", "test/macro_f1", "test/ece", "confusion_matrix")}
        self.assertEqual(own.pop("./_hparams_/session_end_info"), {0: 2})  # of each process
        self.assertEqual(own.pop("./_hparams_/session_start_info"), {0: 1})
        self.assertEqual(own, result)
        self.assertEqual(forgotten, len(result))
        for tag in TAGS:
            self.assertEqual(found[tag], before[tag], tag)
        self.ends(decavox("train", "--resume", run, "--epochs", str(self.epochs + 1)), GOOD)
        found, _ = read_events(run)  # the result after fewer epochs stays
        for tag in result:
            self.assertEqual(list(found[tag]), [self.epochs, self.epochs + 1])

    def test_begun_again_after_a_kill(self):
        """After a kill before the first save every epoch is done again, and counts once."""
        run = self.killed("early", "--set", "train.checkpoint_seconds=1000")
        self.assertGreaterEqual(self.agree(run), 2 * len(TAGS))
        self.assertEqual(len(glob.glob(os.path.join(run, "events.*"))), 2)

    def test_gone_on_after_a_kill(self):
        run = self.killed("late")
        self.agree(run)
        self.assert_drawn(run)
        files = sorted(glob.glob(os.path.join(run, "events.*")))
        self.assertEqual(len(files), 2)
        before = [support.read_bytes(file) for file in files]
        self.ends(decavox("train", "--resume", run), GOOD)  # the run has ended, so nothing is added
        self.assertEqual([support.read_bytes(file) for file in
                          sorted(glob.glob(os.path.join(run, "events.*")))], before)

    def test_tensorboard_reads_them(self):
        if importlib.util.find_spec("tensorboard") is None:
            self.skipTest("the Python package tensorboard is not installed")
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
        for run in (self.whole, self.killed("again", "--set", "train.checkpoint_seconds=1000"),
                    self.killed("on")):
            got = {}
            for part in ("train", "validation"):
                events = EventAccumulator(os.path.join(run, part))
                events.Reload()
                for tag in events.Tags()["scalars"]:
                    read = events.Scalars(tag)
                    got[f"{part}/{tag}"] = {scalar.step: scalar.value for scalar in read}
                    self.assertEqual(len(read), self.epochs, tag)
            self.same(got, self.expected(run))

    def test_tensorboard_shows_them(self):
        """Its own reader finds runs, texts and hyperparameters."""
        if importlib.util.find_spec("tensorboard") is None:
            self.skipTest("the Python package tensorboard is not installed")
        from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
        from tensorboard.plugins.hparams import metadata
        self.train_once(self.at("logs", "slow"), "--epochs", "2", "--learning_rate", "0.001")
        self.train_once(self.at("logs", "fast"), "--epochs", "2")
        runs = EventMultiplexer().AddRunsFromDirectory(self.at("logs"))
        runs.Reload()
        self.assertEqual(set(runs.Runs()), {name + below for name in ("slow", "fast")
                                            for below in ("", "/train", "/validation")})
        for name, rate in (("slow", 0.001), ("fast", 0.01)):
            content = runs.SummaryMetadata(name, metadata.SESSION_START_INFO_TAG)
            start = metadata.parse_session_start_info_plugin_data(content.plugin_data.content)
            self.assertEqual(start.hparams["train.learning_rate"].number_value, rate)
            self.assertEqual(start.hparams["data.split"].string_value, "official")
            self.assertFalse(start.hparams["train.mixed_precision"].bool_value)
            content = runs.SummaryMetadata(name, metadata.SESSION_END_INFO_TAG)
            end = metadata.parse_session_end_info_plugin_data(content.plugin_data.content)
            self.assertEqual(end.status, 1)
            text, = runs.Tensors(name, "confusion_matrix")
            self.assertIn("| true | 0 | 1 | 2 | 3 |", text.tensor_proto.string_val[0].decode())
            self.assertEqual(set(runs.PluginRunToTagToContent("text")), {"slow", "fast"})


if __name__ == "__main__":
    support.main()
