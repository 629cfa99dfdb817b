"""decavox_bench: a short run of every suite, the programs on request, and their refusals. The
figures mean nothing here, but must fit together."""
import json
import math
import os
import re
import subprocess
import sys

import support
from support import FAILED, GOOD, ROOT, USAGE

sys.path.append(os.path.join(ROOT, "benchmarks"))
from contest import processor

KEYS = {"suite", "name", "device", "threads", "unit", "median", "low", "high", "p99", "minimum",
        "count", "cache", "figures", "machine", "versions", "commit", "build", "date"}
MINI = os.path.join("configs", "models", "mini.yaml")


def bench(*arguments, commands=None):
    done = subprocess.run([support.binary(), *arguments], input=commands, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, env=support.environment(), cwd=ROOT, text=True,
                          timeout=120)
    return support.Result(done.returncode, done.stdout, done.stderr)


class Benchmarks(support.Case):
    def measure(self, suite, filter_text, *more):
        """The lines of a suite by name."""
        done = bench(suite, "--filter", filter_text, "--threads", "1", "--seconds", "0.002",
                     "--out", "-", *more)
        self.ends(done, GOOD)
        lines = [json.loads(line) for line in done.out.splitlines()]
        for line in lines:
            self.check_line(line, suite)
            self.assertIn(line["name"], done.err)
        found = {line["name"]: line for line in lines}
        self.assertEqual(len(found), len(lines))
        return found

    def check_line(self, line, suite):
        self.assertEqual(KEYS - set(line), set())
        self.assertEqual((line["suite"], line["device"], line["threads"]), (suite, "cpu", 1))
        self.assertIn(line["unit"], ("s", "B", "exponent"))
        self.assertTrue(line["minimum"] <= line["low"] <= line["median"] <= line["high"]
                        <= line["p99"], line)
        self.assertGreaterEqual(line["count"], 1)
        if line["unit"] != "exponent":
            self.assertGreater(line["minimum"], 0)
        self.assertRegex(line["commit"], r"^([0-9a-f]{12}(-dirty)?|unknown)$")
        self.assertRegex(line["date"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertIn("oneDNN", line["versions"])
        self.assertGreaterEqual(line["machine"]["processors"], 1)
        self.assertEqual(line["machine"]["processor"], processor())

    def check_rate(self, line, amount, rate, factor=1):
        """Asserts that the rate is amount over time."""
        figures = line["figures"]
        self.assertTrue(math.isclose(factor * figures[amount] / line["median"], figures[rate],
                                     rel_tol=1e-6), line)

    def test_ops(self):
        lines = self.measure("ops", "linear/")
        copy, product = lines.pop("ceiling/copy"), lines.pop("ceiling/matmul")
        self.check_rate(copy, "bytes", "gb_per_s", 1e-9)
        self.check_rate(product, "flop", "gflop_per_s", 1e-9)
        for line in lines.values():
            figures = line["figures"]
            self.check_rate(line, "bytes", "gb_per_s", 1e-9)
            self.check_rate(line, "flop", "gflop_per_s", 1e-9)
            for part, whole, rate in (("copy_percent", copy, "gb_per_s"),
                                      ("matmul_percent", product, "gflop_per_s")):
                self.assertAlmostEqual(figures[part],
                                       100 * figures[rate] / whole["figures"][rate], places=4)
            self.assertEqual((line["cache"], line["precision"]), ("flushed", "fp32"))
        # 32 rows of 512 features and 128 units with bias, each number once.
        large = lines["linear/large/forward"]["figures"]
        case = support.read_text(os.path.join(ROOT, "tests", "op_cases", "cases.c"))
        units, rows, width = map(int, re.search(
            r'CASE\(linear, "large", "units: (\d+).*?IN\((\d+), 1, 1, (\d+)\)', case,
            re.DOTALL).groups())
        self.assertEqual(large["flop"], 2 * rows * width * units)
        self.assertEqual(large["bytes"],
                         4 * (rows * width + width * units + units + rows * units))
        self.assertEqual(lines["linear/large/backward"]["figures"]["flop"], 2 * large["flop"])
        self.assertEqual(lines["linear/lightweight/hidden_2/forward"]["batch"], 32)
        self.assertGreaterEqual(lines["linear/advanced/head/forward"]["figures"]["uses"], 1)

    def test_frontends(self):
        features = self.measure("frontends", "mfcc/augment", "--batch", "8")
        self.assertEqual(set(features), {"mfcc/augment_default", "mfcc/augment_all"})
        files = self.measure("frontends", "read/wav_8k")
        for line in [*features.values(), *files.values()]:
            self.check_rate(line, "utterances", "utterances_per_s")
            self.assertEqual(line["figures"]["x_real_time"], line["figures"]["utterances_per_s"])

    def test_train(self):
        lines = self.measure("train", "mini", "--batch", "4", "--clips", "30")
        self.assertEqual(set(lines), {"step/mini/batch_4", "epoch/mini", "epoch/mini/load"})
        step = lines["step/mini/batch_4"]
        self.assertTrue(math.isclose(step["figures"]["samples_per_s"] * step["median"], 4,
                                     rel_tol=1e-6))
        self.check_rate(step, "flop", "gflop_per_s", 1e-9)
        for name in ("epoch/mini", "epoch/mini/load"):
            self.assertEqual(lines[name]["figures"]["clips"], 30)
            self.check_rate(lines[name], "clips", "clips_per_s")
        # 30 clips of half a second.
        self.assertEqual(lines["epoch/mini/load"]["figures"]["sound_bytes"], 30 * 4000 * 4)

    def test_train_with_recordings(self):
        lines = self.measure("train", "epoch/mini", "--data", self.data)
        self.assertEqual(lines["epoch/mini"]["figures"]["clips"], 88)

    def test_infer(self):
        lines = self.measure("infer", "/mini/")
        self.assertEqual(list(lines), [f"forward/mini/batch_{4**i}" for i in range(6)])
        step, = self.measure("train", "step/mini/batch_8").values()
        for i, line in enumerate(lines.values()):
            self.assertEqual(line["batch"], 4**i)
            # Backward has one product for the inputs and one for the weights.
            self.assertEqual(3 * line["figures"]["flop"] / 4**i, step["figures"]["flop"] / 8)

    def test_start(self):
        lines = self.measure("start", "lightweight")
        self.assertEqual(list(lines), ["predict/lightweight/time", "predict/lightweight/memory"])
        memory = lines["predict/lightweight/memory"]
        self.assertEqual(memory["unit"], "B")
        self.assertGreater(memory["median"], 4e6)
        self.ends(bench("start", "--checkpoints", self.data), FAILED, "no file *.safetensors")
        self.ends(bench("start", "--decavox", self.config), FAILED, "cannot be started")

    def test_scale(self):
        lines = self.measure("scale", "clips", "--clips", "1000")
        curves = {}
        for size in (100, 1000):
            for what in ("load", "epoch", "memory"):
                line = lines[f"clips_{size}/{what}"]
                self.assertEqual(line["unit"], "B" if what == "memory" else "s")
                curves.setdefault(what, []).append(line["median"])
        for what, (small, large) in curves.items():
            line = lines[f"clips/{what}/exponent"]
            self.assertAlmostEqual(line["median"], math.log10(large / small), places=5)
            self.assertEqual(line["figures"]["at_most_linear"], float(line["median"] <= 1.1))
        self.assertGreater(curves["epoch"][1], curves["epoch"][0])
        self.assertEqual(len(lines), 9)

    def test_scale_of_batches_and_threads(self):
        lines = self.measure("scale", "batch/forward")
        sizes = [4**i for i in range(6)]
        names = [f"batch_{size}/forward/{what}" for size in sizes for what in ("time", "memory")]
        self.assertEqual(list(lines), names + ["batch/forward/time/exponent",
                                               "batch/forward/memory/exponent"])
        for size in sizes:
            time = lines[f"batch_{size}/forward/time"]
            memory = lines[f"batch_{size}/forward/memory"]
            self.assertTrue(math.isclose(time["figures"]["samples_per_s"] * time["median"], size,
                                         rel_tol=1e-6))
            self.assertGreater(memory["median"], 4e6)
        line, = self.measure("scale", "threads/forward").values()
        self.assertEqual((line["name"], line["figures"]["times_one_thread"]),
                         ("threads/forward/lightweight", 1))

    def test_lines_are_appended(self):
        path = self.at("lines.jsonl")
        for _ in range(2):
            self.ends(bench("infer", "--filter", "mini/batch_1/", "--out", path), FAILED,
                      "has 'mini/batch_1/' in its name")
            self.ends(bench("infer", "--filter", "forward/mini/", "--batch", "2", "--seconds",
                            "0.001", "--table=false", "--out", path), GOOD)
        self.assertEqual([json.loads(line)["name"] for line in
                          support.read_text(path).splitlines()], 2 * ["forward/mini/batch_2"])
        self.ends(bench("infer", "--out", self.at("none", "x")), FAILED, "No such file")

    def test_refusals(self):
        self.ends(bench(), USAGE, "usage: decavox_bench SUITE")
        self.ends(bench("opps"), USAGE, "no suite 'opps'", "frontends")
        self.ends(bench("ops", "--fliter", "x"), USAGE, "fliter")
        self.ends(bench("ops", "--precision", "fp16"), FAILED, "not in fp16")
        self.ends(bench("infer", "--models", self.at("none")), FAILED, self.at("none"))
        self.ends(bench("train", "--filter", "epoch/mini", "--data", self.at("none")), FAILED,
                  self.at("none"))
        self.assertIn("--clips", self.ends(bench("scale", "--help"), GOOD).out)

    # ---- programs on request ----

    def test_step(self):
        saved, batches = self.at("saved.safetensors"), self.at("batches.safetensors")
        done = self.ends(bench("step", MINI, "--batch", "4", "--time-layers", commands=(
            f"run 3\nsave {saved}\nbatches {batches}\nlayers\nrun 2\nquit\n")), GOOD, "forward")
        about, three, *good, two = [json.loads(line) for line in done.out.splitlines()]
        self.assertEqual(set(about), {"parameters", "arena", "threads", "version"})
        self.assertEqual(good, 3 * [{"good": True}])
        for answer, count in ((three, 3), (two, 2)):
            self.assertEqual(set(answer), {"microseconds", "cpu_microseconds", "losses",
                                           "warnings"})
            self.assertEqual((len(answer["microseconds"]), len(answer["losses"])), (count, count))
            self.assertTrue(all(loss > 0 for loss in answer["losses"]))
        self.assertIn("features", support.read_bytes(batches)[:400].decode(errors="replace"))

        done = self.ends(bench("step", MINI, "--batch", "4", "--inference", "--checkpoint", saved,
                               commands="run 2\n"), GOOD)
        self.assertEqual(json.loads(done.out.splitlines()[1])["losses"], [])
        for command, reason in (("run 0", "'0' is not a number of steps"),
                                ("frob", "no command 'frob'"), ("layers", "--time_layers")):
            self.ends(bench("step", MINI, commands=f"run 1\n{command}\n"), FAILED,
                      "decavox_bench step: ", reason)
        self.ends(bench("step", self.at("none.yaml")), FAILED, "none.yaml")

    def test_features(self):
        done = self.ends(bench("features", "--batch", "4", commands="run 3\nquit\n"), GOOD)
        about, answer = [json.loads(line) for line in done.out.splitlines()]
        self.assertEqual((about["rows"], about["frames"], about["batch"], about["on_device"]),
                         (13, 32, 4, False))
        self.assertEqual(len(answer["microseconds"]), 3)
        self.ends(bench("features", "--batch", "4", commands="walk 3\n"), FAILED,
                  "decavox_bench features: no command 'walk 3'")

    def test_dump_features(self):
        out = self.at("features.safetensors")
        model = os.path.join("checkpoints", "lightweight.safetensors")
        files = [os.path.join(self.data, name) for name in ("0_ann_0.wav", "1_bob_3.wav")]
        self.ends(bench("dump_features", model, out, *files), GOOD)
        self.assertIn(b'"shape":[2,', support.read_bytes(out)[:400].replace(b" ", b""))
        self.ends(bench("dump_features", model), USAGE, "usage: decavox_bench dump_features")
        self.ends(bench("dump_features", model, out, self.at("none.wav")), FAILED, "none.wav")


if __name__ == "__main__":
    support.main()
