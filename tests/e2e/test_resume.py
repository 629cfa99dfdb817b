"""A run that was killed or interrupted and then resumed ends in the same bytes as one that was
not."""
import fcntl
import os
import random
import shutil
import signal
import struct
import subprocess
import termios
import time

import support
from support import FAILED, GOOD, USAGE, decavox

EPOCHS = 12


class Resume(support.Case):
    epochs = EPOCHS

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.draw = random.Random(1)
        cls.whole = {}
        for threads in (1, 2):
            run = cls.at(f"whole_{threads}")
            cls.train_once(run, *cls.options(threads), threads=cls.openmp(threads))
            cls.whole[threads] = run

    @staticmethod
    def options(threads):
        return ["--batch_size", "2", "--threads", str(threads)]

    @staticmethod
    def openmp(threads):
        return 1 if threads == 1 else None

    def start(self, threads, *arguments):
        command = [support.binary(), "train", *arguments]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                env=support.environment(self.openmp(threads)))

    def fresh(self, run, threads, *more):
        return self.start(threads, self.config, "--data", self.data, "--out", run,
                          *self.options(threads), *more)

    def go_on(self, run, threads):
        return self.start(threads, "--resume", run, "--threads", str(threads))

    def stop(self, process, epoch, number):
        """Sends the signal within the epoch behind `epoch`. Returns (exit code, output). The code
        is 0 if a busy machine has let the program end before."""
        lines, took = [], 0.02
        for line in process.stdout:
            lines.append(line.decode())
            words = lines[-1].replace("/", " ").split()
            if words[:1] == ["epoch"] and int(words[1]) >= epoch:
                took = float(words[-2])
                break
        time.sleep(self.draw.uniform(0.1, 0.8) * took)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        self.assertNotIn(b"Sanitizer", err)
        return process.returncode, "".join(lines) + out.decode()

    def same(self, run, threads):
        whole = self.whole[threads]
        for name in ("model.safetensors", "confusion.csv", "report.json", "config.yaml"):
            self.assertEqual(support.read_stable(os.path.join(run, name)),
                             support.read_stable(os.path.join(whole, name)), name)
        got, want = support.read_metrics(run), support.read_metrics(whole)
        for row in got + want:
            del row["seconds"]
        self.assertEqual([int(row["epoch"]) for row in got], list(range(1, EPOCHS + 1)))
        self.assertEqual(got, want)

    def finish(self, run, threads):
        stale = os.path.join(run, "last.safetensors.tmp-1-1")  # of a process killed while it saved
        with open(stale, "w"):
            pass
        process = self.go_on(run, threads)
        out, err = process.communicate(timeout=120)
        self.assertEqual(process.returncode, GOOD, err)
        self.assertFalse(os.path.exists(stale))
        return out.decode()

    def killed(self, run, threads, epochs):
        """Kills a run until it reaches its end. Returns the number of kills."""
        killed = 0
        process = self.fresh(run, threads)
        for epoch in epochs:
            code, out = self.stop(process, epoch, signal.SIGKILL)
            self.assertIn(code, (-signal.SIGKILL, GOOD), out)
            killed += code == -signal.SIGKILL
            process = self.go_on(run, threads)
        out, err = process.communicate(timeout=120)
        self.assertEqual(process.returncode, GOOD, err)
        self.assertIn("resumed at step ", out.decode())
        self.same(run, threads)
        return killed

    def kill(self, threads, times):
        """Kills after epoch 2 and later, when the save behind epoch 1 is whole."""
        for number, epochs in enumerate(times):
            self.assertTrue(any(
                self.killed(self.at(f"killed_{threads}_{number}_{attempt}"), threads, epochs)
                for attempt in range(5)), "no run was killed before its end")

    def test_killed_with_one_thread(self):
        self.kill(1, [[2], [self.draw.randint(2, 8)], [2, 5, 8]])

    def test_killed_with_two_threads(self):
        self.kill(2, [[self.draw.randint(2, 8)], [2, 6]])

    def interrupted(self, name, number, code, threads, *more):
        """Ends a run by the signal. Returns its folder and output."""
        for attempt in range(5):
            run = self.at(f"{name}_{attempt}")
            process = self.fresh(run, threads, *more)
            got, out = self.stop(process, 1 + attempt % 3, number)
            if got != GOOD:
                self.assertEqual(got, code, out)
                return run, out
        return self.skipTest("the machine is too busy to interrupt a run in time")

    def interrupt(self, number, code, threads):
        """Interrupts in mid-epoch, where only the signal makes the run save."""
        run, out = self.interrupted(f"interrupted_{code}_{threads}", number, code, threads,
                                    "--set", "train.checkpoint_seconds=1000")
        self.assertIn("interrupted after ", out)
        self.assertIn(f"; the state is saved\ndecavox train --resume {run} goes on with it\n", out)
        self.assertTrue(os.path.exists(os.path.join(run, "last.safetensors")))
        self.assertIn("resumed at step ", self.finish(run, threads))
        # The seconds between checkpoints are part of the configuration, not of the weights.
        whole = self.at(f"whole_{code}_{threads}")
        self.train_once(whole, *self.options(threads), "--set", "train.checkpoint_seconds=1000",
                        threads=self.openmp(threads))
        for name in ("model.safetensors", "config.yaml"):
            self.assertEqual(support.read_bytes(os.path.join(run, name)),
                             support.read_bytes(os.path.join(whole, name)), name)
        self.assertEqual([int(row["epoch"]) for row in support.read_metrics(run)],
                         list(range(1, EPOCHS + 1)))

    def test_interrupted_before_the_first_step(self):
        """The last words say that nothing is saved. The program waits within its list of layers,
        because nobody reads it."""
        run = self.at("unborn")
        ours, theirs = os.pipe()
        fcntl.fcntl(theirs, fcntl.F_SETPIPE_SZ, 4096)
        process = subprocess.Popen(
            [support.binary(), "train", "configs/resnet18.yaml", "--data", self.data, "--out", run],
            stdout=theirs, stderr=subprocess.PIPE, env=support.environment())
        os.close(theirs)
        waiting, end = [-1, 0], time.monotonic() + 60
        while waiting[-1] != waiting[-2] or waiting[-1] < 2048:  # bytes in the pipe, until it is full
            self.assertLess(time.monotonic(), end)
            time.sleep(0.3)
            count = fcntl.ioctl(ours, termios.FIONREAD, struct.pack("i", 0))
            waiting.append(struct.unpack("i", count)[0])
        process.send_signal(signal.SIGINT)
        err = process.communicate(timeout=60)[1].decode()
        os.close(ours)
        self.assertEqual((process.returncode, err), (-signal.SIGINT, "\ndecavox train: interrupted "
                         "before the first step: nothing is saved\n"))
        self.assertEqual(os.listdir(run), ["log.txt"])

    def test_interrupted(self):
        self.interrupt(signal.SIGINT, 130, 1)

    def test_terminated(self):
        self.interrupt(signal.SIGTERM, 143, 1)

    def test_terminated_with_two_threads(self):
        self.interrupt(signal.SIGTERM, 143, 2)

    def copy(self, name, *without):
        run = self.at(name)
        shutil.copytree(self.whole[1], run, ignore=shutil.ignore_patterns(*without))
        return run

    def test_a_finished_run_is_finished(self):
        run = self.copy("finished", "model.safetensors", "report.json", "confusion.csv")
        self.finish(run, 1)
        self.same(run, 1)

    def test_ended_before_the_first_checkpoint(self):
        run = self.copy("early", "*.safetensors", "report.json", "confusion.csv")
        out = self.finish(run, 1)
        self.assertIn(f"epoch 1/{EPOCHS}", out)
        self.same(run, 1)

    def test_a_run_without_a_state_is_not_begun_anew(self):
        """Runs of a cross-validation, and runs without a report, have no state."""
        for name, without in (("bare", "last.*"), ("unreported", "report.*"), ("told", "*.saf*")):
            run = self.copy(name, "last.*", without)
            before = self.state(run)
            model = os.path.join(run, "model.safetensors")
            hint = "with train.init_from" + (" " + model if os.path.exists(model) else "\n")
            done = decavox("train", "--resume", run)
            self.ends(done, USAGE, run, "is finished", "last.safetensors", hint)
            self.assertEqual(self.state(run), before)

    @staticmethod
    def state(run):
        return {os.path.join(at, name): support.read_bytes(os.path.join(at, name))
                for at, _, names in os.walk(run) for name in names}

    def test_two_trainings_do_not_share_a_folder(self):
        run = self.at("shared")
        process = self.fresh(run, 1, "--epochs", "100000", "--patience", "0")
        try:
            for line in process.stdout:
                if line.startswith(b"epoch 2/"):
                    break
            self.assertFalse(support.is_free(run))
            for command in (["--resume", run], [self.config, "--data", self.data, "--out", run]):
                self.ends(decavox("train", *command), USAGE, f"{run} is in use", "training")
            self.assertIsNone(process.poll())
        finally:
            process.terminate()
            process.communicate(timeout=60)
        self.assertEqual(process.returncode, 143)
        self.assertTrue(support.is_free(run))

    def test_a_folder_is_taken_before_anything_is_in_it(self):
        """The folder is locked before config.yaml exists, which is written after reading the
        data."""
        run = self.at("taken")
        os.makedirs(run)
        folder = os.open(run, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            done = decavox("train", self.config, "--data", self.data, "--out", run)
            self.ends(done, USAGE, f"{run} is in use")
            self.assertEqual(os.listdir(run), [])
        finally:
            os.close(folder)
        self.train_once(run, "--epochs", "1")

    def test_full_disk_keeps_the_old_checkpoint(self):
        run, _ = self.interrupted("full", signal.SIGTERM, 143, 1)
        last = os.path.join(run, "last.safetensors")
        before = support.read_bytes(last)
        done = decavox("train", "--resume", run, "--threads", "1", limit=len(before) // 2)
        self.ends(done, FAILED, "last.safetensors")
        self.assertEqual(support.read_bytes(last), before)
        self.assertFalse([name for name in os.listdir(run) if ".tmp" in name])
        self.finish(run, 1)
        self.same(run, 1)

    def test_refusals(self):
        self.ends(decavox("train", "--resume", self.at("absent")), FAILED, self.at("absent"))
        self.assertFalse(os.path.exists(self.at("absent")))
        self.ends(decavox("train", "--resume", self.data), USAGE, f"{self.data} holds no run")
        self.assertFalse(os.path.exists(os.path.join(self.data, "log.txt")))
        self.ends(decavox("train", self.config, "--resume", self.whole[1]), USAGE, "--resume")
        self.ends(decavox("train", "--resume", self.whole[1], "--seed", "90"), USAGE, "train.seed")
        self.ends(decavox("train", "--resume", self.whole[1], "--out", self.at("other")), USAGE,
                  "--out")
        run = self.copy("weights", "last.safetensors")
        shutil.copy(os.path.join(run, "model.safetensors"), os.path.join(run, "last.safetensors"))
        self.ends(decavox("train", "--resume", run), FAILED, "holds no state of a training")

    def test_other_data(self):
        data = self.at("growing")
        shutil.copytree(self.data, data)
        run, _ = self.interrupted("grown", signal.SIGTERM, 143, 1, "--data", data)
        for number in range(5, 11):
            os.remove(os.path.join(data, f"3_ann_{number}.wav"))
        self.ends(decavox("train", "--resume", run), USAGE, data, "not those that the run began")
        shutil.copytree(self.data, data, dirs_exist_ok=True)
        for old, new in (("3_ann_7", "3_ann_77"), ("3_ann_1", "3_ann_21")): # as many clips
            shutil.copy(os.path.join(data, old + ".wav"), os.path.join(data, new + ".wav"))
            os.remove(os.path.join(data, old + ".wav"))
            self.ends(decavox("train", "--resume", run), USAGE, data, "other clips now")
            shutil.copy(os.path.join(data, new + ".wav"), os.path.join(data, old + ".wav"))
            os.remove(os.path.join(data, new + ".wav"))
        for name in os.listdir(data):
            if name.startswith("3_"):
                os.remove(os.path.join(data, name))
        self.ends(decavox("train", "--resume", run), USAGE, data, "other labels")


if __name__ == "__main__":
    support.main()
