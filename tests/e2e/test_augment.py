"""Augmented examples as files, and training with everything on."""
import math
import os
import struct
import wave

import support
from support import FAILED, GOOD, USAGE, decavox

EVERYTHING = ("speed=1.15", "noise=0.7", "reverberation=0.5", "clipping=0.5", "gap=0.3",
              "telephone=0.3", "equalizer=3", "warp=1.1", "frequency_masks=1", "time_masks=1", "mixup=0.4")


def switches(*settings):
    return [word for setting in settings for word in ("--set", "augment." + setting)]


def read_wav(path):
    with wave.open(path, "rb") as file:
        assert file.getframerate() == support.RATE and file.getnchannels() == 1
        count = file.getnframes()
        return struct.unpack(f"<{count}h", file.readframes(count))


class Augment(support.Case):
    epochs = 1

    def examples(self, name, *more, count=6):
        out = self.at(name)
        done = self.ends(decavox("augment", self.config, "--data", self.data, "--out", out,
                                 "--count", str(count), *more), GOOD)
        names = sorted(os.listdir(out))
        self.assertEqual(len(names), count)
        self.assertEqual(len(done.out.splitlines()), count)
        return done, [os.path.join(out, n) for n in names]

    def test_examples(self):
        done, plain = self.examples("plain")
        for path in plain:
            sound = read_wav(path)
            self.assertEqual(len(sound), support.RATE)
            self.assertGreater(max(sound), 1000)
        self.assertIn("shift", done.out)
        self.assertNotIn("noise", done.out)
        _, again = self.examples("again/in/folders")  # parents are made too
        for a, b in zip(plain, again):
            self.assertEqual(support.read_bytes(a), support.read_bytes(b))
        _, other = self.examples("other", "--step", "1")
        _, seeded = self.examples("seeded", "--seed", "9")
        self.assertNotEqual(support.read_bytes(plain[0]), support.read_bytes(other[0]))
        self.assertNotEqual([support.read_bytes(p) for p in plain],
                            [support.read_bytes(p) for p in seeded])

    def test_noise_is_heard_and_told(self):
        noise = self.at("noises")
        os.makedirs(noise)
        support.write_wav(os.path.join(noise, "hum.wav"),
                          [0.5 * math.sin(2 * math.pi * 50 * t / support.RATE)
                           for t in range(3 * support.RATE)])
        done, paths = self.examples("noisy", *switches("noise=1", "noise_snr=[3, 3]",
                                                       "noise_colors=0", "noise_path=" + noise,
                                                       "gain=0"))
        self.assertEqual(done.out.count("noise 3.0 dB below"), 6)
        for path in paths:  # also where the clip is over
            self.assertGreater(max(abs(s) for s in read_wav(path)[-400:]), 500)

    def test_all_of_it(self):
        done, _ = self.examples("all", *switches(*EVERYTHING, "speed=1.5"), count=30)
        for part in ("speed", "reverberation", "noise", "clipping", "gap", "telephone"):
            self.assertIn(part, done.out)

    def test_help_names_every_split(self):
        text = self.ends(decavox("augment", "--help"), GOOD).out
        for split in ("official", "random", "speaker", "train", "fold:I/K", "leave_one_out:NAME"):
            self.assertRegex(text, rf"--split[^-]*{split}")

    def test_mistakes(self):
        base = ("augment", self.config, "--out", self.at("bad"))
        self.ends(decavox(*base), USAGE, "--data")
        self.ends(decavox("augment", self.config, "--data", self.data), USAGE, "out")
        self.ends(decavox(*base, "--data", self.data, *switches("noise=1", "noise_path=/nowhere")),
                  FAILED, "/nowhere")
        self.ends(decavox(*base, "--data", self.data, *switches("noise=2")), USAGE, "noise")
        self.ends(decavox(*base, "--data", self.data, *switches("noise_snr=[9, 3]", "noise=1")),
                  USAGE, "noise_snr")
        file = support.write_text(self.at("file"), "")
        self.ends(decavox("augment", self.config, "--data", self.data, "--out", file), FAILED, file)

    def test_training_with_everything(self):
        runs = []
        for threads in (1, 2):
            run = self.train_once(self.at(f"run{threads}"), "--device", "ref",
                                  *switches(*EVERYTHING), threads=threads)
            self.assertIn("mixup: 0.4", support.read_text(os.path.join(run, "config.yaml")))
            runs.append(support.read_bytes(os.path.join(run, "model.safetensors")))
        self.assertEqual(*runs)


if __name__ == "__main__":
    support.main()
