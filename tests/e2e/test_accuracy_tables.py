"""scripts/accuracy_tables.sh: a whole run with tiny trainings, and pages from JSON alone."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

import support

sys.path.insert(0, os.path.join(support.ROOT, "tools", "accuracy"))
import accuracy_digests as digests
import accuracy_pages as pages
import accuracy_protocols as protocols
import accuracy_results as results
import accuracy_runs as lab
import accuracy_ship as shipping
import accuracy_speed as speed
import accuracy_tables

SCRIPT = os.path.join(support.ROOT, "scripts", "accuracy_tables.sh")


def tables(*arguments):
    done = subprocess.run([SCRIPT, "--decavox", support.release_binary(), "--device", "cpu", *arguments],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=500,
                          env=support.environment())
    return support.Result(done.returncode, done.stdout, done.stderr)


class Smoke(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="decavox-")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.arguments = ["--smoke", "--out", cls.folder, "--jobs", "2"]
        cls.done = tables(*cls.arguments)
        cls.checkpoints = os.path.join(cls.folder, "checkpoints")

    def whole(self):
        if shutil.which("espeak-ng") is None:
            self.skipTest("espeak-ng is not installed")

    def test_passes(self):
        self.assertEqual(self.done.code, 0, self.done.out + self.done.err)
        self.assertNotIn("failed: ", self.done.err)

    def test_every_row(self):
        self.whole()
        self.assertNotIn("skipped: ", self.done.out)
        measured = results.read_results(os.path.join(self.checkpoints, "results"))
        self.assertEqual(set(measured), {(p.name, m) for p in protocols.PROTOCOLS
                                         for m in p.models})
        for (name, model), result in measured.items():
            self.assertTrue(result["smoke"])
            self.assertGreater(result["summary"]["count"], 0, name)
            self.assertEqual(result["summary"]["n"], 1)
            self.assertIn("ece", result["summary"])
        text = support.read_text(os.path.join(self.checkpoints, "README.md"))
        self.assertNotIn(pages.NONE + " |", text)
        self.assertIn("these figures mean nothing", text.splitlines()[0])

    def test_every_model_is_shipped(self):
        self.whole()
        for model in protocols.GENERALS:
            path = os.path.join(self.checkpoints, f"{model}.safetensors")
            self.assertIn("precision: fp16", support.decavox("info", path).out)
            card = results.read_json(os.path.join(self.checkpoints, f"{model}.json"))
            self.assertEqual(list(card["accuracy"]), ["gsc", "gsc_all", "gsc_official", "noise_gsc"])
            self.assertEqual(card["file"]["bytes"], os.path.getsize(path))
            page = support.read_text(os.path.join(self.checkpoints, f"{model}.md"))
            for part in ("CC BY-SA 4.0", "Zohar Jackson", "CC BY 4.0", "P. Warden", "espeak-ng",
                         "The worst noise is", "the worst word is", card["training"]["command"]):
                self.assertIn(part, page)

    def test_an_ensemble_is_what_its_card_mixes(self):
        self.whole()
        for model in ("ensemble", "ensemble_fine"):
            card = results.read_json(os.path.join(self.checkpoints, f"{model}.json"))
            members = [os.path.join(self.checkpoints, f"{one['name']}.safetensors")
                       for one in card["members"]]
            out = os.path.join(self.folder, f"{model}.again")
            done = support.decavox("ensemble", *members, "--shares",
                                   ",".join(str(one["share"]) for one in card["members"]),
                                   "--file_precision", card["file"]["precision"], "--out", out)
            self.assertEqual(done.code, 0, done.err)
            self.assertEqual(shipping.file_about(out)["sha256"], card["file"]["sha256"])
            page = support.read_text(os.path.join(self.checkpoints, f"{model}.md"))
            self.assertIn(f" of [{card['members'][0]['name']}]({card['members'][0]['name']}.md), ",
                          page)

    def test_results_hold_no_folder(self):
        folder = os.path.join(self.checkpoints, "results")
        self.assertTrue(os.listdir(folder))
        for name in os.listdir(folder):
            text = support.read_text(os.path.join(folder, name))
            self.assertNotIn(self.folder, text)
            self.assertNotIn("clips", json.loads(text)["runs"][0])
            self.assertEqual(results.absolute_paths(json.loads(text)), [])

    def test_pages_are_checked(self):
        page = os.path.join(self.checkpoints, "README.md")
        text = support.read_text(page)
        self.assertEqual(tables("--check", "--out", self.checkpoints).code, 0)
        support.write_text(page, text.replace("(1)", "(3)", 1))
        done = tables("--check", "--out", self.checkpoints)
        self.assertEqual(done.code, 1)
        self.assertIn("README.md is not what --pages makes", done.err)
        self.assertEqual(tables("--pages", "--out", self.checkpoints).code, 0)
        self.assertEqual(support.read_text(page), text)

    def test_runs_are_not_repeated_and_go_on(self):
        runs = os.path.join(self.folder, "runs", "official_mfcc")
        models = {name: os.path.join(runs, name, "seed-1", "model.safetensors")
                  for name in protocols.FORMS}
        before = {name: os.stat(path).st_mtime_ns for name, path in models.items()}
        report = os.path.join(runs, "advanced", "seed-1", "report.json")
        content = support.read_stable(report)
        os.remove(report)  # as if it had been stopped there
        done = tables(*self.arguments, "--collect", "official_mfcc")
        self.assertEqual(done.code, 0, done.err)
        self.assertFalse(os.path.exists(report))
        done = tables(*self.arguments, "official_mfcc")
        self.assertEqual(done.code, 0, done.err)
        self.assertEqual(support.read_stable(report), content)
        self.assertIn("resumed at step", support.read_text(
            os.path.join(runs, "advanced", "seed-1", "log.txt")))
        after = {name: os.stat(path).st_mtime_ns for name, path in models.items()}
        self.assertNotEqual(before.pop("advanced"), after.pop("advanced"))
        self.assertEqual(before, after)

    def test_another_command_is_not_taken_for_this(self):
        note = os.path.join(self.folder, "runs", "official_mfcc", "lightweight",
                            "seed-1.origin.json")
        text = support.read_text(note)
        support.write_text(note, text.replace("official", "random"))
        done = tables(*self.arguments, "official_mfcc")
        support.write_text(note, text)
        self.assertEqual(done.code, 1)
        self.assertIn("official_mfcc lightweight: Changed", done.err)
        self.assertIn("was made by another command", done.err)

    def test_evaluations_of_other_models_are_not_taken_for_these(self):
        trained = os.path.join(self.folder, "runs", "official", "lightweight", "seed-1",
                               "model.safetensors")
        result = os.path.join(self.checkpoints, "results", "noise_official-lightweight.json")
        content, before = support.read_bytes(trained), support.read_text(result)
        os.remove(result)
        with open(trained, "ab") as file:
            file.write(b" ")  # as if it had been trained anew
        for more in ([], ["--collect"]):
            done = tables(*self.arguments, "noise", "--models", "lightweight", *more)
            self.assertEqual(done.code, 1)
            self.assertRegex(done.err, "noise_official lightweight: .*seed-1.json was made with "
                                       "another .*official/lightweight/seed-1/model.safetensors")
            self.assertFalse(os.path.exists(result))
        with open(trained, "wb") as file:
            file.write(content)
        done = tables(*self.arguments, "noise", "--models", "lightweight")
        self.assertEqual(done.code, 0, done.err)
        self.assertEqual(support.read_text(result), before)


class Refusals(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="decavox-")
        self.addCleanup(shutil.rmtree, self.folder)

    def test_missing_data_are_told(self):
        done = tables("--data", os.path.join(self.folder, "none"), "--out", self.folder, "--runs",
                      os.path.join(self.folder, "runs"))
        self.assertEqual(done.code, 0, done.err)
        for protocol in protocols.PROTOCOLS:
            self.assertIn(f"skipped: {protocol.name} {protocol.models[0]}: ", done.out)
        self.assertIn("skipped: official_mfcc advanced: Free Spoken Digit Dataset is not at",
                      done.out)
        self.assertIn(pages.NONE, support.read_text(os.path.join(self.folder, "README.md")))

    def test_noises_are_shown_in_the_order_of_their_folder(self):
        """Clips are dealt to noises in this order, so a printed command measures the same."""
        self.assertEqual(list(protocols.NOISES), sorted(protocols.NOISES))

    def test_wrong_use(self):
        done = tables("offical")
        self.assertEqual(done.code, 2)
        self.assertIn("no protocol 'offical'", done.err)
        done = tables("--models", "advanced,advnaced")
        self.assertEqual(done.code, 2)
        self.assertIn("no model 'advnaced'", done.err)
        self.assertEqual(tables("--jobs", "0").code, 2)
        done = tables("--smoke", "--out", os.path.join(support.ROOT, "checkpoints"))
        self.assertEqual(done.code, 1)
        self.assertIn("--smoke writes no figures into checkpoints", done.err)

    def test_a_choice_of_models(self):
        chosen = protocols.chosen(["loso", "noise"], "lightweight,ensemble")
        self.assertEqual([(p.name, p.models) for p in chosen],
                         [("loso", ("lightweight",)),
                          ("noise_official", ("lightweight", "ensemble")),
                          ("noise_noisy", ("lightweight",)),
                          ("noise_gsc", ("lightweight", "ensemble"))])

    def test_absolute_paths_are_refused(self):
        for text in ("/home/a/b", "eval /data/x.wav", 'path: "/srv/x/y"', "x=/root"):
            with self.assertRaises(ValueError):
                results.write_json(os.path.join(self.folder, "x.json"), {"a": [{"b": text}]})
        self.assertEqual(os.listdir(self.folder), [])
        good = {"a": ["https://a.b/c/d", "configs/mini.yaml", "../shared/data/fsdd", "12 / 40",
                      "decavox train a/b.yaml --data fsdd"]}
        results.write_json(os.path.join(self.folder, "x.json"), good)
        self.assertEqual(results.read_json(os.path.join(self.folder, "x.json")), good)


def evaluation(correct, wrong, seed, **more):
    """An evaluation of two words with 100 clips each. Wrong answers belong to the second word."""
    assert correct + wrong == 200
    return {"seed": seed, "version": "decavox 0", "commit": "abc", "date": "2026-01-01",
            "accuracy": correct / 200, "correct": correct, "count": 200,
            "interval_95": results.wilson(correct / 200, 200), "loss": 0.1, "ece": 0.02,
            "labels": ["a", "b"], "confusion": [[100, 0], [wrong, 100 - wrong]], **more}


class Origins(unittest.TestCase):
    """The notes of a run, and the runs that they accept."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="decavox-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.config = self.write("c/run.yaml", "base: [more/base.yaml, last.yaml]\nmodel: both  # two\n")
        self.write("c/more/base.yaml", "train: {epochs: 1}\n")
        self.write("c/last.yaml", "train: {epochs: 2}\n")
        self.write("c/models/both.yaml", "layers:\n  - ensemble: {models: [one, two]}\n")
        self.write("c/models/one.yaml", "layers: [1]\n")
        self.write("c/models/two.yaml", "layers: [2]\n")

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        support.write_text(path, text)
        return path

    def program(self, version):
        path = self.write("program", f"#!/bin/sh\necho '{version}'\n")
        os.chmod(path, 0o755)
        return path

    def lab(self, version="decavox 1.2, commit 0a1b2c3d4e5f"):
        made = lab.Lab(self.program(version), self.folder, self.folder, device="cpu")
        made.config = lambda protocol, model: self.config
        made.shown = lambda protocol, model: "decavox train"
        return made

    def begin(self, made, checkpoints=(), command="train", finished=True):
        made.begin(os.path.join(self.folder, "run"), os.path.join(self.folder, "run"), finished,
                   None, "m", [command], [lab.short(path) for path in checkpoints])
        os.makedirs(os.path.join(self.folder, "run"), exist_ok=True)
        return results.read_json(os.path.join(self.folder, "run.origin.json"))

    def test_the_commit_is_the_programs(self):
        self.assertEqual(self.begin(self.lab()) | {"date": ""},
                         {"command": ["train"], "shown": "decavox train",
                          "config": digests.of_config(self.config), "version": "decavox 1.2", "commit": "0a1b2c3d4e5f", "date": ""})
        old = self.lab("decavox 1.1")
        self.assertEqual((old.version, old.commit), ("decavox 1.1", "unknown"))

    def test_whatever_a_configuration_is_made_of(self):
        made = self.lab()
        self.begin(made)
        self.write("c/run.yaml", "# Other words.\nbase: [more/base.yaml, last.yaml]\n\nmodel: both\n")
        self.begin(made)  # only comments differ
        for name in ("run", "more/base", "last", "models/both", "models/two"):
            path = os.path.join(self.folder, "c", name + ".yaml")
            text = support.read_text(path)
            support.write_text(path, text + "more: 1\n")
            with self.subTest(name), self.assertRaisesRegex(
                    lab.Changed, r"run was made with another .*c/run.yaml than there is now"):
                self.begin(made)
            support.write_text(path, text)
        self.begin(made)

    def test_checkpoints_that_it_began_with(self):
        made = self.lab()
        files = [self.write(f"m/{fold}-seed-1/model.safetensors", fold) for fold in ("ann", "bob")]
        pattern = os.path.join(self.folder, "m", "{fold}-seed-{seed}", "model.safetensors")
        note = self.begin(made, [pattern])
        self.assertEqual(note["checkpoints"],
                         {lab.short(path): digests.of_file(path) for path in files})
        self.begin(made, [pattern])
        support.write_text(files[1], "trained anew")
        with self.assertRaisesRegex(lab.Changed, "another .*m/bob-seed-1/model.safetensors"):
            self.begin(made, [pattern])
        os.remove(files[1])  # its digest is unknown now
        self.begin(made, [pattern])

    def test_another_command_is_not_credited(self):
        made = self.lab()
        self.begin(made)
        made.shown = lambda protocol, model: "decavox train --epochs 9"
        with self.assertRaisesRegex(lab.Changed, "run was made by another command"):
            made.require_same(os.path.join(self.folder, "run"), None, "m")

    def test_builds_that_share_a_run_are_both_named(self):
        self.begin(self.lab())
        later = self.lab("decavox 1.3, commit 5e6f")
        self.assertEqual(self.begin(later)["commit"], "0a1b2c3d4e5f")  # it was finished
        self.assertEqual(self.begin(later, finished=False)["commit"], "0a1b2c3d4e5f, 5e6f")
        self.assertEqual(self.begin(later, finished=False)["commit"], "0a1b2c3d4e5f, 5e6f")

    def test_voices_of_another_size(self):
        made = self.lab()
        self.write("voices.done", "--voices 3 --takes 1\n")
        made.folders["voices"] = os.path.join(self.folder, "voices")
        with self.assertRaisesRegex(lab.Changed, "--voices 3 --takes 1, now it is --voices 140"):
            made.make_voices()

    def test_older_notes_are_believed(self):
        made = self.lab()
        os.makedirs(os.path.join(self.folder, "run"))
        old = {"command": ["train"], "version": "decavox 0", "commit": "abc", "date": "2026-01-01"}
        self.write("run.origin.json", json.dumps(old))
        model = self.write("model.safetensors", "")
        self.assertEqual(self.begin(made, [model]), old)
        with self.assertRaisesRegex(lab.Changed, "by another command"):
            self.begin(made, command="eval")

    def test_a_note_without_a_run_is_made_anew(self):
        made = self.lab()
        self.begin(made)
        os.rmdir(os.path.join(self.folder, "run"))
        self.write("c/models/one.yaml", "layers: [3]\n")
        self.assertEqual(self.begin(made)["config"], digests.of_config(self.config))


class Shipping(unittest.TestCase):
    def test_what_fails_for_one_model_is_not_missing_for_another(self):
        session = accuracy_tables.Session(mock.Mock(), 1)
        session.skipped = {"noise_gsc advanced": "no noise", "gsc efficient": "no data"}
        session.failed = {"gsc_official lightweight": "Failed: no"}
        with mock.patch.object(shipping, "ship") as ship, mock.patch("builtins.print"):
            session.ship("out", ["lightweight", "advanced", "efficient", "transformer"])
        self.assertEqual([call.args[1:] for call in ship.call_args_list],
                         [("lightweight", "out", {"gsc_official"}),
                          ("advanced", "out", {"noise_gsc"}), ("transformer", "out", set())])

    def test_the_chosen_models_alone(self):
        with tempfile.TemporaryDirectory() as folder, \
                mock.patch.object(sys, "argv", ["x", "--ship", "--models", "advanced", "loso",
                                                "--collect", "--runs", folder, "--out", folder,
                                                "--decavox", support.binary()]), \
                mock.patch.object(accuracy_tables.Session, "ship") as ship, \
                mock.patch("builtins.print"):
            self.assertEqual(accuracy_tables.main(), 0)
        self.assertEqual(ship.call_args.args[1], ["advanced"])


class Ensembles(unittest.TestCase):
    """The members of an ensemble of a cross-validation, with invented runs."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="decavox-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.protocol = next(p for p in protocols.PROTOCOLS if p.name == "loso_gsc")

    def lab(self, runs):
        data = os.path.join(self.folder, "data")
        for name in ("fsdd", "gsc_digits"):
            os.makedirs(os.path.join(data, name), exist_ok=True)
        results.write_text(os.path.join(runs, "voices.done"), " ".join(protocols.SYNTH) + "\n")
        return lab.Lab(support.binary(), data, runs, device="cpu")

    def write_members(self, runs, complete=True):
        for name in protocols.MEMBERS:
            results.write_json(os.path.join(runs, "loso_gsc", name, "crossval", "crossval.json"),
                               {"complete": complete or name != "efficient"})

    def test_members_by_fold_and_seed(self):
        runs = os.path.join(self.folder, "runs")
        made = self.lab(runs)
        self.write_members(runs)
        members = made.begins_with(self.protocol, "ensemble")
        self.assertEqual(members["efficient"], os.path.relpath(
            os.path.join(runs, "loso_gsc/efficient/crossval/{fold}-seed-{seed}/model.safetensors"),
            support.ROOT))
        values = made.values(self.protocol, seeds="1,2,3", **members)
        command = made.command(self.protocol, "ensemble", values)
        self.assertEqual(command[command.index("--init_from") + 1],
                         ",".join(f"{name}.={members[name]}" for name in protocols.MEMBERS))
        self.assertIn("train.freeze=", " ".join(command))

    def test_a_start_by_seed(self):
        runs = os.path.join(self.folder, "runs")
        made = self.lab(runs)
        with self.assertRaisesRegex(lab.Skipped, "pretrained has no trained advanced of seed 1"):
            made.crossval(self.protocol, "advanced")
        for seed in (1, 2):
            results.write_json(os.path.join(runs, "pretrained", "advanced", f"seed-{seed}",
                                            "report.json"), {})
        with self.assertRaisesRegex(lab.Skipped, "pretrained has no trained advanced of seed 3"):
            made.crossval(self.protocol, "advanced")
        made.seeds = (1, 2)
        files = made.begins_with(self.protocol, "advanced")
        self.assertEqual(files, {"start": os.path.relpath(
            os.path.join(runs, "pretrained/advanced/seed-{seed}/model.safetensors"), support.ROOT)})
        command = made.command(self.protocol, "advanced",
                               made.values(self.protocol, seeds="1,2", **files))
        self.assertEqual(command[command.index("--init_from") + 1], files["start"])
        self.assertIn("--init_from 'pretrained/seed-{seed}/model.safetensors'",
                      made.shown(self.protocol, "advanced"))
        self.assertEqual(made.begins_with(protocols.named("gsc"), "advanced", 1), {})

    def test_a_teacher_of_the_same_seed(self):
        runs = os.path.join(self.folder, "runs")
        made, taught = self.lab(runs), protocols.named("taught")
        results.write_json(os.path.join(runs, "gsc", "mini", "seed-2", "report.json"), {})
        with self.assertRaisesRegex(lab.Skipped, "gsc has no trained ensemble_fine of seed 2"):
            made.begins_with(taught, "mini", 2)
        results.write_json(os.path.join(runs, "gsc", "ensemble_fine", "seed-2", "report.json"), {})
        files = made.begins_with(taught, "mini", 2)
        self.assertEqual(files["teacher"], os.path.relpath(
            os.path.join(runs, "gsc/ensemble_fine/seed-2/model.safetensors"), support.ROOT))
        command = made.command(taught, "mini", made.values(taught, seed=2, **files))
        self.assertEqual(command[command.index("--teacher") + 1], files["teacher"])
        self.assertEqual(command[command.index("--init_from") + 1], files["start"])
        self.assertIn("--teacher ensemble_fine/seed-N/model.safetensors",
                      made.shown(taught, "mini").replace("'", ""))
        untaught = protocols.named("untaught")
        self.assertEqual(made.begins_with(untaught, "mini", 2), {"start": files["start"]})

    def test_members_on_fine_frames(self):
        self.assertEqual(protocols.members("ensemble_fine"),
                         ("advanced_fine", "efficient_fine", "transformer_fine"))
        self.assertEqual(protocols.members("advanced_fine"), ())
        self.assertIn('train.freeze=["advanced_fine.*"', " ".join(protocols.mix("ensemble_fine")))

    def test_a_missing_or_incomplete_member(self):
        runs = os.path.join(self.folder, "runs")
        made = self.lab(runs)
        with self.assertRaisesRegex(lab.Skipped, "no complete cross-validation of advanced"):
            made.crossval(self.protocol, "ensemble")
        self.write_members(runs, complete=False)
        with self.assertRaisesRegex(lab.Skipped, "no complete cross-validation of efficient"):
            made.crossval(self.protocol, "ensemble")

    def test_too_long(self):
        runs = os.path.join(self.folder, "long" * 40)
        made = self.lab(runs)
        self.write_members(runs)
        with self.assertRaisesRegex(lab.Failed, r"--init_from: .* the text has \d+ bytes"):
            made.crossval(self.protocol, "ensemble")


class Pages(unittest.TestCase):
    """Pages from invented JSON, so that every figure on a page is known."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="decavox-")
        self.addCleanup(shutil.rmtree, self.folder)

    def write_card(self):
        noise = [{"snr": snr, "accuracy": right / 200, "correct": right, "count": 200,
                  "files": [{"noise": "x", "accuracy": 0.9, "correct": 90, "count": 100},
                            {"noise": "y", "accuracy": (right - 90) / 100, "correct": right - 90,
                             "count": 100}]} for snr, right in ((10, 180), (0, 120))]
        model = os.path.join(self.folder, "mini.safetensors")
        support.write_text(model, "weights")
        card = {"name": "mini", "model": "mini", "file": shipping.file_about(model),
                "parameters": 12345, "labels": ["a", "b"], "shape": [40, 32],
                "features": {"type": "mel", "sample_rate": "8000"},
                "training": {"protocol": "gsc", "command": "decavox train x", "seed": 2,
                             "seeds": [1, 2], "version": "decavox 0", "commit": "abc",
                             "date": "2026-01-01", "validation_accuracy": 0.9876},
                "data": ["gsc", "fsdd"], "notes": ["Written by hand."],
                "accuracy": {"gsc": evaluation(190, 10, 2),
                             "noise_gsc": evaluation(190, 10, 2, noise=noise)}}
        results.write_json(os.path.join(self.folder, "mini.json"), card)

    def write_result(self, protocol, model, runs):
        results.write_json(os.path.join(self.folder, "results", f"{protocol}-{model}.json"),
                           results.result(protocol, model, {"command": "decavox train x"}, runs))

    def test_means_and_deviations(self):
        self.write_result("official", "lightweight",
                          [evaluation(200 - w, w, s) for s, w in ((1, 2), (2, 4), (3, 6))])
        text = pages.make(self.folder)["README.md"]
        self.assertIn("| `official` | 200 | – | – | – | 98.00 ± 1.00 (3) | – |", text)
        self.assertTrue(text.startswith("Made by `scripts/accuracy_tables.sh --pages`"))

    def test_coarse_and_fine(self):
        self.write_result("gsc", "mini", [evaluation(190, 10, 1, validation_accuracy=0.9),
                                          evaluation(180, 20, 2, validation_accuracy=0.8)])
        self.write_result("gsc_all", "mini", [evaluation(170, 30, 1)])
        self.write_result("taught", "mini", [evaluation(200, 0, 1)])
        text = pages.make(self.folder)["README.md"]
        self.assertIn("| `gsc` | mini | 85.00 | 92.50 ± 3.54 (2) | 85.00 (1) |", text)
        self.assertIn("| `taught` | mini | – | 100.00 (1) |  |", text)
        results.write_json(os.path.join(self.folder, "results", "speed.json"), {
            "machine": "a machine", "models": {"mini": {"mflops": 0.9, "latency_p50_us": 9.6}}})
        text = pages.make(self.folder)["README.md"]
        self.assertIn("| 92.50 ± 3.54 (2) | 85.00 (1) | 0.5 | 10 |", text)
        self.assertIn("one thread of a machine", text)
        self.assertNotIn("| `gsc` | lightweight |", text)  # not measured

    def test_speed_is_of_every_form_on_an_idle_machine(self):
        def compare(*arguments):
            paths = [path for path in arguments if path.startswith("configs/")]
            models = [{"path": path, "busy": path in busy, "parameters": 1, "mflops": 2,
                       "latency_p50_us": 3, "latency_p99_us": 4, "measured": "now"}
                      for path in paths]
            return json.dumps({"version": "0", "machine": "a machine", "models": models})

        busy = []
        program = mock.Mock(ask=compare)
        speed.measure(program, self.folder)
        self.assertEqual(set(speed.read(self.folder)["models"]), set(protocols.GENERALS))
        self.assertEqual(results.read_results(os.path.join(self.folder, "results")), {})
        busy = ["configs/general_mini.yaml"]
        with self.assertRaisesRegex(lab.Failed, "busy while mini"):
            speed.measure(program, self.folder)

    def test_folds(self):
        crossval = {"folds": [{"fold": "ann"}, {"fold": "bob"}], "runs": [
            {"fold": fold, "seed": seed, "accuracy": right / 100, "correct": right, "count": 100}
            for seed, scores in ((1, (90, 80)), (2, (94, 84))) for fold, right
            in zip(("ann", "bob"), scores)] + [
            {"fold": "ann", "seed": 3, "accuracy": 0.1, "correct": 10, "count": 100}]}
        runs = results.crossval_runs(crossval)
        self.assertEqual([run["seed"] for run in runs], [1, 2])  # the third has no bob
        self.write_result("loso", "advanced", runs)
        text = pages.make(self.folder)["README.md"]
        self.assertIn("| `loso` | 200 | 87.00 ± 2.83 (2) |", text)
        self.assertIn("| bob | 82.00 |", text)

    def test_the_worst_word(self):
        for confusion, expected in (([[9, 1, 0], [1, 8, 1], [0, 0, 5]], ("b", 0.8, "")),
                                    ([[9, 1, 0], [3, 6, 1], [0, 0, 5]], ("b", 0.6, "a")),
                                    ([[9, 0, 0], [0, 8, 0], [0, 0, 0]], None)):
            run = {"labels": ["a", "b", "c"], "confusion": confusion}
            self.assertEqual(results.worst_word(run), expected)

    def test_a_card(self):
        self.write_card()
        self.write_result("gsc", "mini", [evaluation(190, 10, 2), evaluation(180, 20, 1)])
        page = pages.make(self.folder)["mini.md"]
        for part in ("12,345 parameters", "mel 40 x 32 of sound at 8000 Hz", "2, of seeds 1, 2",
                     "98.76 %", "| 200 | 95.00 | 91.04 to 97.26 | 2.00 |", "| 0 dB | 60.00 |",
                     "the worst word is “b”: 90.00 % are right, and most of the others are taken "
                     "for “a”", "The worst noise is y at 0 dB: 30.00 %", "- Written by hand.",
                     "92.50 ± 3.54 (2)", "CC BY-SA 4.0"):
            self.assertIn(part, page)
        self.assertNotIn("espeak-ng", page)  # not among this card's data

    def test_models_are_checked(self):
        self.write_card()
        pages.write(self.folder)
        self.assertEqual(pages.check(self.folder), [])
        support.write_text(os.path.join(self.folder, "mini.safetensors"), "others")
        support.write_text(os.path.join(self.folder, "extra.safetensors"), "")
        support.write_text(os.path.join(self.folder, "extra.md"), "")
        self.assertEqual(pages.check(self.folder), [
            "extra.md belongs to no model",
            "mini.safetensors is not the file that mini.json is of",
            "extra.safetensors has no card"])

    def test_the_best_run_is_chosen_by_validation(self):
        runs = [{"seed": 1, "accuracy": 1.0, "validation_accuracy": 0.9, "validation_loss": 0.2},
                {"seed": 2, "accuracy": 0.5, "validation_accuracy": 0.95, "validation_loss": 0.3},
                {"seed": 3, "accuracy": 0.9, "validation_accuracy": 0.95, "validation_loss": 0.1}]
        self.assertEqual(shipping.best_run({"runs": runs})["seed"], 3)


if __name__ == "__main__":
    support.main()
