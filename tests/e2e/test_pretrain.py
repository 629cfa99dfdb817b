"""The section `pretrain`: a first training on other data, in the same folder, which can be
resumed."""
import json
import os
import shutil
import signal
import subprocess

import support
from support import FAILED, GOOD, USAGE, decavox


class Pretraining(support.Case):
    epochs = 2

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.others = support.make_data(cls.at("others"), speakers=("cid", "dot"), count=8)
        text = support.CONFIG.format(model=support.MODEL, epochs=2) + (
            "  freeze: [\"conv_1.*\"]\n"
            "pretrain:\n  train: {epochs: 3, learning_rate: 0.02}\n  augment: {gain: 1}\n")
        cls.config = support.write_text(cls.at("pretrain.yaml"), text)
        cls.run_folder = cls.at("run")
        cls.done = decavox("train", cls.config, "--data", cls.data, "--pretrain_data", cls.others,
                           "--out", cls.run_folder)

    def model(self, *parts):
        return os.path.join(self.run_folder, *parts, "model.safetensors")

    def test_trains_twice(self):
        self.ends(self.done, GOOD)
        out = self.done.out
        for part in ("pretraining in ", "epoch 3/3 ", "epoch 2/2 "):
            self.assertIn(part, out)
        self.assertEqual(len(support.read_metrics(os.path.join(self.run_folder, "pretrain"))), 3)
        self.assertEqual(len(support.read_metrics(self.run_folder)), 2)

    def test_each_has_its_own_configuration(self):
        before = support.read_text(os.path.join(self.run_folder, "pretrain", "config.yaml"))
        for part in (f"path: {self.others}", "epochs: 3", "learning_rate: 0.02", "  gain: 1\n"):
            self.assertIn(part, before)
        for part in ("pretrain:", "conv_1.*"):
            self.assertNotIn(part, before)
        after = support.read_text(os.path.join(self.run_folder, "config.yaml"))
        for part in (f"path: {self.data}", "epochs: 2", "learning_rate: 0.01", "  gain: 3\n",
                     "conv_1.*", "pretrain:", "init_from: \"\""):
            self.assertIn(part, after)

    def tensor(self, path, name):
        """The bytes of a tensor in a safetensors file."""
        data = support.read_bytes(path)
        length = int.from_bytes(data[:8], "little")
        begin, end = json.loads(data[8:8 + length])[name]["data_offsets"]
        return data[8 + length + begin:8 + length + end]

    def test_begins_with_what_was_learnt(self):
        """Frozen parameters show it: they keep the values of the first training."""
        for name, same in (("conv_1.weight", True), ("head.weight", False)):
            before, after = (self.tensor(self.model(*parts), name) for parts in (("pretrain",), ()))
            self.assertEqual(before == after, same, name)

    def resumed(self, name, epochs, stop_at):
        """Stops a run at a line and resumes it to the same bytes. Returns the files at the stop."""
        run, whole = self.at(name), self.at(name + "_whole")
        arguments = ["train", self.config, "--data", self.data, "--pretrain_data", self.others,
                     "--set", f"pretrain.train.epochs={epochs[0]}", "--epochs", str(epochs[1]),
                     "--set", "pretrain.train.patience=0", "--patience", "0"]
        process = subprocess.Popen([support.binary(), *arguments, "--out", run],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env=support.environment(1))
        for line in process.stdout:
            if line.startswith(stop_at.encode()):
                break
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 143)
        trained = os.path.exists(os.path.join(run, "pretrain", "model.safetensors"))
        self.assertFalse(os.path.exists(os.path.join(run, "model.safetensors")))
        done = decavox("train", "--resume", run, timeout=300)
        self.ends(done, GOOD)
        self.assertIn("resumed at step", done.out)
        self.ends(decavox(*arguments, "--out", whole, timeout=300), GOOD)
        for name in ("conv_1.weight", "head.weight", "norm_2.running_var"):
            self.assertEqual(*(self.tensor(os.path.join(folder, "model.safetensors"), name)
                               for folder in (run, whole)), name)
        return trained

    def test_resumed_from_the_first_training(self):
        self.assertFalse(self.resumed("first", (200, 2), "epoch 2/200"))

    def test_resumed_from_the_second_training(self):
        self.assertTrue(self.resumed("second", (3, 200), "epoch 2/200"))

    def ended_behind_pretraining(self, name, *without):
        """Makes a run that was killed after pretraining, without some files of the pretraining."""
        run = self.at(name)
        shutil.copytree(os.path.join(self.run_folder, "pretrain"), os.path.join(run, "pretrain"),
                        ignore=shutil.ignore_patterns(*without))
        shutil.copy(os.path.join(self.run_folder, "config.yaml"), run)
        return run

    def test_killed_before_the_first_report(self):
        for without in (["report.*", "confusion.csv"], ["report.*"], ["report.json"]):
            run = self.ended_behind_pretraining("_".join(without).replace("*", ""), *without)
            self.ends(decavox("train", "--resume", run), GOOD)
            for name in ("pretrain/report.json", "pretrain/confusion.csv", "model.safetensors"):
                self.assertEqual(support.read_stable(os.path.join(run, name)),
                                 support.read_stable(os.path.join(self.run_folder, name)), name)
            self.assertTrue(os.path.exists(os.path.join(run, "pretrain/report.html")))

    def test_a_first_training_that_is_done_needs_no_data(self):
        run = self.ended_behind_pretraining("done")
        os.rename(self.others, self.others + "_away")
        self.addCleanup(os.rename, self.others + "_away", self.others)
        self.ends(decavox("train", "--resume", run), GOOD)

    def test_hears_no_test_clip(self):
        """Pretraining has the same data, of which the later training tests with one voice, in a
        folder whose name cannot be an item of a list."""
        run = self.at("a=b,c")
        done = decavox("train", self.config, "--data", self.data, "--split", "leave_one_out:ann",
                       "--set", "data.validation=0", "--set", "pretrain.data.split=train",
                       "--out", run)
        self.ends(done, GOOD)
        self.assertIn("44 clips are left out, since the training after this one is tested or validated ",
                      done.out)
        self.assertIn("cpu in fp32, 1 thread; 44 training and 0 validation clips", done.out)
        self.ends(decavox("train", self.config, "--data", self.data, "--split",
                          "leave_one_out:ann", "--set", "pretrain.data.split=leave_one_out:bob",
                          "--out", self.at("nothing")),
                  USAGE, "pretrain: data: no clip is left for training")

    def test_lists_are_of_their_own_data(self):
        """Exclusions and additions of one training's data do not apply to the other's."""
        listed = support.write_text(self.at("list.csv"), "file\n0_ann_0.wav\n")
        more = support.make_data(self.at("more"), speakers=("eve",), count=2)
        run = self.at("listed")
        self.ends(decavox("train", self.config, "--data", self.data, "--pretrain_data", self.others,
                          "--out", run, "--set", f"data.exclude={listed}",
                          "--set", f"data.more=[{{path: {more}}}]"), GOOD)
        before = support.read_text(os.path.join(run, "pretrain", "config.yaml"))
        for part in (listed, more):
            self.assertNotIn(part, before)
            self.assertIn(part, support.read_text(os.path.join(run, "config.yaml")))

    def test_refusals(self):
        for text, code, *parts in (
                ("pretrain: {features: {type: mel}}\n", USAGE, "wrong.yaml:", "'features'"),
                ("pretrain: [a]\n", USAGE, "wrong.yaml:", "expected the sections"),
                ("pretrain: {train: {epoch: 1}}\n", USAGE, "wrong.yaml:", "'epochs'"),
                ("pretrain: {data: {path: /nowhere}}\n", FAILED, "/nowhere")):
            path = support.write_text(self.at("wrong.yaml"),
                                      support.CONFIG.format(model=support.MODEL, epochs=1) + text)
            with self.subTest(text):
                out = self.at("refused" + str(len(text)))
                self.ends(decavox("train", path, "--data", self.data, "--out", out), code, *parts)


if __name__ == "__main__":
    support.main()
