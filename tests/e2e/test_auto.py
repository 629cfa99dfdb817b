"""train --auto takes sample rate, duration and sizes from the data, prints them, and keeps them
with the run."""
import os

import support
from support import GOOD, USAGE, decavox, read_text


def stretched(digit, number, rate, seconds):
    return support.tone(digit, 0, number, count=int(rate * seconds))


def make_clips(folder, kinds):
    """Writes clips. `kinds` has the (rate, seconds) of the clips of each of three words; the first
    five are for testing."""
    os.makedirs(folder)
    for digit in range(3):
        for index, (rate, seconds) in enumerate([kinds[0]] * 5 + kinds):
            support.write_wav(os.path.join(folder, f"{digit}_ann_{index}.wav"),
                              stretched(digit, index, rate, seconds), rate)
    return folder


class Auto(support.Case):
    epochs = 1

    def train(self, kinds, *more):
        number = len(os.listdir(self.folder))
        data = make_clips(self.at(f"clips{number}"), kinds)
        run = self.at(f"run{number}")
        done = self.ends(decavox("train", self.config, "--data", data, "--out", run, "--auto",
                                 "--set", "data.validation=0", *more), GOOD)
        lines = [line for line in done.out.splitlines() if line.startswith("--auto:")]
        log = read_text(os.path.join(run, "log.txt")).splitlines()
        self.assertEqual(lines, [line for line in log if line.startswith("--auto:")])
        config = read_text(os.path.join(run, "config.yaml"))
        section = config[config.index("features:"):config.index("augment:")]
        features = dict(line.strip().split(": ") for line in section.splitlines()[1:])
        return lines, features, done

    def expect(self, features, **wanted):
        self.assertEqual({key: features[key] for key in wanted},
                         {key: str(value) for key, value in wanted.items()})

    def test_a_high_rate_has_its_sizes(self):
        """Sizes of --set at 8 kHz, and the defaults, last as long at 16 kHz."""
        lines, features, done = self.train([(16000, 0.3)] * 4)
        self.expect(features, sample_rate=16000, duration=1, window=2048, hop=512, n_fft=2048,
                    fmax=0)
        self.assertEqual(lines, [
            "--auto: sample_rate 16000 Hz, since 12 of 12 training clips have 16000 Hz or more",
            "--auto: duration 1 s, the least, since 99 % of the training clips last 0.30 s or "
            "less",
            "--auto: for 16000 Hz in place of the configuration's 8000 Hz: window 2048 (128 ms), "
            "hop 512 (32 ms), n_fft 2048"])
        self.assertNotIn("sample rate", done.out.split("\n", 3)[3])

    def test_a_low_rate_changes_nothing(self):
        lines, features, _ = self.train([(8000, 0.3)] * 4)
        self.expect(features, sample_rate=8000, duration=1, window=1024, hop=256, n_fft=1024)
        self.assertEqual(len(lines), 2)
        self.assertIn("since only 0 of 12 training clips have 16000 Hz or more", lines[0])

    def test_higher_rates_are_no_higher_for_the_model(self):
        _, features, _ = self.train([(44100, 0.2)] * 4)
        self.expect(features, sample_rate=16000, hop=512)

    def test_a_few_clips_of_a_low_rate_among_many(self):
        """3 of 60 are 5 %, and 3 of 57 are more."""
        _, features, _ = self.train([(16000, 0.2)] * 19 + [(8000, 0.2)])
        self.expect(features, sample_rate=16000)
        _, features, _ = self.train([(16000, 0.2)] * 18 + [(8000, 0.2)])
        self.expect(features, sample_rate=8000)

    def test_the_clips_for_testing_do_not_count(self):
        kinds = [(8000, 0.3)] * 4
        number = len(os.listdir(self.folder))
        data = make_clips(self.at(f"clips{number}"), kinds)
        for index in range(5):
            support.write_wav(os.path.join(data, f"0_ann_{index}.wav"),
                              stretched(0, index, 16000, 2.5), 16000)
        done = self.ends(decavox("train", self.config, "--data", data, "--out",
                                 self.at(f"run{number}"), "--auto", "--set",
                                 "data.validation=0"), GOOD)
        self.assertIn("--auto: sample_rate 8000 Hz, since only 0 of 12", done.out)
        self.assertIn("--auto: duration 1 s", done.out)

    def test_long_clips_have_a_long_window(self):
        lines, features, done = self.train([(8000, 0.5)] * 3 + [(8000, 1.73)])
        self.expect(features, duration=1.8)
        self.assertIn("since 99 % of the training clips last 1.73 s or less", lines[1])
        self.assertNotIn("longer than", done.out)
        _, features, _ = self.train([(8000, 5)] * 2)
        self.expect(features, duration=3)
        _, features, _ = self.train([(8000, 1.2)] * 2)
        self.expect(features, duration=1.2)

    def test_what_is_set_stays(self):
        lines, features, _ = self.train([(16000, 1.5)] * 4, "--set", "features.hop=10 ms", "--set",
                                        "features.duration=0.8")
        self.expect(features, sample_rate=16000, duration=0.8, hop=160, window=2048)
        self.assertEqual(len(lines), 2)
        self.assertNotIn("hop", lines[1])
        _, features, _ = self.train([(16000, 0.3)] * 4, "--set", "features.sample_rate=12000",
                                    "--set", "features.n_fft=auto")
        self.expect(features, sample_rate=12000, window=1536, hop=384, n_fft=2048)

    def test_sizes_of_the_configuration_at_its_own_rate(self):
        config = support.write_text(self.at("wide.yaml"), support.CONFIG.format(
            model=support.MODEL, epochs=1).replace(
                "n_mels: 32", "{sample_rate: 16000, window: 320, hop: 10 ms, n_fft: 512, "
                              "n_mels: 20, fmax: 7000}").replace(
                                  "features:\n  {", "features: {"))
        data = make_clips(self.at("wide"), [(8000, 0.3)] * 4)
        done = self.ends(decavox("train", config, "--data", data, "--out", self.at("wide_run"),
                                 "--auto"), GOOD)
        self.assertIn("for 8000 Hz in place of the configuration's 16000 Hz: window 160 (20 ms), "
                      "n_fft 256, fmax 3500", done.out)
        config = read_text(os.path.join(self.at("wide_run"), "config.yaml"))
        for line in ("hop: 80", "window: 160", "n_fft: 256", "fmax: 3500"):
            self.assertIn(f"\n  {line}\n", config)

    def test_what_is_refused(self):
        self.ends(decavox("train", self.config, "--auto", "--out", self.at("none")), USAGE,
                  "data.path")
        self.ends(decavox("train", self.config, "--auto", "--data", self.data, "--set",
                          "features.sample_rate=fast", "--out", self.at("none")), USAGE,
                  "sample_rate")
        run = self.train_once(self.at("resumed"), "--split", "official")
        self.ends(decavox("train", "--resume", run, "--auto"), USAGE, "--auto")


if __name__ == "__main__":
    support.main()
