"""A resumed run may change the place of its data, its number of epochs, and, with an option, the
content of its sounds."""
import os
import shutil

import support
from support import FAILED, GOOD, USAGE, decavox, read_tensors

# The rate does not depend on the number of epochs, so that a prolonged run equals one that was as
# long from the beginning.
STEADY = ["--scheduler", "none", "--set", "train.warmup=0", "--threads", "1"]


class GoesOn(support.Case):
    def train(self, name, *arguments, data=None):
        run = self.at(name)
        done = decavox("train", self.config, "--data", data or self.data, "--out", run, *STEADY,
                       *arguments)
        self.ends(done, GOOD)
        return run

    def resume(self, run, *arguments):
        return decavox("train", "--resume", run, "--threads", "1", *arguments)

    def copy_of_data(self, name):
        return shutil.copytree(self.data, self.at(name))

    def configuration(self, run):
        return support.read_text(os.path.join(run, "config.yaml"))

    def same_weights(self, run, other):
        self.assertEqual(*(read_tensors(os.path.join(folder, "model.safetensors"))[0]
                           for folder in (run, other)))

    # ---- Prolonged ----

    def test_prolonged(self):
        long = self.train("long", "--epochs", "6")
        run = self.train("short", "--epochs", "3")
        done = self.ends(self.resume(run, "--epochs", "6"), GOOD)
        self.assertIn("the run has 6 epochs now, not 3: the schedule none ends with step 24, and "
                      "the next update has the learning rate 0.01\n", done.out)
        self.assertIn("epoch 4/6 ", done.out)
        self.assertNotIn("epoch 3/", done.out)
        self.same_weights(run, long)
        self.assertEqual(self.configuration(run), self.configuration(long))
        rows, expected = support.read_metrics(run), support.read_metrics(long)
        for row in rows + expected:
            del row["seconds"]
        self.assertEqual(rows, expected)

    def test_what_was_prolonged_stays_so(self):
        """A prolonged run stays so if it is interrupted within its first new epoch."""
        run = self.train("again", "--epochs", "3")
        last = os.path.join(run, "last.safetensors")
        before = support.read_bytes(last)
        done = decavox("train", "--resume", run, "--epochs", "6", limit=0)  # it can write nothing
        self.ends(done, FAILED, "last.safetensors")
        self.assertEqual(support.read_bytes(last), before)
        self.ends(self.resume(run, "--epochs", "6"), GOOD)
        done = self.ends(self.resume(run), GOOD)
        self.assertNotIn("warning", done.out)
        self.assertNotIn("epochs now", done.out)

    def test_early_stopping_is_patient_anew(self):
        """At a rate near 0 no epoch improves, so patience must start again."""
        run = self.train("stopped", "--epochs", "19", "--patience", "2", "--learning_rate",
                         "1e-9")
        ended = len(support.read_metrics(run))
        self.assertLess(ended, 19)
        done = self.ends(self.resume(run, "--epochs", "20"), GOOD)
        self.assertIn("the run has 20 epochs now, not 19", done.out)
        self.assertGreaterEqual(len(support.read_metrics(run)), ended + 2)

    def test_not_shorter_than_it_is(self):
        run = self.train("done", "--epochs", "3")
        before = support.read_bytes(os.path.join(run, "last.safetensors"))
        self.ends(self.resume(run, "--epochs", "2"), USAGE,
                  "train.epochs 2 is too few: the run has done 3 epochs already")
        self.assertEqual(support.read_bytes(os.path.join(run, "last.safetensors")), before)
        self.ends(self.resume(run, "--epochs", "3"), GOOD)  # unchanged

    def test_all_else_stays(self):
        run = self.train("kept", "--epochs", "3")
        for arguments, key in ((["--batch_size", "4"], "train.batch_size"),
                               (["--set", "data.split=random"], "data.split"),
                               (["--set", "pretrain.train.epochs=3"], "pretrain.train.epochs"),
                               (["--set", "model={name: a}"], "model.name")):
            self.ends(self.resume(run, *arguments), USAGE, f"{key} cannot be set", "--epochs",
                      "--init_from")
        self.ends(decavox("train", self.config, "--changed_data"), USAGE, "--changed_data",
                  "--resume")

    # ---- Data that moved ----

    def test_moved(self):
        data, moved = self.copy_of_data("here"), self.at("there")
        run = self.train("moved", "--epochs", "3", data=data)
        os.rename(data, moved)
        self.ends(self.resume(run), FAILED, data, "if the data have moved, set data.path")
        self.ends(self.resume(run, "--data", moved, "--epochs", "6"), GOOD)
        self.assertIn(f"path: {moved}\n", self.configuration(run).replace('"', ""))
        self.same_weights(run, self.train("unmoved", "--epochs", "6"))
        self.ends(self.resume(run), GOOD)  # the place is kept

    def test_pretraining_with_data_that_moved(self):
        """The run in the folder's `pretrain` has a configuration of its own."""
        data, moved = self.copy_of_data("first"), self.at("second")
        arguments = ["--epochs", "2", "--pretrain_data", data]
        run = self.train("pretrained", *arguments)
        os.remove(os.path.join(run, "last.safetensors"))
        for file in ("model.safetensors", "report.json"):
            os.remove(os.path.join(run, file))
            os.remove(os.path.join(run, "pretrain", file))
        os.rename(data, moved)
        self.ends(self.resume(run), FAILED, data,
                  "if the data have moved, set pretrain.data.path to where they are now")
        done = self.ends(self.resume(run, "--pretrain_data", moved), GOOD)
        self.assertIn("resumed at ", done.out)

    def test_other_data_are_not_moved_ones(self):
        run = self.train("not_moved", "--epochs", "3")
        other = self.copy_of_data("fewer")
        os.remove(os.path.join(other, "3_ann_7.wav"))
        self.ends(self.resume(run, "--data", other), USAGE, other, "other clips now")
        self.assertNotIn(other, self.configuration(run))

    # ---- Sounds that changed ----

    def test_changed_sounds(self):
        data = self.copy_of_data("sounds")
        run = self.train("changed", "--epochs", "3", data=data)
        os.utime(os.path.join(data, "0_ann_9.wav"), (1, 1))  # a time alone is no change
        self.ends(self.resume(run, "--epochs", "4"), GOOD)
        shutil.copy(os.path.join(data, "0_ann_8.wav"), os.path.join(data, "0_ann_9.wav"))
        state = support.read_bytes(os.path.join(run, "last.safetensors"))
        self.ends(self.resume(run, "--epochs", "5"), USAGE, data, "the same names",
                  "changed_data")
        self.assertEqual(support.read_bytes(os.path.join(run, "last.safetensors")), state)
        self.ends(self.resume(run, "--changed_data", "--epochs", "5"), GOOD)
        self.ends(self.resume(run, "--epochs", "6"), GOOD)  # they are now the run's sounds

    def test_changed_noise(self):
        noise = self.copy_of_data("noise")
        run = self.train("noisy", "--epochs", "3", "--set", f"augment.noise_path={noise}", "--set",
                         "augment.noise=0.5")
        self.ends(self.resume(run, "--epochs", "4"), GOOD)
        shutil.copy(os.path.join(noise, "0_ann_8.wav"), os.path.join(noise, "0_ann_9.wav"))
        self.ends(self.resume(run, "--epochs", "5"), USAGE, "the same names", "changed_data")

    def test_a_state_of_an_older_program_goes_on(self):
        """Its state has no mark of the sounds, and gets one."""
        data = self.copy_of_data("old_sounds")
        run = self.train("older", "--epochs", "3", data=data)
        last = os.path.join(run, "last.safetensors")
        support.change_metadata(last, "decavox.state", lambda text: "".join(
            line for line in text.splitlines(True) if not line.startswith("sounds: ")))
        shutil.copy(os.path.join(data, "0_ann_8.wav"), os.path.join(data, "0_ann_9.wav"))
        self.ends(self.resume(run, "--epochs", "4"), GOOD)
        shutil.copy(os.path.join(data, "0_ann_7.wav"), os.path.join(data, "0_ann_9.wav"))
        self.ends(self.resume(run, "--epochs", "5"), USAGE, "changed_data")


if __name__ == "__main__":
    support.main()
