"""Runs protocols. All calls of decavox that accuracy_tables.py makes are here.

    RUNS/voices/, RUNS/noises/          the synthetic voices; links to the used noises
    RUNS/PROTOCOL/MODEL/seed-N/         a training's folder; one with report.json is not run again,
                                        one with last.safetensors is resumed
    RUNS/PROTOCOL/MODEL/crossval/       the folder of a cross-validation; done with crossval.json
    RUNS/PROTOCOL/MODEL/seed-N.json     an evaluation
    .../NAME.origin.json                the origin of each of them: command, SHA-256 of the
                                        configuration and of the checkpoints used, version and
                                        commit of the program, date
"""
import csv
import datetime
import glob
import json
import math
import os
import shlex
import shutil
import subprocess
import threading

import accuracy_digests as digests
import accuracy_protocols as protocols
import accuracy_results as results

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Skipped(Exception):
    """A protocol or one of its models cannot be run here; the text has the reason."""


class Failed(Exception):
    """A run ended with an error."""


class Changed(Failed):
    """An existing result was made from other ingredients than it would be now."""


def short(path):
    """A path for the program, from the root of the project, where it runs, so that checkpoints hold
    no path of this machine."""
    return os.path.relpath(path, ROOT)


class Lab:
    """The program, the data and the folder of the runs. `jobs` is the number of runs of a
    cross-validation at a time. `smoke`, unless None, makes a training tiny (accuracy_smoke.py)."""

    def __init__(self, program, data, runs, device="auto", threads=0, jobs=1, smoke=None):
        self.program, self.runs, self.smoke = os.path.abspath(program), runs, smoke
        self.device, self.threads, self.jobs = device, threads, jobs
        self.seeds = smoke.seeds if smoke else protocols.SEEDS
        self.folders = {name: os.path.join(data, entry.folder)
                        for name, entry in protocols.DATA.items() if entry.folder}
        self.folders["voices"] = os.path.join(runs, "voices")
        self.lock = threading.Lock()
        # A program that tells no commit was built before it could.
        self.version, _, commit = self.ask("--version").strip().partition(", commit ")
        self.commit = commit or "unknown"

    # ---- Processes ----

    def ask(self, *arguments):
        done = subprocess.run([self.program, *arguments], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, cwd=ROOT)
        if done.returncode != 0:
            raise Failed(f"decavox {shlex.join(arguments)}: {last_line(done.stderr)}")
        return done.stdout

    def call(self, arguments, log):
        """Runs the program with its output in a file."""
        os.makedirs(os.path.dirname(log), exist_ok=True)
        variables = dict(os.environ)
        if self.threads > 0:
            variables["OMP_NUM_THREADS"] = str(self.threads)
        with open(log, "a", encoding="utf-8") as file:
            done = subprocess.run([self.program, *arguments], stdout=file, stderr=file, cwd=ROOT,
                                  env=variables)
        if done.returncode != 0:
            with open(log, encoding="utf-8", errors="replace") as file:
                raise Failed(f"{last_line(file.read())} ({short(log)})")

    def machine(self):
        return ["--device", self.device, "--threads", str(self.threads)]

    # ---- Data ----

    def values(self, protocol, **more):
        """The values of $names. Raises Skipped if data are missing."""
        for name in protocol.data():
            if name != "voices" and not os.path.isdir(self.folders[name]):
                raise Skipped(f"{protocols.DATA[name].title} is not at "
                              f"{short(self.folders[name])}")
        if "voices" in protocol.data():
            self.make_voices()
        values = {name: short(folder) for name, folder in self.folders.items()}
        if "noises" in protocol.data():
            values["noises"] = short(self.link_noises())
        return values | more

    def link_noises(self):
        """Makes a folder with only the noises of the protocols."""
        folder = os.path.join(self.runs, "noises")
        with self.lock:
            os.makedirs(folder, exist_ok=True)
            for name in protocols.NOISES:
                link = os.path.join(folder, f"{name}.flac")
                if not os.path.lexists(link):
                    os.symlink(os.path.join(self.folders["noises"], f"{name}.flac"), link)
        return folder

    def make_voices(self):
        with self.lock:
            folder, done = self.folders["voices"], self.folders["voices"] + ".done"
            size = self.smoke.synth if self.smoke else protocols.SYNTH
            if os.path.exists(done):
                if results.read_text(done) != shlex.join(size) + "\n":
                    raise Changed(f"{short(folder)} was made with {results.read_text(done).strip()}"
                                  f", now it is {shlex.join(size)}: remove it and {short(done)}")
                return
            if shutil.which("espeak-ng") is None:
                raise Skipped("espeak-ng, which speaks the synthetic voices, is not installed")
            self.call(["synth", "--out", short(folder), *size], folder + ".log")
            results.write_text(done, shlex.join(size) + "\n")

    # ---- Protocols ----

    def check(self, protocol, model):
        """Raises Skipped if the configuration or data are missing."""
        config = self.config(protocol, model)
        if config and not os.path.exists(config):
            raise Skipped(f"{short(config)} is not there")
        self.values(protocol)

    def command(self, protocol, model, values):
        """The program's arguments. With protocols.shown_values() they are those of printed
        commands."""
        values = {"model": model, **values}
        arguments = protocols.fill(protocol.arguments, values)
        arguments += protocol.more.get(model, ())
        if protocol.kind == "eval":
            return ["eval", *arguments, "--format", "json"]
        config = protocols.fill([protocol.config], values)
        small = list(self.smoke.train) if self.smoke else []
        members = protocols.members(model)
        if protocol.start and not members:
            arguments += protocols.fill(protocols.START, values)
        if members and not self.smoke:
            arguments += protocols.fill(protocols.mix(model), values)
        if protocol.kind == "train":
            return ["train", *config, *arguments, *small, "--seed", str(values["seed"])]
        return ["crossval", *config, *arguments, *small, "--seeds", values["seeds"]]

    def shown(self, protocol, model):
        values = protocols.shown_values() | {"seed": "N",
                                             "seeds": ",".join(map(str, self.seeds))}
        run = "{fold}-seed-{seed}" if protocol.kind == "crossval" else "seed-N"
        values |= {name: f"{name}/{run}/model.safetensors" for name in protocols.members(model)}
        one = "seed-{seed}" if protocol.kind == "crossval" else "seed-N"
        values["start"] = f"{protocol.start}/{one}/model.safetensors"
        values["teacher"] = f"{protocols.TEACHER}/{one}/model.safetensors"
        command = self.command(protocol, model, values)
        if protocol.kind == "eval":
            command.insert(1, "model.safetensors")
        return "decavox " + " ".join(quoted(part) for part in command)

    def folder(self, protocol, model, *more):
        return os.path.join(self.runs, protocol, model, *more)

    def tasks(self, protocol, model):
        """Functions that may be called side by side. Each writes its files to the runs' folder."""
        if protocol.kind == "crossval":
            return [lambda: self.crossval(protocol, model)]
        one = self.train if protocol.kind == "train" else self.evaluate
        return [lambda seed=seed: one(protocol, model, seed) for seed in self.seeds]

    def train(self, protocol, model, seed):
        folder = self.folder(protocol.name, model, f"seed-{seed}")
        files = self.begins_with(protocol, model, seed)
        command = self.command(protocol, model, self.values(protocol, seed=seed, **files))
        finished = os.path.exists(os.path.join(folder, "report.json"))
        self.begin(folder, folder, finished, protocol, model, command, files.values())
        if finished:
            return
        log = folder + ".log"
        if os.path.exists(os.path.join(folder, "config.yaml")):
            self.call(["train", "--resume", short(folder), *self.machine()], log)
        else:
            self.call([*command, "--out", short(folder), *self.machine()], log)

    def begins_with(self, protocol, model, seed=None):
        """The trained models with which a run begins or from which it learns, by their names in
        arguments. Without a seed they are those of a cross-validation, where {fold} and {seed}
        stand for each run's own. Raises Skipped if one is missing."""
        members = protocols.members(model)
        if not members:
            files = {}
            if protocol.start:
                files["start"] = self.trained(protocols.named(protocol.start), model, seed)
            if protocol.teacher:
                files["teacher"] = self.trained(protocols.named(protocol.teacher),
                                                protocols.TEACHER, seed)
            return files
        if self.smoke:
            return {}
        if protocol.kind == "crossval":
            return {name: self.validated(protocol, name) for name in members}
        return {name: self.trained(protocol, name, seed) for name in members}

    def trained(self, protocol, model, seed=None):
        """The model of a training, or without a seed those of all seeds. Raises Skipped if it is
        missing."""
        for one in self.seeds if seed is None else (seed,):
            folder = self.folder(protocol.name, model, f"seed-{one}")
            if not os.path.exists(os.path.join(folder, "report.json")):
                raise Skipped(f"{protocol.name} has no trained {model} of seed {one}")
            self.require_same(folder, protocol, model)
        name = "seed-{seed}" if seed is None else f"seed-{seed}"
        return short(self.folder(protocol.name, model, name, "model.safetensors"))

    def validated(self, protocol, model):
        """The models of all folds and seeds of a cross-validation. Raises Skipped if it is not
        complete."""
        folder = self.folder(protocol.name, model, "crossval")
        if read_crossval(folder) is None:
            raise Skipped(f"there is no complete cross-validation of {model}")
        self.require_same(folder, protocol, model)
        return short(os.path.join(folder, "{fold}-seed-{seed}", "model.safetensors"))

    def crossval(self, protocol, model):
        folder = self.folder(protocol.name, model, "crossval")
        seeds = ",".join(map(str, self.seeds))
        files = self.begins_with(protocol, model)
        command = self.command(protocol, model, self.values(protocol, seeds=seeds, **files))
        finished = read_crossval(folder) is not None
        self.begin(folder, folder, finished, protocol, model, command, files.values())
        if not finished:
            # A second call resumes where the first one ended.
            self.call([*command, "--out", short(folder), *self.machine(),
                       "--jobs", str(self.jobs)], folder + ".log")

    def evaluate(self, protocol, model, seed):
        out = self.folder(protocol.name, model, f"seed-{seed}")
        checkpoint = self.trained(protocols.named(protocol.of), model, seed)
        command = self.command(protocol, model, self.values(protocol))
        self.begin(out, out + ".json", True, protocol, model, command, [checkpoint])
        if not os.path.exists(out + ".json"):
            self.evaluate_file(os.path.join(ROOT, checkpoint), command, out + ".json")

    def evaluate_file(self, checkpoint, command, out):
        text = self.ask("eval", short(checkpoint), *command[1:], *self.machine())
        results.write_text(out, json.dumps(json.loads(text)) + "\n")

    def begin(self, folder, made, finished, protocol, model, command, checkpoints):
        """Notes the ingredients of a run. Refuses existing files, at `made`, that were made from
        other ingredients. A run that another build resumes has both commits."""
        note = folder + ".origin.json"
        if os.path.exists(made) and os.path.exists(note):
            before = results.read_json(note)
            if before["command"] != command:
                raise Changed(f"{short(made)} was made by another command: remove it, or give "
                              "another --runs")
            self.require_same(folder, protocol, model, made)
            if not finished and self.commit not in before["commit"].split(", "):
                before["commit"] += ", " + self.commit
                results.write_text(note, json.dumps(before) + "\n")
            return
        about = {"command": command, "shown": self.shown(protocol, model)}
        config = self.config(protocol, model)
        if config:
            about["config"] = digests.of_config(config)
        files = [file for path in checkpoints for file in input_files(path)]
        if files:
            about["checkpoints"] = {file: digests.of_file(os.path.join(ROOT, file))
                                    for file in files}
        results.write_text(note, json.dumps(about | {
            "version": self.version, "commit": self.commit,
            "date": datetime.date.today().isoformat()}) + "\n")

    def config(self, protocol, model):
        """The path of the configuration, empty if the protocol has none of its own."""
        config, = protocols.fill([protocol.config], {"model": model})
        return config and os.path.join(ROOT, config)

    def require_same(self, folder, protocol, model, made=None):
        """Raises Changed if a run's command, its configuration or a checkpoint that it used differs
        from its note. Entries that an older note lacks are believed, and so are digests of missing
        files."""
        note = folder + ".origin.json"
        note = results.read_json(note) if os.path.exists(note) else {}
        if note.get("shown", self.shown(protocol, model)) != self.shown(protocol, model):
            raise Changed(f"{short(made or folder)} was made by another command: remove it, or give "
                          "another --runs")
        config = self.config(protocol, model)
        noted = [(config, digests.of_config, note["config"])] if "config" in note else []
        noted += [(os.path.join(ROOT, file), digests.of_file, digest)
                  for file, digest in note.get("checkpoints", {}).items()]
        for path, digest_of, digest in noted:
            if os.path.exists(path) and digest_of(path) != digest:
                raise Changed(f"{short(made or folder)} was made with another {short(path)} than "
                              "there is now: remove it, or give another --runs")

    # ---- Results ----

    def collect(self, protocol, model):
        """The result of the finished runs, or None. Raises Changed if one is out of date."""
        pooled = None
        if protocol.kind == "crossval":
            folder = self.folder(protocol.name, model, "crossval")
            crossval = read_crossval(folder)
            if crossval is None:
                return None
            self.require_same(folder, protocol, model)
            runs = [run | origin(folder) for run in results.crossval_runs(crossval)]
            pooled = results.crossval_pooled(crossval)
        else:
            runs = [run for run in (self.run_of(protocol, model, seed) for seed in self.seeds)
                    if run]
        if not runs:
            return None
        about = {"config": protocols.fill([protocol.config], {"model": model})[0],
                 "command": self.shown(protocol, model)}
        if self.smoke:
            about["smoke"] = True
        return results.result(protocol.name, model, about, runs, pooled)

    def run_of(self, protocol, model, seed):
        folder = self.folder(protocol.name, model, f"seed-{seed}")
        trained = protocol.kind == "train"
        path = os.path.join(folder, "report.json") if trained else folder + ".json"
        if not os.path.exists(path):
            return None
        self.require_same(folder, protocol, model, folder if trained else path)
        run = {"seed": seed} | origin(folder) | results.figures(results.read_json(path))
        return run | (validation(folder) if trained else {})


def input_files(path):
    """The files of a path. {fold} and {seed} in it stand for all folds and seeds."""
    pattern = glob.escape(os.path.join(ROOT, path)).replace("{fold}", "*").replace("{seed}", "*")
    return sorted(short(file) for file in glob.glob(pattern)) if "{seed}" in path else [path]


def read_crossval(folder):
    """The content of crossval.json, or None if one of its runs is missing."""
    path = os.path.join(folder, "crossval.json")
    crossval = results.read_json(path) if os.path.exists(path) else None
    return crossval if crossval and crossval["complete"] else None


def origin(folder):
    note = results.read_json(folder + ".origin.json")
    return {key: note[key] for key in ("version", "commit", "date")}


def validation(folder):
    """Accuracy and loss of the epoch that was kept, by the trainer's rule."""
    with open(os.path.join(folder, "metrics.csv"), encoding="utf-8", newline="") as file:
        rows = [(float(row["validation_accuracy"]), -float(row["validation_loss"]))
                for row in csv.DictReader(file)]
    rows = [row for row in rows if not math.isnan(row[0])]
    if not rows:
        return {}
    accuracy, loss = max(rows)
    return {"validation_accuracy": accuracy, "validation_loss": -loss}


def quoted(part):
    """An argument for a shell, with as few quotes as possible."""
    return part if part.replace(",", "").replace("=", "").isalnum() else shlex.quote(part)


def last_line(text):
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "no message"
