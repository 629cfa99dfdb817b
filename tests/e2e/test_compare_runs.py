"""`decavox compare` and `decavox recommend` on folders of runs, and on a busy machine."""
import csv
import io
import json
import os
import pty
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as xml

import support
from support import FAILED, GOOD, decavox, write_text

QUICK = ("--seconds", "0.001", "--keep_busy")


class Runs(support.Case):
    epochs = 1

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.other_data = support.make_data(cls.at("other data"), speakers=("eve", "fay"))
        cls.first = cls.train_once(cls.at("runs", "lr=0.01"))
        cls.second = cls.train_once(cls.at("runs", "lr=0.003"), "--learning_rate", "0.003")
        cls.other = cls.train_once(cls.at("runs", "other"), "--data", cls.other_data)

    def compare(self, *arguments, code=GOOD):
        done = self.ends(decavox("compare", *QUICK, "--format", "json", *arguments), code)
        return {m["model"]: m for m in json.loads(done.out)["models"]} if done.out else {}, done.err

    def copy(self, run, name, without=()):
        folder = shutil.copytree(run, self.at(name))
        self.addCleanup(shutil.rmtree, folder)
        for file in without:
            os.unlink(os.path.join(folder, file))
        return folder

    def report(self, run):
        return json.loads(support.read_text(os.path.join(run, "report.json")))

    # ---- Accuracies ----

    def test_named_by_the_folder_with_its_report(self):
        models, err = self.compare(self.first, self.second + "/", self.other)
        self.assertEqual(list(models), ["lr=0.01", "lr=0.003", "other"])
        self.assertNotIn("warning", err)
        for name, run in zip(models, (self.first, self.second, self.other)):
            told, report = models[name]["accuracy"], self.report(run)
            for key in ("accuracy", "correct", "count"):
                self.assertEqual(told[key], report[key])
            for ours, theirs in zip(told["interval_95"], report["interval_95"]):
                self.assertAlmostEqual(ours, theirs, 12)
            self.assertEqual(told["protocol"], f"official/test {report['test_set'][:8]}")
            self.assertEqual(models[name]["path"], os.path.join(run, "model.safetensors"))
        here = decavox("compare", *QUICK, "--format", "csv", ".", folder=self.first)
        row, = csv.DictReader(io.StringIO(self.ends(here, GOOD).out))
        self.assertEqual(row["model"], "lr=0.01")

    def test_the_mark_is_of_the_clips(self):
        """The mark depends on the part, the names and the files, but not on folder, model or
        training."""
        moved = self.copy(self.data, "moved")
        changed = self.copy(self.data, "changed")
        support.write_wav(os.path.join(changed, "0_ann_0.wav"), support.tone(0, 0, 1))  # as large
        fewer = self.copy(self.data, "fewer", without=["3_bob_4.wav"])
        model, out = os.path.join(self.first, "model.safetensors"), self.at("out.json")

        def mark(*arguments):
            self.ends(decavox("eval", model, "--out", out, *arguments), GOOD)
            return json.loads(support.read_text(out))["test_set"]

        known = self.report(self.first)["test_set"]
        self.assertRegex(known, "^[0-9a-f]{16}$")
        self.assertEqual(self.report(self.second)["test_set"], known)
        self.assertEqual({mark(), mark("--data", moved)}, {known})
        others = {mark("--data", changed), mark("--data", fewer), mark("--data", self.other_data),
                  mark("--part", "validation"), mark("--part", "all")}
        self.assertEqual(len(others - {known}), 5)

    def test_other_clips_are_not_compared(self):
        runs = (self.first, self.other, self.second)
        answer = json.loads(self.ends(decavox(
            "recommend", *QUICK, "--use_case", "accuracy", "--format", "json", *runs), GOOD).out)
        known = self.report(self.first)["test_set"][:8]
        self.assertEqual(answer["protocol"], f"official/test {known}")
        self.assertEqual({answer["recommended"]["model"], answer["runner_up"]["model"]},
                         {"lr=0.01", "lr=0.003"})
        self.assertEqual(answer["not_compared"], ["other"])
        self.assertEqual(answer["commands"]["train"], "decavox train " + os.path.join(
            self.at("runs"), answer["recommended"]["model"], "config.yaml"))
        text = self.ends(decavox("recommend", *QUICK, "--use_case", "accuracy", *runs), GOOD).out
        self.assertIn(f"\nelsewhere  other: accuracy on other clips than those of official/test "
                      f"{known}, so it is not compared\n", text)
        table = self.ends(decavox("compare", *QUICK, *runs), GOOD).out
        self.assertIn("of other clips are not to be compared", table)
        svg, page = self.at("picture.svg"), self.at("page.html")
        self.ends(decavox("compare", *QUICK, "--format", "html", "--out", page, "--svg", svg, *runs),
                  GOOD)
        self.assertEqual(len(xml.parse(svg).getroot().findall(".//{*}circle")), 2)
        self.assertIn(f"Accuracies by official/test {known}; others", support.read_text(page))
        models, _ = self.compare("--protocol", f"official/test {known}", *runs)
        self.assertIsNone(models["other"]["accuracy"])
        self.assertEqual(models["lr=0.01"]["accuracy"]["count"], 40)

    def test_reports_that_do_not_say(self):
        """A model with such a report is measured, without an accuracy."""
        older = self.copy(self.first, "older")
        report = self.report(older)
        del report["test_set"]
        reports = {"older": report, "odd": dict(report, test_set="0" * 16, correct=41),
                   "none": None, "broken": "{"}
        told = {"older": "older/report.json does not say by which clips it was made",
                "odd": "odd/report.json holds no accuracy", "none": "none has no report.json",
                "broken": "broken/report.json: "}
        folders = [older, *(self.copy(self.first, name) for name in list(reports)[1:])]
        for name, content in reports.items():
            path = self.at(name, "report.json")
            os.unlink(path)
            if content is not None:
                write_text(path, content if isinstance(content, str) else json.dumps(content))
        models, err = self.compare(*folders)
        for name in reports:
            self.assertIsNone(models[name]["accuracy"], name)
            self.assertRegex(err, re.escape(told[name]) + ".*the accuracy of this run is not known")

    # ---- Folders ----

    def test_folders_without_a_finished_run(self):
        os.makedirs(self.at("empty"))
        unfinished = self.copy(self.first, "unfinished", without=["model.safetensors",
                                                                  "report.json", "report.html"])
        untold = self.copy(self.first, "untold", without=["report.json", "report.html"])
        cross = self.at("cross")
        os.makedirs(cross)
        write_text(os.path.join(cross, "crossval.json"), "{}")
        wrong = {self.at("empty"): "it holds no run", unfinished: "its run is not finished",
                 untold: "its run is not finished", cross: "it holds a cross-validation"}
        models, err = self.compare(*wrong, self.first)
        self.assertEqual(list(models), ["lr=0.01"])
        for folder, reason in wrong.items():
            self.assertIn(f"{folder} is left out: {reason}", err)
        _, err = self.compare(*wrong, code=FAILED)
        self.assertIn("a finished run", err)
        self.assertIn("missing: cannot be opened: No such file",
                      self.compare(self.at("missing"), code=FAILED)[1])

    def test_a_run_at_work(self):
        import fcntl
        busy = self.copy(self.first, "busy")
        lock = os.open(busy, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            models, err = self.compare(busy, self.second)
        finally:
            os.close(lock)
        self.assertEqual(list(models), ["lr=0.003"])
        self.assertIn("a training is at work there", err)

    def test_named_twice(self):
        model = os.path.join(self.first, "model.safetensors")
        models, err = self.compare(self.first, self.second, self.first + "/", model, self.config,
                                   self.config)
        self.assertEqual(list(models), ["lr=0.01", "lr=0.003", "small"])
        for name in (self.first + "/", model, self.config):
            self.assertIn(f"{name} is named twice and is compared once", err)

    def test_models_of_one_name(self):
        again = self.at("again")
        os.makedirs(again)
        folder = self.copy(self.first, os.path.join("again", "lr=0.01"))
        models, _ = self.compare(self.first, folder, self.second)
        self.assertEqual(list(models), [self.first, folder, "lr=0.003"])

    # ---- Progress ----

    def test_one_line_a_model(self):
        """There are no escape codes if stderr is a terminal and the output is not."""
        for terminal in (False, True):
            ours, theirs = pty.openpty()
            process = subprocess.Popen(
                [support.binary(), "compare", *QUICK, "--fresh", self.first, self.second],
                stdout=theirs if terminal else subprocess.PIPE, stderr=theirs,
                env=support.environment())
            os.close(theirs)
            told = b""
            try:
                while piece := os.read(ours, 4096):
                    told += piece
            except OSError:  # the other end is closed
                pass
            process.communicate(timeout=60)
            os.close(ours)
            self.assertEqual(process.returncode, GOOD)
            if terminal:
                self.assertIn(b"\r[", told)
                continue
            self.assertNotIn(b"\x1b", told)
            first, second = told.decode().splitlines()
            self.assertRegex(first, r"^measured 1 of 2: lr=0\.01, p50 [0-9.]+ [um]?s")
            self.assertRegex(second, r"^measured 2 of 2: lr=0\.003, p50 ")

    # ---- A busy machine ----

    def test_busy(self):
        """With twice as many loops as processors, this process has to wait."""
        cache = os.path.join(os.environ["XDG_CACHE_HOME"], "decavox")
        shutil.rmtree(cache, ignore_errors=True)
        loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"])
                 for _ in range(2 * os.cpu_count())]
        try:
            def measure(*more):
                done = self.ends(decavox("compare", "--seconds", "0.05", self.first, *more), GOOD)
                return done.out, done.err
            for _ in range(2):  # nothing was cached the first time either
                table, err = measure()
                row = next(line for line in table.splitlines() if line.startswith("lr=0.01"))
                self.assertEqual([field[-1] == "!" for field in row.split()[1:13]],
                                 [False] * 4 + [True] * 5 + [False] * 2 + [True])
                self.assertIn("\n!        the machine was busy", table)
                self.assertRegex(err, "^measured 1 of 1: .*, the machine was busy: not kept\n$")
                self.assertFalse(os.path.isdir(cache) and os.listdir(cache))
            out, _ = measure("--format", "html")
            self.assertRegex(out, r"<td>[0-9.]+!</td>")
            row, = csv.DictReader(io.StringIO(measure("--format", "csv")[0]))
            self.assertEqual(row["busy"], "true")
            answer = self.ends(decavox("recommend", "--seconds", "0.05", self.first), GOOD).out
            self.assertIn("\nbusy       lr=0.01: the machine was busy", answer)
            _, err = measure("--keep_busy")
            self.assertNotIn("not kept", err)
            self.assertEqual(len(os.listdir(cache)), 1)
            table, err = measure("--keep_busy")
            self.assertEqual(err, "")
            self.assertIn("1 of 1 kept from before", table)
            self.assertIn("!        the machine was busy", table)
            _, err = measure()  # such a result is only taken with --keep_busy
            self.assertIn("measured 1 of 1", err)
        finally:
            for loop in loops:
                loop.kill()
                loop.wait()

    def test_kept_where_it_was_not_busy(self):
        """A result of a quiet machine is taken, whatever the machine does now."""
        arguments = ("compare", "--seconds", "0.05", "--format", "json", self.second)
        os.environ["XDG_CACHE_HOME"], before = self.at("another cache"), os.environ["XDG_CACHE_HOME"]
        try:
            first, = json.loads(self.ends(decavox(*arguments), GOOD).out)["models"]
            again, = json.loads(self.ends(decavox(*arguments), GOOD).out)["models"]
        finally:
            os.environ["XDG_CACHE_HOME"] = before
        self.assertEqual(again["kept"], not first["busy"])


if __name__ == "__main__":
    support.main()
