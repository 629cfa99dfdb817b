"""benchmarks/compare.py on invented files, with and without a change."""
import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

import support

sys.path.append(os.path.join(support.ROOT, "benchmarks"))
import before_after

PROGRAM = os.path.join(support.ROOT, "benchmarks", "compare.py")


def line(name, median, spread=0.01, count=20, **more):
    """A line with quartiles `spread` below and above the median."""
    return {"suite": "ops", "name": name, "device": "cpu", "threads": 1, "unit": "s",
            "median": median, "low": median * (1 - spread), "high": median * (1 + spread),
            "count": count, "machine": {"processor": "P"}, "build": "Release", "versions": "1",
            "commit": "c"} | more


class Compare(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="decavox-")
        self.addCleanup(shutil.rmtree, self.folder)

    def write(self, name, lines):
        return support.write_text(os.path.join(self.folder, name), "".join(
            (item if isinstance(item, str) else json.dumps(item)) + "\n" for item in lines))

    def compare(self, before, after, *more):
        done = subprocess.run([sys.executable, "-B", PROGRAM, self.write("a.jsonl", before),
                               self.write("b.jsonl", after), *more], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)
        return support.Result(done.returncode, done.stdout, done.stderr)

    def sections(self, done):
        """The printed sections, {heading: [names]}."""
        found, heading = {}, None
        for text in done.out.splitlines():
            if text.startswith("    "):
                found[heading].append(text.split()[1])
            elif ": " in text and text.split(": ")[1].isdigit():
                heading = text.split(": ")[0]
                found[heading] = []
        return found

    def test_no_change(self):
        lines = [line("a", 1e-3), line("b", 2e-6), line("m", 3e7, 0.001, unit="B")]
        done = self.compare(lines, lines, "--fail-on-slower")
        self.assertEqual((done.code, self.sections(done)), (0, {}), done.out + done.err)
        self.assertIn("ops: 3 compared, 0 slower or larger, 0 faster or smaller, "
                      "geometric mean x 1.000", done.out)
        self.assertNotIn("WARNING", done.out)

    def test_change_beyond_noise(self):
        before = [line("slow", 1e-3), line("fast", 1e-3), line("noisy", 1e-3, 0.2),
                  line("small", 1e-3, 0.001), line("few", 1e-3, 0, 1), line("much", 1e-3, 0, 1),
                  line("memory", 3e7, 0, unit="B")]
        after = [line("slow", 1.1e-3), line("fast", 0.9e-3), line("noisy", 1.3e-3, 0.2),
                 line("small", 1.04e-3, 0.001), line("few", 1.15e-3, 0, 1),
                 line("much", 1.25e-3, 0, 1), line("memory", 3.24e7, 0, unit="B")]
        done = self.compare(before, after)
        self.assertEqual(self.sections(done), {"slower or larger": ["much", "slow", "memory"],
                                               "faster or smaller": ["fast"]})
        self.assertEqual(done.code, 0, done.err)
        self.assertEqual(self.compare(before, after, "--fail-on-slower").code, 1)
        self.assertEqual(self.compare(after, before, "--fail-on-slower").code, 1)
        self.assertEqual(self.compare(before[1:2], after[1:2], "--fail-on-slower").code, 0)
        self.assertIn("small", self.sections(self.compare(before, after, "--least", "3"))
                      ["slower or larger"])
        self.assertEqual(self.sections(self.compare(before, after, "--all"))
                         ["no change beyond noise"], ["noisy", "small", "few"])
        self.assertIn("1 ms ->    1.1 ms   x 1.100   [990 us, 1.01 ms] -> [1.09 ms, 1.11 ms]",
                      done.out)

    def test_exponents(self):
        before = [line("a", 1.0, 0, 1, unit="exponent"), line("b", 1.0, 0, 1, unit="exponent"),
                  line("c", 1.0, 0, 1, unit="exponent")]
        after = [line("a", 1.1, 0, 1, unit="exponent"), line("b", 1.9, 0, 1, unit="exponent"),
                 line("c", 0.6, 0, 1, unit="exponent")]
        done = self.compare(before, after, "--fail-on-slower")
        self.assertEqual(done.code, 1)
        self.assertEqual(self.sections(done), {"slower or larger": ["b"],
                                               "faster or smaller": ["c"]})
        self.assertIn("geometric mean x 1.000", done.out)

    def test_new_missing_and_last(self):
        before = [line("same", 1e-3), line("gone", 1e-3), line("threads", 1e-3),
                  line("precision", 1e-3, precision="fp32")]
        after = [line("same", 5e-3), line("come", 1e-3), line("threads", 1e-3, threads=2),
                 line("precision", 1e-3, precision="bf16"), line("same", 1e-3)]
        done = self.compare(before, after, "--fail-on-slower")
        self.assertEqual((done.code, self.sections(done)), (0, {
            "new": ["come", "threads", "precision"], "missing": ["gone", "threads", "precision"]}))

    def test_another_machine(self):
        done = self.compare([line("a", 1)], [line("a", 1, machine={"processor": "Q"}, commit="d")])
        self.assertIn('WARNING: another machine: {"processor": "P"} -> {"processor": "Q"}',
                      done.out)
        self.assertIn('commit: "c" -> "d"', done.out)

    def test_refusals(self):
        good = [line("a", 1)]
        for bad in ("no json", "[]", '{"name": "a"}', json.dumps(line("a", 0)),
                    json.dumps(line("a", 1) | {"low": "x"})):
            done = self.compare(good, [good[0], bad])
            self.assertEqual(done.code, 2)
            self.assertIn("b.jsonl:2: no line of decavox_bench", done.err)
        self.assertIn("has no line", self.compare(good, []).err)
        done = subprocess.run([sys.executable, "-B", PROGRAM, self.folder,
                               os.path.join(self.folder, "none")], stderr=subprocess.PIPE,
                              text=True)
        self.assertEqual(done.returncode, 2)
        self.assertIn(self.folder, done.stderr)


class BeforeAfter(unittest.TestCase):
    """A difference counts if it is above the limit, and larger than the old build's from itself."""

    def worse(self, old, new, again):
        with contextlib.redirect_stdout(io.StringIO()) as told:
            found = before_after.worse("it", "us", old, new, again, 1.02)
        self.assertEqual("SLOWER" in told.getvalue(), found)
        return found

    def test_what_is_slower(self):
        steady = [100, 101, 100, 99]
        self.assertFalse(self.worse(steady, steady, steady))
        self.assertFalse(self.worse(steady, [value * 1.015 for value in steady], steady))
        self.assertTrue(self.worse(steady, [value * 1.05 for value in steady], steady))
        self.assertFalse(self.worse(steady, [value * 1.05 for value in steady],
                                    [value * 1.2 for value in steady]))

    def test_a_build_that_is_none(self):
        done = subprocess.run([sys.executable, "-B", before_after.__file__, self.id(), self.id()],
                              capture_output=True, text=True)
        self.assertNotEqual(done.returncode, 0)


if __name__ == "__main__":
    support.main()
