"""train.teacher: a student learns the answers of trained models to the same clips."""
import json
import os
import shutil

import support
from support import FAILED, GOOD, USAGE, decavox, read_bytes, read_text

OPTIONS = ["--split", "official"]


class Teacher(support.Case):
    epochs = 6

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.train_once(cls.at("teacher"), *OPTIONS)
        cls.model = cls.at("teacher", "model.safetensors")
        # The same sounds with each label turned by one, which shows the teacher's effect.
        cls.turned = cls.at("turned")
        os.mkdir(cls.turned)
        for name in os.listdir(cls.data):
            digit = (int(name[0]) + 1) % 4
            shutil.copy(os.path.join(cls.data, name), os.path.join(cls.turned,
                                                                   f"{digit}{name[1:]}"))
        cls.train_once(cls.at("other"), "--data", cls.turned, *OPTIONS)
        cls.other = cls.at("other", "model.safetensors")

    def teach(self, teacher, *more, code=GOOD, parts=()):
        run = self.at(f"run{len(os.listdir(self.folder))}")
        done = self.ends(decavox("train", self.config, "--data", self.data, "--out", run, *OPTIONS,
                                 "--teacher", teacher, *more), code, *parts)
        return run, done

    @staticmethod
    def accuracy(run):
        return json.loads(read_text(os.path.join(run, "report.json")))["accuracy"]

    def test_the_teacher_is_believed_by_its_weight(self):
        run, done = self.teach(self.other, "--set", "train.teacher_weight=1")
        self.assertLess(self.accuracy(run), 0.3)
        self.assertIn(f"taught by {self.other}, 1 of the loss, temperature 2", done.out)
        run, _ = self.teach(self.other, "--set", "train.teacher_weight=0.001")
        self.assertGreater(self.accuracy(run), 0.7)

    def test_several_and_their_names(self):
        run, _ = self.teach(f"{self.model}, {self.other}")
        config = read_text(os.path.join(run, "config.yaml"))
        self.assertIn(f"teacher: {self.model}, {self.other}", config.replace('"', ""))

    def test_nothing_of_the_teacher_is_kept(self):
        run, _ = self.teach(self.model)
        taught = support.read_tensors(os.path.join(run, "model.safetensors"))[0]
        self.assertEqual(list(taught), list(support.read_tensors(self.model)[0]))
        out = self.at("exported.safetensors")
        self.ends(decavox("export", os.path.join(run, "model.safetensors"), "--out", out), GOOD)
        self.assertNotIn(self.folder, support.read_tensors(out)[1]["decavox.config"])

    def test_the_same_bytes_again_and_after_an_interruption(self):
        runs = [self.teach(self.model)[0] for _ in range(2)]
        steady = ["--set", "train.scheduler=none", "--set", "train.warmup=0"]
        part, _ = self.teach(self.model, "--epochs", "3", *steady)
        whole, _ = self.teach(self.model, *steady)
        self.ends(decavox("train", "--resume", part, "--epochs", "6"), GOOD)
        for a, b in (runs, (part, whole)):
            self.assertEqual(support.read_tensors(os.path.join(a, "model.safetensors"))[0],
                             support.read_tensors(os.path.join(b, "model.safetensors"))[0])

    def test_a_run_goes_on_with_its_teacher_alone(self):
        here = self.at("here.safetensors")
        shutil.copy(self.model, here)
        run, _ = self.teach(here, "--epochs", "2")
        shutil.copy(self.other, here)
        self.ends(decavox("train", "--resume", run, "--epochs", "3"), USAGE,
                  "is not the file that taught the run")
        os.remove(here)
        self.ends(decavox("train", "--resume", run, "--epochs", "3"), FAILED, "here.safetensors")
        self.ends(decavox("train", "--resume", run, "--epochs", "3", "--teacher", ""), USAGE,
                  "is not the file that taught the run")
        self.ends(decavox("train", "--resume", run, "--epochs", "3", "--teacher", self.model),
                  GOOD)
        self.ends(decavox("train", "--resume", self.at("teacher"), "--epochs", "8", "--teacher",
                          self.model), USAGE, "is not the file that taught the run")

    def test_a_missing_teacher_is_told_of_before_a_pretraining(self):
        _, done = self.teach(self.at("none.safetensors"), "--pretrain_data", self.data,
                             code=FAILED, parts=("train.teacher", "none.safetensors"))
        self.assertNotIn("epoch 1", done.out)

    def test_a_teacher_with_other_features(self):
        self.train_once(self.at("fine"), *OPTIONS, "--set", "features.hop=100", "--set",
                        "features.n_mels=40")
        run, _ = self.teach(self.at("fine", "model.safetensors"))
        self.assertGreater(self.accuracy(run), 0.7)

    def test_what_does_not_fit_is_refused(self):
        self.train_once(self.at("long"), *OPTIONS, "--set", "features.duration=0.5")
        self.teach(self.at("long", "model.safetensors"), code=FAILED,
                   parts=("train.teacher: features.duration is 0.5 in", "and 1 in this training"))
        three = support.make_data(self.at("three"), digits=3)
        self.train_once(self.at("fewer"), "--data", three, *OPTIONS)
        self.teach(self.at("fewer", "model.safetensors"), code=FAILED,
                   parts=("has other labels than the data",))
        self.teach(self.at("none.safetensors"), code=FAILED, parts=("none.safetensors",))
        self.teach(f"{self.model},", code=USAGE, parts=("train.teacher: the name of a file is missing",))
        self.teach(self.model, "--set", "train.teacher_weight=0", code=USAGE,
                   parts=("teacher_weight",))

    def test_the_teacher_of_the_fold(self):
        out = self.at("folds")
        for fold in ("ann", "bob"):
            self.train_once(self.at("of", fold), "--split", f"leave_one_out:{fold}")
        done = self.ends(decavox("crossval", self.config, "--data", self.data, "--folds",
                                 "speaker", "--out", out, "--teacher",
                                 self.at("of", "{fold}", "model.safetensors")), GOOD)
        self.assertIn("ann", done.out)
        for fold in ("ann", "bob"):
            config = read_text(os.path.join(out, f"{fold}-seed-1", "config.yaml"))
            self.assertIn(self.at("of", fold, "model.safetensors"), config)

    def test_the_teacher_is_not_written_over(self):
        before = read_bytes(self.model)
        done = decavox("train", self.config, "--data", self.data, "--out", self.at("unwritten"),
                       "--teacher", self.model, "--dot", self.model, "--force", *OPTIONS)
        self.ends(done, USAGE, "--dot")
        self.assertEqual(read_bytes(self.model), before)


if __name__ == "__main__":
    support.main()
