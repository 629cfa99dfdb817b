"""benchmarks/peers/table.py: the tables are what the results give, and tell who is faster;
scripts/peers.sh refuses wrong use. Needs none of the peers."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TABLE = os.path.join(ROOT, "benchmarks", "peers", "table.py")
SCRIPT = os.path.join(ROOT, "scripts", "peers.sh")


def result(part, model, threads, batch, **ratios):
    return {"part": part, "model": model, "threads": threads, "batch": batch, "precision": "fp32",
            "device": "cpu", "decavox": 1500.0, "notes": {}, "versions": {"PyTorch": "9.9"},
            "date": "2026-01-01 00:00 UTC", "commit": "abc1234", "changed_files": 0,
            "peers": {name.replace("_", " "): {
                "form": "eager", "microseconds": 1500 * ratio, "ratio": ratio,
                "ratio_spread": [ratio - 0.1, ratio + 0.1]} for name, ratio in ratios.items()}}


class PeersTable(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.readme = os.path.join(self.folder, "README.md")
        self.content = {"processor": "Test 9", "cores": 2, "system": "Linux", "results": [
            result("train", "advanced", 2, 32, PyTorch=2.5),
            result("train", "advanced", 1, 32, PyTorch=3.25),
            result("infer", "advanced", 1, 64, ONNX_Runtime=0.87, PyTorch=1.5)]}
        self.save()
        marks = self.lines_of_table("BEGIN") + self.lines_of_table("END")
        self.write(self.readme, "before\n" + marks + "after\n")

    def lines_of_table(self, name):
        return subprocess.run(
            [sys.executable, "-B", "-c", "import sys; sys.path.insert(0, sys.argv[1]); "
             "import table; print(getattr(table, sys.argv[2]), end='')", os.path.dirname(TABLE),
             name],
            stdout=subprocess.PIPE, text=True, check=True).stdout

    def save(self):
        self.write(os.path.join(self.folder, "peers-test-9.json"), json.dumps(self.content))

    def write(self, path, text):
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def read(self, name):
        with open(os.path.join(self.folder, name), encoding="utf-8") as file:
            return file.read()

    def table(self, *options):
        done = subprocess.run([sys.executable, "-B", TABLE, "--results", self.folder, "--readme",
                               self.readme, *options], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)
        return done.returncode, done.stdout + done.stderr

    def test_both_tables(self):
        self.assertEqual(self.table(), (0, ""))
        text = self.read("README.md")
        self.assertTrue(text.startswith("before\n") and text.endswith("after\n"), text)
        self.assertIn("| advanced | 3.25 / 2.50 | **0.87** | 1.50 |", text)
        self.assertIn("(1 of 4)", text)
        self.assertIn("commit abc1234; PyTorch 9.9.", text)
        page = self.read("peers.md")
        self.assertIn("| forward pass | advanced, batch 64, 1 thread | ONNX Runtime (eager) | "
                      "1.30 ms | 1.50 ms | **0.87** | 0.77 to 0.97 |", page)
        self.assertEqual(self.table("--check"), (0, ""))

    def test_check_finds_what_differs(self):
        self.table()
        self.write(self.readme, self.read("README.md").replace("3.25", "4.25"))
        code, text = self.table("--check")
        self.assertEqual(code, 1)
        self.assertIn("README.md is not what the results give", text)
        self.assertNotIn("peers.md is", text)
        self.table()
        self.content["results"][2]["peers"]["ONNX Runtime"]["ratio"] = 1.2
        self.save()
        code, text = self.table("--check")
        self.assertEqual((code, len(text.splitlines())), (1, 2), text)

    def test_marks(self):
        self.write(self.readme, "no marks\n")
        code, text = self.table()
        self.assertEqual(code, 1)
        self.assertIn("has not once the lines", text)

    def test_wrong_use_of_the_script(self):
        for arguments, part in ((["--frob"], "no option '--frob'"),
                                (["--out"], "--out needs a value"),
                                (["--device", "tpu"], "no device 'tpu'")):
            done = subprocess.run(["bash", SCRIPT, *arguments], stderr=subprocess.PIPE, text=True)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(part, done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
