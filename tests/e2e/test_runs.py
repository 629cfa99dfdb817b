"""`decavox runs`: the runs of a folder, by their reports, as text, JSON and a page."""
import json
import os
import re
import shutil
import subprocess
import time
import urllib.parse
import xml.etree.ElementTree as xml

import support
from support import FAILED, GOOD, USAGE, decavox


class Runs(support.Case):
    epochs = 3

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder_of_runs = cls.at("runs")
        cls.other_data = support.make_data(cls.at("other data"), speakers=("eve", "fay"))
        cls.good = cls.train_once(cls.at("runs", "good"))
        cls.bad = cls.train_once(cls.at("runs", "rate", "bad & <slow>"), "--learning_rate",
                                 "0.000001")
        cls.middle = cls.train_once(cls.at("runs", "rate", "middle"), "--epochs", "1")
        cls.elsewhere = cls.train_once(cls.at("runs", "elsewhere"), "--data", cls.other_data)

    def groups(self, *arguments, folder=None):
        done = self.ends(decavox("runs", folder or self.folder_of_runs, "--format", "json",
                                 *arguments), GOOD)
        return json.loads(done.out)

    def report(self, run):
        return json.loads(support.read_text(os.path.join(run, "report.json")))

    def copy(self, name, *without):
        folder = shutil.copytree(self.good, self.at("runs", name))
        self.addCleanup(shutil.rmtree, folder)
        for file in without:
            os.unlink(os.path.join(folder, file))
        return folder

    def made(self, runs):
        """A folder with a report.json for each {name: changes to a report}. None stands for a key
        that is left out, and those of "run" are changed too."""
        folder = self.at(self.id())
        for name, changes in runs.items():
            report = {"correct": 30, "count": 40, "loss": 0.5, "part": "test", "split": "official",
                      "test_set": "0123456789abcdef"} | changes
            os.makedirs(os.path.join(folder, name))
            support.write_text(os.path.join(folder, name, "report.json"), json.dumps(
                {key: value for key, value in report.items() if value is not None}))
        return folder

    # ---- The list ----

    def test_best_first_on_the_same_clips(self):
        found = self.groups()
        self.assertEqual([len(group["runs"]) for group in found["groups"]], [3, 1])
        self.assertEqual(found["others"], [])
        first, second = found["groups"]
        order = sorted((self.good, self.bad, self.middle),
                       key=lambda run: (-self.report(run)["correct"], self.report(run)["loss"]))
        self.assertEqual([run["run"] for run in first["runs"]], order)
        self.assertEqual(order[-1], self.bad)
        self.assertEqual([run["run"] for run in second["runs"]], [self.elsewhere])
        self.assertNotEqual(first["test_set"], second["test_set"])

    def test_figures_are_those_of_the_report(self):
        for group in self.groups()["groups"]:
            for run in group["runs"]:
                report = self.report(run["run"])
                for key in ("test_set", "split", "part", "count"):
                    self.assertEqual(group[key], report[key])
                for key in ("accuracy", "correct", "loss"):
                    self.assertEqual(run[key], report[key])
                for ours, theirs in zip(run["interval_95"], report["interval_95"]):
                    self.assertAlmostEqual(ours, theirs, 12)
                self.assertEqual((run["macro_f1"], run["ece"]),
                                 (report["macro"]["f1"], report["calibration"]["ece"]))
                for key in ("model", "data", "epochs", "best_epoch", "seconds", "device", "date"):
                    self.assertEqual(run[key], report["run"][key], key)

    def test_runs_of_a_cross_validation(self):
        folder = self.at("folds")
        self.ends(decavox("crossval", self.config, "--data", self.data, "--folds", "speaker",
                          "--epochs", "1", "--out", folder), GOOD)
        found = self.groups(folder=folder)
        listed = sorted(run["run"] for group in found["groups"] for run in group["runs"])
        self.assertEqual([os.path.basename(run) for run in listed], ["ann-seed-1", "bob-seed-1"])
        self.assertEqual(found["others"], [])

    def test_text(self):
        text = self.ends(decavox("runs", "runs/", folder=self.folder), GOOD).out
        first, second = text.split("\n\n")
        self.assertRegex(first, r"^test part of the split official, 40 clips, mark [0-9a-f]{8}\n")
        names = [re.split("  +", line)[0] for line in first.splitlines()[2:]]
        self.assertEqual(set(names), {"good", "rate/bad & <slow>", "rate/middle"})
        report = self.report(self.elsewhere)
        line = second.splitlines()[2]
        self.assertRegex(line, rf"^elsewhere +small +{100 * report['accuracy']:.2f}% .* "
                         rf"{100 * report['macro']['f1']:.2f}% .* 3 +[1-3] +[0-9.]+  20\d\d-")
        alone = self.ends(decavox("runs", folder=self.folder), GOOD).out
        self.assertEqual(alone, text)  # `runs` is the default
        one = self.ends(decavox("runs", self.good), GOOD).out
        self.assertRegex(one.splitlines()[2], r"^\. +small ")

    def test_runs_without_an_accuracy(self):
        """Each with its reason, and none of them in a group."""
        self.copy("a_begun", "report.json", "report.html", "model.safetensors")
        self.copy("b_untested", "report.json")
        broken, old, odd = (self.copy(name) for name in ("c_broken", "d_old", "e_odd"))
        support.write_text(os.path.join(broken, "report.json"), "{")
        report = self.report(self.good)
        for folder, changes in ((old, {"test_set": None}), (odd, {"correct": 41})):
            support.write_text(os.path.join(folder, "report.json"),
                               json.dumps({key: value for key, value in (report | changes).items()
                                           if value is not None}))
        found = self.groups()
        self.assertEqual([len(group["runs"]) for group in found["groups"]], [3, 1])
        told = {os.path.basename(one["run"]): one["reason"] for one in found["others"]}
        self.assertEqual(list(told), ["a_begun", "b_untested", "c_broken", "d_old", "e_odd"])
        for reason, part in zip(told.values(), ("not finished", "no clips to test", "cannot be read",
                                                "which clips", "no accuracy")):
            self.assertIn(part, reason)
        text = self.ends(decavox("runs", self.folder_of_runs), GOOD).out
        self.assertIn("a_begun", text.split("\n\n")[-1])

    def test_a_report_of_an_older_version(self):
        """Figures that it does not have are null, and its accuracy is compared."""
        folder = self.copy("older")
        report = {key: value for key, value in self.report(self.good).items()
                  if key not in ("run", "macro", "parts", "left_out")}
        support.write_text(os.path.join(folder, "report.json"), json.dumps(report))
        group = self.groups()["groups"][0]
        older, = (run for run in group["runs"] if run["run"] == folder)
        self.assertEqual((older["accuracy"], older["model"], older["macro_f1"], older["epochs"]),
                         (report["accuracy"], "", None, None))
        page = self.at("older.html")
        self.ends(decavox("runs", self.folder_of_runs, "--html", page), GOOD)
        self.assertNotIn("nan", support.read_text(page))
        self.assertNotIn("-1<", support.read_text(page))

    def test_runs_in_runs_are_not_listed(self):
        shutil.copytree(self.good, os.path.join(self.copy("before"), "pretrain"))
        self.assertEqual(len(self.groups()["groups"][0]["runs"]), 4)

    def test_unknown_losses(self):
        """The order is total: a loss that is not known is the worst one."""
        losses = [None, 0.3, None, 0.1, 0.2, None, 0.4, 0.1]
        folder = self.made({f"run {i}": {"loss": loss} for i, loss in enumerate(losses)})
        group, = self.groups(folder=folder)["groups"]
        self.assertEqual([os.path.basename(run["run"])[-1] for run in group["runs"]],
                         list("37416025"))

    def test_accuracies_are_compared(self):
        """Not numbers of right answers."""
        folder = self.made({"a": {"correct": 30, "count": 60}, "b": {"correct": 20, "count": 20}})
        group, = self.groups(folder=folder)["groups"]
        self.assertEqual([run["accuracy"] for run in group["runs"]], [1, 0.5])

    def test_groups_by_size(self):
        """Larger groups first, and those of the same size by their marks."""
        marks = {"a" * 16: 1, "b" * 16: 3, "c" * 16: 2, "d" * 16: 3}
        folder = self.made({f"{mark} {i}": {"test_set": mark, "correct": 20 + i}
                            for mark, count in marks.items() for i in range(count)})
        groups = self.groups(folder=folder)["groups"]
        self.assertEqual([(group["test_set"][0], [run["correct"] for run in group["runs"]])
                          for group in groups],
                         [("b", [22, 21, 20]), ("d", [22, 21, 20]), ("c", [21, 20]), ("a", [20])])

    def test_hostile_reports(self):
        """Clips are named by a known part and a mark, and no text reaches the terminal or the page
        as it is."""
        evil = "\x1b[31m\u009b2J\u202e\"'><script>&\n"
        bad = {"mark": {"test_set": "<b>evil"}, "long": {"test_set": "0" * 17},
               "capitals": {"test_set": "0123456789ABCDEF"}, "part": {"part": "<i>"},
               "no part": {"part": None}, "list": {"part": ["test"]}}
        good = {"evil": {"split": evil, "run": {key: evil for key in
                                                ("model", "data", "device", "date")}},
                "wide": {"split": "\u4e03", "run": {"model": "\u4e03" * 20, "date": "\u4e03" * 20}},
                "other": {"test_set": "0123456789abcde0", "run": {"model": "plain"}}}
        folder = self.made(bad | good)
        page = self.at("hostile.html")
        found = self.groups("--html", page, folder=folder)
        self.assertEqual({os.path.basename(one["run"]): one["reason"] for one in found["others"]},
                         {name: "its report.json does not say which clips it is of"
                          for name in bad})
        text = self.ends(decavox("runs", folder), GOOD).out
        self.assertNotRegex(text, "[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\ufffd]")
        self.assertIn("\\x1B[31m", text)
        lines = {line.split()[0]: line for line in text.splitlines() if line}
        self.assertEqual(support.cells_before("75.00%", lines["wide"]),
                         support.cells_before("75.00%", lines["other"]))
        for_model, for_date = "\u4e03" * 8, "\u4e03" * 8  # 16 cells
        self.assertIn(" " + for_model + " ", lines["wide"])
        self.assertTrue(lines["wide"].endswith(" " + for_date))
        self.assertNotIn("<script", support.read_text(page))
        self.assertNotRegex(support.read_text(page), "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]")
        root = xml.fromstring(support.read_text(page))
        names = [element.get("id") for element in root.iter() if element.get("id")]
        self.assertEqual(len(names), len(set(names)))
        self.assertEqual([name for name in names if name.startswith("group-")],
                         ["group-1", "group-2"])
        self.assertIn("\u4e03" * 5, "".join(root.itertext()))
        self.assertNotIn("\\xE4", "".join(root.itertext()))

    def test_names_of_runs(self):
        """Columns are as wide as their texts on a terminal."""
        folder = self.made({"\u4e03\u4e03\u4e03\u4e03\u4e03": {}, "one": {}})
        lines = self.ends(decavox("runs", folder), GOOD).out.splitlines()[1:]
        self.assertEqual({support.cells_before("  -  ", line) for line in lines[1:]},
                         {lines[0].index("  model")})

    def test_links(self):
        """Those below the folder are not followed, and the folder may be one."""
        folder = self.made({"one": {}})
        os.symlink(folder, os.path.join(folder, "circle"))
        os.symlink("one", os.path.join(folder, "two"))
        os.symlink(folder, self.at("link"))
        for top in (folder, self.at("link")):
            group, = self.groups(folder=top)["groups"]
            self.assertEqual([run["run"] for run in group["runs"]], [os.path.join(top, "one")])

    def test_many_runs(self):
        """The time does not grow with the cube of the number of groups."""
        folder = self.made({f"{i}": {"test_set": f"{i:016x}"} for i in range(4000)})
        page, start = self.at("many.html"), time.monotonic()
        self.assertEqual(len(self.groups("--html", page, folder=folder)["groups"]), 4000)
        self.ends(decavox("runs", folder), GOOD)
        self.assertLess(time.monotonic() - start, 30)

    def test_closed_folder(self):
        """A folder that is there and cannot be opened. Another user than root is needed for it."""
        folder = self.made({"one": {}})
        os.chmod(folder, 0)
        self.addCleanup(os.chmod, folder, 0o755)
        user = None
        if os.geteuid() == 0:
            user = 65534
            os.chmod(self.folder, 0o755)
        try:
            done = subprocess.run([support.binary(), "runs", folder], user=user, timeout=60,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                  env=support.environment())
        except PermissionError:
            self.skipTest("another user cannot run the program here")
        self.ends(support.Result(done.returncode, done.stdout, done.stderr), FAILED,
                  "cannot read the folder", folder)

    def test_failures(self):
        empty = self.at("empty")
        os.makedirs(os.path.join(empty, "below"))
        self.ends(decavox("runs", empty), FAILED, "no run", empty)
        self.ends(decavox("runs", self.at("absent")), FAILED, "no folder", self.at("absent"))
        self.ends(decavox("runs", self.good, self.bad), USAGE)
        self.ends(decavox("runs", self.folder_of_runs, "--html", self.at("none", "a.html")), FAILED,
                  "a.html")
        mine = support.write_text(self.at("mine.html"), "mine")
        self.ends(decavox("runs", self.folder_of_runs, "--html", mine), FAILED, "--force")
        self.assertEqual(support.read_text(mine), "mine")
        self.ends(decavox("runs", self.folder_of_runs, "--html",
                          os.path.join(self.good, "config.yaml"), "--force"), USAGE, "state")

    # ---- The page ----

    def test_page(self):
        """Each name leads to the report from wherever the page lies, and charts have one scale."""
        os.makedirs(self.at("pages", "deep"))
        for page in (self.at("index.html"), self.at("runs", "index.html"),
                     self.at("pages", "deep", "index.html")):
            self.ends(decavox("runs", self.folder_of_runs, "--html", page), GOOD)
            text = support.read_text(page)
            self.assertNotRegex(text, "https?:|<script|<link|<img")
            root = xml.fromstring(text)
            links = [urllib.parse.unquote(link.get("href")) for link in root.iter("a")]
            for link in links:
                self.assertFalse(os.path.isabs(link))
            reports = [os.path.realpath(os.path.join(os.path.dirname(page), link))
                       for link in links]
            runs = [run for group in self.groups()["groups"] for run in group["runs"]]
            self.assertEqual(reports, [os.path.realpath(os.path.join(run["run"], "report.html"))
                                       for run in runs])
        tables = [table for table in root.iter("table") if table.get("id").startswith("group-")]
        self.assertEqual([len(table.find("tbody")) for table in tables], [3, 1])
        rows = [["".join(cell.itertext()) for cell in row] for row in tables[0].find("tbody")]
        for row, run in zip(rows, runs):
            self.assertEqual(row[0], os.path.relpath(run["run"], self.folder_of_runs))
            self.assertEqual((row[1], row[2]),
                             ("small", f"{100 * run['accuracy']:.2f}\u00a0%"))
            self.assertEqual((row[7], row[8], row[11]),
                             (str(run["epochs"]), str(run["best_epoch"]), self.data))
        self.assertIn("cannot be compared", "".join(root.itertext()))
        lower = float(tables[0].findall(".//th")[3].text.split()[0]) / 100
        for row, run in zip(tables[0].find("tbody"), runs):
            x = float(row.find(".//circle").get("cx"))
            self.assertAlmostEqual((x - 5) / 150, (run["accuracy"] - lower) / (1 - lower), 3)
        names = [element.get("id") for element in root.iter() if element.get("id")]
        self.assertEqual(len(names), len(set(names)))


if __name__ == "__main__":
    support.main()
