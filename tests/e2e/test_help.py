"""Help, manual pages, completions of shells, and the options that all commands have.

    test_help.py BINARY

Every example of every command runs. Manual pages are checked by man and lexgrog, completions by the
shells themselves; the test of a program that is not installed is skipped.
"""
import fcntl
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import termios
import time
import unittest

import support
from support import FAILED, GOOD, USAGE, decavox

# What bounds the examples of a command; the last value of an option counts.
BOUNDS = {
    "train": " --epochs 1", "crossval": " --epochs 1 --seeds 1",
    "compare": " --seconds 0.01 --threads 1 --keep_busy",
    "recommend": " --seconds 0.01 --threads 1 --keep_busy", "synth": " --voices 2 --words 1,2",
}
# Words of examples that need PyTorch.
WITHOUT = [" --verify"]


def needs(program):
    return unittest.skipUnless(shutil.which(program), f"{program} is not installed")


def told(*words):
    done = decavox(*words)
    if done.code != GOOD:
        raise AssertionError(f"{words}: {done.err}")
    return done.out


def read_until(terminal, words, seconds=20):
    """Reads a terminal until `words` have come."""
    text, end = "", time.monotonic() + seconds
    while words not in text:
        if not select.select([terminal], [], [], max(end - time.monotonic(), 0))[0]:
            raise AssertionError(f"{words!r} has not come: {text!r}")
        text += os.read(terminal, 4096).decode(errors="replace")


def on_terminal(words, columns=100):
    """What a command prints with its output on a terminal; it must succeed."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    running = subprocess.Popen([support.binary(), *words], stdout=theirs, stderr=theirs,
                               env=support.environment() | {"TERM": "xterm"})
    os.close(theirs)
    text = b""
    try:
        while more := os.read(ours, 65536):
            text += more
    except OSError:  # the last process has closed it
        pass
    os.close(ours)
    text = text.decode(errors="replace")
    if running.wait(timeout=60) != GOOD:
        raise AssertionError(text)
    return text


def commands():
    listed = told("help").split("\nCommands:\n")[1].split("\n\n")[0]
    return [line.split()[0] for line in listed.splitlines()]


class Help(support.Case):
    epochs = 1

    def test_each_command_is_explained(self):
        self.assertGreater(len(commands()), 12)
        self.assertEqual(len(commands()), len(set(commands())))
        for command in commands():
            text = told(command, "--help")
            self.assertEqual(text, told("help", command))
            self.assertEqual(text, told(command, "-h"))
            self.assertTrue(text.startswith(f"Usage: decavox {command} [options]"), text)
            self.assertIn("\nExamples:\n  ", text)
            self.assertIn("  -q, --quiet  ", text)
            options = text.split("\nOptions:\n")[1]
            self.assertEqual([line for line in options.splitlines() if len(line) > 80], [])

    def test_help_of_training_names_every_key(self):
        text = told("help", "train")
        keys = re.findall(r"^  (?:# )?(\w+):", told("info", "--config"), re.M)
        self.assertGreater(len(keys), 80)
        self.assertEqual([key for key in keys if not re.search(rf"\b{key}\b", text)], [])
        self.assertIn("(train.optimizer; adamw | adam | sgd;", text)

    def test_reference_has_all_sections(self):
        sections = re.findall(r"^(?:# )?(\w+):", told("info", "--config"), re.M)
        self.assertEqual(sections, ["base", "model", "pretrain", "data", "features", "augment",
                                    "train"])

    def test_unknown_commands(self):
        for words, message in ((["tarin"], "there is no command 'tarin', did you mean 'train'?"),
                               (["zzzzzz"], "there is no command 'zzzzzz': 'decavox --help'"),
                               (["help", "evl"], "there is no command 'evl', did you mean 'eval'?"),
                               (["completion", "tcsh"], "there is no completion for 'tcsh'")):
            done = self.ends(decavox(*words), USAGE, message)
            self.assertEqual(done.out, "")

    def test_a_mistake_is_told_once(self):
        for words, message in (
                (["eval"], "decavox eval: CHECKPOINT is missing: decavox eval CHECKPOINT\n"),
                (["crossval", "--folds", "2"], "decavox crossval: CONFIG is missing: "),
                (["data"], "decavox data: PATH is missing: "),
                (["ensemble", "a"], "decavox ensemble: CHECKPOINT is missing: "),
                (["train", "a", "b"], "decavox train: unexpected argument 'b'\n")):
            done = self.ends(decavox(*words), USAGE)
            self.assertTrue(done.err.startswith(message), done.err)
        done = decavox("train", self.config, "--set", "learning_rate=0.1")
        self.ends(done, USAGE, "--set learning_rate: 'learning_rate' is a key of the section "
                               "'train', did you mean 'train.learning_rate'?")
        done = decavox("train", self.config, "--set", "zzzz=0.1")
        self.ends(done, USAGE, "unknown section 'zzzz': there are data, features,")

    def test_version(self):
        self.assertRegex(told("--version"), r"\Adecavox \d+\.\d+\.\d+, commit (\w{12}(-dirty)?|unknown)\n\Z")
        self.assertEqual(told("--version"), told("-V"))

    def test_configuration_is_printed_and_nothing_trained(self):
        text = told("train", self.config, "--data", "nowhere", "--epochs", "7", "--print_config",
                    "--out", self.at("unborn"))
        self.assertIn("\n  epochs: 7\n", text)
        self.assertIn("\n  path: nowhere\n", text)
        keys = re.findall(r"^  (\w+):", told("info", "--config"), re.M)
        self.assertEqual([key for key in keys if f"\n  {key}:" not in text], [])
        self.assertFalse(os.path.exists(self.at("unborn")))
        again = support.write_text(self.at("resolved.yaml"), text)
        self.assertEqual(told("train", again, "--print_config"), text)
        self.assertEqual(told("crossval", again, "--folds", "2", "--print_config"), text)
        self.ends(decavox("train", "--resume", self.at("run"), "--print_config"), USAGE,
                  "--print_config is for CONFIG")

    def test_a_configuration_that_cannot_be_printed(self):
        with open("/dev/full", "wb") as full:
            for words in (["train", self.config], ["crossval", self.config, "--folds", "2"]):
                done = decavox(*words, "--print_config", stdout=full)
                self.ends(done, FAILED, "the output could not be written")
                self.assertNotIn("goes on", done.err)

    def test_a_base_that_comes_with_decavox(self):
        path = support.write_text(self.at("based.yaml"),
                                  "base: configs/mini.yaml\ntrain:\n  epochs: 7\n")
        text = told("train", path, "--print_config")
        self.assertIn("\n  epochs: 7\n", text)
        self.assertIn("name: mini", text)


class Verbosity(support.Case):
    epochs = 2

    def test_quiet_training_prints_nothing(self):
        done = self.ends(decavox("train", self.config, "-d", self.data, "-o", self.at("quiet"),
                                 "-qt1"), GOOD)
        self.assertEqual((done.out, done.err), ("", ""))
        self.assertIn("epoch 2/2", support.read_text(self.at("quiet", "log.txt")))

    def test_time_that_is_left(self):
        """On a terminal, all that takes long tells it; with --quiet nothing does."""
        for words in (["train", self.config, "-d", self.data, "--epochs", "40"],
                      ["crossval", self.config, "-d", self.data, "--folds", "3"],
                      ["predict", "mini", "--input", self.data, "--format", "csv"],
                      ["compare", "mini", "--seconds", "0.02", "-t1", "--keep_busy", "--fresh"]):
            for quiet in ([], ["-q"]):
                text = on_terminal([*words, *quiet] + (
                    [] if words[0] == "compare" else ["-o", self.at(words[0] + "".join(quiet))]))
                pattern = r"\r\[[= ]{20}\] .*, \d+ s left"
                if words[0] == "train":
                    pattern = (r"\r\[=+ *\] epoch \d+/40, step \d+/\d+, loss [\d.]+, "
                               r"\d+ s left")
                self.assertEqual(bool(re.search(pattern, text)), not quiet, text[-2000:])

    def test_bar_fits_the_terminal(self):
        for columns in (80, 40):
            text = on_terminal(["train", self.config, "-d", self.data, "--epochs", "10", "-o",
                                self.at(f"narrow_{columns}")], columns)
            bars = re.findall(r"\r(\[[= ]{20}\] [^\r\x1b]*)\x1b\[K", text)
            self.assertGreater(len(bars), 10)
            self.assertEqual([bar for bar in bars if len(bar) >= columns], [])

    def test_colours_are_for_terminals_that_want_them(self):
        for more, coloured in (({"TERM": "xterm"}, True), ({"TERM": "dumb"}, False),
                               ({"TERM": "xterm", "NO_COLOR": "1"}, False),
                               ({"TERM": "xterm", "NO_COLOR": ""}, True)):
            environment = support.environment() | more
            if "NO_COLOR" not in more:
                environment.pop("NO_COLOR", None)
            ours, theirs = pty.openpty()
            subprocess.run([support.binary(), "eval"], stderr=theirs, stdout=subprocess.DEVNULL,
                           env=environment, timeout=60, check=False)
            os.close(theirs)
            text = os.read(ours, 4096)
            os.close(ours)
            self.assertIn(b"CHECKPOINT is missing", text)
            self.assertEqual(b"\x1b[31m" in text, coloured, (more, text))
        self.assertNotIn("\x1b", decavox("eval").err)


class Pages(support.Case):
    @needs("man")
    def test_manual_pages(self):
        for command in [None, *commands()]:
            name = f"decavox-{command}" if command else "decavox"
            page = support.write_text(self.at(name + ".1"), told(
                "help", "--format", "man", *([command] if command else [])))
            done = subprocess.run(["man", "--warnings", "-l", page], capture_output=True, text=True,
                                  env=os.environ | {"LC_ALL": "C.UTF-8", "MANWIDTH": "80"},
                                  check=True)
            self.assertEqual(done.stderr, "")
            if command:
                pattern = r"^ {7}(?:-\w, )?--(\w+)(?: [A-Z=]+)?(?=$| [a-z])"
                shown = re.findall(pattern, done.stdout, re.M)
                listed = re.findall(r"^ {2,6}(?:-\w, )?--(\w+)", told(command, "--help"), re.M)
                self.assertEqual(shown, listed)
            self.assertRegex(done.stdout, rf"NAME\n +{name} +- ")
            index = subprocess.run(["lexgrog", page], capture_output=True, text=True, check=True)
            self.assertIn(f'"{name} - ', index.stdout)

    @needs("bash")
    def test_bash(self):
        script = support.write_text(self.at("decavox.bash"), told("completion", "bash"))
        for words, offered in ((["tr"], "train"), (["train", "--epo"], "--epochs"),
                               (["predict", "lightw"], "lightweight"),
                               (["predict", "--format", "j"], "json jsonl"),
                               (["help", "compa"], "compare"), (["train", "--out", ""], ""),
                               (["train", "configs/transf"],
                                "configs/transfer.yaml configs/transformer.yaml"),
                               (["train", "--set", "train.seed"], "train.seed="),
                               (["crossval", "--model_type", "efficient_"], "efficient_fine"),
                               (["train", "--features", "f"], "fine")):
            line = (f"source {script}; COMP_WORDS=(decavox {' '.join(words)}); "
                    f"(({len(words)} < ${{#COMP_WORDS[@]}})) || COMP_WORDS+=(''); "
                    f"COMP_CWORD={len(words)}; _decavox; echo \"${{COMPREPLY[@]}}\"")
            done = subprocess.run(["bash", "-uc", line], capture_output=True, text=True, check=True,
                                  cwd=self.folder)
            self.assertEqual((done.stdout.strip(), done.stderr), (offered, ""))

    @needs("bash")
    def test_bash_takes_names_for_words(self):
        """Names of files with blanks stay whole, and no name of a model is an order to the shell."""
        folder = self.at("hostile")
        os.makedirs(os.path.join(folder, "checkpoints"))
        for name in ("good_1.safetensors", "$(touch INJECTED).safetensors",
                     "x'; touch INJECTED; '.safetensors", "-o.safetensors"):
            support.write_text(os.path.join(folder, "checkpoints", name), "")
        support.write_text(os.path.join(folder, "my file.wav"), "")
        line = (f"source <({support.binary()} completion bash); COMP_WORDS=(decavox predict '{{}}'); "
                "COMP_CWORD=2; _decavox; printf '%s\\n' \"${{COMPREPLY[@]}}\"")
        for begun, offered in (("my", ["my file.wav"]), ("good", ["good_1"])):
            done = subprocess.run(["bash", "-uc", line.format(begun)], capture_output=True, text=True,
                                  check=True, cwd=folder)
            self.assertEqual((done.stdout.splitlines(), done.stderr), (offered, ""))
        subprocess.run(["bash", "-uc", line.format("")], capture_output=True, check=True, cwd=folder)
        self.assertEqual(sorted(os.listdir(folder)), ["checkpoints", "my file.wav"])

    @needs("fish")
    def test_fish(self):
        script = support.write_text(self.at("decavox.fish"), told("completion", "fish"))
        for line, offered in (("decavox trai", "train\ttrains a model"),
                              ("decavox train --epo", "--epochs\tpasses over the training clips"),
                              ("decavox predict lightw", "lightweight"),
                              ("decavox train --set train.see",
                               "train.seed=\tset any key of the configuration"),
                              ("decavox train --features docu",
                               "document\tfront-end of configs/features"),
                              ("decavox predict --format jsonl", "jsonl\tform of the output")):
            done = subprocess.run(["fish", "-c", f"source {script}; complete -C '{line}'"],
                                  capture_output=True, text=True, check=True, cwd=self.folder,
                                  env=os.environ | {"HOME": self.folder})
            self.assertEqual((done.stdout.strip(), done.stderr), (offered, ""))

    @needs("zsh")
    def test_zsh(self):
        """A shell on a terminal of its own: a key prints the line as it was completed."""
        os.makedirs(self.at("zsh"), exist_ok=True)
        support.write_text(self.at("zsh", "_decavox"), told("completion", "zsh"))
        setup = (f"PROMPT=; fpath=({self.at('zsh')} $fpath); autoload -Uz compinit; compinit -u -D; "
                 "show() { print -r -- \"<$BUFFER>\"; BUFFER= }; zle -N show; bindkey '^X' show; "
                 "print -r -- READY${NOTHING}.\n")
        child, terminal = pty.fork()
        if child == 0:
            os.chdir(self.folder)
            os.execvpe("zsh", ["zsh", "-f", "-i"], os.environ | {"TERM": "vt100"})
        try:
            os.write(terminal, setup.encode())
            read_until(terminal, "READY.")
            for line, completed in (("decavox trai", "<decavox train >"),
                                    ("decavox train --epo", "<decavox train --epochs >"),
                                    ("decavox train --set train.see",
                                     "<decavox train --set train.seed=>"),
                                    ("decavox train configs/transfo",
                                     "<decavox train configs/transformer.yaml >"),
                                    ("decavox predict lightw", "<decavox predict lightweight >")):
                os.write(terminal, f"{line}\t\x18".encode())
                read_until(terminal, completed)
        finally:
            os.kill(child, 9)
            os.waitpid(child, 0)
            os.close(terminal)


class Examples(support.Case):
    """Each runs in a folder that has what the examples name, with an empty home."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        os.rename(cls.data, cls.at("recordings"))
        shutil.copytree(cls.at("recordings"), cls.at("street"))
        for name in ("a", "b"):
            shutil.copy(cls.at("recordings", "1_ann_7.wav"), cls.at(name + ".wav"))
        cls.data = cls.at("recordings")
        for name in ("a", "b"):
            run = cls.train_once(cls.at("runs", name))
            shutil.copy(os.path.join(run, "model.safetensors"), cls.at(name + ".safetensors"))
            shutil.rmtree(run)
        cls.train_once(cls.at("runs", "words"))
        os.makedirs(cls.at("bin"))
        os.symlink(support.release_binary(), cls.at("bin", "decavox"))
        for folder in (".zsh/completions", ".config/fish/completions"):
            os.makedirs(cls.at("home", folder))

    def run_line(self, line):
        environment = support.environment() | {
            "PATH": self.at("bin") + ":" + os.environ["PATH"], "HOME": self.at("home"),
            "DECAVOX_HOME": support.ROOT}
        return subprocess.run(["bash", "-c", line], cwd=self.folder, env=environment, text=True,
                              capture_output=True, timeout=300, check=False)

    def test_examples(self):
        ran = 0
        for command in commands():
            examples = told("help", command).split("\nExamples:\n")[1].split("\n\n")[0]
            for line in examples.splitlines():
                line = line.strip() + ("" if "--resume" in line else BOUNDS.get(command, ""))
                for words in WITHOUT:
                    line = line.replace(words, "")
                if command == "synth" and not shutil.which("espeak-ng"):
                    continue
                done = self.run_line(line)
                self.assertEqual(done.returncode, GOOD, line + "\n" + done.stderr)
                ran += 1
        self.assertGreater(ran, 25)


if __name__ == "__main__":
    support.main()
