"""Every command of README.md runs from an installed prefix, with an empty home, in another folder.

    test_readme.py BINARY BUILD

What is installed is BUILD, or, as users have it, the release build that $DECAVOX_RELEASE_BUILD
names.

A command is a line of a code block or a piece of code in the text that begins with `decavox`, a
script or a tool, and a switch is a piece that begins with `--`. RUNS says by which commands each is
run: `{}` stands for the README's text with the words of WORDS replaced. NOT_RUN says why one is
not. A command that neither knows fails the test, and so does an entry that the README has no more.
What is added to bound a run: one epoch, clips of 0.3 s, measurements of 10 ms.
"""
import os
import re
import shlex
import shutil
import subprocess
import sys

import support
from support import FAILED, GOOD, USAGE

# What stands for what in the README's commands.
WORDS = {
    "CONFIG": "tiny.yaml", "CHECKPOINT": "lightweight", "PATH": "fsdd", "FILE...": "a.wav b.wav",
    "PATH[,PATH...]": "noise,b.wav", "[CHECKPOINT]": "lightweight", "NAME": "mini", "N": "3",
    "[FOLDER]": "runs", "[CHECKPOINT|CONFIG|RUN": "lightweight", "...]": "configs/mini.yaml", "K": "2",
}

TRAIN = "train configs/mini.yaml --data fsdd --epochs 1 {}"
ENSEMBLE = "ensemble transformer_fine advanced_fine --data fsdd"
EVAL = "eval runs/done/model.safetensors {}"
CROSSVAL = "crossval configs/mini.yaml --data fsdd --epochs 1 --out runs/crossval-{number} {}"
MEASURE = " --seconds 0.01 --threads 1 --keep_busy"
RECOMMEND = "recommend" + MEASURE + " {}"

RUNS = {
    "decavox data PATH": ["{}"],
    "decavox train CONFIG --data PATH": ["{} --epochs 1"],
    "decavox train configs/advanced.yaml --data fsdd --split official --seed 1": [
        "{} --epochs 1", "train configs/lightweight.yaml --data fsdd --split official --epochs 1"],
    "decavox eval CHECKPOINT": ["{} --data fsdd --split official"],
    "decavox predict": ["{} lightweight a.wav"],
    "decavox predict CHECKPOINT FILE...": ["{}"],
    "decavox predict lightweight a.wav": ["{}"],
    "build/release/runner/decavox predict checkpoints/advanced_fine.safetensors FILE...": ["{}"],
    "decavox info [CHECKPOINT]": ["{}", "info"],
    "decavox augment CONFIG --data PATH --out FOLDER": ["{}"],
    "decavox export CHECKPOINT --out FILE": ["{}.onnx", "{}.pt", "{}.safetensors"],
    "decavox export runs/words/model.safetensors --input log_mel --out words.onnx "
    "--labels words.csv": ["train configs/ced_mini.yaml --data fsdd --epochs 1 --out runs/words",
                           "{}"],
    "decavox train configs/ced_lightweight.yaml --data PATH --out runs/words": [
        "train configs/ced_lightweight.yaml --data fsdd --epochs 1 --out runs/ced"],
    "decavox ensemble CHECKPOINT CHECKPOINT ... --data PATH --out FILE": [
        ENSEMBLE + " --split random --part train --out both.st"],
    "decavox train configs/mel_lightweight.yaml --auto --data MANIFEST --split official --seed 1": [
        "train configs/mel_lightweight.yaml --auto --data fsdd --split official --seed 1 "
        "--epochs 1"],
    "decavox data FOLDER --split speaker": ["data fsdd --split speaker"],
    "decavox crossval CONFIG --data PATH --folds speaker --seeds 1,2,3": ["{} --epochs 1"],
    "decavox compare [CHECKPOINT|CONFIG|RUN ...]": ["{}" + MEASURE],
    "decavox compare runs/*": ["compare runs/done" + MEASURE],
    "decavox compare": ["{}" + MEASURE],
    "decavox runs [FOLDER]": ["{}", "runs --format json", "runs --html runs.html"],
    "decavox recommend --use_case accuracy": ["{}" + MEASURE],
    "decavox recommend --use_case production --max-size-mb 8": ["{}" + MEASURE],
    "decavox recommend": ["{}" + MEASURE],
    "--resume FOLDER": ["train --resume runs/done"],
    "--epochs N": ["train --resume runs/done {}"],
    "--data PATH": ["train --resume runs/done {}"],
    "--changed_data": ["train --resume runs/done {}"],
    "--model_type NAME": ["train {} --data fsdd --epochs 1"],
    "--model_type mini": ["train {} --data fsdd --epochs 1"],
    "--features fine --model_type lightweight_fine": [
        "train configs/mel_lightweight.yaml --data fsdd --epochs 1 {}"],
    "--data": [EVAL + " fsdd"],
    "--format json": [EVAL, "predict lightweight a.wav {}", "info lightweight {}", "info {}",
                      "data fsdd {}", "compare lightweight {}" + MEASURE],
    "--out FILE": [EVAL],
    "--html FILE": [EVAL, "data fsdd {}"],
    "--noise PATH[,PATH...] --snr 20,10,5,0": [EVAL],
    "--device": [EVAL + " cpu"],
    "--config --layers": ["info {}"],
    "--strict": ["data fsdd {}", TRAIN],
    "--auto": [TRAIN],
    "--teacher": [TRAIN + " lightweight"],
    "--part": [ENSEMBLE + " {} train --out parts.st"],
    "--split": [ENSEMBLE + " {} random --part train --out split.st"],
    "--shares 0.6,0.4": ["ensemble transformer_fine advanced_fine {} --out shares.st"],
    "--file_precision fp16": [
        "ensemble transformer_fine advanced_fine --shares 0.5,0.5 {} --out half.st"],
    "--precision fp16": ["export lightweight --out small.safetensors {}"],
    "--folds K": [CROSSVAL],
    "--jobs": [CROSSVAL + " 2 --folds 2"],
    "--init_from": [TRAIN + " runs/done/model.safetensors"],
    "--layout": [TRAIN + " name"],
    "--svg FILE": ["compare lightweight {}" + MEASURE],
    "--help": [f"{command} {{}}" for command in (
        "data", "train", "eval", "predict", "info", "synth", "augment", "export", "ensemble",
        "crossval", "compare", "recommend", "runs")],
    "--force": [EVAL + " --out kept.json"],
    "--set 'data.more=[{path: FOLDER, split: train}]'": [
        TRAIN.replace("{}", "--set 'data.more=[{path: more, split: train}]'")],
    "--allow_missing N": [EVAL],
    "--epochs 5": ["train tiny.yaml --data fsdd {}"],
    "--set features.hop=128": [TRAIN],
    "--features fine": [TRAIN],
    "--pretrain_data PATH": ["train configs/transfer.yaml --data fsdd --pretrain_data more "
                             "--epochs 1 --set pretrain.train.epochs=1"],
    "--protocol": [RECOMMEND + " gsc"],
    "--max-latency-ms": [RECOMMEND + " 10000"],
    "--max-size-mb": [RECOMMEND + " 50"],
    "--min-accuracy": [RECOMMEND + " 50"],
    "--keep_busy": ["compare lightweight {}" + MEASURE],
    "--windows": ["predict lightweight a.wav {}"],
    "--input FOLDER --output answers.jsonl": [
        "predict lightweight --input fsdd --output answers.jsonl"],
    "--class_weights '[1, 2]'": [
        TRAIN.replace("{}", "--class_weights '[1, 2, 1, 2, 1, 2, 1, 2, 1, 2]'")],
    "--fresh": ["compare lightweight {}" + MEASURE],
    "--set train.overfit_one_batch=true": [TRAIN],
    "--set train.max_steps=10": [TRAIN],
    "--set train.check_finite=true": [TRAIN],
    "--set train.time_layers=true": [TRAIN],
    "--dot graph.dot": [TRAIN],
    "--set train.algorithms=fixed": [TRAIN],
    "--algorithms": [EVAL + " fixed", "predict lightweight a.wav {} fixed"],
    "--device ref": [TRAIN + " --set train.max_steps=1", "predict lightweight a.wav {}"],
    "--threads 1": [TRAIN],
}

THE_BUILD = "makes the build that is tested here"
A_MEASUREMENT = "measures for minutes to hours, of other programs too"
A_GPU = "needs a GPU"
NOT_RUN = {
    "./quickstart.sh": THE_BUILD,
    "./quickstart.sh --data FOLDER": THE_BUILD,
    "./quickstart.sh --cuda": THE_BUILD,
    "./test.sh": "runs this test",
    "./test.sh clients": "installs gigabytes of other programs",
    "scripts/install_packages.sh test": THE_BUILD,
    "cmake --preset release": THE_BUILD,
    "cmake --build --preset release": THE_BUILD,
    "cmake --install build/release --prefix ~/decavox": "is how what is tested was installed",
    "cmake --build build/release --target package": "builds it once more: ./test.sh clients deb",
    "cmake --preset arm64": "builds for another processor: scripts/check_arm64.sh",
    "python3 tests/golden/make_ops.py build/asan/tests/op_tool tests/golden/ops.safetensors":
        "writes golden vectors anew, with PyTorch",
    "scripts/check_includes.sh": "is a test of its own",
    "scripts/check_links.sh": "is a test of its own",
    "scripts/rooms.sh": "a list, which the two checks read",
    "scripts/wheel.sh": "builds for minutes, with tools of PyPI; the client `python` runs it",
    "scripts/peers.sh": A_MEASUREMENT,
    "scripts/peers.sh --part start": A_MEASUREMENT,
    "scripts/accuracy_tables.sh": A_MEASUREMENT,
    "--smoke": "of scripts/accuracy_tables.sh, tested by test_accuracy_tables.py",
    "scripts/gpu_pack.sh": A_GPU,
    "scripts/gpu_first.sh": A_GPU,
    "scripts/gpu_second.sh": A_GPU,
    "--architectures": "of scripts/gpu_pack.sh",
    "--out": "of scripts/gpu_first.sh",
    "--single": "of scripts/gpu_first.sh",
    "--device cudasim --quick": "of scripts/gpu_first.sh, tested by test_gpu_runs.py",
    "--device cudasim": "of a build that has the simulated device: tested on it",
    "--step_dot step.dot": A_GPU,
    "--verify": "needs ONNX Runtime or PyTorch: tested by test_export_onnx.py and the clients",
    "--mixed_precision": "needs a processor with BF16: tested by test_mixed_cpu.c",
}
SYNTH = "decavox synth --out FOLDER"
if shutil.which("espeak-ng"):
    RUNS[SYNTH] = ["{} --voices 2 --words yes,no"]
else:
    NOT_RUN[SYNTH] = "needs espeak-ng"

A_COMMAND = re.compile(r"decavox [a-z]|--[a-z]|\./\w+\.sh|scripts/\w+\.sh|cmake |python3 |"
                       r"build/\S*/decavox ")


def commands_of(text):
    """Those of the code blocks, which of an example are behind a `$`, and of the text."""
    fenced = re.findall(r"^```.*?^```", text, re.S | re.M)
    rest = re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)
    found = [line[2:] for block in fenced for line in block.splitlines() if line.startswith("$ ")]
    found += [line.split("  #")[0] for line in rest.splitlines() if line.startswith("    ")]
    found += re.findall(r"`([^`]+)`", rest)
    found = [" ".join(command.replace("\\|", "|").split()) for command in found]
    return sorted({command for command in found if A_COMMAND.match(command)})


class Readme(support.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.text = support.read_text(os.path.join(support.ROOT, "README.md"))
        cls.prefix = cls.at("prefix")
        subprocess.run(["cmake", "--install", BUILD, "--prefix", cls.prefix], check=True,
                       stdout=subprocess.DEVNULL)
        cls.home, cls.work = cls.at("home"), cls.at("work")
        os.mkdir(cls.home)
        os.mkdir(cls.work)
        cls.fill()

    @classmethod
    def here(cls, name):
        return os.path.join(cls.work, name)

    @classmethod
    def fill(cls):
        """The working folder: what the README's commands name."""
        speakers = ("ann", "bob", "cid", "dot")
        support.make_data(cls.here("fsdd"), digits=10, speakers=speakers, count=7)
        support.make_data(cls.here("more"), digits=10, speakers=("eve", "fay"), count=2)
        support.make_data(cls.here("noise"), digits=1, speakers=("hum",), count=1)
        for name in ("a.wav", "b.wav"):
            support.write_wav(cls.here(name), support.tone(3, 0, 0))
        support.write_text(cls.here("tiny.yaml"),
                           re.search(r"^```yaml\n(.*?)^```", cls.text, re.S | re.M)[1])
        for command in ("train configs/mini.yaml --data fsdd --epochs 1 --out runs/done",
                        "eval runs/done/model.safetensors --out kept.json"):
            done = cls.decavox(command)
            if done.returncode != GOOD:
                raise AssertionError(done.stderr + done.stdout)

    @classmethod
    def decavox(cls, command, folder=None, **variables):
        words = shlex.split(command)
        environment = {"HOME": cls.home, "PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1"}
        environment |= variables
        return subprocess.run([os.path.join(cls.prefix, "bin", "decavox"), *words],
                              cwd=folder or cls.work, env=environment, capture_output=True,
                              text=True, errors="replace", timeout=600, check=False)

    @staticmethod
    def lines_of(command, number):
        """The command lines that run a command of the README, without the program."""
        words = command.split()
        if words[0].endswith("decavox"):
            words = words[1:]
        words = [WORDS.get(word, word) for word in words]
        words = [word.replace("FOLDER", f"folder_{number}").replace("FILE", f"file_{number}")
                 for word in words]
        return [line.replace("{}", " ".join(words)).replace("{number}", str(number))
                for line in RUNS[command]]

    def test_each_is_known(self):
        commands = commands_of(self.text)
        self.assertEqual([c for c in commands if c not in RUNS and c not in NOT_RUN], [],
                         "neither run here nor with a reason why not")
        self.assertEqual([c for c in [*RUNS, *NOT_RUN] if c not in commands], [],
                         "no longer in README.md")
        self.assertEqual([c for c in RUNS if c in NOT_RUN], [])

    def test_each_runs(self):
        for number, command in enumerate(commands_of(self.text)):
            for line in self.lines_of(command, number) if command in RUNS else []:
                with self.subTest(command=command, line=line):
                    done = self.decavox(line)
                    self.assertEqual(done.returncode, GOOD, done.stderr + done.stdout[-2000:])
                    self.assertNotIn("runtime error", done.stderr)
        # What compare has measured, and what espeak-ng leaves.
        self.assertLessEqual(set(os.listdir(self.home)), {".cache", ".config"})

    def test_a_file_of_the_user_comes_first(self):
        folder = self.at("other")
        os.makedirs(os.path.join(folder, "configs"))
        support.write_text(os.path.join(folder, "configs", "mini.yaml"), "model: nameless\n")
        own = os.path.join(self.prefix, "share", "decavox")
        done = self.decavox("train configs/mini.yaml --data .", folder, DECAVOX_HOME=own)
        self.assertEqual(done.returncode, USAGE)
        self.assertIn("nameless", done.stderr)
        done = self.decavox("train other/mini.yaml --data .", folder)
        self.assertEqual(done.returncode, FAILED)
        self.assertIn("other/mini.yaml: cannot be opened: No such file", done.stderr)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(f"usage: {sys.argv[0]} BINARY BUILD [unittest options]")
    BUILD = os.path.abspath(os.environ.get("DECAVOX_RELEASE_BUILD") or sys.argv[2])
    del sys.argv[2]
    support.main()
