"""Evaluation with added noise, its calibration, and its file."""
import json
import os
import random
import xml.etree.ElementTree as xml

import support
from support import FAILED, GOOD, USAGE, decavox

NOISE_KEYS = ("noise", "noise_files", "noise_seed")


def write_noise(path, seed, count):
    draw = random.Random(seed)
    support.write_wav(path, [draw.gauss(0, 0.2) for _ in range(count)])
    return path


class Noise(support.Case):
    epochs = 8

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = os.path.join(cls.train_once(cls.at("run")), "model.safetensors")
        os.makedirs(cls.at("noises"))
        cls.long = write_noise(cls.at("noises", "n2.wav"), 1, 20000)
        cls.short = write_noise(cls.at("noises", "n10.wav"), 2, 900)
        cls.third = write_noise(cls.at("third.wav"), 3, 5000)

    def evaluate(self, *more, threads=1):
        done = decavox("eval", self.model, "--format", "json", *more, threads=threads)
        return json.loads(self.ends(done, GOOD).out)

    def test_clean_figures_are_those_without_noise(self):
        plain = self.evaluate("--clips")
        noisy = self.evaluate("--clips", "--noise", self.long)
        self.assertEqual([point["snr"] for point in noisy["noise"]], [20, 10, 5, 0])
        for point in noisy["noise"]:
            self.assertEqual(set(point), set(plain) - {"part", "split", "test_set", "parts",
                                                          "left_out"} | {"snr", "files"})
            self.assertEqual(point["count"], 40)
        for key in NOISE_KEYS:
            self.assertNotIn(key, plain)
            del noisy[key]
        self.assertEqual(noisy, plain)
        text = self.ends(decavox("eval", self.model), GOOD).out
        self.assertTrue(self.ends(decavox("eval", self.model, "--noise", self.long), GOOD)
                        .out.startswith(text))

    def test_from_inaudible_to_drowned(self):
        clean = self.evaluate("--clips", "--noise", self.long, "--snr", "100,0,-20")
        inaudible, middle, drowned = clean["noise"]
        self.assertGreater(clean["accuracy"], 0.9)
        self.assertEqual(inaudible["confusion"], clean["confusion"])
        self.assertAlmostEqual(inaudible["loss"], clean["loss"], delta=0.01)
        changed = 0
        for a, b in zip(clean["clips"], inaudible["clips"]):
            self.assertEqual((a["file"], a["label"]), (b["file"], b["label"]))
            for x, y in zip(a["logits"], b["logits"]):
                self.assertAlmostEqual(x, y, delta=0.05)
            changed += a["logits"] != b["logits"]
        self.assertGreater(changed, 35)  # there is noise
        self.assertLess(drowned["accuracy"], 0.6)
        self.assertLess(drowned["accuracy"], clean["accuracy"] - 0.3)
        self.assertLess(clean["loss"], middle["loss"])
        self.assertLess(middle["loss"], drowned["loss"])

    def test_same_again_and_another_seed(self):
        options = ("--clips", "--noise", self.at("noises"), "--snr", "5")
        first = self.evaluate(*options)
        self.assertEqual(self.evaluate(*options, "--threads", "2", threads=2), first)
        self.assertEqual(self.evaluate(*options, "--noise_seed=0"), first)
        self.assertEqual(first["noise_seed"], 0)
        other = self.evaluate(*options, "--noise-seed", "4")
        self.assertEqual(other["noise_seed"], 4)
        self.assertEqual(other["clips"], first["clips"])
        same = sum(a["logits"] == b["logits"] for a, b in
                   zip(first["noise"][0]["clips"], other["noise"][0]["clips"]))
        self.assertLess(same, 5)

    def test_a_part_gets_the_noise_that_it_has_in_all(self):
        options = ("--clips", "--noise", self.long, "--snr", "5")
        logits = {clip["file"]: clip["logits"]
                  for clip in self.evaluate(*options, "--part", "all")["noise"][0]["clips"]}
        self.assertEqual(len(logits), 88)
        for clip in self.evaluate(*options)["noise"][0]["clips"]:
            self.assertEqual(clip["logits"], logits[clip["file"]])

    def test_by_file(self):
        files = [self.third, self.long, self.short]
        paths = f"{self.third},{self.at('noises')}"
        report = self.evaluate("--noise", paths, "--snr", "30,-10")
        for point in ({**report, "files": report["noise_files"]}, *report["noise"]):
            self.assertEqual([file["file"] for file in point["files"]], files)
            self.assertEqual(sorted(file["count"] for file in point["files"]), [13, 13, 14])
            self.assertEqual(sum(file["correct"] for file in point["files"]), point["correct"])
            for file in point["files"]:
                self.assertAlmostEqual(file["accuracy"], file["correct"] / file["count"])
        self.assertEqual(*([file["count"] for file in point["files"]] for point in report["noise"]))

    def test_text(self):
        report = self.evaluate("--noise", self.at("noises"), "--snr", "2.5,-10")
        done = decavox("eval", self.model, "--noise", self.at("noises"), "--snr", "2.5,-10")
        lines = self.ends(done, GOOD).out.splitlines()
        self.assertEqual(lines[1], f"ECE {100 * report['calibration']['ece']:.2f}%")
        begin = next(i for i, line in enumerate(lines) if line.startswith("noise "))
        for line, name, point in zip(lines[begin + 1:], ("clean", "2.5 dB", "-10 dB"),
                                     (report, *report["noise"])):
            low, high = point["interval_95"]
            self.assertEqual(" ".join(line.split()),
                             f"{name} {100 * point['accuracy']:.2f}% {point['correct']}/40 "
                             f"{100 * low:.2f}% to {100 * high:.2f}% {point['loss']:.4f} "
                             f"{100 * point['calibration']['ece']:.2f}%")
        for i, line in enumerate(lines[begin + 6:begin + 8]):
            scores = [100 * point[i]["accuracy"] for point in (
                report["noise_files"], *(point["files"] for point in report["noise"]))]
            self.assertEqual(line.split(), [(self.long, self.short)[i], "20",
                                            *(f"{score:.2f}%" for score in scores)])
        done = decavox("eval", self.model, "--noise", self.long)
        self.assertNotIn(self.long, self.ends(done, GOOD).out)

    def table(self, page, name):
        """The rows of a table of the page, as lists of texts."""
        root = xml.fromstring(support.read_text(page).replace("<!DOCTYPE html>", ""))
        return [["".join(cell.itertext()).replace("\u00a0", " ") for cell in row]
                for row in root.find(f".//table[@id='{name}']").iter("tr")]

    def test_page(self):
        path = self.at("noise.html")
        plain = self.at("plain.html")
        options = ("--part", "all", "--snr", "2.5,-10", "--html", path)
        both = self.evaluate("--noise", self.at("noises"), *options)
        rows = self.table(path, "noise")
        self.assertEqual(rows[0], ["noise", "accuracy", "correct", "95 % interval", "loss", "ECE"])
        for row, name, point in zip(rows[1:], ("clean", "2.5 dB", "-10 dB"),
                                    (both, *both["noise"]), strict=True):
            low, high = point["interval_95"]
            self.assertEqual(row, [name, f"{100 * point['accuracy']:.2f} %",
                                   f"{point['correct']}/88",
                                   f"{100 * low:.2f} % to {100 * high:.2f} %",
                                   f"{point['loss']:.4f}",
                                   f"{100 * point['calibration']['ece']:.2f} %"])
        rows = self.table(path, "noise-files")
        self.assertEqual(rows[0], ["noise file", "clips", "clean", "2.5 dB", "-10 dB"])
        for i, row in enumerate(rows[1:]):
            scores = [100 * point[i]["accuracy"] for point in (
                both["noise_files"], *(point["files"] for point in both["noise"]))]
            self.assertEqual(row, [(self.long, self.short)[i], "44",
                                   *(f"{score:.2f} %" for score in scores)])
        # The sounds beside the pictures of mistakes are without the noise.
        self.evaluate("--part", "all", "--html", plain)
        mistakes = [support.read_text(page).split("Worst mistakes")[1].split("</section>")[0]
                    for page in (path, plain)]
        self.assertEqual(*mistakes)
        self.assertNotIn('id="noise"', support.read_text(plain))
        self.evaluate("--noise", self.long, "--html", path)
        self.assertEqual(len(self.table(path, "noise")), 6)
        self.assertNotIn("noise-files", support.read_text(path))

    def test_calibration(self):
        report = self.evaluate("--clips")
        bins = report["calibration"]["bins"]
        self.assertEqual(len(bins), 15)
        self.assertEqual(sum(one["count"] for one in bins), 40)
        error = 0
        for m, one in enumerate(bins):
            self.assertAlmostEqual(one["low"], m / 15)
            self.assertAlmostEqual(one["high"], (m + 1) / 15)
            members = [clip for clip in report["clips"]
                       if one["low"] < clip["confidence"] <= one["high"]]
            self.assertEqual(one["count"], len(members))
            if not members:
                self.assertEqual((one["confidence"], one["accuracy"]), (0, 0))
                continue
            confidence = sum(clip["confidence"] for clip in members) / len(members)
            accuracy = sum(clip["label"] == clip["truth"] for clip in members) / len(members)
            self.assertAlmostEqual(one["confidence"], confidence)
            self.assertAlmostEqual(one["accuracy"], accuracy)
            error += len(members) / 40 * abs(accuracy - confidence)
        self.assertGreater(error, 0)
        self.assertAlmostEqual(report["calibration"]["ece"], error)

    def test_out(self):
        path = self.at("evaluation.json")
        options = ("--noise", self.long, "--snr", "10", "--part", "validation", "--out", path)
        report = self.evaluate(*options)
        self.assertNotIn("protocol", report)
        report["protocol"] = {"checkpoint": self.model, "data": self.data, "split": "official",
                              "part": "validation"}
        self.assertEqual(json.loads(support.read_text(path)), report)
        os.unlink(path)
        done = self.ends(decavox("eval", self.model, *options), GOOD)
        self.assertIn("95% interval", done.out)
        self.assertEqual(json.loads(support.read_text(path)), report)
        done = decavox("eval", self.model, "--split", "random", "--data", self.data + "/",
                       "--out", path)
        self.ends(done, GOOD)
        protocol = json.loads(support.read_text(path))["protocol"]
        self.assertEqual(protocol, {"checkpoint": self.model, "data": self.data + "/",
                                    "split": "random", "part": "test"})

    def test_out_is_whole_or_not_there(self):
        path = self.at("full.json")
        before = support.write_text(path, "as it was")
        done = decavox("eval", self.model, "--out", path, limit=100)
        self.ends(done, FAILED, path)
        self.assertEqual(support.read_text(before), "as it was")
        self.assertFalse([name for name in os.listdir(self.folder) if "full.json." in name])
        absent = self.at("absent", "file.json")
        self.ends(decavox("eval", self.model, "--out", absent), FAILED, absent)

    def test_refusals(self):
        os.makedirs(self.at("nothing"))
        text = support.write_text(self.at("text.wav"), "this is no sound")
        empty = support.write_text(self.at("empty.wav"), "")
        for code, options, *parts in (
                (FAILED, ["--noise", self.at("missing")], "--noise: ", "missing: cannot be read: No such file"),
                (FAILED, ["--noise", self.at("nothing")], "nothing: the folder holds no sound file"),
                (FAILED, ["--noise", f"{self.long},{text}"], "--noise: ", text),
                (FAILED, ["--noise", empty], f"{empty}: is empty"),
                (USAGE, ["--noise="], "one of the paths is empty"),
                (USAGE, ["--noise", f"{self.long},"], "one of the paths is empty", self.long),
                (USAGE, ["--snr", "20"], "--snr", "has no effect without --noise"),
                (USAGE, ["--noise_seed", "2"], "--noise_seed", "has no effect without --noise"),
                (USAGE, ["--noise", self.long, "--noise_seed", "-1"], "--noise_seed"),
                (USAGE, ["--noise", self.long, "--snr", "20,loud"], "--snr: 'loud'", "-60 to 100"),
                (USAGE, ["--noise", self.long, "--snr", "nan"], "--snr: 'nan'"),
                (USAGE, ["--noise", self.long, "--snr", "100.5"], "--snr: '100.5'"),
                (USAGE, ["--noise", self.long, "--snr", "20,-61"], "--snr: '-61'"),
                (USAGE, ["--noise", self.long, "--snr", "20,,0"], "--snr: ''")):
            with self.subTest(options[-2:]):
                done = self.ends(decavox("eval", self.model, *options), code, *parts)
                self.assertEqual(done.out, "")


if __name__ == "__main__":
    support.main()
