"""A training and its files; evaluation and prediction agree; options in both spellings."""
import json
import os
import shutil
import textwrap
import time
from unittest import mock

import support
from support import FAILED, GOOD, USAGE, decavox

FILES = ["config.yaml", "confusion.csv", "events", "last.safetensors", "log.txt", "metrics.csv",
         "model.safetensors", "report.html", "report.json", "train", "validation"]


def files_in(run):
    return sorted("events" if name.startswith("events.out.tfevents.") else name
                  for name in os.listdir(run))


class Training(support.Case):
    epochs = 8

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.run_folder = cls.at("runs", "deep", "one")
        cls.done = decavox("train", cls.config, "--data", cls.data, "--out", cls.run_folder)

    def test_leaves_its_folder(self):
        self.ends(self.done, GOOD)
        self.assertEqual(files_in(self.run_folder), FILES)
        self.assertEqual(self.done.err, "")

    def test_prints_table_epochs_and_report(self):
        out = self.done.out
        for part in ("parameters    MFLOPs", "total: ", "epoch 1/8  train loss ", "epoch 8/8 ",
                     "arena ", "best epoch ", "accuracy ", "95% interval", "precision"):
            self.assertIn(part, out)
        self.assertEqual(support.read_text(os.path.join(self.run_folder, "log.txt")), out)
        self.assertNotIn("\r", out)  # no progress bar without a terminal

    def test_metrics_and_confusion(self):
        rows = support.read_metrics(self.run_folder)
        self.assertEqual([row["epoch"] for row in rows], [str(number) for number in range(1, 9)])
        self.assertLess(float(rows[-1]["train_loss"]), float(rows[0]["train_loss"]))
        rates = [float(row["learning_rate"]) for row in rows]
        self.assertTrue(0 < rates[-1] < 0.1 * max(rates), rates)  # 0 would be the next one's
        text = support.read_text(os.path.join(self.run_folder, "confusion.csv"))
        lines = [line.split(",") for line in text.splitlines()]
        self.assertEqual(lines[0], ["true", "0", "1", "2", "3"])
        self.assertEqual([sum(map(int, line[1:])) for line in lines[1:]], [10] * 4)

    def test_report_says_what_eval_says(self):
        report = json.loads(support.read_text(os.path.join(self.run_folder, "report.json")))
        model = os.path.join(self.run_folder, "model.safetensors")
        done = self.ends(decavox("eval", model, "--format", "json"), GOOD)
        self.assertEqual(json.loads(done.out) | {"run": report["run"]}, report)
        self.assertEqual(report["count"], 40)
        self.assertEqual(report["skipped"], 0)
        self.assertGreater(report["accuracy"], 0.9)
        low, high = report["interval_95"]
        self.assertTrue(0 < low < report["accuracy"] <= high <= 1)
        self.assertEqual(sum(map(sum, report["confusion"])), 40)
        text = self.ends(decavox("eval", model), GOOD).out
        self.assertIn(f"accuracy {100 * report['accuracy']:.2f}% ({report['correct']} of 40", text)
        self.assertIn(text, self.done.out)

    def test_resolved_configuration_trains_to_the_same_bytes(self):
        again = self.at("again")
        config = os.path.join(self.run_folder, "config.yaml")
        self.ends(decavox("train", config, "--out", again), GOOD)
        for name in ("model.safetensors", "config.yaml", "confusion.csv"):
            self.assertEqual(support.read_bytes(os.path.join(again, name)),
                             support.read_bytes(os.path.join(self.run_folder, name)), name)

    def test_info_tells_about_it(self):
        done = self.ends(decavox("info", os.path.join(self.run_folder, "model.safetensors")), GOOD)
        for part in ("conv_1", "labels: 0 1 2 3", "total: ", "n_mels: 32"):
            self.assertIn(part, done.out)

    def test_a_run_is_not_overwritten(self):
        before = support.read_bytes(os.path.join(self.run_folder, "model.safetensors"))
        log = support.read_text(os.path.join(self.run_folder, "log.txt"))
        done = decavox("train", self.config, "--data", self.data, "--out", self.run_folder)
        self.ends(done, USAGE, self.run_folder, "--resume")
        self.assertEqual(support.read_bytes(os.path.join(self.run_folder, "model.safetensors")),
                         before)
        self.assertEqual(support.read_text(os.path.join(self.run_folder, "log.txt")), log)

    def test_no_file_of_a_run_is_written_over(self):
        """This holds even if its config.yaml is gone, or another program has made it."""
        for name in ("model.safetensors", "last.safetensors", "metrics.csv", "confusion.csv",
                     "report.json", "report.html", "pretrain", "events.out.tfevents.1.decavox"):
            with self.subTest(name):
                run = self.at("foreign_" + name)
                os.makedirs(run)
                support.write_text(os.path.join(run, name), "precious")
                done = decavox("train", self.config, "--data", self.data, "--out", run)
                self.ends(done, USAGE, f"{run} holds the {name} of a run",
                          "choose another folder")
                self.assertEqual(os.listdir(run), [name])
                self.assertEqual(support.read_text(os.path.join(run, name)), "precious")

    def test_a_training_that_failed_early_can_be_begun_again(self):
        run = self.at("twice")
        done = decavox("train", self.config, "--data", self.data, "--split", "leave_one_out:bbo",
                       "--out", run)
        self.ends(done, USAGE, "bbo")
        self.train_once(run, "--epochs", "1")
        log = support.read_text(os.path.join(run, "log.txt"))
        self.assertLess(log.index("bbo"), log.index("epoch 1/1"))

    def test_standard_folders_of_one_second(self):
        folder = self.at("busy")
        now = time.time()
        names = [time.strftime("small-%Y%m%d-%H%M%S", time.localtime(now + s)) for s in range(60)]
        for name in names:
            os.makedirs(os.path.join(folder, "runs", name))
            os.makedirs(os.path.join(folder, "runs", name + "-2"))
        self.ends(decavox("train", self.config, "--data", self.data, "--epochs", "1",
                          folder=folder), GOOD)
        runs = set(os.listdir(os.path.join(folder, "runs")))
        run, = runs - set(names) - {name + "-2" for name in names}
        self.assertIn(run.removesuffix("-3"), names)
        self.assertTrue(run.endswith("-3"), run)
        self.assertEqual(files_in(os.path.join(folder, "runs", run)), FILES)
        for name in names:
            self.assertEqual(os.listdir(os.path.join(folder, "runs", name)), [])

    def test_standard_folder(self):
        self.ends(decavox("train", self.config, "--data", self.data, "--epochs", "1",
                          folder=self.folder), GOOD)
        runs = [name for name in os.listdir(self.at("runs")) if name.startswith("small-")]
        self.assertEqual(len(runs), 1)
        self.assertEqual(files_in(self.at("runs", runs[0])), FILES)

    def test_other_parts_and_splits(self):
        model = os.path.join(self.run_folder, "model.safetensors")
        counts = {}
        for part in ("train", "validation", "test", "all"):
            done = self.ends(decavox("eval", model, "--part", part, "--format=json"), GOOD)
            counts[part] = json.loads(done.out)["count"]
        self.assertEqual(counts["all"], 88)
        self.assertEqual(counts["test"], 40)
        self.assertEqual(counts["train"] + counts["validation"], 48)
        done = decavox("eval", model, "--split", "leave_one_out:bob", "--format", "json")
        self.assertEqual(json.loads(self.ends(done, GOOD).out)["count"], 44)

    def test_an_unknown_split_is_refused_for_every_part(self):
        model = os.path.join(self.run_folder, "model.safetensors")
        for part in ("test", "all"):
            done = decavox("eval", model, "--part", part, "--split", "officia")
            self.ends(done, USAGE, "unknown split 'officia'", "'official'")
        done = decavox("eval", model, "--part", "all", "--split", "official", "--format", "json")
        self.assertEqual(json.loads(self.ends(done, GOOD).out)["count"], 88)

    def test_data_that_are_not_there_any_more(self):
        data, run = self.at("left", "voices"), self.at("left", "run")
        shutil.copytree(self.data, data)
        self.ends(decavox("train", self.config, "--data", "voices", "--epochs", "1", "--out", run,
                          folder=self.at("left")), GOOD)
        model = os.path.join(run, "model.safetensors")
        self.ends(decavox("eval", model, folder=self.at("left")), GOOD)
        done = decavox("eval", model, folder=self.folder)
        self.ends(done, FAILED, "voices, the data that the model was trained on, is not there: No such file",
                  "the option data (--data) names where they are now")
        self.ends(decavox("eval", model, "--data", data, folder=self.folder), GOOD)
        done = self.ends(decavox("eval", model, "--data", "away", folder=self.folder), FAILED, "away")
        self.assertNotIn("trained on", done.err)

    def test_fewer_threads_of_openmp_than_asked_for(self):
        """OpenMP's settings may give fewer threads. The model is that of two threads, or of one."""
        def weights(name, threads, **variables):
            run = self.at("openmp", name)
            with mock.patch.dict(os.environ, variables):
                done = decavox("train", self.config, "--data", self.data, "--epochs", "1",
                               "--threads", threads, "--out", run, threads=None)
            self.ends(done, GOOD)
            return support.read_bytes(os.path.join(run, "model.safetensors"))

        two, one = weights("two", "2"), weights("one", "1")
        self.assertEqual(weights("dynamic", "2", OMP_DYNAMIC="true"), two)
        self.assertEqual(weights("limit", "2", OMP_THREAD_LIMIT="1"), one)
        self.assertEqual(weights("levels", "2", OMP_MAX_ACTIVE_LEVELS="0"), one)

    def test_graph_for_graphviz(self):
        dot = self.at("graph.dot")
        self.ends(decavox("train", self.config, "--data", self.data, "--out", self.at("dotted"),
                          "--epochs", "1", "--dot", dot), GOOD)
        self.assertIn("digraph", support.read_text(dot))


class Agreement(support.Case):
    """An answer is a function of the clip alone: eval and predict agree to the bit."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = os.path.join(cls.train_once(cls.at("run")), "model.safetensors")

    def logits(self, answers):
        return {answer["file"]: answer["logits"] for answer in answers}

    def agree(self, model, *data, count):
        found = []
        for threads, option in ((1, "1"), (None, "0"), (None, "2"), (2, "2")):
            done = decavox("eval", model, *data, "--format", "json", "--clips", "--threads",
                           option, threads=threads)
            clips = json.loads(self.ends(done, GOOD).out)["clips"]
            files = [clip["file"] for clip in clips]
            done = decavox("predict", model, *files, "--format", "json", "--workers", option,
                           threads=threads)
            answers = json.loads(self.ends(done, GOOD).out)
            self.assertEqual([answer["file"] for answer in answers], files)
            found += [self.logits(clips), self.logits(answers)]
        self.assertEqual(len(found[0]), count)
        self.assertGreater(len({str(logits) for logits in found[0].values()}), count * 9 // 10)
        for other in found[1:]:
            self.assertEqual(other, found[0])

    def test_tones(self):
        self.agree(self.model, count=40)

    def test_real_recordings(self):
        recordings = os.path.join(os.environ.get(
            "DECAVOX_DATA", os.path.join(support.ROOT, "..", "shared", "data")), "fsdd")
        if not os.path.isdir(recordings):
            self.skipTest(f"no recordings in {recordings}")
        data, run = self.at("recordings"), self.at("real")
        os.makedirs(data)
        for name in os.listdir(recordings):
            stem = name.rsplit(".", 1)[0]
            if name.endswith(".wav") and int(stem.split("_")[2]) < 9:
                os.symlink(os.path.abspath(os.path.join(recordings, name)),
                           os.path.join(data, name))
        self.ends(decavox("train", os.path.join(support.ROOT, "configs", "mini.yaml"), "--data",
                          data, "--split", "official", "--epochs", "12", "--out", run), GOOD)
        report = json.loads(support.read_text(os.path.join(run, "report.json")))
        self.assertEqual(report["count"], 300)
        self.assertGreater(report["accuracy"], 0.7)  # a quarter of a thousand clips, 12 epochs
        self.agree(os.path.join(run, "model.safetensors"), "--data", data, count=300)

    def test_text_answer(self):
        path = os.path.join(self.data, "2_ann_0.wav")
        lines = self.ends(decavox("predict", self.model, path), GOOD).out.splitlines()
        self.assertEqual(len(lines), 1)
        file, label, confidence = lines[0].split("  ")
        self.assertEqual(file, path)
        self.assertIn(label, "0123")
        self.assertTrue(0.25 <= float(confidence) <= 1)

    def test_the_reference_agrees(self):
        files = [os.path.join(self.data, f"{digit}_bob_1.wav") for digit in range(4)]
        answers = []
        for device in ("cpu", "ref"):
            done = decavox("predict", self.model, *files, "--format=json", "--device", device)
            answers.append(json.loads(self.ends(done, GOOD).out))
        for cpu, ref in zip(*answers):
            for a, b in zip(cpu["logits"], ref["logits"]):
                self.assertAlmostEqual(a, b, delta=1e-3)
            self.assertAlmostEqual(sum(cpu["probabilities"]), 1, delta=1e-6)

    def test_a_class_without_clips(self):
        """With long labels, one of them only in training: it has no recall, and no precision unless
        a clip is taken for it."""
        labels = ["turn the light on", "turn the light off", "no"]
        rows = ["path,label,speaker,split"]
        for digit, label in enumerate(labels):
            for number in range(6):
                part = "test" if number > 3 and label != "no" else "train"
                rows.append(f"{self.data}/{digit}_ann_{number}.wav,{label},ann,{part}")
        data = support.write_text(self.at("phrases.csv"), "\n".join(rows) + "\n")
        run = self.train_once(self.at("phrases"), "--split", "official", "--data", data)
        model = os.path.join(run, "model.safetensors")
        done = self.ends(decavox("eval", model, "--format", "json"), GOOD)
        classes = {one["label"]: one for one in json.loads(done.out)["classes"]}
        self.assertIsNone(classes["no"]["recall"])
        text = self.ends(decavox("eval", model), GOOD).out
        self.assertRegex(text, r"\nno +(-|\d+\.\d\d%) +-\n")
        order = sorted(labels)  # the order of the classes
        matrix = text[text.index("predicted"):].splitlines()
        self.assertEqual(matrix[1].split(), ["true", "0", "1", "2"])
        for number, (label, row) in enumerate(zip(order, matrix[2:])):
            self.assertRegex(row, rf"^ +{number} {label} +\d+ +\d+ +\d+$")
        self.assertEqual({len(row) for row in matrix[1:5]}, {len(matrix[1])})
        answer, = json.loads(self.ends(decavox("predict", model, f"{self.data}/0_ann_0.wav",
                                               "--format", "json"), GOOD).out)
        self.assertEqual(answer["labels"], order)
        self.assertEqual(answer["label"], order[answer["probabilities"].index(answer["confidence"])])

    def test_info_as_json(self):
        told = json.loads(self.ends(decavox("info", self.model, "--format", "json"), GOOD).out)
        self.assertEqual(told["labels"], ["0", "1", "2", "3"])
        self.assertEqual((told["precision"], told["training"]), ("fp32", False))
        self.assertEqual(told["configuration"]["train"]["epochs"], self.epochs)
        self.assertIs(told["configuration"]["train"]["check_finite"], False)
        self.assertEqual(told["layers"][0]["op"], "input")
        self.assertEqual(told["layers"][-1]["shape"], [1, 1, 1, 4])
        text = self.ends(decavox("info", self.model), GOOD).out
        self.assertIn(f"total: {told['parameters']} parameters", text)
        state = os.path.join(os.path.dirname(self.model), "last.safetensors")
        told = json.loads(self.ends(decavox("info", state, "--format", "json"), GOOD).out)
        self.assertTrue(told["training"])
        build = json.loads(self.ends(decavox("info", "--format", "json"), GOOD).out)
        self.assertEqual([b["name"] for b in build["backends"]], ["cpu", "ref", "cuda", "cudasim"])
        self.assertIn("oneDNN", build["backends"][0]["version"])

    def test_names_beyond_utf8(self):
        name = os.path.join(os.fsencode(self.folder), b"caf\xe9.wav")
        os.symlink(os.path.join(self.data, "0_ann_0.wav"), name)
        done = self.ends(decavox("predict", self.model, name, name + b"x", "--format", "json"),
                         FAILED)
        good, bad = json.loads(done.out)
        self.assertTrue(good["file"].endswith("/caf\\xE9.wav"))
        self.assertEqual(len(good["logits"]), 4)
        self.assertIn("error", bad)

    def test_a_full_disk_is_not_silent(self):
        with open("/dev/full", "wb") as full:
            self.ends(decavox("predict", self.model, os.path.join(self.data, "0_ann_0.wav"),
                              stdout=full), FAILED, "could not be written")


class Options(support.Case):
    """The document's options reach the resolved configuration in both spellings."""

    def resolved(self, name, *arguments):
        run = self.at(name)
        done = decavox("train", self.config, "--data", self.data, "--out", run, *arguments)
        self.ends(done, GOOD)
        return done, support.read_text(os.path.join(run, "config.yaml"))

    def test_both_spellings(self):
        values = {"epochs": "2", "batch_size": "4", "learning_rate": "0.005", "optimizer": "sgd",
                  "scheduler": "none", "label_smoothing": "0.05", "patience": "7",
                  "feature_type": "mel", "seed": "9", "split": "random"}
        texts = []
        for spell in (str, lambda name: name.replace("_", "-")):
            arguments = [part for name, value in values.items()
                         for part in (f"--{spell(name)}", value)]
            texts.append(self.resolved(f"spelt_{len(texts)}", *arguments,
                                       f"--{spell('mixed_precision')}")[1])
        self.assertEqual(texts[0], texts[1])
        lines = [line.strip() for line in texts[0].splitlines()]
        for name, value in values.items():
            key = {"feature_type": "type"}.get(name, name)
            self.assertIn(f"{key}: {value}", lines)
        self.assertIn('mixed_precision: "true"', lines)

    def test_model_type(self):
        for number, option in enumerate(("--model_type=mini", "--model-type=mini")):
            config = os.path.join(support.ROOT, "configs", "lightweight.yaml")
            run = self.at(f"model_{number}")
            self.ends(decavox("train", config, option, "--data", self.data, "--epochs", "1",
                              "--out", run), GOOD)
            self.assertIn("name: mini", support.read_text(os.path.join(run, "config.yaml")))

    def test_own_models_by_name(self):
        """A model without a configuration of its name stands for its general one. --init_from
        accepts the names of trained models."""
        done = self.ends(decavox("train", "--model_type", "lightweight_fine", "--data", self.data,
                                 "--epochs", "1", "--set", "train.max_steps=1", "--init_from",
                                 "lightweight", "--out", self.at("fine"), timeout=300), GOOD)
        self.assertIn("features 40 x 81", done.out)
        self.assertIn("checkpoints/lightweight.safetensors: ", done.out)

    def test_model_type_alone(self):
        """--model_type alone stands for the configuration of that name."""
        os.makedirs(self.at("project", "configs", "models"))
        for path in ("configs/mini.yaml", "configs/models/mini.yaml"):
            shutil.copy(os.path.join(support.ROOT, path), self.at("project", path))
        arguments = ("--data", self.data, "--epochs", "1", "--out")
        project = self.at("project")
        self.ends(decavox("train", "--model_type", "mini", *arguments, self.at("by_name"),
                          folder=project), GOOD)
        self.ends(decavox("train", "configs/mini.yaml", *arguments, self.at("by_file"),
                          folder=project), GOOD)
        texts = [support.read_text(os.path.join(self.at(name), "config.yaml"))
                 for name in ("by_name", "by_file")]
        self.assertEqual(*texts)
        self.ends(decavox("train", "--model_type", "minni", *arguments, self.at("none"),
                          folder=project), USAGE,
                  "--model_type: there is no model 'minni'; did you mean 'mini'? There are ")
        elsewhere = self.at("elsewhere")
        os.makedirs(elsewhere)
        self.ends(decavox("train", "--model_type", "mini", *arguments, self.at("from_nowhere"),
                          folder=elsewhere), USAGE, "no configuration 'mini'")
        with mock.patch.dict(os.environ, DECAVOX_HOME=project):
            self.ends(decavox("train", "--model_type", "mini", *arguments, self.at("from_home"),
                              folder=elsewhere), GOOD)
        self.ends(decavox("train", *arguments, self.at("none")), USAGE,
                  "give one of these: CONFIG, --model_type NAME")

    def test_mixed_precision_on_the_cpu(self):
        """It is BF16 if the processor has it. Without it, or if oneDNN is told so, results are
        those of FP32."""
        plain, _ = self.resolved("plain", "--epochs", "1")
        mixed, _ = self.resolved("mixed", "--mixed_precision", "--epochs", "1")
        with mock.patch.dict(os.environ, {"DNNL_MAX_CPU_ISA": "AVX512_CORE"}):
            without, _ = self.resolved("without", "--mixed_precision", "--epochs", "1")
        warning = ("warning: no mixed precision: this processor has no instructions for bf16 "
                   "(AVX512_BF16 or AMX)")
        self.assertIn("cpu in fp32", plain.out)
        self.assertIn("cpu in fp32", without.out)
        self.assertIn(warning, without.out + without.err)
        self.assertNotEqual("cpu in bf16" in mixed.out, warning in mixed.out + mixed.err)
        metrics = [support.read_metrics(self.at(name)) for name in ("plain", "without")]
        self.assertEqual(metrics[0][0]["train_loss"], metrics[1][0]["train_loss"])

    def test_a_configuration_on_another(self):
        below = support.write_text(self.at("below.yaml"), support.CONFIG.format(
            model=support.MODEL, epochs=9))
        middle = support.write_text(self.at("middle.yaml"), f"base: {below}\ntrain:\n  epochs: 1\n")
        support.write_text(self.at("top.yaml"), "base: middle.yaml\nfeatures: {n_mels: 24}\n")
        run = self.at("based")
        self.ends(decavox("train", self.at("top.yaml"), "--data", self.data, "--out", run), GOOD)
        lines = support.read_text(os.path.join(run, "config.yaml")).splitlines()
        for line in ("  epochs: 1", "  n_mels: 24", "  batch_size: 8", "  name: small"):
            self.assertIn(line, lines)
        self.assertFalse(any(line.startswith("base") for line in lines))
        self.assertTrue(os.path.exists(middle))

    def test_a_configuration_on_several(self):
        support.write_text(self.at("below.yaml"), support.CONFIG.format(
            model=support.MODEL, epochs=9))
        support.write_text(self.at("first.yaml"), "base: below.yaml\n"
                           "features: {n_mels: 24, hop: 100}\ntrain: {epochs: 7}\n")
        support.write_text(self.at("second.yaml"), "features: {n_mels: 28}\ntrain: {epochs: 5}\n")
        support.write_text(self.at("top.yaml"), "base: [first.yaml, second.yaml]\n"
                           "train: {epochs: 1}\n")
        run = self.at("on_several")
        self.ends(decavox("train", self.at("top.yaml"), "--data", self.data, "--out", run), GOOD)
        lines = support.read_text(os.path.join(run, "config.yaml")).splitlines()
        for line in ("  epochs: 1", "  n_mels: 28", "  hop: 100", "  batch_size: 8"):
            self.assertIn(line, lines)
        self.assertFalse(any(line.startswith("base") for line in lines))

    def test_more_data_trains_and_is_not_tested(self):
        more = support.make_data(self.at("more"), speakers=("cid",), count=6)
        done, text = self.resolved("more_run", "--epochs", "1", "--set",
                                   "data.more=[{path: %s, split: train}]" % more)
        self.assertIn("path: " + more, text)
        self.assertIn(" 62 training and 10 validation clips", done.out)  # of 48, and 24 more
        report = json.loads(support.read_text(self.at("more_run", "report.json")))
        self.assertEqual(report["count"], 40)

    def test_data_that_were_heard_are_no_silent_test(self):
        """The checkpoint's split only applies to its own data.path."""
        more = support.make_data(self.at("heard"), speakers=("dot",), count=6)
        before = support.make_data(self.at("before"), speakers=("eve",), count=6)
        new = support.make_data(self.at("new"), speakers=("fay",), count=6)
        link = self.at("link")
        os.symlink(more, link)
        done, _ = self.resolved("heard_run", "--epochs", "1", "--pretrain_data", before, "--set",
                                "data.more=[{path: %s, split: train}]" % more)
        self.ends(done, GOOD)
        model = self.at("heard_run", "model.safetensors")
        for data, where in ((more, "(data.more)"), (link, "(data.more)"), (more + "/", "data.more"),
                            (before, "(pretrain.data)")):
            for part in ("test", "all"):
                done = decavox("eval", model, "--data", data, "--part", part)
                self.ends(done, GOOD, f"warning: {data} is, or has the name of, data that", where,
                          "name the split by which some were kept for testing")
        exported = self.at("exported.safetensors")  # it only knows the names
        self.ends(decavox("export", model, "--out", exported), GOOD)
        for data in (more, more + "/", before):
            self.ends(decavox("eval", exported, "--data", data), GOOD, f"warning: {data} is, or "
                      "has the name of, data that")
        done = self.ends(decavox("eval", exported, "--data", new), GOOD)
        self.assertEqual(done.err, "")
        for arguments in ([], ["--data", self.data], ["--data", new], ["--data", more, "--split",
                          "official"], ["--data", more, "--part", "train"]):
            done = self.ends(decavox("eval", model, *arguments), GOOD)
            self.assertEqual(done.err, "", arguments)

    def test_set_and_time_layers(self):
        done, text = self.resolved("set", "--set", "train.time_layers=true", "--set",
                                   "train.epochs=1", "--set=features.n_mels=24")
        self.assertIn("n_mels: 24", text)
        self.assertIn("layer (ms per batch)", done.out)

    def test_help(self):
        for command in ("train", "eval", "predict", "info", "synth", "augment", "export"):
            text = self.ends(decavox(command, "--help"), GOOD).out
            self.assertIn("--help", text)
            self.assertIn("2        the command line or the configuration is wrong", text)
        text = self.ends(decavox("--help"), GOOD).out
        self.assertIn("Usage: decavox COMMAND", text)
        self.assertIn("1        data, files or the machine do not allow it", text)
        version = self.ends(decavox("--version"), GOOD).out
        self.assertRegex(version, r"^decavox \d+\.\d+\.\d+, commit "
                                  r"([0-9a-f]{12}(-dirty)?|unknown)\n$")
        self.assertTrue(self.ends(decavox("info"), GOOD).out.startswith(version))
        self.assertIn("learning_rate", self.ends(decavox("info", "--config"), GOOD).out)
        self.assertIn("spatial_attention", self.ends(decavox("info", "--layers"), GOOD).out)


class Ensemble(support.Case):
    """An ensemble of model files beside the configuration. The trained model needs none of them."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        os.mkdir(cls.at("models"))
        support.write_text(cls.at("models", "small.yaml"), textwrap.dedent(support.MODEL))
        support.write_text(cls.at("models", "flat.yaml"),
                           "layers: [flatten, linear: {units: classes, name: head}]\n")
        support.write_text(cls.at("models", "both.yaml"), "name: both\nlayers:\n"
                           "  - ensemble: {models: [small, flat], name: mix}\n")
        sections = support.CONFIG.format(model="", epochs=cls.epochs)
        config = support.write_text(cls.at("both.yaml"), sections.replace("model:", "model: both"))
        cls.run_folder = cls.at("run")
        cls.done = decavox("train", config, "--data", cls.data, "--out", cls.run_folder)
        shutil.rmtree(cls.at("models"))

    def test_trains_and_answers_without_the_files(self):
        self.ends(self.done, GOOD)
        for name in ("small.conv_1", "small.head", "flat.head", "mix"):
            self.assertIn(f" {name} ", self.done.out)
        rows = support.read_metrics(self.run_folder)
        self.assertLess(float(rows[-1]["train_loss"]), float(rows[0]["train_loss"]))
        report = json.loads(support.read_text(os.path.join(self.run_folder, "report.json")))
        model = os.path.join(self.run_folder, "model.safetensors")
        done = self.ends(decavox("eval", model, "--format", "json"), GOOD)
        self.assertEqual(json.loads(done.out) | {"run": report["run"]}, report)

    def test_of_trained_members(self):
        """Only the mix is trained; the members keep their weights."""
        small = self.train_once(self.at("small"))
        frozen = self.at("frozen")
        done = decavox("train", os.path.join(self.run_folder, "config.yaml"), "--init_from",
                       f"small.={small}/model.safetensors", "--set", 'train.freeze=["small.*"]',
                       "--data", self.data, "--out", frozen)
        self.ends(done, GOOD)
        before, after, trained = (
            support.read_tensors(os.path.join(run, "model.safetensors"))[0]
            for run in (small, frozen, self.run_folder))
        of_member = {name.removeprefix("small."): value for name, value in after.items()
                     if name.startswith("small.")}
        self.assertGreater(len(before), 3)
        self.assertEqual(of_member, before)
        self.assertNotEqual(after["mix.weight"], trained["mix.weight"])

    def test_resolved_configuration_is_complete(self):
        again = self.at("again")
        config = os.path.join(self.run_folder, "config.yaml")
        self.ends(decavox("train", config, "--data", self.data, "--out", again), GOOD)
        self.assertEqual(*(support.read_bytes(os.path.join(run, "model.safetensors"))
                           for run in (self.run_folder, again)))


if __name__ == "__main__":
    support.main()
