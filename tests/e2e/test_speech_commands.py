"""The two tasks of Speech Commands, on a synthetic folder with its layout."""
import csv
import json
import os
import re

import support
from support import GOOD, decavox, write_text

TEN = ["yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go"]
OTHERS = ["backward", "bed", "bird", "cat", "dog", "eight", "five", "follow", "forward", "four",
          "happy", "house", "learn", "marvin", "nine", "one", "seven", "sheila", "six", "three",
          "tree", "two", "visual", "wow", "zero"]
SPEAKERS = 6  # the first two are in the test, the third is in the validation part


def make_commands(folder):
    lists = {"testing_list.txt": [], "validation_list.txt": []}
    for number, word in enumerate(TEN + OTHERS):
        os.makedirs(os.path.join(folder, word))
        for speaker in range(SPEAKERS):
            name = f"{word}/s{speaker}_nohash_0.wav"
            support.write_wav(os.path.join(folder, name),
                              support.tone(number % 5, speaker, number, count=800))
            if speaker < 3:
                lists["testing_list.txt" if speaker < 2 else "validation_list.txt"].append(name)
    for name, lines in lists.items():
        write_text(os.path.join(folder, name), "\n".join(lines) + "\n")
    noise = os.path.join(folder, "_background_noise_")
    os.mkdir(noise)
    write_text(os.path.join(noise, "README.md"), "noise\n")
    for name, seconds in (("hum.wav", 20), ("tap.wav", 70)):
        support.write_wav(os.path.join(noise, name), support.tone(2, 0, 0, 800) * (10 * seconds))
    return folder


class SpeechCommands(support.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.commands = make_commands(cls.at("commands"))

    def train(self, config, *more):
        run = self.at(f"run{len(os.listdir(self.folder))}")
        done = self.ends(decavox("train", os.path.join(support.ROOT, "configs", config), "--data",
                                 self.commands, "--out", run, "--epochs", "1", "--set",
                                 "train.max_steps=2", "--batch_size", "16", *more), GOOD)
        return run, done

    @staticmethod
    def clips_tested(run):
        """The number of test clips, {class: clips}."""
        with open(os.path.join(run, "confusion.csv"), encoding="utf-8", newline="") as file:
            return {row[0]: sum(int(n) for n in row[1:]) for row in list(csv.reader(file))[1:]}

    def test_twelve_classes(self):
        run, done = self.train("speech_commands_12.yaml")
        self.assertEqual(self.clips_tested(run),
                         {label: 2 for label in sorted(TEN + ["_unknown_", "_silence_"])})
        self.assertIn("36 training and 12 validation clips, 12 classes", done.out + done.err)

        again, _ = self.train("speech_commands_12.yaml")
        for name in ("model.safetensors", "confusion.csv"):
            self.assertEqual(support.read_bytes(os.path.join(run, name)),
                             support.read_bytes(os.path.join(again, name)), name)

    def test_thirty_five_classes(self):
        run, done = self.train("speech_commands_35.yaml")
        self.assertEqual(self.clips_tested(run), {label: 2 for label in sorted(TEN + OTHERS)})
        self.assertIn("105 training and 35 validation clips, 35 classes", done.out + done.err)

    def test_an_evaluation_takes_the_same_clips(self):
        run, _ = self.train("speech_commands_12.yaml")
        model = os.path.join(run, "model.safetensors")
        done = self.ends(decavox("eval", model, "--format", "json", "--clips"), GOOD)
        clips = json.loads(done.out)["clips"]
        self.assertEqual(len(clips), 24)
        noise = [clip for clip in clips if "/_background_noise_/" in clip["file"]]
        self.assertEqual({clip["truth"] for clip in noise}, {"_silence_"})
        self.assertEqual(len({(clip["file"], clip["start"]) for clip in noise}), 2)
        self.assertFalse([clip for clip in clips if clip not in noise and "start" in clip])

    def test_mistakes_say_where_a_stretch_begins(self):
        """All sounds are the same, so every answer is the commonest class and all noise is
        wrong."""
        folder = self.at("same")
        tested = []
        for word, count in (("yes", 14), ("no", 4), ("_background_noise_", 1)):
            os.makedirs(os.path.join(folder, word))
            names = [f"{word}/s{i}_nohash_0.wav" for i in range(count)]
            tested += names[:2]
            for name in names:
                support.write_wav(os.path.join(folder, name),
                                  [0.0] * (800 if count > 1 else 40 * support.RATE))
        write_text(os.path.join(folder, "testing_list.txt"), "\n".join(tested) + "\n")
        write_text(os.path.join(folder, "validation_list.txt"), "")
        run = self.at("same_run")
        self.ends(decavox("train", self.config, "--data", folder, "--out", run, "--epochs", "30",
                          "--set", "data.silence=0.5", "--set", "data.validation=0"), GOOD)
        self.assertEqual(self.clips_tested(run), {"_silence_": 1, "no": 2, "yes": 2})
        page = support.read_text(os.path.join(run, "report.html"))
        self.assertRegex(page, r">s0_nohash_0\.wav at \d+\.\d{3} s</span><br/>true <b>_silence_<")

    def test_examples_say_where_a_stretch_begins(self):
        done = self.ends(decavox(
            "augment", os.path.join(support.ROOT, "configs", "speech_commands_12.yaml"), "--data",
            self.commands, "--out", self.at("examples"), "--count", "36"), GOOD)
        lines = [line for line in done.out.splitlines() if "_silence_.wav" in line]
        self.assertEqual(len(lines), 3, done.out)
        for line in lines:
            self.assertRegex(line, r"from \S*/_background_noise_/\w+\.wav at \d+\.\d{3} s: shift")
        self.assertEqual(len(re.findall(r" at \d+\.\d{3} s: shift", done.out)), 3)


if __name__ == "__main__":
    support.main()
