"""decavox_bench on the simulated device: its notes about the measurement. The figures mean nothing
here."""
import json
import os
import re
import subprocess

import support
from support import FAILED, GOOD, ROOT

LACKING = {"DECAVOX_CUDASIM_CONVOLUTIONS": "0", "DECAVOX_CUDASIM_PRODUCTS": "0"}


def model(name):
    return os.path.join("configs", "models", name + ".yaml")


def modules():
    return os.path.join(os.path.dirname(os.path.dirname(support.binary())), "runner")


def bench(*arguments, commands=None, settings=None):
    variables = support.environment() | {"DECAVOX_MODULE_PATH": modules()} | (settings or {})
    done = subprocess.run([support.binary(), *arguments], input=commands, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, env=variables, cwd=ROOT, text=True, timeout=300)
    return support.Result(done.returncode, done.stdout, done.stderr)


class OnDevice(support.Case):
    def setUp(self):
        if not os.path.exists(os.path.join(modules(), "libdecavox_cudasim.so")):
            self.skipTest("the module of the simulated device is not built")

    def step(self, name, *more, commands, settings=None):
        """The answers of a step program whose batch lies on the device."""
        done = self.ends(bench("step", model(name), "--device", "cudasim", "--resident", "--batch",
                               "2", *more, commands=commands, settings=settings), GOOD)
        return [json.loads(line) for line in done.out.splitlines()[1:]]

    def recorded(self, name, *more, count=4):
        """All steps but the first are replayed, and the DOT file has the nodes of the recorded
        one."""
        dot = self.at("step.dot")
        run, = self.step(name, "--report", "2", "--dot", dot, *more, commands=f"run {count}\n")
        self.assertEqual((run["replays"], run["eager"]), (count - 1, 1))
        self.assertEqual(run["warnings"], [])
        labels = re.findall(r'label="(.*?)"', support.read_text(dot))
        self.assertEqual(len(labels), run["nodes"])
        self.assertIn("cudnnConvolution", labels)
        return run["nodes"]

    def test_training_is_recorded(self):
        nodes = self.recorded("lightweight")
        self.assertGreater(self.recorded("advanced"), nodes)

    def test_inference_is_recorded(self):
        nodes = self.recorded("lightweight", "--inference")
        self.assertGreater(self.recorded("advanced", "--inference"), nodes)

    def test_nothing_is_recorded(self):
        run, = self.step("mini", "--record=false", commands="run 2\n")
        self.assertEqual((run["replays"], run["eager"], run["nodes"]), (0, 2, 0))
        done = bench("step", model("mini"), "--dot", self.at("none.dot"), commands="run 1\n")
        self.ends(done, GOOD)
        self.assertFalse(os.path.exists(self.at("none.dot")))

    def test_precisions(self):
        losses = {}
        for precision in ("fp32", "tf32", "fp16", "bf16"):
            run, = self.step("mini", "--precision", precision, commands="run 3\n")
            self.assertEqual((run["replays"], run["warnings"]), (2, []))
            losses[precision] = run["losses"][-1]
        self.assertEqual(len(set(losses.values())), 4, losses)
        self.assertLess(max(losses.values()) - min(losses.values()), 0.2, losses)
        self.ends(bench("step", model("mini"), "--precision", "tf32"), FAILED, "cpu has no TF32")
        self.ends(bench("step", model("mini"), "--precision", "fp16"), FAILED, "not in fp16")

    def test_algorithms(self):
        _, answer = self.step("mini", commands="run 2\nalgorithms\n")
        text = "\n".join(answer["algorithms"])
        self.assertRegex(text, r"conv2d 'conv_1': forward algorithm \d, math type \d of .*im2col")
        self.assertRegex(text, r"recorded: \d+ nodes")
        _, fixed = self.step("mini", "--algorithms", "fixed", commands="run 2\nalgorithms\n")
        self.assertNotIn(" us", "\n".join(fixed["algorithms"]))
        _, im2col = self.step("mini", commands="run 2\nalgorithms\n",
                              settings={"DECAVOX_CUDASIM_CONVOLUTIONS": "0"})
        self.assertIn("conv2d 'conv_1': forward algorithm im2col", "\n".join(im2col["algorithms"]))

    def test_slow_stand_ins_are_named(self):
        run, = self.step("mini", commands="run 2\n", settings=LACKING)
        layers = {found.group(1) for found in
                  (re.search(r"'(\w+)'.*plain kernel", text) for text in run["warnings"]) if found}
        self.assertIn("conv_1", layers)
        self.assertIn("head", layers)
        for suite in ("train", "infer"):
            done = bench(suite, "--device", "cudasim", "--filter", "/mini/", "--batch", "2",
                         "--seconds", "0.001", settings=LACKING)
            self.ends(done, FAILED, "the measurement is not the one asked for", "'conv_1'")

    def test_latency(self):
        first, second = self.step("mini", "--inference", commands="latency 3\nrun 2\n")
        self.assertEqual(len(first["microseconds"]), 3)
        self.assertTrue(all(time > 0 for time in first["microseconds"]))
        self.assertEqual((second["replays"], second["eager"]), (4, 1))
        for more, reason in (([], "with --inference"),
                             (["--inference", "--rows", "40"], "13 x 32")):
            self.ends(bench("step", model("mini"), *more, commands="latency 1\n"), FAILED, reason)


if __name__ == "__main__":
    support.main()
