"""Configurations that would read very many files end soon, with a message."""
import os
import time

import support
from support import USAGE, decavox


class Trees(support.Case):
    def write(self, name, text):
        return support.write_text(self.at(name), text)

    def refused(self, config, *parts):
        began = time.monotonic()
        self.ends(decavox("train", config, "--data", self.data, "--out", self.at("none")),
                  USAGE, *parts)
        self.assertLess(time.monotonic() - began, 60)

    def test_circles(self):
        self.refused(self.write("self.yaml", "base: self.yaml\n"),
                     "self.yaml:1: base: there are more than 8 files on top of each other", "itself?")
        self.write("two.yaml", "base: [one.yaml, one.yaml]\n")
        self.refused(self.write("one.yaml", "base: [two.yaml, two.yaml]\n"), "on top of each other")

    def test_width(self):
        """Without a circle, each level reads the one below it several times."""
        leaf = "\n".join(f"  k{i}: 1" for i in range(10))
        self.write("level0.yaml", f"data:\n{leaf}\n")
        for level in range(1, 8):
            self.write(f"level{level}.yaml", f"base: [{', '.join([f'level{level - 1}.yaml'] * 20)}]\n")
        self.refused(self.at("level7.yaml"), "base: the configuration has more than 64 files in all")

    def test_values(self):
        """Few files may have many values."""
        values = "\n".join(f"  k{i}: 1" for i in range(9000))
        self.write("many.yaml", f"data:\n{values}\n")
        self.refused(self.write("twice.yaml", "base: [many.yaml, many.yaml]\n"),
                     "twice.yaml:1: base: the files have more than 16384 values in all")

    def test_members(self):
        os.makedirs(self.at("models"), exist_ok=True)
        self.write(os.path.join("models", "leaf.yaml"), "layers:\n  - linear: {units: classes}\n")
        members = ", ".join(["leaf"] * 200)
        self.refused(self.write("crowd.yaml", "model:\n  layers:\n    - ensemble: "
                                f"{{models: [{members}], name: e}}\n"),
                     "crowd.yaml:3: model: the ensembles have more than 64 members together")

    def test_aliases(self):
        """A tree of aliases that would grow too much when written out is refused."""
        lines = ["data:", "  a0: &a0 [x, x]"]
        lines += [f"  a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 40)]
        self.refused(self.write("aliases.yaml", "\n".join(lines) + "\n"), "aliases.yaml:2: ",
                     "anchors and aliases")


if __name__ == "__main__":
    support.main()
