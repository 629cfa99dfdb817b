"""Cross-validation: its files, resuming after interruptions, failing runs, refusals."""
import json
import os
import shutil
import signal
import statistics
import subprocess
import time

import support
from support import FAILED, GOOD, USAGE, decavox

MINI = os.path.join(support.ROOT, "configs", "mini.yaml")
SPEAKERS = ("ann", "bob", "cid")
SEEDS = (1, 2)


class Crossval(support.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data = support.make_data(cls.at("voices"), digits=3, speakers=SPEAKERS, count=8)
        cls.whole = cls.at("whole")
        cls.done = decavox(*cls.command(cls.whole, "--jobs", "2"))

    @classmethod
    def command(cls, out, *more, data=None, folds="speaker", seeds="1,2"):
        """The command. In mid-epoch only a signal makes a run save."""
        return ["crossval", MINI, "--data", data or cls.data, "--folds", folds, "--seeds", seeds,
                "--out", out, "--epochs", "12", "--batch_size", "4", "--threads", "1", "--set",
                "train.checkpoint_seconds=1000", *more]

    @staticmethod
    def load(*parts):
        return json.loads(support.read_text(os.path.join(*parts)))

    @staticmethod
    def has(run, *names):
        return [os.path.exists(os.path.join(run, name)) for name in names]

    def start(self, *arguments):
        return subprocess.Popen([support.binary(), *arguments], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, env=support.environment(1),
                                start_new_session=True)

    def wait_for(self, what, process=None, seconds=60):
        """Waits until what() is true, or the process has ended."""
        end = time.monotonic() + seconds
        while not what() and (process is None or process.poll() is None):
            self.assertLess(time.monotonic(), end, "nothing happened")
            time.sleep(0.005)

    def begun(self, run):
        """Whether the run has completed an epoch."""
        log = os.path.join(run, "log.txt")
        return os.path.exists(log) and "epoch 1/" in support.read_text(log)

    def same_as_whole(self, out):
        self.assertEqual(support.read_text(os.path.join(out, "crossval.json")),
                         support.read_text(os.path.join(self.whole, "crossval.json")))

    # ---- Its files ----

    def test_runs(self):
        self.ends(self.done, GOOD)
        self.assertEqual(self.done.err, "")
        names = [f"{speaker}-seed-{seed}" for speaker in SPEAKERS for seed in SEEDS]
        self.assertEqual(sorted(os.listdir(self.whole)),
                         sorted([*names, "config.yaml", "crossval.json"]))
        for speaker in SPEAKERS:
            for seed in SEEDS:
                run = os.path.join(self.whole, f"{speaker}-seed-{seed}")
                self.assertEqual(self.has(run, "model.safetensors", "metrics.csv", "log.txt",
                                          "last.safetensors"), [True, True, True, False])
                config = support.read_text(os.path.join(run, "config.yaml"))
                self.assertRegex(config, f'split: "?leave_one_out:{speaker}"?\n')
                self.assertIn(f"  seed: {seed}\n", config)
                self.assertIn("epoch 12/12", support.read_text(os.path.join(run, "log.txt")))

    def test_a_run_is_a_training(self):
        alone = self.at("alone")
        self.ends(decavox("train", MINI, "--data", self.data, "--split", "leave_one_out:bob",
                          "--seed", "2", "--epochs", "12", "--batch_size", "4", "--threads", "1",
                          "--set", "train.checkpoint_seconds=1000", "--out", alone), GOOD)
        for name in ("model.safetensors", "report.json", "config.yaml", "confusion.csv"):
            self.assertEqual(support.read_stable(os.path.join(self.whole, "bob-seed-2", name)),
                             support.read_stable(os.path.join(alone, name)), name)

    def test_summary(self):
        summary = self.load(self.whole, "crossval.json")
        reports = {(speaker, seed): self.load(self.whole, f"{speaker}-seed-{seed}", "report.json")
                   for speaker in SPEAKERS for seed in SEEDS}
        for run in summary["runs"]:
            report = reports[run["fold"], run["seed"]]
            for key in ("accuracy", "correct", "count"):
                self.assertEqual(run[key], report[key])
            self.assertEqual(run["count"], 24)
        self.assertEqual(len(summary["runs"]), 6)
        by_seed = [statistics.mean(reports[speaker, seed]["accuracy"] for speaker in SPEAKERS)
                   for seed in SEEDS]
        by_fold = {speaker: statistics.mean(reports[speaker, seed]["accuracy"] for seed in SEEDS)
                   for speaker in SPEAKERS}
        for got, want in zip(summary["seeds"], by_seed):
            self.assertAlmostEqual(got["accuracy"], want)
        for fold in summary["folds"]:
            self.assertAlmostEqual(fold["accuracy"], by_fold[fold["fold"]])
        self.assertAlmostEqual(summary["accuracy"], statistics.mean(by_seed))
        self.assertAlmostEqual(summary["deviation_over_seeds"], statistics.stdev(by_seed))
        self.assertAlmostEqual(summary["deviation_over_folds"], statistics.stdev(by_fold.values()))
        self.assertAlmostEqual(summary["worst_fold"]["accuracy"], min(by_fold.values()))
        pooled = summary["pooled"]
        self.assertEqual((pooled["count"], pooled["clips"]), (144, 72))
        self.assertEqual(pooled["correct"], sum(r["correct"] for r in reports.values()))
        self.assertEqual(pooled["confusion"],
                         [[sum(r["confusion"][i][k] for r in reports.values()) for k in range(3)]
                          for i in range(3)])
        self.assertEqual((summary["complete"], summary["failed"], summary["model"]),
                         (True, [], "mini"))
        self.assertEqual(summary["protocol"], {"kind": "speaker", "folds": list(SPEAKERS),
                                               "seeds": list(SEEDS), "clips": 72})
        self.assertGreater(summary["parameters"], 1000)

    def test_prints_a_line_for_each_run_and_the_summary(self):
        lines = self.done.out.splitlines()
        for line in lines[:6]:
            self.assertRegex(line, r"^\d/6  (ann|bob|cid) seed [12]  accuracy \d+\.\d\d%, \d+ of 24"
                                   r"  \d+\.\d s$")
        self.assertEqual(lines[6], "")
        for part in ("6 of 6 runs", "worst fold ", " of 144; on 72 clips 95% interval", "precision"):
            self.assertIn(part, self.done.out)
        self.assertNotIn("epoch", self.done.out)

    def test_again_and_as_json(self):
        out = self.at("copy")
        shutil.copytree(self.whole, out)
        report = os.path.join(out, "ann-seed-1", "report.json")
        before = os.stat(report).st_mtime_ns
        done = self.ends(decavox(*self.command(out, "--format", "json")), GOOD)
        self.assertEqual(json.loads(done.out), self.load(out, "crossval.json"))
        self.assertEqual(done.err.count("done before"), 6)
        done = decavox("train", "--resume", os.path.dirname(report))  # its state was removed
        self.ends(done, USAGE, "ann-seed-1 is finished", "train.init_from")
        self.assertEqual(os.stat(report).st_mtime_ns, before)
        self.same_as_whole(out)

    def test_parts(self):
        out = self.at("parts")
        done = self.ends(decavox(*self.command(out, folds="2", seeds="3")), GOOD)
        summary = self.load(out, "crossval.json")
        self.assertEqual([run["count"] for run in summary["runs"]], [36, 36])
        self.assertEqual(summary["protocol"]["folds"], ["fold-1", "fold-2"])
        self.assertIsNone(summary["deviation_over_seeds"])
        scores = [run["accuracy"] for run in summary["runs"]]
        self.assertAlmostEqual(summary["deviation_over_folds"], statistics.stdev(scores))
        self.assertIn(f"over seeds -, over folds {100 * statistics.stdev(scores):.2f}%", done.out)
        self.assertIn("fold:2/2", support.read_text(os.path.join(out, "fold-2-seed-3",
                                                                "config.yaml")))
        self.assertIn("1 seed, 2 of 2 runs", done.out)

    def test_each_fold_begins_with_its_own(self):
        out, files = self.at("begun"), os.path.join(self.whole, "{fold}-seed-{seed}",
                                                    "model.safetensors")
        command = self.command(out, "--epochs", "2", "--init_from", files, "--set",
                               'train.freeze=["conv_*", "norm_*", "head.weight"]')
        self.ends(decavox(*command), GOOD)
        self.assertIn("{fold}-seed-{seed}/", support.read_text(os.path.join(out, "config.yaml")))
        frozen = []
        for speaker in SPEAKERS:
            for seed in SEEDS:
                run = os.path.join(f"{speaker}-seed-{seed}", "model.safetensors")
                before, _ = support.read_tensors(os.path.join(self.whole, run))
                after, _ = support.read_tensors(os.path.join(out, run))
                self.assertNotEqual(after.pop("head.bias"), before.pop("head.bias"))
                self.assertEqual(after, before)
                self.assertNotIn(after, frozen)
                frozen.append(after)
                config = os.path.join(out, f"{speaker}-seed-{seed}", "config.yaml")
                self.assertIn(files.format(fold=speaker, seed=seed), support.read_text(config))
        done = self.ends(decavox(*command), GOOD)  # the same configuration again
        self.assertEqual(done.out.count("done before"), 6)

    # ---- Resuming ----

    def interrupt(self, name, stop):
        """Makes a folder whose second run was stopped in the middle, by stop(process)."""
        for attempt in range(5):
            out = self.at(f"{name}_{attempt}")
            process = self.start(*self.command(out))
            run = os.path.join(out, "bob-seed-1")
            self.wait_for(lambda: self.begun(run), process)
            stop(process)
            printed, err = process.communicate(timeout=60)
            self.wait_for(lambda: support.is_free(out))
            if self.has(run, "report.json") == [False]:
                self.assertNotIn(b"Sanitizer", err)
                return out, run, process.returncode, printed.decode(), err.decode()
        return self.skipTest("the machine is too busy to interrupt a run in time")

    def finish(self, out, run):
        self.assertEqual(self.has(out, "crossval.json"), [False])
        done = self.ends(decavox(*self.command(out, "--jobs", "2")), GOOD)
        self.assertIn("1/6  ann seed 1", done.out)
        self.assertEqual(done.out.count("done before"), 1)
        self.assertIn("resumed at step ", support.read_text(os.path.join(run, "log.txt")))
        self.assertEqual(self.has(run, "last.safetensors"), [False])
        self.same_as_whole(out)

    def stopped(self, number, code):
        out, run, got, printed, err = self.interrupt(
            f"stopped_{code}", lambda process: process.send_signal(number))
        self.assertEqual(got, code, err)
        self.assertIn("bob seed 1  interrupted", printed)
        self.assertIn("1 of 6 runs", err)
        self.assertIn("; the state is saved", support.read_text(os.path.join(run, "log.txt")))
        self.assertEqual(self.has(run, "last.safetensors"), [True])
        self.finish(out, run)

    def test_interrupted(self):
        self.stopped(signal.SIGINT, 130)

    def test_terminated(self):
        self.stopped(signal.SIGTERM, 143)

    def test_hung_up(self):
        self.stopped(signal.SIGHUP, 129)

    def test_interrupted_at_the_terminal(self):
        """Ctrl-C reaches all processes of the group."""
        _, run, code, _, err = self.interrupt(
            "terminal", lambda process: os.killpg(process.pid, signal.SIGINT))
        self.assertEqual(code, 130, err)
        self.assertIn("; the state is saved", support.read_text(os.path.join(run, "log.txt")))

    def test_a_signal_sent_twice_at_once_still_saves(self):
        def twice(process):
            for _ in range(40):
                process.send_signal(signal.SIGTERM)
                time.sleep(0.001)
        _, run, code, _, err = self.interrupt("twice", twice)
        self.assertEqual(code, 143, err)
        self.assertIn("; the state is saved", support.read_text(os.path.join(run, "log.txt")))

    def test_killed(self):
        """Unsaved work of a killed run is done again."""
        out, _, code, _, _ = self.interrupt("killed", lambda process: process.kill())
        self.assertEqual(code, -signal.SIGKILL)
        self.assertEqual(self.has(out, "crossval.json"), [False])
        done = self.ends(decavox(*self.command(out, "--jobs", "2")), GOOD)
        self.assertEqual(done.out.count("done before"), 1)
        self.same_as_whole(out)

    def test_more_seeds(self):
        out = self.at("more")
        shutil.copytree(self.whole, out)
        config = os.path.join(out, "config.yaml")
        older = support.read_text(config).replace("  path:\n", f"  path: {self.data}\n")
        self.assertIn(self.data, older)  # as older programs wrote it, without a mark of the sounds
        support.write_text(config, "".join(line for line in older.splitlines(True)
                                           if not line.startswith("  sounds: ")))
        done = self.ends(decavox(*self.command(out, seeds="2,5")), GOOD)
        self.assertEqual(done.out.count("done before"), 3)
        summary = self.load(out, "crossval.json")
        self.assertEqual(summary["protocol"]["seeds"], [2, 5])
        self.assertEqual(len(summary["runs"]), 6)

    def test_the_state_of_a_finished_run_is_removed(self):
        out = self.at("states")
        shutil.copytree(self.whole, out)
        run = os.path.join(out, "cid-seed-2")
        os.mkdir(os.path.join(run, "pretrain"))
        states = [support.write_text(os.path.join(run, *parts, "last.safetensors"), "")
                  for parts in ((), ("pretrain",))]
        self.ends(decavox(*self.command(out)), GOOD)
        for state in states:
            self.assertFalse(os.path.exists(state))

    # ---- Failing and refusing ----

    def test_a_failing_fold(self):
        data, out = self.at("broken"), self.at("failing")
        shutil.copytree(self.data, data)
        for digit in range(3):
            for number in range(8):
                support.write_text(os.path.join(data, f"{digit}_bob_{number}.wav"), "no sound")
        done = decavox(*self.command(out, "--jobs", "2", data=data, seeds="1"))
        self.ends(done, FAILED, "decavox crossval: bob seed 1 failed: ", "leave_one_out:bob",
                  "no readable clip")
        self.assertIn("2 of 3 runs: INCOMPLETE", done.out)
        summary = self.load(out, "crossval.json")
        self.assertEqual([run["fold"] for run in summary["runs"]], ["ann", "cid"])
        self.assertIn("no readable clip", summary["failed"][0]["error"])
        self.assertFalse(summary["complete"])
        log = support.read_text(os.path.join(out, "bob-seed-1", "log.txt"))
        self.assertIn("no readable clip", log)

    def test_all_runs_fail(self):
        out = self.at("hopeless")
        done = decavox(*self.command(out, "--device", "nonsense"))
        self.ends(done, FAILED, "cid seed 2 failed: ", "nonsense")
        self.assertEqual(self.has(out, "crossval.json"), [False])

    def refused(self, out, *parts, **options):
        more = options.pop("more", ())
        before = support.read_bytes(os.path.join(self.whole, "crossval.json"))
        self.ends(decavox(*self.command(out, *more, **options)), USAGE, *parts)
        self.assertEqual(support.read_bytes(os.path.join(self.whole, "crossval.json")), before)

    def test_other_configurations(self):
        self.refused(self.whole, self.whole, "'epochs: 12' there, and 'epochs: 5' now", "--out",
                     more=["--epochs", "5"])
        self.refused(self.whole, "'folds: speaker' there, and 'folds: 3' now", folds="3")
        grown = self.at("grown")
        shutil.copytree(self.whole, grown)
        config = os.path.join(grown, "config.yaml")
        support.write_text(config, support.read_text(config).replace("clips: 72", "clips: 71"))
        self.refused(grown, "'clips: 71' there, and 'clips: 72' now")
        self.refused(os.path.join(self.whole, "ann-seed-1"), "split: ")

    def test_data_that_moved(self):
        """A third seed is trained on moved data, but not after a sound has changed."""
        moved, out = self.at("moved"), self.at("moved_runs")
        shutil.copytree(self.data, moved)
        shutil.copytree(self.whole, out)
        done = self.ends(decavox(*self.command(out, data=moved, seeds="1,2,3")), GOOD)
        self.assertEqual(done.out.count("done before"), len(SPEAKERS) * len(SEEDS))
        self.assertIn(moved, support.read_text(os.path.join(out, "ann-seed-3", "config.yaml")))
        shutil.copytree(self.whole, out + "_marked")
        shutil.copy(os.path.join(moved, "0_ann_3.wav"), os.path.join(moved, "0_ann_4.wav"))
        self.refused(out + "_marked", out, "'sounds: ", data=moved)

    def test_unknown_folds_and_seeds(self):
        out = self.at("refused")
        for folds in ("speakers", "1", "0", "65", "2.5", ""):
            self.refused(out, "--folds", folds, folds=folds)
        for seeds in ("", "x", "1,1", "1,,2", "-1", "4294967296"):
            self.refused(out, "--seeds", seeds=seeds)
        self.refused(out, "--folds", more=["--split", "random"])
        self.refused(out, "--folds", more=["--set", "data.split=random"])
        self.refused(out, "--seeds", more=["--seed", "3"])
        offered = self.ends(decavox("crossval", "--help"), GOOD).out
        self.assertIn("--epochs", offered)
        self.assertNotRegex(offered, "--(split|seed) ")
        self.refused(out, "unknown option '--resume'", more=["--resume", self.whole])
        self.assertFalse(os.path.exists(out))
        self.ends(decavox("crossval", MINI, "--folds", "2", "--out", out), USAGE, "--data")
        self.ends(decavox("crossval", MINI, "--data", self.data), USAGE, "folds")

    def test_speakers_that_make_no_folds(self):
        one, many = self.at("one"), self.at("many")
        support.make_data(one, digits=2, speakers=("ann",), count=2)
        os.makedirs(many)
        for number in range(65):
            support.write_text(os.path.join(many, f"{number % 2}_s{number}_0.wav"), "")
        self.refused(self.at("refused"), "1 speaker with", data=one)
        self.refused(self.at("refused"), "65 speakers", "--folds K", data=many)

    def test_a_file_to_begin_with_that_is_too_long(self):
        data, long = self.at("long"), "b" * 100
        os.makedirs(data)
        for digit, speaker in enumerate(("ann", long)):
            support.write_text(os.path.join(data, f"{digit}_{speaker}_0.wav"), "")
        out = self.at("refused")
        self.refused(out, "train.init_from", f"with fold {long} and seed 1: {{fold}}", data=data,
                     more=["--init_from", 6 * "{fold}"])
        self.assertFalse(os.path.exists(out))

    def test_one_at_a_time(self):
        out = self.at("busy")
        process = self.start(*self.command(out, "--epochs", "10000", "--patience", "0"))
        self.wait_for(lambda: self.begun(os.path.join(out, "ann-seed-1")), process)
        try:
            done = decavox(*self.command(out, "--epochs", "10000", "--patience", "0"), timeout=30)
        finally:
            process.terminate()
            process.communicate(timeout=60)
        self.assertEqual(process.returncode, 143)
        self.ends(done, USAGE, out, "in use")

    def test_help(self):
        done = self.ends(decavox("crossval", "--help"), GOOD)
        for part in ("--folds", "--seeds", "--jobs", "--learning_rate", "last.safetensors"):
            self.assertIn(part, done.out)


if __name__ == "__main__":
    support.main()
