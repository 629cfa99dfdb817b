"""`data`, and `train` before it trains, check the data. Each planted fault is found, named, and
reported once; data without a fault have no findings."""
import json
import os
import re
import shutil
import struct
import unicodedata
import urllib.parse
import wave
import xml.etree.ElementTree

import support
from support import FAILED, GOOD, USAGE, decavox

OPTIONS = ["--split", "official", "--batch_size", "8", "--set", "data.validation=0.2"]


def tone(path, digit=1, number=99, scale=1.0, rate=support.RATE, count=2400):
    support.write_wav(path, [scale * s for s in support.tone(digit, 0, number, count)], rate)


def write_stereo(path, left, right):
    with wave.open(path, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(support.RATE)
        for pair in zip(left, right):
            file.writeframes(struct.pack("<2h", *(int(32767 * s) for s in pair)))


# ---- The faults. Each function changes a clean folder, and may return options ----

def note(folder):
    """Makes CLASS/SPEAKER, which could also be SPEAKER/CLASS."""
    for name in os.listdir(folder):
        label, speaker, index = name.split("_")
        os.makedirs(os.path.join(folder, label, speaker), exist_ok=True)
        os.rename(os.path.join(folder, name), os.path.join(folder, label, speaker, index))
    return ["--split", "random"]


def unreadable(folder):
    support.write_text(os.path.join(folder, "2_ann_7.wav"), "no sound")


def kind_not_read(folder):
    for name in ("a.m4a", "b.M4A", "README.md", "LICENSE"):
        support.write_text(os.path.join(folder, name), "")


def no_training_clips(folder):
    tone(os.path.join(folder, "7_ann_0.wav"))


def no_test_clips(folder):
    for index in (5, 6, 7):
        tone(os.path.join(folder, f"7_ann_{index}.wav"), 7, index)


def two_labels(folder, labels):
    for digit, label in enumerate(labels, 5):
        for index in (0, 5, 6, 7, 8):
            tone(os.path.join(folder, f"{label}_ann_{index}.wav"), digit, index)


def labels_by_case(folder):
    two_labels(folder, ("Yes", "yes"))


def labels_by_form(folder):
    two_labels(folder, [unicodedata.normalize(form, "sì") for form in ("NFC", "NFD")])


def speaker_is_class(folder):
    for name in os.listdir(folder):
        label, speaker, index = name.removesuffix(".wav").split("_")
        index = int(index) + 11 * (speaker == "bob")
        os.rename(os.path.join(folder, name), os.path.join(folder, f"{label}_s{label}_{index}.wav"))
    return ["--split", "random"]


def copy(folder, name, other):
    shutil.copy(os.path.join(folder, name), os.path.join(folder, other))


def same_in_two_classes(folder):
    copy(folder, "1_ann_6.wav", "2_ann_6.wav")


def same_in_two_parts(folder):
    copy(folder, "0_ann_6.wav", "0_ann_2.wav")


def same_in_one_part(folder):
    copy(folder, "0_ann_0.wav", "0_ann_1.wav")


def silent(folder):
    tone(os.path.join(folder, "3_bob_7.wav"), scale=0)
    tone(os.path.join(folder, "3_bob_8.wav"), scale=0)


def clipped(folder):
    tone(os.path.join(folder, "3_bob_7.wav"), scale=3)


def cancelling_channels(folder):
    samples = support.tone(3, 0, 99)
    write_stereo(os.path.join(folder, "3_bob_7.wav"), samples, [-s for s in samples])


def not_in_order(folder):
    """Makes a file of a stopped recorder, whose header promises 0 bytes."""
    with open(os.path.join(folder, "3_bob_7.wav"), "r+b") as file:
        file.seek(40)
        file.write(bytes(4))


def longer_than_window(folder):
    tone(os.path.join(folder, "3_bob_7.wav"), count=12000)
    tone(os.path.join(folder, "3_bob_8.wav"), count=10000)


def higher_rate(folder):
    tone(os.path.join(folder, "3_bob_7.wav"), rate=44100)


def lower_rate(folder):
    tone(os.path.join(folder, "3_bob_7.wav"), rate=4000)


def batch_cut(_):
    return ["--batch_size", "64"]


def dropped(_):
    return ["--batch_size", "20"]


FAULTS = [  # function, kind, count, parts of the sentence
    (note, "note", 1, ["CLASS/SPEAKER", "data.layout speaker/class"]),
    (unreadable, "unreadable", 1, ["2_ann_7.wav: is a text, not a sound file"]),
    (kind_not_read, "kind_not_read", 2, ["2 files", "2 .m4a;"]),
    (no_training_clips, "no_training_clips", 1, ["1 class has no clip for training: '7'"]),
    (no_test_clips, "no_test_clips", 1, ["1 class has no clip in the test part: '7'"]),
    (labels_by_case, "labels_alike", 2, ["'Yes' and 'yes'"]),
    (labels_by_form, "labels_alike", 2, ["2 labels look alike", "'s"]),
    (speaker_is_class, "speaker_is_class", 4, ["4 speakers", "'s0' says '0'"]),
    (same_in_two_classes, "same_in_two_classes", 1, ["1_ann_6.wav' (1) and", "2_ann_6.wav' (2)"]),
    (same_in_two_parts, "same_in_two_parts", 1, ["0_ann_2.wav' (test) and", "0_ann_6.wav' ("]),
    (same_in_one_part, "same_in_one_part", 1, ["0_ann_0.wav' and", "0_ann_1.wav'"]),
    (silent, "silent", 2, ["2 clips are silent:", "3_bob_7.wav' and", "3_bob_8.wav'"]),
    (clipped, "clipped", 1, ["1 clip is clipped:", "3_bob_7.wav'"]),
    (cancelling_channels, "cancelling_channels", 1, ["1 clip,", "_7.wav: the channels cancel"]),
    (not_in_order, "not_in_order", 1, ["1 clip,", "3_bob_7.wav: the header says 0 bytes"]),
    (longer_than_window, "longer_than_window", 2, ["2 clips", "the 1 s", "1.50 s", "3_bob_7.wav'"]),
    (higher_rate, "higher_rate", 1, ["8000 Hz, up to 44100 Hz", "3_bob_7.wav'"]),
    (lower_rate, "lower_rate", 1, ["8000 Hz, down to 4000 Hz", "3_bob_7.wav'"]),
    (batch_cut, "batch_cut", 38, ["batch_size is 64", "38 clips"]),
    (dropped, "dropped", 18, ["18 of the 38 training clips (47 %)"]),
]


def warnings_of(text):
    return [line.removeprefix("warning: ") for line in text.splitlines()
            if line.startswith("warning: ")]


def findings_on(page):
    """The items of the list below the heading, or None."""
    root = xml.etree.ElementTree.fromstring(support.read_text(page))
    for section in root.iter("section"):
        if section.find("h2").text.startswith("Findings"):
            return ["".join(item.itertext()).strip() for item in section.iter("li")]
    return None


class Look(support.Case):
    epochs = 1

    def look(self, folder, *options):
        done = self.ends(decavox("data", folder, *OPTIONS, "--format", "json", *options), GOOD)
        self.assertEqual(done.err, "")
        return json.loads(done.out)

    def train(self, name, folder, *options):
        run = self.at(name)
        return run, decavox("train", self.config, "--data", folder, "--out", run, "--set",
                            "train.max_steps=1", *options)

    def planted(self, plant):
        folder = self.at("planted_" + plant.__name__)
        shutil.copytree(self.data, folder)
        return folder, plant(folder) or []

    def test_each_fault(self):
        for plant, kind, count, parts in FAULTS:
            with self.subTest(fault=plant.__name__):
                folder, options = self.planted(plant)
                finding, = self.look(folder, *options)["findings"]
                self.assertEqual((finding["kind"], finding["count"]), (kind, count))
                for part in parts:
                    self.assertIn(part, finding["text"])
                for path in finding["examples"]:
                    self.assertTrue(os.path.isfile(path), path)
                shown = self.ends(decavox("data", folder, *OPTIONS, *options), GOOD).out
                self.assertEqual(shown.count(finding["text"]), 1)
                self.ends(decavox("data", folder, *OPTIONS, *options, "--strict"), FAILED,
                          "1 finding in the data")
                run, done = self.train("run_" + plant.__name__, folder, *options)
                self.ends(done, GOOD)
                warning, = warnings_of(done.out)
                if kind == "unreadable":
                    self.assertTrue(warning.startswith("a clip is left out: "), warning)
                else:
                    self.assertEqual(warning, finding["text"])
                self.assertNotIn("warning", done.err)
                self.assertEqual(findings_on(os.path.join(run, "report.html")), [finding["text"]])

    def test_all_kinds_are_planted(self):
        names = re.findall(r'^    X\(\w+, "(\w+)"\)', support.read_text(
            os.path.join(support.ROOT, "frontends", "dataset", "look.h")), re.M)
        self.assertEqual(set(names), {kind for _, kind, _, _ in FAULTS})

    def test_nothing_is_said_of_clean_data(self):
        self.assertEqual(self.look(self.data)["findings"], [])
        self.assertNotIn("found", self.ends(decavox("data", self.data, *OPTIONS, "--strict"),
                                            GOOD).out)
        run, done = self.train("clean", self.data, "--strict")
        self.ends(done, GOOD)
        self.assertEqual(warnings_of(done.out), [])
        self.assertIsNone(findings_on(os.path.join(run, "report.html")))

    def test_strict(self):
        """All findings are named before the training ends."""
        folder = self.at("strict")
        shutil.copytree(self.data, folder)
        for plant in (unreadable, silent, same_in_two_classes):
            plant(folder)
        run, done = self.train("strict_run", folder, "--strict")
        self.ends(done, FAILED, "3 findings in the data, and with `strict` each is an error")
        self.assertEqual(len(warnings_of(done.out)), 3)
        self.assertFalse(os.path.exists(os.path.join(run, "model.safetensors")))

    def test_one_class_is_refused(self):
        folder = self.at("below")
        shutil.copytree(self.data, os.path.join(folder, "recordings"))
        self.ends(decavox("data", folder), FAILED, "recordings")


class Shown(support.Case):
    """Reports about data without faults."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.odd = os.path.join(cls.data, "0_a b#é%41_9.wav")
        tone(cls.odd, number=1, scale=0.5, count=4800)
        support.write_text(os.path.join(cls.data, "notes.txt"), "")

    def json(self, *options):
        return json.loads(self.ends(decavox("data", self.data, *OPTIONS, "--format=json",
                                            *options), GOOD).out)

    def test_numbers(self):
        seen = self.json()
        self.assertEqual(next(iter(seen)), "generator")
        self.assertEqual((seen["data"], seen["split"], seen["clips"]), (self.data, "official", 89))
        self.assertEqual(seen["parts"]["test"], 40)
        self.assertEqual(sum(seen["parts"].values()), 89)
        self.assertEqual([(c["label"], c["clips"], c["parts"]["test"]) for c in seen["classes"]],
                         [("0", 23, 10), ("1", 22, 10), ("2", 22, 10), ("3", 22, 10)])
        self.assertEqual(seen["speakers"], [{"speaker": "a b#é%41", "clips": 1},
                                            {"speaker": "ann", "clips": 44},
                                            {"speaker": "bob", "clips": 44}])
        seconds = seen["seconds"]
        self.assertEqual([seconds[k] for k in ("least", "p5", "median", "p95", "most")],
                         [0.3, 0.3, 0.3, 0.3, 0.6])
        self.assertAlmostEqual(seconds["total"], 88 * 0.3 + 0.6)
        self.assertEqual(seen["sample_rates"], [{"hz": 8000, "clips": 89}])
        self.assertEqual(seen["channels"], [{"channels": 1, "clips": 89}])
        self.assertAlmostEqual(seen["rms_db"]["median"], -12, delta=0.3)
        self.assertLess(seen["rms_db"]["least"], -17)
        self.assertAlmostEqual(seen["peak_db"]["median"], -5.4, delta=0.5)
        self.assertEqual(seen["left_out"], {"files": 1,
                                            "kinds": [{"ending": ".txt", "files": 1}]})
        self.assertEqual((seen["unreadable"], seen["findings"]), ([], []))

    def test_quantiles(self):
        """A quantile is the length that this share of the clips does not exceed."""
        folder = self.at("lengths")
        os.makedirs(folder)
        for i in range(1, 6):
            tone(os.path.join(folder, f"{i % 2}_ann_{i}.wav"), number=i, count=800 * i)
        done = self.ends(decavox("data", folder, "--split=train", "--format=json"), GOOD)
        seconds = json.loads(done.out)["seconds"]
        self.assertEqual([seconds[k] for k in ("least", "p5", "median", "p95", "most", "total")],
                         [0.1, 0.1, 0.3, 0.5, 0.5, 1.5])

    def test_channels(self):
        """Levels are those of the loudest channel, not of the mean."""
        folder = self.at("stereo")
        os.makedirs(folder)
        tone(os.path.join(folder, "0_ann_1.wav"), scale=0.25)
        write_stereo(os.path.join(folder, "1_ann_1.wav"), [0] * 2400, support.tone(1, 0, 1))
        done = self.ends(decavox("data", folder, "--split=train", "--format=json"), GOOD)
        seen = json.loads(done.out)
        self.assertEqual(seen["channels"], [{"channels": 1, "clips": 1},
                                            {"channels": 2, "clips": 1}])
        self.assertAlmostEqual(seen["peak_db"]["most"], -5.4, delta=0.5)
        self.assertAlmostEqual(seen["rms_db"]["most"], -12, delta=0.3)
        self.assertAlmostEqual(seen["rms_db"]["least"], -24, delta=0.3)

    def test_options(self):
        exclude = support.write_text(self.at("out.csv"), "file\n1_ann_0.wav\n")
        self.assertEqual(self.json("--exclude", exclude)["clips"], 88)
        self.assertEqual(self.json("--split", "train")["parts"]["test"], 0)
        kinds = [f["kind"] for f in self.json("--sample_rate", "16000", "--duration", "0.5")
                 ["findings"]]
        self.assertEqual(kinds, ["longer_than_window", "lower_rate"])
        self.ends(decavox("data", self.data, "--layout", "class"), FAILED, "data.layout class")
        self.ends(decavox("data", self.data, "--layout", "clas"), USAGE, "class")
        self.ends(decavox("data", self.data, "--set", "data.nothing=1"), USAGE, "nothing")
        self.ends(decavox("data"), USAGE)
        self.ends(decavox("data", self.at("missing")), FAILED, "missing: No such file")

    def test_text(self):
        text = self.ends(decavox("data", self.data, *OPTIONS), GOOD).out
        for line in (r"clips +89: 39 training, 10 validation, 40 test",
                     r"speakers +3: a b#é%41 \(1\), ann \(44\), bob \(44\)",
                     r"duration +least 0\.30 s, median 0\.30 s, 0\.30 s at 95 %, most 0\.60 s, "
                     r"total 27\.0 s",
                     r"sample rate +8000 Hz \(89 clips\)", r"other files +1 \.txt",
                     r" +\d+ +\d+ +10 +23  0"):
            self.assertRegex(text, "(?m)^" + line + "$")

    def test_page(self):
        os.makedirs(self.at("pages", "deep"))
        data = shutil.copytree(self.data, self.at("heard"))
        silent(data)
        for page in (self.at("pages", "deep", "data.html"), self.at("data.html"),
                     os.path.join(data, "data.html")):
            self.ends(decavox("data", data, *OPTIONS, "--html", page), GOOD)
            text = support.read_text(page)
            self.assertNotIn("http", text)
            root = xml.etree.ElementTree.fromstring(text)
            paths = [urllib.parse.urlsplit(audio.get("src")).path for audio in root.iter("audio")]
            sounds = [os.path.join(os.path.dirname(page), urllib.parse.unquote(path))
                      for path in paths]
            names = [os.path.basename(path) for path in sounds]
            self.assertEqual(names[:2], ["3_bob_7.wav", "3_bob_8.wav"])  # those with findings
            self.assertEqual(len(names), 2 + 2 * 4)
            self.assertIn(os.path.basename(self.odd), names)
            for path, audio in zip(sounds, root.iter("audio")):
                self.assertTrue(os.path.isfile(path), path)
                self.assertEqual(audio.get("preload"), "none")
            self.assertEqual(len(list(root.iter("svg"))), 3)
            bars = [[int(t.text.rsplit(" ", 1)[1]) for t in svg.iter("title") if " to " in t.text]
                    for svg in root.iter("svg")]
            self.assertEqual([sum(bar) for bar in bars], [89] * 3)

    def test_the_page_replaces_no_other_file(self):
        mine = support.write_text(self.at("mine.html"), "mine")
        self.ends(decavox("data", self.data, "--html", mine), FAILED, "--force")
        self.assertEqual(support.read_text(mine), "mine")
        self.ends(decavox("data", self.data, "--html", mine, "--force"), GOOD)
        self.ends(decavox("data", self.data, "--html", mine), GOOD)
        self.ends(decavox("data", self.data, "--html", self.odd), USAGE, "sound file")
        exclude = support.write_text(self.at("list.csv"), "file\n1_ann_0.wav\n")
        self.ends(decavox("data", self.data, "--exclude", exclude, "--html", exclude, "--force"),
                  USAGE, "never replaced")


if __name__ == "__main__":
    support.main()
