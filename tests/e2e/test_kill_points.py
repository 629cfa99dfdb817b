"""A training that is killed at any call that touches its folder, and is resumed with --resume, ends
in the same bytes as one that was not killed.

    test_kill_points.py BINARY KILL_AT

tries some of the calls, or with DECAVOX_KILL_EVERY=N every N-th one, and then prints the results.
"""
import collections
import csv
import io
import os
import shutil
import subprocess
import sys
import unittest

import support
from support import GOOD

KILLED, SKIPPED = 137, 77
FEW = 6  # number of calls by default

CONFIG = """\
data: {split: official, validation: 0.2}
features: {n_mels: 20, n_mfcc: 8}
model:
  name: small
  layers:
    - global_maxpool:
    - linear: {units: classes, name: head}
train: {epochs: 2, batch_size: 16, learning_rate: 0.01, checkpoint_seconds: 0}
pretrain:
  train: {epochs: 2}
"""


def without_seconds(text):
    rows = list(csv.DictReader(io.StringIO(text)))
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def listing(folder):
    """All files below a folder, except those whose names contain a time or, of a restarted run, a
    number."""
    found = {os.path.relpath(os.path.join(at, name), folder)
             for at, _, names in os.walk(folder) for name in names}
    return {name for name in found
            if not os.path.basename(name).startswith(("events.out", "metrics-"))}


class KillPoints(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.case = support.Case
        cls.case.setUpClass()
        cls.addClassCleanup(cls.case.doClassCleanups)
        cls.at = cls.case.at
        cls.config = support.write_text(cls.at("points.yaml"), CONFIG)
        cls.temporary = cls.at("temporary")
        os.mkdir(cls.temporary)
        cls.whole = cls.at("whole")
        done, cls.calls = cls.killed(cls.whole, 0, cls.begin(cls.whole))
        if done == SKIPPED:
            raise unittest.SkipTest("this system lets no process be traced")
        if done != GOOD:
            raise AssertionError("the training that is not killed fails")

    @classmethod
    def environment(cls):
        """The environment without the leak detector, which cannot work in a traced process."""
        leaks = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
        return support.environment() | {"TMPDIR": cls.temporary, "ASAN_OPTIONS": leaks}

    @staticmethod
    def train(*arguments):
        return [support.binary(), "train", *arguments, "--threads", "1", "--device", "cpu"]

    @classmethod
    def begin(cls, run):
        return cls.train(cls.config, "--data", cls.case.data, "--out", run)

    @classmethod
    def go_on(cls, run):
        """Continues with --resume, or with the same command if there is no run yet."""
        begun = any(os.path.exists(os.path.join(run, name))
                    for name in ("config.yaml", "last.safetensors"))
        return cls.train("--resume", run) if begun else cls.begin(run)

    @classmethod
    def killed(cls, run, number, command):
        """Kills a training at this call. Returns the exit code, and the calls up to it, each as
        name and path."""
        done = subprocess.run([KILL_AT, run, str(number), *command], text=True, timeout=300,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=cls.environment(), check=False)
        return done.returncode, [line.split(" ", 2)[1:] for line in done.stdout.splitlines()]

    def finish(self, run):
        done = subprocess.run(self.go_on(run), capture_output=True, text=True, timeout=300,
                              env=self.environment(), check=False)
        self.assertEqual(done.returncode, GOOD, done.stderr + done.stdout)

    def same(self, run):
        for folder in ("", "pretrain"):
            for name in ("model.safetensors", "last.safetensors"):
                got, want = (support.read_bytes(os.path.join(at, folder, name))
                             for at in (run, self.whole))
                self.assertEqual(got, want, os.path.join(folder, name))
            got, want = (without_seconds(support.read_text(os.path.join(at, folder, "metrics.csv")))
                         for at in (run, self.whole))
            self.assertEqual(got, want, folder)
        self.assertEqual(listing(run), listing(self.whole))
        self.assertEqual(os.listdir(self.temporary), [])

    def try_calls(self, what, make, calls):
        """Tries each call, or every N-th one, of the command that continues in a folder made by
        `make`. `calls` are those of a command that was not killed."""
        every = int(os.environ.get("DECAVOX_KILL_EVERY", 0)) or max(1, len(calls) // FEW)
        tried = collections.Counter()
        for number in range(1, len(calls) + 1, every):
            run = self.at("tried")
            make(run)
            with self.subTest(what, number=number, call=calls[number - 1][0]):
                code, seen = self.killed(run, number, self.go_on(run))
                self.assertEqual(code, KILLED)
                self.assertEqual(len(seen), number)
                self.finish(run)
                self.same(run)
                tried[seen[-1][0]] += 1
            shutil.rmtree(run, ignore_errors=True)
        if "DECAVOX_KILL_EVERY" in os.environ:
            print(f"{what}: killed at {tried.total()} of {len(calls)} calls ("
                  + ", ".join(f"{count} {call}" for call, count in tried.most_common())
                  + "): the same model.safetensors, last.safetensors and metrics.csv as without, "
                  "the same files, no temporary")

    def test_a_run(self):
        self.try_calls("a run", lambda run: None, self.calls)

    def test_a_run_that_goes_on(self):
        """The run has left a temporary file in its second epoch."""
        number = 1 + max(i for i, (call, path) in enumerate(self.calls)
                         if call == "fsync" and os.path.basename(path).startswith("last.safe")
                         and "pretrain" not in path)
        left, gone_on = self.at("left"), self.at("gone_on")
        self.assertEqual(self.killed(left, number, self.begin(left))[0], KILLED)
        self.assertIn("last.safetensors.tmp-", " ".join(os.listdir(left)))
        shutil.copytree(left, gone_on)
        code, calls = self.killed(gone_on, 0, self.go_on(gone_on))
        self.assertEqual(code, GOOD)
        self.assertIn("unlinkat", [call for call, _ in calls])
        self.same(gone_on)
        self.try_calls("a run that goes on", lambda run: shutil.copytree(left, run), calls)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(f"usage: {sys.argv[0]} BINARY KILL_AT [unittest options]")
    KILL_AT = os.path.abspath(sys.argv.pop(2))
    support.main()
