"""Every key of a list or a map also takes it on the command line, by --set and by its option."""
import os
import re

import support
from support import GOOD, USAGE, decavox, write_text

# {key: (given text, text in config.yaml)}
LISTS = {
    "data.labels": ("[3, 0, 1, 2]", "labels: [3, 0, 1, 2]"),
    "data.more": ("[{path: MORE, split: train}]", "path: MORE"),
    "augment.noise_snr": ("[5,20]", "noise_snr: [5, 20]"),
    "augment.reverberation_time": ("[100, 200]", "reverberation_time: [100, 200]"),
    "augment.clipping_level": ("[1,2]", "clipping_level: [1, 2]"),
    "augment.gap_time": ("[10,20]", "gap_time: [10, 20]"),
    "train.class_weights": ("[1,2,1,1]", "class_weights: [1, 2, 1, 1]"),
    "train.freeze": ('["conv_1.*", norm_1.weight]', 'freeze: ["conv_1.*", norm_1.weight]'),
    "model.layers": ("[{frames: }, {conv2d: {filters: 4, kernel: [1, 3], name: conv_1}}, "
                     "{batchnorm: {name: norm_1}}, {global_maxpool: }, "
                     "{linear: {units: classes}}]", "- conv2d: {filters: 4"),
}


class Lists(support.Case):
    epochs = 1

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.more = support.make_data(cls.at("more"), speakers=("cid",), count=2)

    def train(self, *arguments, code=GOOD):
        run = self.at(f"run{len(os.listdir(self.folder))}")
        return run, self.ends(decavox("train", self.config, "--data", self.data, "--out", run,
                                      "--set", "train.max_steps=1", *arguments), code)

    def resolved(self, run):
        return support.read_text(os.path.join(run, "config.yaml"))

    def test_no_key_is_forgotten(self):
        section, keys = "", set()
        for line in self.ends(decavox("info", "--config"), GOOD).out.splitlines():
            section = line.rstrip(":") if re.match("[a-z]", line) else section
            tree = re.match("  # ([a-z_]+):  ", line)  # the kind of a tree has no default
            pair = re.match(r"  ([a-z_]+):.* one number or \[a, b\]", line)
            keys |= {f"{section}.{match[1]}" for match in (tree, pair) if match}
        self.assertEqual(keys | {"model.layers"}, set(LISTS))

    def test_by_set(self):
        words = []
        for key, (value, _) in LISTS.items():
            words += ["--set", f"{key}={value}".replace("MORE", self.more)]
        run, _ = self.train(*words)
        config = self.resolved(run)
        for key, (_, told) in LISTS.items():
            self.assertIn(told.replace("MORE", self.more), config, key)

    def test_by_the_option(self):
        for words in (["--class_weights", "[1,2,1,1]"], ["--class_weights=[1, 2, 1, 1]"],
                      ["--class-weights", "[ 1, 2,1,1 ]"]):
            run, _ = self.train(*words)
            self.assertIn("class_weights: [1, 2, 1, 1]", self.resolved(run))
        layers = LISTS["model.layers"][0]
        run, _ = self.train("--model_type", "{name: given, layers: %s}" % layers)
        self.assertIn("name: given", self.resolved(run))

    def test_refusals_speak_of_the_list(self):
        _, done = self.train("--class_weights", "[1,2]", code=USAGE)
        self.assertIn("--class_weights", done.err)
        self.assertIn("2 weights for 4 labels", done.err)
        self.assertNotIn("expected", done.err)
        _, done = self.train("--class_weights", "[1,2", code=USAGE)
        self.assertIn("--class_weights", done.err)
        _, done = self.train("--class_weights", "heavy", code=USAGE)
        self.assertIn("expected none, balanced or a list", done.err)

    def test_a_text_stays_a_text(self):
        """For a key of one value, a text that begins like a list is a name."""
        name = self.at("[1] {a}")
        os.symlink(self.data, name)
        for words in (["--data", "[1] {a}"], ["--set", "data.path=[1] {a}"]):
            run = self.at(f"run{len(os.listdir(self.folder))}")
            self.ends(decavox("train", self.config, "--out", run, "--set", "train.max_steps=1",
                              *words, folder=self.folder), GOOD)
            self.assertIn("path: '[1] {a}'", self.resolved(run))
        for words in (["--init_from", "{a}.safetensors"],
                      ["--set", "train.init_from={a}.safetensors"]):
            _, done = self.train(*words, code=1)
            self.assertIn("{a}.safetensors: cannot be opened", done.err)


if __name__ == "__main__":
    support.main()
