"""Front-ends by name: `features: fine`, with keys of one's own, in files and on the command line."""
import os

import support
from support import GOOD, USAGE, decavox, read_text, write_text

PLAIN = """\
data: {{split: official, validation: 0}}
features: {features}
model: {{name: small, layers: [global_avgpool: , linear: {{units: classes}}]}}
train: {{epochs: 1, batch_size: 8, max_steps: 1}}
"""


class Presets(support.Case):
    def features(self, config, *more):
        run = self.at(f"run{len(os.listdir(self.folder))}")
        done = self.ends(decavox("train", config, "--data", self.data, "--out", run, *more), GOOD)
        config = read_text(os.path.join(run, "config.yaml"))
        section = config[config.index("features:"):config.index("augment:")]
        return dict(line.strip().split(": ") for line in section.splitlines()[1:]), done

    def write(self, features, name="c.yaml"):
        return write_text(self.at(name), PLAIN.format(features=features))

    def expect(self, features, **wanted):
        self.assertEqual({key: features[key] for key in wanted},
                         {key: str(value) for key, value in wanted.items()})

    def test_names_in_a_file(self):
        features, done = self.features(self.write("fine"))
        self.expect(features, type="mel", n_mels=40, hop=100, window=256, mel_norm="sum")
        self.assertIn("features 40 x 81", done.out)
        for kind, size in (("mfcc", "13 x 32"), ("mel", "64 x 32"), ("spectrogram", "513 x 32")):
            _, done = self.features(self.write(f"{{preset: document, type: {kind}}}"))
            self.assertIn(f"features {size}", done.out)
        _, done = self.features(self.write("coarse"))
        self.assertIn("features 40 x 33", done.out)
        features, done = self.features(self.write("ced"))
        self.expect(features, type="fbank", sample_rate=16000, level="none", placement="middle")
        self.assertIn("features 64 x 100", done.out)

    def test_keys_beside_the_name(self):
        features, _ = self.features(self.write("{hop: 128, preset: fine, top_db: 30}"))
        self.expect(features, hop=128, top_db=30, window=256, n_mels=40)

    def test_the_command_line_comes_last(self):
        config = self.write("{preset: fine, hop: 128, n_mels: 32}")
        features, _ = self.features(config, "--features", "coarse")
        self.expect(features, hop=250, n_mels=40)
        features, _ = self.features(config, "--features", "coarse", "--set", "features.hop=10 ms")
        self.expect(features, hop=80, window=400)
        features, _ = self.features(config, "--set", "features=coarse")
        self.expect(features, hop=250)

    def test_a_name_replaces_what_the_base_says(self):
        self.write("{hop: 90, n_fft: 2048, level: peak}", "base.yaml")
        top = write_text(self.at("top.yaml"), "base: base.yaml\nfeatures: fine\n")
        features, _ = self.features(top)
        self.expect(features, hop=100, n_fft=512, level="peak")

    def test_a_preset_of_ones_own(self):
        os.makedirs(self.at("features"), exist_ok=True)
        write_text(self.at("features", "mine.yaml"), "type: mel\nn_mels: 20\nhop: 20 ms\n")
        for config, more in ((self.write("mine"), []), (self.write("fine", "d.yaml"),
                                                         ["--features", "mine"])):
            features, _ = self.features(config, *more)
            self.expect(features, n_mels=20, hop=160)

    def test_with_auto(self):
        data = self.at("wide")
        os.mkdir(data)
        for digit in range(3):
            for index in range(7):
                support.write_wav(os.path.join(data, f"{digit}_ann_{index}.wav"),
                                  support.tone(digit, 0, index, 3200), 16000)
        for more in (["--features", "fine"], ["--set", "features=fine"]):
            features, _ = self.features(self.write("coarse"), "--data", data, "--auto", *more)
            self.expect(features, sample_rate=16000, hop=200, window=512, n_fft=1024, fmax=7800)

    def test_what_is_refused(self):
        def train(features, *more):
            return decavox("train", self.write(features), "--data", self.data, "--out",
                           self.at("none"), *more)
        self.ends(train("fien"), USAGE, "c.yaml:2: features: there is no preset 'fien'; did ",
                  "you mean 'fine'? There are ced, coarse, document, fine")
        self.ends(train("fine", "--features", "fien"), USAGE, "there is no preset 'fien'")
        self.ends(train("fine", "--set", "base=coarse.yaml"), USAGE, "base: only a configuration file")
        for wrong in ("../fine", "{preset: [fine]}", "{preset: }", "{preset: {a: b}}"):
            self.ends(train(wrong), USAGE, "a preset must be a name")
        self.ends(train("nope"), USAGE, "there is no preset 'nope'; there are ced, coarse")
        os.makedirs(self.at("features"), exist_ok=True)
        write_text(self.at("features", "on_top.yaml"), "preset: fine\nhop: 90\n")
        self.ends(train("on_top"), USAGE, "on_top.yaml:1", "leave out the key preset")
        self.ends(train("{preset: fine, hopp: 1}"), USAGE, "unknown key 'hopp'")


if __name__ == "__main__":
    support.main()
