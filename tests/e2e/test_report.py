"""The page report.html of a run, and of an evaluation."""
import base64
import io
import json
import os
import re
import shlex
import shutil
import struct
import subprocess
import wave
import xml.etree.ElementTree

import support
from report_page import CHARTS, Page
from support import FAILED, GOOD, decavox


class Report(Page):
    epochs = 6

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.run_folder = cls.train_once(cls.at("run"))
        cls.model = os.path.join(cls.run_folder, "model.safetensors")
        cls.report = json.loads(support.read_text(os.path.join(cls.run_folder, "report.json")))

    def test_header_and_result(self):
        self.page(os.path.join(self.run_folder, "report.html"))
        report, text = self.report, self.words.text.replace("\u00a0", " ")
        low, high = report["interval_95"]
        for part in (f"{100 * report['accuracy']:.2f} %", f"{report['correct']} of 40 right",
                     f"{100 * low:.2f} % to {100 * high:.2f} %", "parameters", "mfcc, 13 × 32",
                     self.data, "official", "test, 40 clips", "cpu", "decavox 0.",
                     f"decavox train {self.run_folder}/config.yaml", "checkpoint_seconds: 0"):
            self.assertIn(part, text)

    def test_curves(self):
        self.assert_drawn(self.run_folder)
        # The axis begins at 0, so that a loss twice as high is twice as far from it.
        root = self.page(os.path.join(self.run_folder, "report.html"))
        losses = [float(row["train_loss"]) for row in support.read_metrics(self.run_folder)]
        heights = [222 - point[1] for point in self.lines(root, "loss")[0][1]]
        for height, loss in zip(heights, losses):
            self.assertAlmostEqual(height / heights[0], loss / losses[0], delta=0.01)

    def test_matrix_and_classes(self):
        root = self.page(os.path.join(self.run_folder, "report.html"))
        self.assertEqual(self.cells(root), self.confusion(self.run_folder))
        *rows, mean = self.table(root, "classes")
        self.assertEqual([row[0] for row in rows], ["0", "1", "2", "3"])
        self.assertEqual(mean[:3], ["macro mean", "40", "40"])
        for row, one in zip([*rows, mean], [*self.report["classes"], self.report["macro"]]):
            self.assertEqual(row[3:], [f"{100 * one[key]:.2f}\u00a0%"
                                       for key in ("precision", "recall", "f1")])
        self.assertEqual({row[1] for row in rows}, {"10"})
        hits = [self.cells(root).get((row[0], row[0]), 0) for row in rows]
        for one, hit, row in zip(self.report["classes"], hits, rows):
            self.assertAlmostEqual(one["f1"], 2 * hit / (10 + int(row[2])), 12)
        for key in ("precision", "recall", "f1"):
            self.assertAlmostEqual(self.report["macro"][key],
                                   sum(one[key] or 0 for one in self.report["classes"]) / 4, 12)

    def test_calibration(self):
        """A bar as high as the accuracy of its bin, a line at its confidence, and its count."""
        root = self.page(os.path.join(self.run_folder, "report.html"))
        bins = [one for one in self.report["calibration"]["bins"] if one["count"] > 0]
        groups = root.findall(".//svg[@id='reliability']/g")[1:]  # behind the axes
        self.assertEqual(len(groups), len(bins))
        for group, one in zip(groups, bins):
            bar, line, count = group.find("rect"), group.find("path"), group.find("text")
            self.assertEqual(count.text, str(one["count"]))
            self.assertAlmostEqual(float(bar.get("height")), 182 * one["accuracy"], delta=0.11)
            self.assertAlmostEqual(float(line.get("d").split()[1].split("H")[0]),
                                   222 - 182 * one["confidence"], delta=0.11)
        caption = "".join(root.find(".//figcaption").itertext()).replace("\u00a0", " ")
        self.assertIn(f"over all answers: {100 * self.report['calibration']['ece']:.2f} %", caption)

    def test_best_epoch(self):
        """In words, and marked in each curve at the epoch with the best validation accuracy."""
        root, run = self.page(os.path.join(self.run_folder, "report.html")), self.report["run"]
        rows = support.read_metrics(self.run_folder)
        best = max(rows, key=lambda row: (float(row["validation_accuracy"]),
                                          -float(row["validation_loss"])))
        self.assertEqual((run["best_epoch"], run["epochs"]), (int(best["epoch"]), self.epochs))
        self.assertIn(f"Epoch {run['best_epoch']} of {self.epochs} is the best one: validation "
                      f"accuracy {100 * float(best['validation_accuracy']):.2f}", self.words.text)
        for chart in CHARTS:
            picture = root.find(f".//svg[@id='{chart}']")
            mark = float(re.match("M([0-9.]+) ", picture.find("path[@class='best']").get("d"))[1])
            for (_, points), dot in zip(self.lines(root, chart), picture.iter("circle")):
                self.assertAlmostEqual(mark, points[run["best_epoch"] - 1][0], delta=0.11)
                self.assertAlmostEqual(float(dot.get("cy")), points[run["best_epoch"] - 1][1],
                                       delta=0.11)

    def test_circumstances(self):
        root, run = self.page(os.path.join(self.run_folder, "report.html")), self.report["run"]
        told = dict(zip((name.text for name in root.iter("dt")),
                        (text.text for text in root.iter("dd"))))
        commit = re.search("commit (.+)$", decavox("--version").out.strip())[1]
        self.assertEqual(told["Version"].split(", commit ")[1], commit)
        self.assertEqual((run["commit"], run["device"], run["threads"]), (commit, "cpu", 1))
        self.assertEqual(told["Device"], "cpu in fp32, 1 thread")
        seconds = sum(float(row["seconds"]) for row in support.read_metrics(self.run_folder))
        self.assertAlmostEqual(run["seconds"], seconds, 9)
        self.assertEqual(told["Training time"], f"{seconds:.1f} s for {self.epochs} epochs")
        self.assertEqual(told["Date"], run["date"])
        self.assertRegex(run["date"], r"^20\d\d-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}$")
        self.assertEqual((run["model"], run["data"]), ("small", self.data))

    def test_clips_of_the_parts(self):
        root = self.page(os.path.join(self.run_folder, "report.html"))
        *rows, total = self.table(root, "parts")
        for row, one in zip(rows, self.report["parts"]):
            parts = [one[key] for key in ("train", "validation", "test")]
            self.assertEqual(row, [one["label"], *map(str, parts), str(sum(parts))])
            self.assertEqual(sum(parts), 22)
        self.assertEqual([sum(one[key] for one in self.report["parts"])
                          for key in ("train", "validation", "test")], list(map(int, total[1:4])))
        self.assertEqual(total[3:], ["40", "88"])
        self.assertIn("Nothing was left out of the data.", self.words.text)
        self.assertEqual(set(self.report["left_out"].values()), {0})

    def test_what_was_left_out(self):
        data, further = shutil.copytree(self.data, self.at("damaged")), self.at("further")
        support.write_text(os.path.join(data, "1_ann_7.wav"), "no sound")
        support.write_text(os.path.join(data, "notes.txt"), "no sound either")
        support.make_data(further, digits=3, speakers=("eve",), count=7)
        exclude = support.write_text(self.at("exclude.csv"), "0_ann_6.wav\n0_ann_7.wav\n")
        run = self.train_once(self.at("less"), "--data", data, "--epochs", "1", "--set",
                              f"data.exclude={exclude}", "--set", "data.labels=[0, 1, 2]", "--set",
                              f"data.more=[{{path: {further}, split: official}}]")
        report = json.loads(support.read_text(os.path.join(run, "report.json")))
        self.assertEqual(report["left_out"], {
            "unreadable": 1, "excluded": 2, "other_words": 22, "test_of_more": 15,
            "tested_later": 0, "other_files": 1})
        rows = self.table(self.page(os.path.join(run, "report.html")), "left-out")
        self.assertEqual([row[1] for row in rows], ["1", "2", "22", "15", "1"])
        self.assertIn("1_ann_7.wav", self.words.text.split("unreadable files")[-1])

    def test_eval_writes_it_too(self):
        path = self.at("eval.html")
        self.ends(decavox("eval", self.model, "--html", path), GOOD)
        root = self.page(path)
        self.assertEqual(self.cells(root), self.confusion(self.run_folder))
        self.assertIsNone(root.find(".//polyline"))
        self.ends(decavox("eval", self.model, "--part", "all", "--html", path), GOOD)
        self.assertEqual(sum(self.cells(self.page(path)).values()), 88)
        self.assertIn("all, 88 clips", self.words.text)

    def test_eval_repeats_its_command(self):
        """The command has every word, quoted so that a shell reads the same ones."""
        data = self.at("it's  $HOME\n")
        noise = self.at(os.fsdecode(b"noise\xe9 \\ 'a'.wav"))
        os.symlink(self.data, data)
        support.write_wav(noise, [0.1, -0.1] * 3000)
        path = self.at("a page.html")
        listed = support.write_text(self.at("turned \u202e and \u009b.csv"), "0_ann_0.wav\n")
        given = [os.fsencode(word) for word in (
            "eval", "--threads=1", self.model, "--part", "all", "--exclude", listed, "--snr", "20,-5",
            "--noise-seed", "3", "--algorithms", "fixed", "--data", data, "--html", path, "--noise",
            noise)]
        self.ends(decavox(*given), GOOD)
        before = support.read_text(path)
        command = self.command(self.page(path))
        self.assertTrue(command.startswith("decavox eval --threads=1 /"), command)
        self.assertNotRegex(command, "[\x00-\x1f\x7f-\x9f\u2028-\u202e]")
        done = subprocess.run(["bash", "-c", f"decavox() {{ printf '%s\\0' \"$@\"; }}; {command}"],
                              stdout=subprocess.PIPE, check=True)
        self.assertEqual(done.stdout.split(b"\0")[:-1], given)
        self.ends(decavox(*done.stdout.split(b"\0")[:-1]), GOOD)
        date = "<dt>Date</dt><dd>[^<]*"
        self.assertEqual(re.sub(date, "", support.read_text(path)), re.sub(date, "", before))

    def test_a_page_that_cannot_be_written(self):
        path = self.at("absent", "page.html")
        self.ends(decavox("eval", self.model, "--html", path), FAILED, path)

    def test_no_mistakes(self):
        done = decavox("eval", self.model, "--format", "json", "--clips")
        right = [clip["file"] for clip in json.loads(done.out)["clips"]
                 if clip["truth"] == clip["label"]]
        data, path = self.at("right"), self.at("right.html")
        os.makedirs(data)
        for file in right:
            os.symlink(file, os.path.join(data, os.path.basename(file)))
        self.ends(decavox("eval", self.model, "--data", data, "--part", "all", "--html", path),
                  GOOD)
        root = self.page(path)
        self.assertIn(f"No mistakes: all {len(right)} answers are right.", self.words.text)
        self.assertIsNone(root.find(".//svg[@class='sound']"))
        self.assertIn(f"Trained on{self.data}", self.words.text.replace("\n", ""))

    def command(self, root, number=0):
        """The commands of the page: how it is made again, and how a file is answered."""
        return root.findall(".//pre[@class='command']")[number].text

    def test_the_command_leads_to_the_same_bytes(self):
        run, again = self.at("Ann's run & more"), self.at("again")
        self.train_once(run, "--epochs", "2", "--seed", "5", "--threads", "2", threads=None)
        program, *words = shlex.split(self.command(self.page(os.path.join(run, "report.html"))))
        self.assertEqual(program, "decavox")
        self.assertEqual(words[-4:], ["--device", "cpu", "--threads", "2"])
        self.ends(decavox(*words, "--out", again, threads=None), GOOD)
        for name in ("model.safetensors", "config.yaml", "report.json"):
            self.assertEqual(support.read_stable(os.path.join(again, name)),
                             support.read_stable(os.path.join(run, name)), name)

    def test_the_commands_work_from_any_folder(self):
        """The paths of this run were all relative: data, further data, noise and a checkpoint."""
        work, elsewhere = self.at("work"), self.at("elsewhere")
        os.makedirs(elsewhere)
        shutil.copytree(self.data, os.path.join(work, "sounds"))
        support.make_data(os.path.join(work, "further"), speakers=("eve",), count=6)
        support.make_data(os.path.join(work, "noise"), digits=1, speakers=("hum",), count=1)
        support.write_text(os.path.join(work, "exclude.csv"), "0_ann_6.wav\n")
        self.ends(decavox("train", self.config, "--data", "sounds", "--out", "runs/first",
                          "--set", "data.exclude=exclude.csv", "--epochs", "1", "--init_from",
                          os.path.relpath(self.model, work), "--set", "augment.noise=1", "--set",
                          "augment.noise_path=noise", "--set",
                          "data.more=[{path: further, split: random, test: 0.2}]",
                          folder=work), GOOD)
        run, again = os.path.join(work, "runs", "first"), os.path.join(elsewhere, "again")
        root = self.page(os.path.join(run, "report.html"))
        _, *words = shlex.split(self.command(root))
        for word in ("sounds", "exclude.csv", "noise", "further"):
            self.assertIn(os.path.join(work, word), " ".join(words))
        self.ends(decavox(*words, "--out", again, folder=elsewhere), GOOD)
        got, want = (support.read_tensors(os.path.join(folder, "model.safetensors"))[0]
                     for folder in (again, run))
        self.assertEqual(got, want)
        _, *words = shlex.split(self.command(root, 1))
        self.assertEqual(words[-1], "FILE.wav")
        words[-1] = os.path.join(self.data, "3_bob_0.wav")
        self.assertIn("3_bob_0.wav", self.ends(decavox(*words, folder=elsewhere), GOOD).out)

    def test_the_part_is_told(self):
        """A page names its part: the test part, or the validation part that chose the epoch."""
        run = self.train_once(self.at("untested"), "--split", "train", "--epochs", "2")
        for folder, part, split, chosen in ((self.run_folder, "test", "official", False),
                                            (run, "validation", "train", True)):
            report = json.loads(support.read_text(os.path.join(folder, "report.json")))
            self.assertEqual((report["part"], report["split"]), (part, split))
            root = self.page(os.path.join(folder, "report.html"))
            text = "".join(root.find(".//main/section").itertext())
            self.assertIn(f"of the {part} part of the split {split}", text)
            self.assertEqual("this is no test" in text, chosen)
        for part, told in (("validation", "of the validation part of"), ("all", "of all clips")):
            path, out = self.at("part.html"), self.at("part.json")
            self.ends(decavox("eval", self.model, "--part", part, "--html", path, "--out", out),
                      GOOD)
            self.assertEqual(json.loads(support.read_text(out))["part"], part)
            self.page(path)
            self.assertIn(told, self.words.text)
            self.assertNotIn("this is no test", self.words.text)

    def test_out_of_memory(self):
        """A report that lacks something for want of memory is not written."""
        library = self.without_memory()
        for key in ("part", "split", "test_set", "parts", "left_out", "macro", "run"):
            run = os.path.join(self.at("small memory"), key)
            done = subprocess.run([support.binary(), "train", self.config, "--data", self.data,
                                   "--epochs", "1", "--out", run], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True, timeout=120,
                                  env=support.environment() | {"LD_PRELOAD": library,
                                                               "NO_MEMORY_FOR": key})
            self.ends(support.Result(done.returncode, done.stdout, done.stderr), FAILED,
                      "out of memory", "report.json")
            self.assertFalse(os.path.exists(os.path.join(run, "report.json")))

    def without_memory(self):
        """A library that makes json_object_set_new fail for the key $NO_MEMORY_FOR."""
        if shutil.which("cc") is None:
            self.skipTest("there is no C compiler")
        source = support.write_text(self.at("no_memory.c"), """
            #include <stdlib.h>
            #include <string.h>
            int json_object_set_new_nocheck(void *object, const char *key, void *value);
            int json_object_set_new(void *object, const char *key, void *value)
            {
                const char *failing = getenv("NO_MEMORY_FOR");
                if (object == NULL || (failing != NULL && strcmp(key, failing) == 0))
                    return -1;
                return json_object_set_new_nocheck(object, key, value);
            }
            """)
        library = self.at("no_memory.so")
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
        works = subprocess.run([support.binary(), "--version"], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE,
                               env=support.environment() | {"LD_PRELOAD": library})
        if works.returncode != GOOD or works.stderr:
            self.skipTest("the program cannot be run with a library before its own")
        return library

    def test_nothing_to_test_with(self):
        run = self.at("alone")
        done = decavox("train", self.config, "--data", self.data, "--out", run, "--split", "train",
                       "--set", "data.validation=0", "--epochs", "2")
        self.ends(done, GOOD)
        self.assertIn("there is no test or validation part, so there is no report but the curves",
                      done.out)
        root = self.page(os.path.join(run, "report.html"))
        self.assertEqual([(name, len(points)) for name, points in self.lines(root, "loss")],
                         [("train", 2)])
        self.assertIsNone(root.find(".//svg[@id='confusion']"))
        for part in ("no clips to test or to validate with", self.data, "checkpoint_seconds: 0"):
            self.assertIn(part, self.words.text)
        for part in ("Result", "Wilson", "Worst mistakes", "nan"):
            self.assertNotIn(part, self.words.text)
        for name in ("report.json", "confusion.csv"):
            self.assertFalse(os.path.exists(os.path.join(run, name)))

    def test_no_validation(self):
        run = self.train_once(self.at("unseen"), "--set", "data.validation=0", "--epochs", "1")
        root = self.page(os.path.join(run, "report.html"))
        for chart in ("loss", "accuracy"):
            self.assertEqual([(name, len(points)) for name, points in self.lines(root, chart)],
                             [("train", 1)])
        self.assertNotIn("nan", "".join(root.find(".//svg[@id='loss']").itertext()))


class Mistakes(Page):
    """A model that has learned nothing, with difficult names of words and files."""

    labels = ["<b>&\"", "it's", "七"]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.words_folder = os.fsencode(cls.at("words"))
        for digit, label in enumerate(cls.labels):
            folder = os.path.join(cls.words_folder, os.fsencode(label))
            os.makedirs(folder)
            for i in range(14):
                name = os.path.join(folder, b"a_<i>&'\xe9%d.wav" % i)
                sound = [0] * 2400 if i == 0 else support.tone(digit, 0, i)
                support.write_wav(os.fsdecode(name), sound)
        cls.run_folder = cls.at("run")
        cls.done = decavox("train", cls.config, "--data", os.fsdecode(cls.words_folder), "--split",
                           "random", "--set", "data.test=0.5", "--epochs", "1", "--learning_rate",
                           "0.000001", "--out", cls.run_folder)
        cls.model = os.path.join(cls.run_folder, "model.safetensors")

    def test_worst_first(self):
        self.ends(self.done, GOOD)
        path = self.at("all.html")
        done = decavox("eval", self.model, "--part", "all", "--format", "json", "--clips",
                       "--html", path)
        wrong = [clip for clip in json.loads(self.ends(done, GOOD).out)["clips"]
                 if clip["truth"] != clip["label"]]
        self.assertGreater(len(wrong), 12)
        wrong.sort(key=lambda clip: -clip["confidence"])
        root = self.page(path)
        figures = root.findall(".//div[@class='sounds']/figure")
        self.assertEqual(len(figures), 12)
        for figure, clip in zip(figures, wrong):
            text = "".join(figure.find("figcaption").itertext()).replace("\u00a0", " ")
            self.assertEqual(text, f"{os.path.basename(clip['file'])}true {clip['truth']}, "
                             f"answered {clip['label']}confidence {100 * clip['confidence']:.1f} %")
            self.assertRegex(text, r"^a_<i>&'\\xE9[0-9]+\.wav")
            self.assertEqual(figure.find(".//span").get("title"), clip["file"])
            self.picture(figure, silent="'?0.wav" in text)
            self.sound(figure, silent="\\xE90.wav" in text)
        self.assertIn(f"{len(wrong)} of 42 answers are wrong; these 12", self.words.text)

    def picture(self, figure, silent):
        """Asserts rectangles inside 40 bands for a tone, and none for silence."""
        picture = figure.find("svg")
        width, height = map(int, picture.get("viewBox").split()[2:])
        self.assertEqual(height, 40)
        self.assertLess(len(xml.etree.ElementTree.tostring(picture)), 16000)
        filled = []
        for path in picture.iter("path"):
            area, x, y = 0, 0, 0
            for command, numbers in re.findall(r"([Mmh])([-0-9 ]+)", path.get("d")):
                values = list(map(int, numbers.split()))
                if command == "M":
                    x, y = values
                else:
                    x += values[0]
                area += values[0] if command == "h" else 0
                self.assertTrue(0 <= x <= width and 0 <= y < height)
            filled.append(area)
        self.assertEqual(filled, sorted(filled, reverse=True))  # each level lies on the one before
        self.assertEqual(filled[-1] == 0, silent)
        self.assertLess(filled[0], width * height)

    def sound(self, figure, silent):
        """A WAV file of the window that the model saw, in the page."""
        kind, data = figure.find("audio").get("src").split(",")
        self.assertEqual(kind, "data:audio/wav;base64")
        with wave.open(io.BytesIO(base64.b64decode(data, validate=True))) as file:
            self.assertEqual((file.getnchannels(), file.getsampwidth(), file.getframerate(),
                              file.getnframes()), (1, 2, support.RATE, support.RATE))
            samples = struct.unpack(f"<{support.RATE}h", file.readframes(support.RATE))
        self.assertEqual(max(map(abs, samples)) == 0, silent)

    def test_size(self):
        """Sounds that the page has no room for are left out, and it stays under 2 MB."""
        run = self.at("long")
        self.ends(decavox("train", self.config, "--data", os.fsdecode(self.words_folder), "--split",
                          "random", "--set", "data.test=0.5", "--epochs", "1", "--learning_rate",
                          "0.000001", "--set", "features.duration=10", "--set",
                          "features.sample_rate=16000", "--out", run), GOOD)
        page = os.path.join(run, "report.html")
        self.assertLess(os.path.getsize(page), 2e6)
        self.assertGreater(len(self.page(page).findall(".//figure/svg[@class='sound']")), 3)
        self.assertEqual(len(self.page(page).findall(".//audio")), 3)

    def test_labels(self):
        root = self.page(os.path.join(self.run_folder, "report.html"))
        self.assertEqual(self.cells(root), self.confusion(self.run_folder))
        rows = [row[0] for row in self.table(root, "classes")]
        self.assertEqual(sorted(rows[:-1]), sorted(self.labels))


if __name__ == "__main__":
    support.main()
