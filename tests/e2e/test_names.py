"""Names that users have chosen, on terminals and in lines."""
import csv
import io
import json
import os
import pty
import subprocess

import support
from support import FAILED, GOOD, USAGE, decavox

EVIL = b"\x1b]0;title\x07\xc2\x9b2Ja\nb\xff.wav"
SHOWN = r"\x1B]0;title\x07\xC2\x9B2Ja\x0Ab\xFF.wav"


def raw(*arguments, terminal=False):
    """Exit code, output and messages as bytes. With `terminal` the output goes to a terminal."""
    command = [support.binary(), *arguments]
    if not terminal:
        done = subprocess.run(command, capture_output=True, env=support.environment(),
                              timeout=120, check=False)
        return done.returncode, done.stdout, done.stderr
    master, slave = pty.openpty()
    with subprocess.Popen(command, stdout=slave, stderr=subprocess.PIPE,
                          env=support.environment()) as process:
        os.close(slave)
        said = b""
        try:
            while piece := os.read(master, 65536):
                said += piece
        except OSError:  # the end on Linux
            pass
        err = process.stderr.read()
    os.close(master)
    return process.returncode, said.replace(b"\r\n", b"\n"), err


class Names(support.Case):
    epochs = 1

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = os.path.join(cls.train_once(cls.at("run")), "model.safetensors")
        cls.evil = os.path.join(os.fsencode(cls.folder), EVIL)
        support.write_wav(os.fsdecode(cls.evil), support.tone(1, 0, 0))

    def harmless(self, said):
        """Asserts that our text is UTF-8 without characters that a terminal obeys."""
        text = said.decode()
        for c in text:
            self.assertTrue(c == "\n" or (c >= " " and not "\x7f" <= c <= "\x9f"), repr(text))
        return text

    def test_predict(self):
        absent = self.evil + b"2"
        for terminal in (False, True):
            code, out, err = raw("predict", self.model, self.evil, absent, terminal=terminal)
            self.assertEqual(code, FAILED)
            line, = self.harmless(out).splitlines()
            self.assertEqual(line.split("  ")[0], os.path.join(self.folder, SHOWN))
            line, = self.harmless(err).splitlines()
            self.assertIn(SHOWN + "2: cannot be opened", line)

    def test_json_is_json(self):
        """JSON is valid, and ASCII on a terminal, which obeys U+009B."""
        name = "\x1b[2J\x9b2J\u202e\u4e2d.wav"
        support.write_wav(self.at(name), support.tone(1, 0, 0))
        for terminal in (False, True):
            code, out, _ = raw("predict", self.model, self.at(name), self.evil, "--format=json",
                               terminal=terminal)
            self.assertEqual(code, GOOD)
            plain, evil = json.loads(out.decode())
            self.assertEqual(plain["file"], self.at(name))
            self.assertEqual(evil["file"].encode(),
                             os.path.join(os.fsencode(self.folder),
                                          EVIL.replace(b"\xff", b"\\xFF")))
            if terminal:
                self.assertNotIn("\x9b", self.harmless(out))

    def test_commands(self):
        """Each command gets files with such names, and prints them."""
        folder = os.path.join(os.fsencode(self.folder), b"\x1b[2J\xc2\x9b\n")
        os.makedirs(folder)
        model = os.path.join(folder, b"m\x1b[7m\xff.safetensors")
        os.link(self.model, model)
        with open(os.path.join(folder, b"m\x1b[7m\xff.json"), "wb") as file:
            file.write(b"no card")
        noises = os.path.join(folder, b"n\x1b[1m.wav"), os.path.join(folder, b"m\xff.wav")
        for noise in noises:
            support.write_wav(os.fsdecode(noise), support.tone(3, 0, 1))
        config = os.path.join(folder, b"c.yaml")
        with open(config, "wb") as file:
            file.write(support.read_bytes(self.config).replace(b"name: small", b'name: "s\\e[2J"'))
        data = os.path.join(folder, b"d")
        support.make_data(os.fsdecode(data))
        support.write_wav(os.fsdecode(os.path.join(data, b"1_ann_99.wav")), [])
        quick = ["--seconds", "0.001"]
        for arguments, code in (
                (["eval", model, "--data", self.data, "--noise", b",".join(noises)], GOOD),
                (["eval", model, "--data", data, "--allow_missing", "1"], GOOD),
                (["info", model], GOOD),
                (["compare", model, *quick], GOOD),
                (["compare", model, *quick, "--format=csv"], GOOD),
                (["recommend", "--use_case", "speed", model, *quick], GOOD),
                (["train", config, "--data", data, "--out", os.path.join(folder, b"run")], GOOD),
                (["train", config, "--data", data, "--out", os.path.join(folder, b"run")], USAGE),
                (["train", "--resume", os.path.join(folder, b"none")], FAILED),
                (["augment", config, "--data", data, "--out", os.path.join(folder, b"e")], GOOD),
                (["augment", config, "--data", data, "--out", folder], USAGE),
                (["crossval", config, "--data", data, "--out", os.path.join(folder, b"x"),
                  "--folds", "2"], GOOD),
                (["export", model, "--out", model], USAGE),
                ([b"tarin\x1b[2J"], USAGE), (["train", b"--\x1b[2J"], USAGE),
                (["train", config, "--set", b"train.\x1b[2J=1"], USAGE)):
            with self.subTest(arguments):
                got, out, err = raw(*arguments)
                self.assertEqual(got, code, err)
                self.harmless(out)
                self.harmless(err)

    def test_json_of_the_others(self):
        """Output is UTF-8 and JSON, whatever the bytes of the names."""
        model = os.path.join(os.fsencode(self.folder), b"j\x1b\xff.safetensors")
        os.link(self.model, model)
        quick = ["--seconds", "0.001"]
        for arguments, want in (
                (["predict", model, os.path.join(self.data, "0_ann_0.wav"), model], FAILED),
                (["info", model], GOOD), (["compare", model, *quick], GOOD),
                (["compare", model, *quick, "--protocol", b"p\xff"], GOOD),
                (["recommend", "--use_case", "speed", model, *quick], GOOD),
                (["recommend", "--use_case", "accuracy", model, *quick, "--protocol", b"p\xff"],
                 FAILED)):
            with self.subTest(arguments):
                code, out, err = raw(*arguments, "--format=json")
                self.assertEqual(code, want, err)
                json.loads(out.decode())
                self.assertIn(b"j\\u001B\\\\xFF.safetensors", out)
        code, out, _ = raw("compare", model, "--seconds", "0.001", "--format=csv")
        self.assertEqual(code, GOOD)
        row = list(csv.reader(io.StringIO(out.decode())))[1]
        self.assertEqual(row[0], r"j\x1B\xFF")

    def test_columns_of_other_scripts(self):
        """Columns stand below each other, whatever the bytes and cells of the labels."""
        words = ("seven", "sju", "sjö", "三", "سبعة")
        data = self.at("words")
        for digit, word in enumerate(words):
            os.makedirs(os.path.join(data, word))
            for number in range(8):
                support.write_wav(os.path.join(data, word, f"{number}.wav"),
                                  support.tone(digit, 0, number))
        out = self.ends(decavox("train", self.config, "--data", data, "--out", self.at("run_of_words"),
                                "--split", "random", "--epochs", "1"), GOOD).out
        rows = [line for line in out.splitlines() if line.startswith(words)]
        self.assertEqual(len(rows), 2 * len(words))  # precision and recall, then the matrix
        for table in (rows[:len(words)], rows[len(words):]):
            self.assertEqual(len({support.cells(line) for line in table}), 1, table)


if __name__ == "__main__":
    support.main()
