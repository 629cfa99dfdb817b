#!/usr/bin/env python3
"""Shows that every model answers in other runtimes as in decavox, with every type of features and
every placement: 12 models, 4 types and 3 placements, each trained to 90 % of the Free Spoken Digit
Dataset's test part and exported to every form. Prints one line.

    scripts/export_matrix.py BUILD --data FSDD [--work DIR] [--jobs N] [--models A,B] [--types A,B]

Needs an hour or two, and the peers (scripts/peers.sh --install). What is trained stays in DIR,
build/export_matrix by default, and a second run goes on from there. A model is trained with the
first placement, and goes on from that with the others. Ensembles are mixed of their members.

Exit code 0 if all agree, 1 if not, 2 if it was used wrongly.
"""
import argparse
import concurrent.futures
import glob
import json
import os
import re
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TYPES = ("mel", "mfcc", "fbank", "spectrogram")
PLACEMENTS = ("energy", "middle", "start")
ENSEMBLES = {"ensemble": ("advanced", "efficient", "transformer"),
             "ensemble_fine": ("advanced_fine", "efficient_fine", "transformer_fine")}
SIZES = {"mel": (256, 200, 250), "mfcc": (256, 200, 250), "fbank": (256, 200, 250),
         "spectrogram": (128, 128, 250)}  # n_fft, window, hop
LEAST = 0.9
EPOCHS = (1, 2, 4, 8, 16)  # of rounds, until it is enough


class Matrix:
    def __init__(self, chosen):
        self.build, self.data = os.path.abspath(chosen.build), os.path.abspath(chosen.data)
        self.program = os.path.join(self.build, "runner", "decavox")
        self.work = os.path.abspath(chosen.work)
        os.makedirs(self.work, exist_ok=True)

    def at(self, model, kind, placement):
        return os.path.join(self.work, f"{model}_{kind}_{placement}.safetensors")

    def run(self, *arguments):
        done = subprocess.run([self.program, *arguments], cwd=ROOT, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True,
                              env=os.environ | {"OMP_NUM_THREADS": "1"})
        if done.returncode != 0:
            raise OSError(f"{' '.join(arguments)}: {done.stderr}")
        return done.stdout

    def accuracy(self, checkpoint):
        report = json.loads(self.run("eval", checkpoint, "--data", self.data, "--split",
                                     "official", "--format", "json"))
        return report["accuracy"]

    def train(self, model, kind, placement, begin):
        """Rounds, each from where the last one ended, until the test says enough."""
        folder, best = os.path.join(self.work, f"run_{model}_{kind}_{placement}"), 0
        n_fft, window, hop = SIZES[kind]
        for epochs in EPOCHS:
            shutil.rmtree(folder, ignore_errors=True)
            more = ["--init_from", begin] if begin else []
            self.run("train", "configs/lightweight.yaml", "--data", self.data, "--split",
                     "official", "--model_type", model, "--out", folder, "--epochs",
                     str(epochs), "--threads", "1",
                     "--learning_rate", "0.001", *more,
                     *(word for setting in (f"type={kind}", f"placement={placement}",
                                            f"n_fft={n_fft}", f"window={window}", f"hop={hop}",
                                            "n_mels=32", "mel_norm=sum")
                       for word in ("--set", f"features.{setting}")))
            out = self.at(model, kind, placement)
            shutil.copyfile(os.path.join(folder, "model.safetensors"), out + ".part")
            os.rename(out + ".part", out + ".trained")
            begin, best = out + ".trained", self.accuracy(out + ".trained")
            if best >= LEAST:
                break
        shutil.rmtree(folder, ignore_errors=True)
        return best

    def one(self, model, kind):
        """All placements of a model; {path: accuracy}."""
        found, begin = {}, None
        for placement in PLACEMENTS:
            out = self.at(model, kind, placement)
            if os.path.exists(out):
                found[out] = self.accuracy(out)
            elif model in ENSEMBLES:
                members = [self.at(member, kind, placement) for member in ENSEMBLES[model]]
                self.run("ensemble", *members, "--shares", "0.4,0.35,0.25", "--out", out)
                found[out] = self.accuracy(out)
            else:
                found[out] = self.train(model, kind, placement, begin)
                os.rename(out + ".trained", out)
            begin = out
            print(f"{os.path.basename(out)}: {100 * found[out]:.1f} %", flush=True)
        return found

    def agree(self, client, checkpoints):
        """The lines of a client that compares, and whether it says that all agree."""
        python = os.path.join(ROOT, "build", "peers", "bin", "python")
        words = [word for path in checkpoints for word in ("--checkpoint", path)]
        done = subprocess.run([python, "-B", os.path.join(ROOT, "tests", "clients", client),
                               self.build, *words], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True, cwd=ROOT)
        with open(os.path.join(self.work, client + ".txt"), "w", encoding="utf-8") as file:
            file.write(done.stdout)
        return [line for line in done.stdout.splitlines() if "words the same" in line], \
            done.returncode == 0


def models():
    return sorted(os.path.basename(path)[:-5]
                  for path in glob.glob(os.path.join(ROOT, "configs", "models", "*.yaml")))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("build")
    parser.add_argument("--data", required=True)
    parser.add_argument("--work", default=os.path.join(ROOT, "build", "export_matrix"))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--models", default=",".join(models()))
    parser.add_argument("--types", default=",".join(TYPES))
    parser.add_argument("--train_only", action="store_true")
    chosen = parser.parse_args()
    wanted = [(model, kind) for kind in chosen.types.split(",")
              for model in chosen.models.split(",")]
    matrix, found = Matrix(chosen), {}
    for mixed in (False, True):
        with concurrent.futures.ThreadPoolExecutor(chosen.jobs) as pool:
            for one in pool.map(lambda pair: matrix.one(*pair),
                                [pair for pair in wanted if (pair[0] in ENSEMBLES) == mixed]):
                found |= one
    low = [path for path, accuracy in found.items() if accuracy < LEAST]
    print(f"{len(found)} models, {len(low)} of them below {100 * LEAST:.0f} %")
    if chosen.train_only:
        return 1 if low else 0
    lines, agreed = [], True
    for client in ("export_onnx.py", "export_torch.py"):
        more, good = matrix.agree(client, sorted(found))
        lines, agreed = lines + more, agreed and good
    same = [line for line in lines if re.search(r"\b(\d+) of \1 words the same", line)]
    largest = max((float(re.search(r"predict ([0-9.e+-]+)", line)[1]) for line in lines),
                  default=float("nan"))
    print(f"{len(found)} models from {100 * min(found.values()):.1f} % on, {len(lines)} of them in "
          f"runtimes, {len(same)} with the same words, logits within {largest:.2g}: "
          f"{'agree' if agreed and not low and len(same) == len(lines) else 'DO NOT AGREE'}")
    return 0 if agreed and not low and lines and len(same) == len(lines) else 1


if __name__ == "__main__":
    sys.exit(main())
