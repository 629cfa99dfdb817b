"""benchmarks/peers/table.py: the tables follow from the results, and show which side is faster; one
more measurement keeps the other results; scripts/peers.sh refuses wrong use. Needs none of the
peers."""
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


TAKE = """
import json, sys
sys.path.insert(0, sys.argv[1])
import measure
measure.Store(sys.argv[2], "Test 9", 2, 0, False).take(json.loads(sys.argv[3]))
"""


class PeersTable(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.page = os.path.join(self.folder, "performance.md")
        self.content = {"processor": "Test 9", "cores": 2, "system": "Linux", "results": [
            result("train", "advanced", 2, 32, PyTorch=2.5),
            result("train", "advanced", 1, 32, PyTorch=3.25),
            result("infer", "advanced", 1, 64, ONNX_Runtime=0.87, PyTorch=1.5)]}
        self.save()
        marks = self.lines_of_table("BEGIN") + self.lines_of_table("END")
        self.write(self.page, "before\n" + marks + "after\n")

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
        done = subprocess.run([sys.executable, "-B", TABLE, "--results", self.folder, "--page",
                               self.page, *options], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)
        return done.returncode, done.stdout + done.stderr

    def test_both_tables(self):
        self.assertEqual(self.table(), (0, ""))
        text = self.read("performance.md")
        self.assertTrue(text.startswith("before\n") and text.endswith("after\n"), text)
        self.assertIn("| advanced | 3.25 / 2.50 | **0.87** | 1.50 |", text)
        self.assertIn("(1 of 4)", text)
        self.assertIn("commit abc1234; PyTorch 9.9.", text)
        page = self.read("peers.md")
        self.assertIn("| forward pass | advanced, batch 64, 1 thread | ONNX Runtime (eager) | "
                      "1.30 ms | 1.50 ms | **0.87** | 0.77 to 0.97 |", page)
        self.assertEqual(self.table("--check"), (0, ""))

    def header_of(self, *results):
        """The header and the rows of the page's first table."""
        self.content["results"] = list(results)
        self.save()
        self.assertEqual(self.table(), (0, ""))
        header, _, *rows = [line for line in self.read("performance.md").splitlines()
                            if line.startswith("|")]
        return header, rows

    def test_header_says_what_was_measured(self):
        one = [result("train", "advanced", 1, 32, PyTorch=3.25),
               result("infer", "advanced", 1, 64, PyTorch=1.5)]
        two = [result("train", "advanced", 2, 32, PyTorch=2.5),
               result("infer", "advanced", 2, 64, PyTorch=1.25)]
        columns = "training step, batch 32, against PyTorch{} | forward pass, batch 64, " \
                  "against PyTorch{} |"
        self.assertEqual(self.header_of(*one), ("| x 1 thread | " + columns.format("", ""),
                                                ["| advanced | 3.25 | 1.50 |"]))
        self.assertEqual(self.header_of(*two)[0], "| x 2 threads | " + columns.format("", ""))
        self.assertEqual(self.header_of(*two, *one),
                         ("| x 1 / 2 threads | " + columns.format("", ""),
                          ["| advanced | 3.25 / 2.50 | 1.50 / 1.25 |"]))
        self.assertEqual(self.header_of(*one, two[0])[0],
                         "| x 1 / 2 threads | " + columns.format("", ", 1 thread"))

    def test_dash_where_a_model_was_not_measured(self):
        _, rows = self.header_of(result("train", "advanced", 1, 32, PyTorch=3.25),
                                 result("train", "advanced", 2, 32, PyTorch=2.5),
                                 result("train", "lightweight", 2, 32, PyTorch=4.5),
                                 result("train", "mini", 2, 32))
        self.assertEqual(rows, ["| lightweight | - / 4.50 |", "| advanced | 3.25 / 2.50 |",
                                "| mini |  |"])

    def test_header_of_a_device(self):
        halves = [result("train", "advanced", 0, 32, PyTorch=ratio) |
                  {"device": "cuda", "precision": precision}
                  for precision, ratio in (("bf16", 2.5), ("fp32", 1.5))]
        header, rows = self.header_of(*halves)
        self.assertIn("| x FP32 / BF16 |", header)
        self.assertEqual(rows, ["| advanced | 1.50 / 2.50 |"])

    def test_a_new_result_replaces_its_own_alone(self):
        """In measure.py's file a new result replaces its own, but not those of other numbers of
        threads."""
        new = result("train", "advanced", 1, 32, PyTorch=4.75)
        subprocess.run([sys.executable, "-B", "-c", TAKE, os.path.dirname(TABLE), self.folder,
                        json.dumps(new)], check=True)
        found = json.loads(self.read("peers-test-9.json"))["results"]
        self.assertEqual([(r["part"], r["threads"], r["peers"]["PyTorch"]["ratio"])
                          for r in found], [("train", 1, 4.75), ("train", 2, 2.5),
                                            ("infer", 1, 1.5)])

    def test_check_finds_what_differs(self):
        self.table()
        self.write(self.page, self.read("performance.md").replace("3.25", "4.25"))
        code, text = self.table("--check")
        self.assertEqual(code, 1)
        self.assertIn("performance.md is not what the results give", text)
        self.assertNotIn("peers.md is", text)
        self.table()
        self.content["results"][2]["peers"]["ONNX Runtime"]["ratio"] = 1.2
        self.save()
        code, text = self.table("--check")
        self.assertEqual((code, len(text.splitlines())), (1, 2), text)

    def test_marks(self):
        self.write(self.page, "no marks\n")
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
