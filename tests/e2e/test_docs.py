"""Every command of README.md and of docs/*.md runs from an installed prefix, with an empty home, in
another folder, and prints what the page shows. Links, keys, names and generated tables are right.

    test_docs.py BINARY BUILD

What is installed is BUILD, or, as users have it, the release build that $DECAVOX_RELEASE_BUILD
names. decavox is called through docs_bounded.py, which bounds epochs and measurements.

A command is a line of a block `sh`, a line with `$` of a block `console`, or a piece of code in the
text that begins with `decavox`; a switch is a piece that begins with `--`. docs_commands.py says
with what switches are tried, and which commands are not run. A block of `sh` is run as a whole, and
the blocks of a page one after the other in one folder. Output below a command is compared but for
its numbers.
"""
import json
import os
import re
import shutil
import subprocess
import sys

import docs_commands as known
import docs_pages as pages
import support
from support import FAILED, GOOD, USAGE

COMMANDS = ("data", "train", "eval", "predict", "info", "synth", "augment", "export", "ensemble",
            "crossval", "compare", "recommend", "runs", "help", "completion")
SECTIONS = ("data", "features", "augment", "train")
TOOLS = re.compile(r"decavox [a-z]|--[a-z]|\./\w+\.sh|scripts/\w+\.(sh|py)|cmake |python3 |pip |"
                   r"build/\S*/decavox |apt-get |cpack ")
REAL_DATA = os.environ.get("DECAVOX_DATA") or os.path.join(support.ROOT, "..", "shared", "data")
SPEAKERS = ("jackson", "theo", "lucas", "george")


def reason_not_to_run(command):
    """By the longest beginning that is known."""
    found = [start for start in known.NOT_RUN if command.startswith(start)]
    return known.NOT_RUN[max(found, key=len)] if found else None


def fill_words(piece):
    return " ".join(known.WORDS.get(word, word) for word in piece.split())


def lines_of_switch(piece):
    """The command lines that a switch is tried with, or None."""
    found = [start for start in known.SWITCHES if f"{piece} ".startswith(start + " ")]
    if not found:
        return None
    lines = []
    for template in known.SWITCHES[max(found, key=len)]:
        before, after = template.split("{}")
        if " " in piece:  # it brings its value
            after = re.sub(r"^ (?!--)\S+", "", after)
        lines.append(before + fill_words(piece) + after)
    return lines


class Docs(support.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.prefix = cls.at("prefix")
        subprocess.run(["cmake", "--install", BUILD, "--prefix", cls.prefix], check=True,
                       stdout=subprocess.DEVNULL)
        cls.program = os.path.join(cls.prefix, "bin", "decavox")
        cls.home, cls.ready, cls.bin = cls.at("home"), cls.at("ready"), cls.at("bin")
        for folder in (cls.home, cls.ready, cls.bin):
            os.mkdir(folder)
        os.symlink(cls.prefix, os.path.join(cls.home, "decavox"))  # what ~/decavox is on the pages
        bounded = os.path.join(support.ROOT, "tests", "e2e", "docs_bounded.py")
        path = os.path.join(cls.bin, "decavox")
        support.write_text(path, f'#!/bin/sh\nexec {sys.executable} -B {bounded} {cls.program} '
                                 '"$@"\n')
        os.chmod(path, 0o755)
        cls.fill()
        cls.options = cls.all_options()

    @classmethod
    def all_options(cls):
        found = set()
        for command in COMMANDS:
            done = cls.run_in(cls.ready, f"decavox {command} --help")
            found |= set(re.findall(r"--(\w[\w-]*)", done.stdout.replace("-_", "_")))
        return {name.replace("-", "_") for name in found}

    @classmethod
    def fill(cls):
        """The folder that each page begins with: what its commands name."""
        def here(*names):
            return os.path.join(cls.ready, *names)
        support.make_data(here("fsdd"), digits=10, speakers=SPEAKERS, count=7)
        support.make_data(here("voices"), digits=10, speakers=("eve", "fay"), count=2)
        support.make_data(here("noise"), digits=1, speakers=("hum",), count=1)
        for word in range(3):
            os.makedirs(here("recordings", ("yes", "no", "stop")[word]))
            for speaker in range(5):
                for i in range(7):
                    support.write_wav(here("recordings", ("yes", "no", "stop")[word],
                                           f"{SPEAKERS[speaker % 4]}{speaker}_{i}.wav"),
                                      support.tone(word, speaker, i))
        cls.fill_speech_commands(here("speech_commands"))
        cls.fill_arabic_digits(here("arabic_digits"))
        for name in ("a.wav", "b.wav", "one.wav", "audio.wav"):
            support.write_wav(here(name), support.tone(3, 0, 0))
        os.symlink(os.path.join(support.ROOT, "examples"), here("examples"))
        header = support.read_text(os.path.join(support.ROOT, "include", "decavox.h"))
        example = re.search(r"^ \*     #include.*?^ \*     }$", header, re.S | re.M)[0]
        support.write_text(here("say.c"), re.sub(r"^ \*( {5})?", "", example, flags=re.M) + "\n")
        for command in ("train configs/mini.yaml --data fsdd --out runs/words",
                        "train configs/mini.yaml --data fsdd --out runs/arabic",
                        "train configs/mini.yaml --data fsdd --out runs/advanced"):
            done = cls.run_in(cls.ready, "decavox " + command)
            if done.returncode != GOOD:
                raise AssertionError(done.stderr + done.stdout)

    @classmethod
    def fill_speech_commands(cls, folder):
        """Every word of its two tasks, and two others."""
        text = support.read_text(os.path.join(support.ROOT, "configs", "speech_commands_12.yaml"))
        words = re.findall(r"\w+", re.search(r"labels: \[(.*)\]", text)[1]) + ["bed", "cat"]
        for number, word in enumerate(words):
            os.makedirs(os.path.join(folder, word))
            for speaker in range(8):
                support.write_wav(os.path.join(folder, word, f"{speaker}f_nohash_0.wav"),
                                  support.tone(number % 9, speaker, 0))
        for part, speaker in (("testing", 0), ("validation", 1)):
            support.write_text(os.path.join(folder, f"{part}_list.txt"),
                               "".join(f"{word}/{speaker}f_nohash_0.wav\n" for word in words))
        os.makedirs(os.path.join(folder, "_background_noise_"))
        support.write_wav(os.path.join(folder, "_background_noise_", "hum.wav"),
                          support.tone(1, 0, 0, 20 * support.RATE))

    @classmethod
    def fill_arabic_digits(cls, folder):
        """The recordings, or, where there are none, tones under their names."""
        real = os.path.abspath(os.path.join(REAL_DATA, "arabic_digits"))
        cls.has_arabic_digits = os.path.isdir(real)
        if cls.has_arabic_digits:
            os.symlink(real, folder)
            return
        os.mkdir(folder)
        rows = ["path,label,speaker,split"]
        for digit in range(10):
            for speaker, part in (("a01", "train"), ("a02", "train"), ("a07", "validation")):
                for i in range(1, 13):
                    name = f"{digit}_{speaker}_{i}.flac"
                    support.write_wav(os.path.join(folder, name), support.tone(digit, 0, i))
                    rows.append(f"{name},{digit},{speaker},{part}")
        support.write_text(os.path.join(folder, "manifest.csv"), "\n".join(rows) + "\n")

    @classmethod
    def environment(cls):
        library = os.path.join(cls.prefix, "lib")
        return {"HOME": cls.home, "PATH": cls.bin + os.pathsep + os.environ["PATH"],
                "LD_LIBRARY_PATH": library, "DECAVOX_MODULE_PATH": "", "OMP_NUM_THREADS": "1",
                "PKG_CONFIG_PATH": os.path.join(library, "pkgconfig")}

    @classmethod
    def run_in(cls, folder, script):
        return subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=folder,
                              env=cls.environment(), capture_output=True, text=True,
                              errors="replace", stdin=subprocess.DEVNULL, timeout=600, check=False)

    def folder_of(self, page):
        """A copy of the folder for a page."""
        folder = self.at("pages", page.replace("/", "-"))
        if not os.path.isdir(folder):
            shutil.copytree(self.ready, folder, symlinks=True)
        return folder

    def check(self, page, script):
        """Runs it, and returns it where its output may be compared."""
        with self.subTest(page=page, script=script):
            done = self.run_in(self.folder_of(page), script)
            self.assertEqual(done.returncode, GOOD, done.stderr[-2000:] + done.stdout[-2000:])
            self.assertNotIn("runtime error", done.stderr)
            return done
        return None

    def test_every_block_runs(self):
        for page in pages.names():
            text = pages.read(page)
            for block in pages.shell_blocks(text):
                block = [line for line in block if reason_not_to_run(line) is None]
                if not shutil.which("espeak-ng"):
                    block = [line for line in block if not line.startswith("decavox synth")]
                if block:
                    self.check(page, "\n".join(block))
            for command in pages.console_commands(text):
                if reason_not_to_run(command.text) is None:
                    self.check_output(page, command)
        # What compare has measured, and what espeak-ng and this test leave.
        self.assertLessEqual(set(os.listdir(self.home)), {".cache", ".config", "decavox"})

    def check_output(self, page, command):
        done = self.check(page, command.text)
        varies = any(command.text.startswith(start) for start in known.VARYING)
        if done is None or varies or not self.has_arabic_digits and "arabic" in command.text:
            return
        missing = pages.missing_of(command.output, done.stdout + done.stderr)
        with self.subTest(page=page, command=command.text):
            self.assertIsNone(missing, f"not printed:\n{done.stdout}{done.stderr}")

    def test_pieces_of_code(self):
        unknown = []
        for page in pages.names():
            for piece in pages.pieces(pages.read(page)):
                if not TOOLS.match(piece) or reason_not_to_run(piece) is not None:
                    continue
                if piece.startswith("--"):
                    unknown += self.unknown_switch(page, piece)
                elif piece in [f"decavox {command}" for command in COMMANDS]:
                    self.check(page, piece + " --help")
                elif piece == "decavox COMMAND --help":
                    continue  # all_options has called it
                elif piece.startswith("decavox "):
                    self.check(page, fill_words(piece))
                elif not os.path.exists(os.path.join(support.ROOT, piece.split()[0])):
                    unknown.append((page, piece))
        self.assertEqual(unknown, [], "neither run here nor with a reason why not")

    def unknown_switch(self, page, piece):
        lines = lines_of_switch(piece)
        for line in lines or []:
            self.check(page, line)
        name = piece.split()[0][2:].replace("-", "_")
        good = lines is not None or name in self.options or name == "help"
        return [] if good else [(page, piece)]

    def test_reasons_are_of_the_pages(self):
        """docs_commands.py has nothing that no page has."""
        commands = []
        for text in map(pages.read, pages.names()):
            commands += [line for block in pages.shell_blocks(text) for line in block]
            commands += [command.text for command in pages.console_commands(text)]
            commands += pages.pieces(text)
        for table in (known.NOT_RUN, known.SWITCHES, known.VARYING):
            self.assertEqual([start for start in table
                              if not any(c.startswith(start) for c in commands)], [])

    def test_yaml(self):
        for page in pages.names():
            for number, block in enumerate(pages.blocks(pages.read(page), "yaml")):
                if not re.search(r"^(model|base):", block, re.M):
                    block = "base: mini.yaml\n" + block
                name = f"own/block_{number}.yaml"
                own = os.path.join(self.folder_of(page), "own")
                if not os.path.isdir(own):
                    shutil.copytree(os.path.join(support.ROOT, "configs"), own)
                support.write_text(os.path.join(self.folder_of(page), name), block)
                data = "speech_commands" if "silence" in block else "fsdd"
                self.check(page, f"decavox train {name} --data {data} --out runs/yaml")

    def test_python(self):
        try:
            import numpy  # noqa: F401
        except ImportError:
            self.skipTest("no numpy")
        for page in pages.names():
            script = known.PRELUDE
            for block in pages.blocks(pages.read(page), "python"):
                compile(block, page, "exec")
                if not any(name in block for name in known.OTHER_PROGRAMS):
                    script += re.sub(r'("train\.epochs": )\d+', r"\g<1>2", block) + "\n"
            with self.subTest(page=page):
                done = subprocess.run(
                    [sys.executable, "-B", "-c", script], cwd=self.folder_of(page), text=True,
                    capture_output=True, timeout=600, check=False,
                    env=self.environment() | {
                        "PYTHONPATH": os.path.join(support.ROOT, "python"),
                        "DECAVOX_LIBRARY": os.path.join(self.prefix, "lib", "libdecavox.so.0.1")})
                self.assertEqual(done.returncode, GOOD, done.stderr)

    def test_json(self):
        for page in pages.names():
            for block in pages.blocks(pages.read(page), "json"):
                for line in block.splitlines():
                    json.loads(line)

    def test_keys(self):
        """`train.epochs` and the like are keys of the configuration."""
        keys, section = set(), ""
        for line in self.run_in(self.ready, "decavox info --config").stdout.splitlines():
            if re.fullmatch(r"\w+:", line):
                section = line[:-1]
            elif match := re.match(r"  (?:# )?(\w+):", line):
                keys.add(f"{section}.{match[1]}")
        for page in pages.names():
            for piece in pages.pieces(pages.read(page)):
                for key in re.findall(rf"(?<![\w./])((?:{'|'.join(SECTIONS)})\.\w+)\b(?!\()", piece):
                    if not re.search(r"\.(md|py|sh|json|csv|c|h)$", key):
                        self.assertIn(key, keys, page)

    def test_names_of_the_library(self):
        header = support.read_text(os.path.join(support.ROOT, "include", "decavox.h"))
        for page in ("docs/c-api.md", "docs/export.md"):
            text = pages.read(page)
            for name in re.findall(r"\b(?:dv|DV)_\w+\b", text):
                name = name.removesuffix("_default")  # DV_OPTIONS_DEFAULT makes these
                if not name.endswith("_") and name != "dv_frontend_compute":
                    self.assertTrue(name in header, f"{page}: {name}")

    def test_links(self):
        """Of every page in the tree: to a file, and to one of its headings."""
        listed = subprocess.run(["git", "ls-files", "*.md"], cwd=support.ROOT, check=True,
                                capture_output=True, text=True).stdout.split()
        for page in sorted({*listed, *pages.names()}):
            folder = os.path.dirname(os.path.join(support.ROOT, page))
            for path, anchor in pages.links(pages.read(page)):
                with self.subTest(page=page, link=f"{path}#{anchor}"):
                    target = os.path.join(folder, path) if path else os.path.join(support.ROOT, page)
                    self.assertTrue(os.path.exists(target), "leads nowhere")
                    if anchor:
                        self.assertIn(anchor, list(pages.anchors(support.read_text(target))))

    def test_every_page_is_in_the_index(self):
        index = {path for path, _ in pages.links(pages.read("docs/README.md"))}
        self.assertEqual([page for page in pages.names()[1:]
                          if os.path.basename(page) not in index | {"README.md"}], [])

    def test_generated(self):
        for command in (["docs_tables.py", "--check", self.program], ["terminal_svg.py", "--check"]):
            done = subprocess.run(
                [sys.executable, "-B", os.path.join(support.ROOT, "scripts", command[0]),
                 *command[1:]], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, GOOD, done.stderr + done.stdout)

    def test_readme_is_short(self):
        self.assertLess(pages.read("README.md").count("\n"), 260)

    def test_a_file_of_the_user_comes_first(self):
        folder = self.at("other")
        os.makedirs(os.path.join(folder, "configs"))
        support.write_text(os.path.join(folder, "configs", "mini.yaml"), "model: nameless\n")
        own = os.path.join(self.prefix, "share", "decavox")
        done = self.run_in(folder, f"DECAVOX_HOME={own} decavox train configs/mini.yaml --data .")
        self.assertEqual(done.returncode, USAGE)
        self.assertIn("nameless", done.stderr)
        done = self.run_in(folder, "decavox train other/mini.yaml --data .")
        self.assertEqual(done.returncode, FAILED)
        self.assertIn("other/mini.yaml: cannot be opened: No such file", done.stderr)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(f"usage: {sys.argv[0]} BINARY BUILD [unittest options]")
    BUILD = os.path.abspath(os.environ.get("DECAVOX_RELEASE_BUILD") or sys.argv[2])
    del sys.argv[2]
    support.main()
