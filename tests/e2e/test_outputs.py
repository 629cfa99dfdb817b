"""No output replaces a file of the user. A failing standard output is reported, or does not stop
the work."""
import fcntl
import json
import os
import resource
import select
import shutil
import signal
import subprocess
import unittest

import support
from support import FAILED, GOOD, USAGE, decavox, read_bytes, write_text

FOREIGN = {"JSON": '{"accuracy": 1}', "page": "<!DOCTYPE html>\n<html><body>mine</body></html>",
           "text": "as it was"}
SVG = '<svg xmlns="http://www.w3.org/2000/svg"><title>mine</title></svg>'


class Outputs(support.Case):
    epochs = 2

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.run_folder = cls.train_once(cls.at("run"))
        cls.model = os.path.join(cls.run_folder, "model.safetensors")
        cls.last = os.path.join(cls.run_folder, "last.safetensors")

    def kept(self, path, code, *command, parts=()):
        """Asserts that the command is refused, and that the file does not change."""
        before = read_bytes(path)
        done = self.ends(decavox(*command), code, os.path.basename(path), *parts)
        self.assertEqual(read_bytes(path), before)
        return done


class Files(Outputs):
    def test_an_input_is_never_replaced(self):
        link = self.at("link.safetensors")
        os.link(self.model, link)
        excluded = write_text(self.at("excluded.csv"), "0_ann_9.wav\n")
        evaluate = ("eval", self.model, "--exclude", excluded, "--force")
        for option in ("--out", "--html"):
            for path in (self.model, link):
                self.kept(path, USAGE, "eval", self.model, option, path)
                self.kept(path, USAGE, *evaluate, option, path)
            self.kept(excluded, USAGE, *evaluate, option, excluded, parts=["--exclude"])
        copy = shutil.copy(self.model, self.at("copy.safetensors"))
        self.kept(copy, USAGE, "export", copy, "--out", copy, "--force",
                  parts=["is the checkpoint itself"])
        self.kept(self.clip(), USAGE, "eval", self.model, "--out", self.clip(),
                  "--force", parts=["sound file"])

    def test_no_sound_is_replaced(self):
        """Sounds of any kind are kept, whether data sets read them or not."""
        for ending in ("wav", "opus", "AIFF", "au", "caf", "w64", "m4a", "amr", "webm"):
            sound = write_text(self.at(f"sound.{ending}"), "")
            self.kept(sound, USAGE, "eval", self.model, "--out", sound, "--force",
                      parts=["sound file"])

    def clip(self):
        return os.path.join(self.data, "0_ann_0.wav")

    def test_no_configuration_is_replaced_by_a_graph(self):
        base = write_text(self.at("base.yaml"), support.read_text(self.config))
        top = write_text(self.at("top.yaml"), "base: base.yaml\ntrain: {epochs: 1}\n")
        run = self.at("drawn")
        for path in (top, base):
            for more in ((), ("--force",)):
                self.kept(path, USAGE, "train", top, "--data", self.data, "--out", run, "--dot",
                          path, *more, parts=["--dot", "never replaced"])
        self.kept(top, USAGE, "train", top, "--data", self.data, "--out", run, "--step_dot", top)
        listed = write_text(self.at("listed.csv"), "path,label\ndata/0_ann_9.wav,0\n")
        begun = self.at("begun")
        os.makedirs(begun)
        write_text(os.path.join(begun, "config.yaml"), f"data: {{path: {listed}}}\n")
        self.kept(listed, USAGE, "train", "--resume", begun, "--dot", listed, "--force")
        for name in ("config.yaml", "last.safetensors"):
            done = decavox("train", top, "--data", self.data, "--out", run, "--dot",
                           os.path.join(run, name))
            self.ends(done, USAGE, name, "state of a run")
        self.assertFalse(os.path.exists(run))  # it was refused before the work
        dot = self.at("graph.dot")
        for out in (run, self.at("drawn_again")):  # the same name twice
            self.ends(decavox("train", top, "--data", self.data, "--out", out, "--dot", dot), GOOD)

    def test_files_of_others_need_force(self):
        for kind, text in FOREIGN.items():
            path = write_text(self.at("foreign " + kind), text)
            for option in ("--out", "--html"):
                self.kept(path, FAILED, "eval", self.model, option, path, parts=["--force"])
            self.kept(path, FAILED, "export", self.model, "--out", path, "--format",
                      "safetensors", parts=["--force"])
        for command, *out in (("eval", "--html"), ("eval", "--out"),
                              ("export", "--format", "safetensors", "--out"),
                              ("export", "--format", "onnx", "--out")):
            path = write_text(self.at("forced"), "as it was")
            self.ends(decavox(command, self.model, *out, path, "--force"), GOOD)
            self.assertNotEqual(support.read_bytes(path), b"as it was")
        # Our files of another kind are not replaced.
        path = self.at("page.html")
        self.ends(decavox("eval", self.model, "--html", path), GOOD)
        self.kept(path, FAILED, "eval", self.model, "--out", path, parts=["--force"])

    def test_links_and_one_name_for_two(self):
        path = write_text(self.at("target"), "mine")
        os.symlink(path, self.at("symbolic"))
        link = self.at("symbolic")
        self.kept(link, FAILED, "eval", self.model, "--out", link, parts=["symbolic link"])
        self.assertTrue(os.path.islink(link))
        done = decavox("eval", self.model, "--out", self.at("both"), "--html",
                       os.path.join(self.folder, ".", "both"))
        self.ends(done, USAGE, "name the same file")
        self.assertFalse(os.path.exists(self.at("both")))

    def test_no_run_among_recordings(self):
        """Neither in a folder of sounds, nor in that of the data."""
        before = sorted(os.listdir(self.data))
        self.ends(decavox("train", self.config, "--data", self.data, "--out", self.data), USAGE,
                  "is the data: choose another folder")
        other = self.at("only sounds")
        os.makedirs(other)
        shutil.copy(os.path.join(self.data, "1_ann_7.wav"), other)
        self.ends(decavox("train", self.config, "--data", self.data, "--out", other), USAGE,
                  "holds recordings ('1_ann_7.wav')")
        self.assertEqual(sorted(os.listdir(self.data)), before)

    def test_a_runs_report_is_no_page_of_others(self):
        run = os.path.dirname(self.model)
        page = os.path.join(run, "report.html")
        before = support.read_bytes(page)
        for words in (["data", self.data], ["runs", os.path.dirname(run)]):
            for more in ([], ["--force"]):
                self.ends(decavox(*words, "--html", page, *more), USAGE, "is the state of a run")
        self.assertEqual(support.read_bytes(page), before)

    def test_own_outputs_are_written_again(self):
        out, html, weights = self.at("again.json"), self.at("again.html"), self.at("again.weights")
        programs = [self.at("again" + ending) for ending in (".onnx", ".pt", ".pt2")]
        for _ in range(2):
            self.ends(decavox("eval", self.model, "--out", out, "--html", html), GOOD)
            self.ends(decavox("export", self.last, "--out", weights, "--format",
                              "safetensors", "--precision", "fp16"), GOOD)
            for program in programs:
                self.ends(decavox("export", self.last, "--out", program), GOOD)
        # Neither of two kinds of our files replaces the other.
        for program in programs:
            self.kept(program, FAILED, "export", self.last, "--out", program, "--format",
                      "safetensors", parts=["--force"])
        self.assertEqual(next(iter(json.loads(support.read_text(out)))), "generator")
        page = os.path.join(self.run_folder, "report.html")
        self.ends(decavox("eval", self.model, "--html", page), GOOD)

    def test_the_state_of_a_run_stays(self):
        # Files that do not exist yet are refused, too, in the folder of a running training.
        for name in ("last.safetensors", "model.safetensors", "report.json", "config.yaml"):
            path = os.path.join(self.run_folder, name)
            other = shutil.copy(self.model, self.at("other.safetensors"))
            for more in ((), ("--force",)):
                self.kept(path, USAGE, "export", other, "--out", path, "--format", "onnx", *more,
                          parts=["state of a run"])
                self.kept(path, USAGE, "eval", other, "--out", path, *more,
                          parts=["state of a run"])
        moved = shutil.copy(self.last, self.at("moved.safetensors"))
        self.kept(moved, USAGE, "export", self.model, "--out", moved, "--force",
                  parts=["state of a run"])
        working = self.at("working")
        os.makedirs(working)
        write_text(os.path.join(working, "log.txt"), "")
        path = os.path.join(working, "last.safetensors")
        self.ends(decavox("export", self.model, "--out", path), USAGE, "state of a run")
        self.assertFalse(os.path.exists(path))

    def test_compare(self):
        quick = ("--seconds", "0.001")
        picture = write_text(self.at("mine.svg"), SVG)
        model = shutil.copy(os.path.join(support.ROOT, "checkpoints", "lightweight.safetensors"),
                            self.at("light.safetensors"))
        card = shutil.copy(os.path.join(support.ROOT, "checkpoints", "lightweight.json"),
                           self.at("light.json"))
        self.kept(picture, FAILED, "compare", model, *quick, "--svg", picture, parts=["--force"])
        for command in (("compare", "--format", "json"), ("recommend", "--format", "json")):
            for path in (model, card):
                self.kept(path, USAGE, *command, model, *quick, "--out", path, "--force",
                          parts=["never replaced"])
        base = write_text(self.at("model_base.yaml"), support.read_text(self.config))
        top = write_text(self.at("model_top.yaml"), "base: model_base.yaml\n")
        self.kept(base, USAGE, "compare", top, *quick, "--out", base, "--force")
        for form in ("table", "json", "csv", "html"):
            out, svg = self.at("compared." + form), self.at("compared.svg")
            for _ in range(2):
                self.ends(decavox("compare", model, *quick, "--format", form, "--out", out,
                                  "--svg", svg), GOOD)
        for form in ("text", "json"):
            out = self.at("advice." + form)
            for _ in range(2):
                self.ends(decavox("recommend", model, *quick, "--format", form, "--out", out),
                          GOOD)

    def test_crossval(self):
        out = self.at("folds")
        os.makedirs(out)
        path = write_text(os.path.join(out, "crossval.json"), '{"mine": 1}')
        self.kept(path, FAILED, "crossval", self.config, "--data", self.data, "--folds", "2",
                  "--epochs", "1", "--out", out, parts=["--force"])
        self.assertEqual(os.listdir(out), ["crossval.json"])


class Sounds(support.Case):
    epochs = 1

    def augment(self, out, *more):
        return decavox("augment", self.config, "--data", self.data, "--out", out, "--count", "3",
                       *more)

    def test_nothing_among_recordings(self):
        classes = self.at("classes")
        os.makedirs(os.path.join(classes, "zero"))
        one = os.path.join(classes, "zero", "ann_1.wav")
        support.write_wav(one, support.tone(0, 0, 0))
        flat = self.at("flat")
        os.makedirs(flat)
        two = os.path.join(flat, "0000_0.wav")  # as `augment` names its own
        support.write_wav(two, support.tone(0, 0, 1))
        other = self.at("other")
        os.makedirs(other)
        three = support.write_text(os.path.join(other, "note.m4a"), "")
        for folder, path in ((flat, two), (classes, one), (other, three)):
            before = read_bytes(path), sorted(os.listdir(folder))
            self.ends(self.augment(folder), USAGE, os.path.basename(path), "did not make")
            self.ends(decavox("synth", "--words", "0", "--voices", "1", "--out", folder), USAGE,
                      os.path.basename(path), "did not make")
            self.assertEqual((read_bytes(path), sorted(os.listdir(folder))), before)

    def test_own_sounds_are_written_again(self):
        out = self.at("examples")
        self.ends(self.augment(out), GOOD)
        names = sorted(os.listdir(out))
        self.assertEqual(len(names), 3)
        self.ends(self.augment(out, "--step", "1"), GOOD)
        # But not among the clips that are read, although decavox has made these, too.
        for i in range(4):
            shutil.copy(os.path.join(out, names[0]), os.path.join(out, f"{i % 2}_bob_{i}.wav"))
        for name in names:
            os.unlink(os.path.join(out, name))
        before = sorted(os.listdir(out))
        self.ends(decavox("augment", self.config, "--data", out, "--split", "train", "--out", out),
                  USAGE, "holds clips of the data")
        self.assertEqual(sorted(os.listdir(out)), before)


class Printing(support.Case):
    epochs = 3

    def train(self, name, *before, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE):
        """Trains behind a shell's `before`, which closes descriptors. Returns (exit code,
        stderr)."""
        run = self.at(name)
        command = [support.binary(), "train", self.config, "--data", self.data, "--out", run]
        done = subprocess.run(["bash", "-c", '"$@" ' + " ".join(before), "-", *command],
                              stdout=stdout, stderr=stderr, env=support.environment(), timeout=120)
        return run, done.returncode, (done.stderr or b"").decode()

    def whole(self, run):
        """Asserts that a run has ended, with every epoch in its log and no foreign text in its
        files."""
        log = support.read_text(os.path.join(run, "log.txt"))
        for epoch in range(1, self.epochs + 1):
            self.assertIn(f"epoch {epoch}/{self.epochs}", log)
        self.assertIn("model: ", log)
        self.ends(decavox("eval", os.path.join(run, "model.safetensors")), GOOD)
        return log

    def test_closed_descriptors(self):
        before = os.path.join(self.at("open"), "log.txt")
        run, code, err = self.train("open")
        self.assertEqual(code, GOOD, err)
        lines = len(support.read_text(before).splitlines())
        for number, closed in enumerate((["<&-", ">&-", "2>&-"], [">&-"], ["2>&-"], ["<&-"])):
            run, code, err = self.train(f"closed{number}", *closed)
            self.assertEqual(code, GOOD, err)
            self.assertEqual(len(self.whole(run).splitlines()), lines)

    def test_a_reader_that_has_gone(self):
        for name in ("stdout", "stderr"):
            reader, writer = os.pipe()
            os.close(reader)
            run, code, err = self.train("gone_" + name, **{name: writer})
            os.close(writer)
            self.assertEqual(code, GOOD, err)
            self.whole(run)
            if name == "stdout":
                self.assertEqual(err.count("standard output cannot be written"), 1, err)

    @unittest.skipUnless(os.path.exists("/dev/full"), "there is no /dev/full")
    def test_a_log_that_cannot_be_written(self):
        run = self.at("full")
        os.makedirs(run)
        os.symlink("/dev/full", os.path.join(run, "log.txt"))
        with open(self.at("full.out"), "w+b") as out:
            run, code, err = self.train("full", stdout=out)
        self.assertEqual(code, GOOD, err)
        said = support.read_text(self.at("full.out"))
        self.assertEqual(said.count("log.txt cannot be written"), 1, said)
        self.ends(decavox("eval", os.path.join(run, "model.safetensors")), GOOD)


    def test_a_crossval_whose_reader_has_gone(self):
        reader, writer = os.pipe()
        os.close(reader)
        out = self.at("folds")
        done = decavox("crossval", self.config, "--data", self.data, "--folds", "2", "--out", out,
                       stdout=writer)
        os.close(writer)
        self.ends(done, GOOD)
        summary = json.loads(support.read_text(os.path.join(out, "crossval.json")))
        self.assertTrue(summary["complete"])


class Stops(support.Case):
    epochs = 400

    def stopped(self, number, *command):
        process = subprocess.Popen([support.binary(), *command, "--data", self.data],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env=support.environment())
        with process:
            for line in process.stdout:
                if line.startswith(b"epoch 2/"):
                    break
            process.send_signal(number)
            _, err = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 128 + number, err)

    def test_each_signal_saves(self):
        for number in (signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGTERM,
                       signal.SIGINT, signal.SIGXFSZ):
            run = self.at(f"stopped{int(number)}")
            self.stopped(number, "train", self.config, "--out", run)
            self.assertIn("last.safetensors", os.listdir(run))
            self.assertIn("interrupted", support.read_text(os.path.join(run, "log.txt")))
            # It can be resumed, and stopped again by a signal of the same kind.
            process = subprocess.Popen([support.binary(), "train", "--resume", run],
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                       env=support.environment())
            with process:
                lines = []
                while not (lines and lines[-1].startswith(b"epoch ")):
                    lines.append(process.stdout.readline())
                    self.assertTrue(lines[-1], lines)
                process.send_signal(number)
                process.communicate(timeout=120)
            self.assertTrue([line for line in lines if line.startswith(b"resumed at step")])
            self.assertEqual(process.returncode, 128 + number)


    def test_nohup(self):
        """Under nohup a hang-up is ignored."""
        run = self.at("nohup")
        process = subprocess.Popen([support.binary(), "train", self.config, "--data", self.data,
                                    "--out", run, "--epochs", "40"], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, env=support.environment(),
                                   preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        with process:
            while not process.stdout.readline().startswith(b"epoch 2/"):
                self.assertIsNone(process.poll())
            process.send_signal(signal.SIGHUP)
            _, err = process.communicate(timeout=120)
        self.assertEqual(process.returncode, GOOD, err)

    def test_the_limit_on_the_size_of_files(self):
        """If the state does not fit, no file is cut off and none is left behind."""
        run = self.at("limited")
        command = [support.binary(), "train", self.config, "--data", self.data, "--out", run,
                   "--epochs", "2"]
        limit = (resource.RLIMIT_FSIZE, (8192, 8192))
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=support.environment(), timeout=120,
                              preexec_fn=lambda: resource.setrlimit(*limit))
        self.assertEqual(done.returncode, 128 + signal.SIGXFSZ, done.stderr)
        self.assertIn(b"last.safetensors", done.stderr)
        self.assertFalse([name for name in os.listdir(run) if "safetensors" in name])
        self.ends(decavox("train", "--resume", run), GOOD)


class Sweep(support.Case):
    epochs = 2

    def test_only_own_temporaries(self):
        run = self.train_once(self.at("swept"))
        own = [name + ".tmp-31-0" for name in
               ("config.yaml", "last.safetensors", "model.safetensors", "metrics.csv",
                "confusion.csv", "report.json", "report.html")]
        long = "x" * 60 + "kept"
        others = ["mine.safetensors.tmp-1-1", "last.safetensors.tmp-1-1.txt", "config.yaml.tmp-",
                  "last.safetensors.tmp-01-1", "notes.txt.tmp-1-1", long[:60],
                  long + ".safetensors.tmp-1-1"]
        for name in own + others:
            write_text(os.path.join(run, name), "mine")
        self.ends(decavox("train", "--resume", run), GOOD)
        there = set(os.listdir(run))
        self.assertEqual(set(own) & there, set())
        self.assertEqual(set(others) - there, set())


class Resume(support.Case):
    epochs = 2

    def test_a_changed_configuration_is_told(self):
        run = self.train_once(self.at("changed"))
        config = os.path.join(run, "config.yaml")
        done = self.ends(decavox("train", "--resume", run), GOOD)
        self.assertNotIn("was changed", done.out)
        write_text(config, support.read_text(config).replace("epochs: 2", "epochs: 9"))
        done = self.ends(decavox("train", "--resume", run), GOOD)
        self.assertIn(f"warning: {config} was changed", done.out)
        self.assertEqual(len(support.read_metrics(run)), self.epochs)

    def test_metrics_of_a_lost_state_are_kept(self):
        run = self.train_once(self.at("lost"))
        metrics = os.path.join(run, "metrics.csv")
        before = read_bytes(metrics)
        for name in ("last.safetensors", "model.safetensors", "report.json"):
            os.unlink(os.path.join(run, name))
        done = self.ends(decavox("train", "--resume", run), GOOD)
        self.assertIn("begins again at epoch 1", done.out)
        self.assertEqual(read_bytes(os.path.join(run, "metrics-1.csv")), before)
        self.assertEqual(len(support.read_metrics(run)), self.epochs)
        self.ends(decavox("train", "--resume", run), GOOD)
        self.assertFalse(os.path.exists(os.path.join(run, "metrics-2.csv")))


class Predict(support.Case):
    epochs = 1

    def test_each_answer_when_it_is_there(self):
        """The last file is removed after the first answer. The pipe is small and not read until
        then, so the program cannot have reached the last file before."""
        model = os.path.join(self.train_once(self.at("run")), "model.safetensors")
        first = os.path.join(self.data, "0_ann_0.wav")
        for form in ("text", "json"):
            last = shutil.copy(first, self.at("last.wav"))
            reader, writer = os.pipe()
            fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
            files = [first] * 600 + [last]
            process = subprocess.Popen([support.binary(), "predict", model, *files, "--format",
                                        form, "--workers", "1"], stdout=writer,
                                       stderr=subprocess.PIPE, env=support.environment())
            with process, os.fdopen(reader, "rb") as pipe:
                os.close(writer)
                self.assertTrue(select.select([reader], [], [], 120)[0])
                os.unlink(last)
                out = pipe.read().decode()
                _, err = process.communicate(timeout=120)
            self.assertEqual(process.returncode, FAILED, err)
            self.assertIn("last.wav", err.decode())
            if form == "json":
                answers = json.loads(out)
                self.assertEqual([answer["file"] for answer in answers], files)
                self.assertIn("error", answers[-1])
                lines = out.splitlines()
                self.assertEqual(lines[:3], ["[", "  {", f'    "file": "{first}",'])
                self.assertEqual(lines[-2:], ["  }", "]"])
            else:
                self.assertEqual([line.split("  ")[0] for line in out.splitlines()], files[:-1])

    def test_answers_stay_in_order(self):
        model = os.path.join(self.train_once(self.at("threads")), "model.safetensors")
        files = [os.path.join(self.data, name) for name in sorted(os.listdir(self.data))]
        told = [self.ends(decavox("predict", model, *files, "--format", "json", "--workers", n,
                                  threads=None), GOOD).out for n in ("1", "3")]
        self.assertEqual([answer["file"] for answer in json.loads(told[1])], files)
        self.assertEqual(*told)


if __name__ == "__main__":
    support.main()
