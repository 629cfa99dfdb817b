"""Any number of files: rows in their order, bad files, shares, interruptions, and programs that
feed names through a pipe."""
import csv
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
import unittest

import support
from support import FAILED, GOOD, USAGE, decavox

MANY = os.path.join(support.ROOT, "scripts", "predict_many.py")


class Rows(support.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = os.path.join(cls.train_once(cls.at("run")), "model.safetensors")
        cls.files = [os.path.join(cls.data, name) for name in os.listdir(cls.data)]
        cls.files = json.loads(decavox("predict", cls.model, "--input", cls.data, "--format",
                                       "json").out)
        cls.alone = {row["file"]: row for row in cls.files}
        cls.files = [row["file"] for row in cls.files]

    def predict(self, *arguments, code=GOOD, parts=(), **options):
        return self.ends(decavox("predict", self.model, *arguments, **options), code, *parts)

    def lines(self, path):
        return [json.loads(line) for line in support.read_text(path).splitlines()]

    def list_of(self, name, files):
        path = self.at(name)
        support.write_text(path, "".join(f"{file}\n" for file in files))
        return path

    # ---- Rows ----

    def test_a_folder(self):
        out = self.at("folder.jsonl")
        done = self.predict("--input", self.data, "--output", out, "--workers", "3")
        self.assertRegex(done.out, r"^.*folder\.jsonl: 88 files in [0-9.]+ s, \d+/s, 0 failed\n$")
        self.assertEqual(len(self.files), 88)
        self.assertEqual(self.files, sorted(self.files, key=lambda file: [
            int(part) if part.isdigit() else part
            for part in os.path.basename(file)[:-4].split("_")]))
        for row in self.lines(out):
            alone = self.alone[row["file"]]
            self.assertEqual(list(row), ["file", "label", "confidence", "seconds", "seconds_seen",
                                         "seen_from"])
            self.assertEqual(row["label"], alone["label"])
            self.assertEqual(row["confidence"], float(f"{alone['confidence']:.9g}"))
        self.assertEqual([row["file"] for row in self.lines(out)], self.files)
        self.assertEqual(sorted(name for name in os.listdir(self.at()) if "folder." in name),
                         ["folder.jsonl", "folder.jsonl.job"])

    def test_as_many_as_one_wants(self):
        """Neither workers nor batch size change a row."""
        found = set()
        for workers, batch in (("1", "1"), ("2", "7"), ("8", "0"), ("3", "100")):
            out = self.at("same.csv")
            self.predict("--input", self.data, "--output", out, "--workers", workers, "--batch",
                         batch)
            found.add(support.read_bytes(out))
        self.assertEqual(len(found), 1)

    def test_bad_files_have_rows(self):
        broken, odd = self.at("broken.wav"), self.at('odd, "name".wav')
        support.write_text(broken, "no sound")
        support.write_wav(odd, support.tone(1, 0, 0))
        names = [self.files[0], "absent.wav", odd, broken, "-", self.files[1]]
        for ending in ("jsonl", "csv"):
            out = self.at(f"bad.{ending}")
            done = self.predict("--input", self.list_of("bad.txt", names), "--output", out,
                                code=FAILED)
            self.assertIn("6 files", done.out)
            self.assertIn("3 failed", done.out)
            if ending == "csv":
                with open(out, newline="", encoding="utf-8") as file:
                    rows = list(csv.DictReader(file))
                rows = [row if row["error"] else row | {"error": None} for row in rows]
            else:
                rows = self.lines(out)
            self.assertEqual([row["file"] for row in rows], names)
            for row, part in zip(rows, (None, "cannot be opened", None, "not a sound file",
                                        "-: cannot be opened", None)):
                self.assertEqual(bool(row.get("error")), part is not None)
                self.assertIn(part or "", row.get("error") or "")
            for allowed, code in ((3, GOOD), (2, FAILED)):
                self.predict("--input", self.list_of("bad.txt", names), "--output", out, "--force",
                             "--allow_failed", str(allowed), code=code)
        # The failed rows are the manifest of the next call.
        done = self.predict("--input", self.at("bad.jsonl"), "--format", "jsonl", code=FAILED)
        self.assertEqual(len(done.out.splitlines()), 6)

    def test_labels_that_are_sure(self):
        every = self.lines_of("--top", "99")
        confidences = sorted(row["confidence"] for row in every)
        middle = str(confidences[len(confidences) // 2])
        for row in every:
            self.assertEqual(row["top"][0], {"label": row["label"],
                                             "confidence": row["confidence"]})
            told = [one["confidence"] for one in row["top"]]
            self.assertEqual(told, sorted(told, reverse=True))
            self.assertEqual(len(told), 4)
            self.assertAlmostEqual(sum(told), 1, places=6)
        sure = self.lines_of("--threshold", middle, "--top", "2")
        for row, whole in zip(sure, every):
            self.assertEqual(row["label"],
                             whole["label"] if whole["confidence"] >= float(middle) else None)
            self.assertEqual(row["top"], whole["top"][:2])
        none = [row for row in sure if row["label"] is None]
        self.assertTrue(0 < len(none) < len(sure))
        out = self.at("sure.csv")
        self.predict("--input", self.data, "--output", out, "--threshold", middle, "--top", "2")
        with open(out, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual([row["label"] or None for row in rows], [row["label"] for row in sure])
        self.assertEqual([[row["label_1"], row["label_2"]] for row in rows],
                         [[one["label"] for one in row["top"]] for row in sure])
        text = self.predict("--input", self.data, "--threshold", middle).out
        self.assertEqual(text.count("  -  "), len(none))

    def lines_of(self, *more):
        done = self.predict("--input", self.data, "--format", "jsonl", *more)
        return [json.loads(line) for line in done.out.splitlines()]

    def test_windows(self):
        long = self.at("long.wav")
        support.write_wav(long, support.tone(1, 0, 0) * 9)
        done = self.predict(long, self.files[0], "--windows", "--format", "jsonl")
        rows = [json.loads(line) for line in done.out.splitlines()]
        self.assertEqual([len(row["windows"]) for row in rows], [3, 1])
        self.predict(long, "--windows", "--format", "csv", code=USAGE, parts=["take jsonl"])

    # ---- Shares ----

    def test_shares(self):
        shares = []
        for i in range(1, 4):
            out = self.at(f"share{i}.jsonl")
            self.predict("--input", self.data, "--output", out, "--shard", f"{i}/3")
            shares.append([row["file"] for row in self.lines(out)])
        for i, share in enumerate(shares):
            self.assertEqual(share, self.files[i::3])
        for wrong in ("0/3", "4/3", "1", "1/0", "a/b", "1/3x"):
            self.predict("--input", self.data, "--shard", wrong, code=USAGE, parts=["i/n"])
        done = self.predict(self.files[0], "--shard", "2/2", "--format", "jsonl")
        self.assertEqual(done.out, "")

    def test_a_list_that_fails(self):
        """The names before the fault have their rows, and the fault is reported."""
        command = [support.binary(), "predict", self.model, "--input", "-", "--format", "jsonl",
                   "--workers", "1"]
        for count in (1, 70):
            names = (self.files * 2)[:count]
            text = "".join(f"{name}\n" for name in names).encode() + b"b\0\n"
            done = subprocess.run(command, input=text, capture_output=True, timeout=60,
                                  env=support.environment())
            self.assertEqual(done.returncode, FAILED)
            self.assertEqual([json.loads(row)["file"] for row in done.stdout.splitlines()], names)
            self.assertIn(f"standard input:{count + 1}: the line has a zero byte", done.stderr.decode())

    def test_nothing_waits_for_names_after_a_failure(self):
        command = [support.binary(), "predict", self.model, "--input", "-", "--format", "jsonl"]
        with open("/dev/full", "wb") as full, \
                subprocess.Popen(command, stdin=subprocess.PIPE, stdout=full,
                                 stderr=subprocess.PIPE, env=support.environment()) as process:
            process.stdin.write(f"{self.files[0]}\n".encode())
            process.stdin.flush()
            self.assertEqual(process.wait(timeout=30), FAILED)  # with its list still open

    def test_names_that_are_no_text(self):
        folder = os.fsencode(self.at("odd"))
        os.makedirs(folder)
        names = [b"\xff.wav", b"\xfe.wav", "\u00e9.wav".encode()]
        for name in names:
            os.link(self.files[0], os.path.join(folder, name))
        done = self.predict("--input", self.at("odd"), "--format", "jsonl")
        found = {os.path.basename(json.loads(row)["file"]) for row in done.out.splitlines()}
        self.assertEqual(found, {"\\xFF.wav", "\\xFE.wav", "\u00e9.wav"})

    def test_an_empty_share(self):
        """A share is empty if there are fewer names than shares. It may run again, as after a
        requeue."""
        names, out = self.list_of("few.txt", self.files[:2]), self.at("none.jsonl")
        for _ in range(2):
            done = self.predict("--input", names, "--output", out, "--shard", "3/3", "--resume")
            self.assertIn("0 files", done.out)

    def test_inputs_are_spared(self):
        for ending in (".part", ".job"):
            names = self.list_of("kept.jsonl" + ending, self.files[:3])
            self.predict("--input", names, "--output", self.at("kept.jsonl"), "--force", code=USAGE,
                         parts=["is the input itself"])
            self.assertEqual(len(support.read_text(names).splitlines()), 3)
            os.unlink(names)

    def test_slurm(self):
        """Tasks of an array are started as by Slurm, and one of them again, as after a requeue."""
        os.makedirs(self.at("bin"))
        os.symlink(support.binary(), self.at("bin", "decavox"))
        names, answers = self.list_of("slurm.txt", self.files), self.at("answers")
        for task in (1, 2, 3, 2):  # sbatch --array=1-3
            done = subprocess.run(
                [os.path.join(support.ROOT, "examples", "scale", "slurm.sh"), self.model, names,
                 answers, "3"], capture_output=True, text=True, timeout=120,
                env=support.environment() | {
                    "PATH": f"{self.at('bin')}:{os.environ['PATH']}",
                    "SLURM_ARRAY_TASK_ID": str(task), "SLURM_CPUS_PER_TASK": "2"})
            self.assertEqual(done.returncode, GOOD, done.stderr)
        self.assertIn(f"{len(self.files[1::3])} of them before", done.stdout)
        rows = [row["file"] for i in (1, 2, 3) for row in self.lines(f"{answers}-{i}.jsonl")]
        self.assertEqual(rows, self.files[0::3] + self.files[1::3] + self.files[2::3])

    # ---- Interruptions ----

    def stop_within(self, name, number, *more):
        """Sends the signal when the first names have rows and the program waits for more names."""
        out = self.at(f"{name}.jsonl")
        command = [support.binary(), "predict", self.model, "--input", "-", "--output", out, *more]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env=support.environment()) as process:
            process.stdin.write("".join(f"{file}\n" for file in self.files[:40]).encode())
            process.stdin.flush()
            for _ in range(600):
                if os.path.exists(out + ".part") and \
                        support.read_bytes(out + ".part").count(b"\n") == 40:
                    break
                time.sleep(0.1)
            process.send_signal(number)
            process.wait(timeout=60)  # with its list still open
            _, err = process.communicate()
        self.assertFalse(os.path.exists(out))
        return process.returncode, err.decode(), out

    def test_signals(self):
        names = self.list_of("all.txt", self.files)
        for name, number, code in (("int", signal.SIGINT, 130), ("term", signal.SIGTERM, 143),
                                   ("kill", signal.SIGKILL, -9)):
            got, err, out = self.stop_within(name, number)
            self.assertEqual(got, code, err)
            if number != signal.SIGKILL:
                self.assertIn("interrupted after 40 files", err)
                self.assertIn("--resume goes on", err)
            self.predict("--input", names, "--output", out, code=USAGE,
                         parts=["holds the rows of a call that was interrupted", "--resume"])
            done = self.predict("--input", names, "--output", out, "--resume")
            self.assertIn("88 files (40 of them before)", done.out)
            self.assertEqual([row["file"] for row in self.lines(out)], self.files)
            again = self.predict("--input", names, "--output", out, "--resume")
            self.assertIn("88 files (88 of them before), 0 failed", again.out)

    def test_other_work_is_not_gone_on_with(self):
        _, _, out = self.stop_within("other", signal.SIGTERM, "--top", "2")
        names = self.list_of("all.txt", self.files)
        self.predict("--input", names, "--output", out, "--resume", code=USAGE,
                     parts=["made with top 2, and now it is 1"])
        turned = self.list_of("turned.txt", reversed(self.files))
        self.predict("--input", turned, "--output", out, "--resume", "--top", "2", code=USAGE,
                     parts=["row 1 is of", "the list of files has changed"])
        self.predict("--input", names, "--output", out, "--force")
        self.assertEqual(len(self.lines(out)), 88)

    def test_a_full_disk(self):
        out = self.at("full.jsonl")
        self.predict("--input", self.data, "--output", out, limit=4096, code=FAILED,
                     parts=["cannot be written"])
        done = self.predict("--input", self.data, "--output", out, "--resume")
        self.assertEqual([row["file"] for row in self.lines(out)], self.files)
        self.assertRegex(done.out, r"88 files \([1-9]\d* of them before\)")

    # ---- Names through a pipe ----

    def test_one_by_one(self):
        """A program that writes a name and waits for its row gets it."""
        command = [support.binary(), "predict", self.model, "--input", "-", "--format", "jsonl"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                              env=support.environment()) as process:
            for file in self.files[:5]:
                process.stdin.write(file + "\n")
                process.stdin.flush()
                self.assertEqual(json.loads(process.stdout.readline())["file"], file)
            process.stdin.close()
            self.assertEqual(process.stdout.read(), "")
        self.assertEqual(process.returncode, GOOD)

    def test_nobody_reads(self):
        command = f'"{support.binary()}" predict "{self.model}" --input "{self.data}" ' \
                  f'--format jsonl | head -n 1'
        done = subprocess.run(["bash", "-c", command], stdout=subprocess.PIPE, text=True,
                              env=support.environment(), timeout=120)
        self.assertEqual(json.loads(done.stdout)["file"], self.files[0])

    # ---- Refusals ----

    def test_refusals(self):
        other = self.at("mine.jsonl")
        support.write_text(other, "my own file\n")
        for arguments, part in (
                (["--input", self.data, self.files[0]], "files are named both by --input"),
                ([], "no sound file is named"),
                ([self.files[0], "--resume"], "--resume has no effect without --output"),
                (["--input", self.data, "--output", self.at("x.txt")], "tells no format"),
                (["--input", self.data, "--output", self.at("x.txt"), "--format", "json"],
                 "--output takes the formats jsonl and csv"),
                (["--input", self.data, "--output", self.model, "--format", "csv"],
                 "is the checkpoint itself")):
            self.predict(*arguments, code=USAGE, parts=[part])
        self.predict("--input", self.data, "--output", other, code=FAILED, parts=["--force"])
        self.assertEqual(support.read_text(other), "my own file\n")
        self.predict("--input", self.at("nowhere"), code=FAILED, parts=["nowhere: cannot be read"])
        os.makedirs(self.at("empty"))
        self.predict("--input", self.at("empty"), code=FAILED, parts=["names no sound file"])


class Many(unittest.TestCase):
    @unittest.skipUnless(importlib.util.find_spec("numpy"), "numpy is not installed")
    @unittest.skipUnless(os.environ.get("DECAVOX_RELEASE_BUILD"),
                         "$DECAVOX_RELEASE_BUILD names no build")
    def test_fifty_thousand(self):
        """Runs the script on 50,000 files: killed twice, in shares, and alone."""
        data = os.path.join(os.environ.get("DECAVOX_DATA", os.path.join(
            support.ROOT, "..", "shared", "data")), "fsdd")
        done = subprocess.run([sys.executable, "-B", MANY, support.release_binary(), "--files",
                               "50000", "--data", data], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=580)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        print(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    support.main()
