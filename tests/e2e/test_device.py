"""--device: messages for unavailable devices, and the simulated device against the CPU."""
import ctypes
import os
import re
import tempfile
from unittest import mock

import support
from support import FAILED, GOOD, ROOT, USAGE, decavox

LIGHTWEIGHT = os.path.join(ROOT, "configs", "lightweight.yaml")


def beside_program(name):
    folder = os.path.dirname(support.binary())
    return os.path.exists(os.path.join(folder, f"libdecavox_{name}.so"))


def has_driver():
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True


class Device(support.Case):
    epochs = 1

    def setUp(self):
        self.in_folder_of_modules(os.path.dirname(support.binary()))

    def train(self, device, *more, config=None, run=None):
        run = run or os.path.join(tempfile.mkdtemp(dir=self.folder), "run")
        return decavox("train", config or self.config, "--data", self.data, "--out", run,
                       "--device", device, *more, timeout=500)

    def one_sentence(self, done, *parts, code=FAILED):
        self.ends(done, code, *parts)
        self.assertEqual(len(done.err.splitlines()), 1, done.err)

    def in_folder_of_modules(self, folder):
        os.environ["DECAVOX_MODULE_PATH"] = folder
        self.addCleanup(os.environ.pop, "DECAVOX_MODULE_PATH", None)

    def test_no_module(self):
        folder = self.at("none")
        self.in_folder_of_modules(folder)
        for device, module in (("cuda", "cuda"), ("cuda:1", "cuda"), ("cudasim", "cudasim")):
            self.one_sentence(self.train(device), f"device '{device}'",
                              f"no module libdecavox_{module}.so in {folder}")
        done = self.ends(self.train("auto"), GOOD)
        self.assertEqual(done.err, "")
        self.assertNotIn("device: cpu", done.out)

    def test_module_that_is_none(self):
        folder = self.at("broken")
        os.makedirs(folder)
        support.write_text(os.path.join(folder, "libdecavox_cudasim.so"), "this is no module\n")
        self.in_folder_of_modules(folder)
        self.one_sentence(self.train("cudasim"), f"{folder}/libdecavox_cudasim.so cannot be loaded")

    def test_wrong_names(self):
        self.one_sentence(self.train("cud"), "no device 'cud'", "did you mean 'cuda'", code=USAGE)
        for device in ("cuda:", "cuda:-1", "cuda:x", "cuda:1x", "cuda1", ""):
            self.one_sentence(self.train(device), f"no device '{device}'", "cuda:N",
                              code=USAGE)

    def test_no_driver(self):
        if not beside_program("cuda"):
            self.skipTest("the CUDA module is not built")
        if has_driver():
            self.skipTest("there is an NVIDIA driver")
        for device in ("cuda", "cuda:2"):
            self.one_sentence(self.train(device), f"device '{device}'", "no NVIDIA driver")
        done = self.ends(self.train("auto"), GOOD)
        self.assertEqual(done.err, "")
        self.assertEqual(done.out.count("device: cpu (no NVIDIA GPU found)\n"), 1)
        info = self.ends(decavox("info"), GOOD).out
        self.assertIn("no device: there is no NVIDIA driver", info)

    def test_no_such_device(self):
        if not beside_program("cuda"):
            self.skipTest("the CUDA module is not built")
        if not has_driver():
            self.skipTest("there is no NVIDIA driver")
        self.one_sentence(self.train("cuda:999"), "device 'cuda:999'")

    def test_answers_on_the_cpu_unless_asked(self):
        run = self.train_once(self.at("answering"))
        model, clip = os.path.join(run, "model.safetensors"), os.path.join(self.data, "1_ann_0.wav")
        folder = self.at("seen")  # the driver is looked for, and a module loaded if it is found
        os.makedirs(folder)
        support.write_text(os.path.join(folder, "libdecavox_cuda.so"), "this is no module\n")
        self.in_folder_of_modules(folder)
        os.environ["LD_DEBUG"] = "files"  # names each requested library on stderr
        self.addCleanup(os.environ.pop, "LD_DEBUG")
        for arguments in (("predict", model, clip), ("eval", model)):
            found = {}
            for more in ((), ("--device", "auto")):
                done = decavox(*arguments, *more)
                self.assertEqual(done.code, GOOD, done.err)
                files = re.findall(r"file=\S*?([^/ ]+) \[\d+\]", done.err)
                found[more] = {f for f in files if f.startswith(("libcuda.", "libdecavox_cuda."))}
            self.assertEqual(found[()], set(), arguments[0])
            self.assertIn("libcuda.so.1", found["--device", "auto"], arguments[0])

    def simulated(self, settings, device="cudasim", config=None):
        if not beside_program("cudasim"):
            self.skipTest("the module of the simulated device is not built")
        for name, value in settings.items():
            os.environ[f"DECAVOX_CUDASIM_{name}"] = value
        try:
            return self.train(device, config=config)
        finally:
            for name in settings:
                del os.environ[f"DECAVOX_CUDASIM_{name}"]

    def test_what_the_backend_says_without_a_device(self):
        self.one_sentence(self.simulated({"DRIVER": "0"}), "device 'cudasim'", "no NVIDIA driver")
        self.one_sentence(self.simulated({"DEVICES": "0"}), "device 'cudasim'", "sees no GPU")
        self.one_sentence(self.simulated({"DEVICES": "2"}, "cudasim:2"),
                          "no CUDA device 2: the driver sees 2")
        self.ends(self.simulated({"DEVICES": "2"}, "cudasim:1"), GOOD)

    def test_out_of_device_memory(self):
        done = self.simulated({"MEMORY": "1"}, config=LIGHTWEIGHT)
        self.one_sentence(done, "out of memory on CUDA device 0: ", " of 1048576 free")

    def test_device_that_fails_while_algorithms_are_tried(self):
        done = self.simulated({"CONVOLUTIONS": "fault"})
        self.one_sentence(done, "conv2d 'conv_1'", "cudaStreamSynchronize", "illegal memory access")
        self.assertNotIn("plain kernel", done.out + done.err)

    def simulated_as_cpu(self, name, config, *more):
        if not beside_program("cudasim"):
            self.skipTest("the module of the simulated device is not built")
        runs = {}
        for device in ("cpu", "cudasim"):
            run = self.at(f"{name}_{device}")
            self.ends(self.train(device, *more, config=config, run=run), GOOD)
            runs[device] = support.read_metrics(run)
        self.assertEqual(len(runs["cpu"]), len(runs["cudasim"]))
        for want, got in zip(runs["cpu"], runs["cudasim"]):
            # Rounding shows more in few validation steps with running statistics of few batches.
            for key, delta in (("train_loss", 1e-4), ("validation_loss", 3e-4)):
                self.assertAlmostEqual(float(got[key]) / float(want[key]), 1, delta=delta,
                                       msg=f"epoch {want['epoch']}: {key}")

    def test_simulated_device_trains_as_the_cpu(self):
        # The gradient of a bias in front of a batch normalisation is nothing but rounding. Adam
        # makes steps of the same size from it on every device, but in different directions.
        model = support.MODEL.replace("name: conv", "bias: false, name: conv")
        config = support.write_text(self.at("no_bias.yaml"),
                                    support.CONFIG.format(model=model, epochs=self.epochs))
        self.simulated_as_cpu("small", config, "--set", "train.epochs=3", "--set",
                              "train.batch_size=16")

    def test_simulated_device_trains_lightweight(self):
        self.simulated_as_cpu("lightweight", LIGHTWEIGHT, "--set", "train.max_steps=5", "--set",
                              "train.batch_size=8")

    def test_chosen_algorithms_are_kept(self):
        if not beside_program("cudasim"):
            self.skipTest("the module of the simulated device is not built")
        run = self.train_once(self.at("kept"))
        model, clip = os.path.join(run, "model.safetensors"), os.path.join(self.data, "1_ann_0.wav")
        cache = self.at("kept algorithms")
        self.enterContext(mock.patch.dict(os.environ, XDG_CACHE_HOME=cache))
        command = ("predict", model, clip, "--device", "cudasim")
        measured = (*command, "--algorithms", "measured")
        answer = self.ends(decavox(*command), GOOD).out
        self.assertEqual(self.ends(decavox(*command, "--algorithms", "fixed"), GOOD).out, answer)
        self.assertFalse(os.path.exists(cache))  # nothing was measured
        self.assertNotIn("that were measured", self.ends(decavox("info", model), GOOD).out)
        self.ends(decavox(*measured), GOOD)
        (name,) = os.listdir(os.path.join(cache, "decavox"))
        path = os.path.join(cache, "decavox", name)
        about, *lines = support.read_text(path).splitlines()
        self.assertRegex(about, r"^cudasim, build [0-9a-f]{16}, .* fp32, checkpoint [0-9a-f]{16}$")
        self.assertGreater(len(lines), 0)
        told = self.ends(decavox("info", model), GOOD).out
        for line in (path, about, *lines):
            self.assertIn(line, told)

        # Measuring takes algorithm 1 everywhere. Another one in the cache is kept and used, with
        # and without measuring.
        lines = [" ".join([*line.split()[:-2], "0", line.split()[-1]]) for line in lines]
        kept = support.write_text(path, "\n".join([about, *lines]) + "\n")
        for words in (command, measured):
            self.assertEqual(self.ends(decavox(*words), GOOD).out, answer)
            self.assertEqual(support.read_text(kept).splitlines(), [about, *lines])
        support.write_text(path, about + "\nno numbers\n")
        self.ends(decavox(*command), GOOD)
        self.assertIn("no numbers", support.read_text(path))
        self.ends(decavox(*measured), GOOD)
        self.assertIn(" 1 ", support.read_text(path))
        self.ends(decavox("eval", model, "--device", "cudasim", threads=2), GOOD)
        self.assertEqual(os.listdir(os.path.join(cache, "decavox")), [name])
        support.write_text(self.at("file"), "")
        with mock.patch.dict(os.environ, XDG_CACHE_HOME=self.at("file")):
            self.ends(decavox(*measured), GOOD, "the chosen algorithms are not kept")
            self.ends(decavox(*command), GOOD)

    def test_a_run_that_goes_on_follows_its_algorithms(self):
        if not beside_program("cudasim"):
            self.skipTest("the module of the simulated device is not built")
        run = self.at("measured run")
        self.ends(self.train("cudasim", "--set", "train.epochs=1", run=run), GOOD)
        state = os.path.join(run, "last.safetensors")
        with open(state, "rb") as file:
            content = file.read()
        self.assertRegex(content, rb"algorithms: .*( 1){2}")
        self.ends(decavox("train", "--resume", run, "--device", "cudasim", "--set",
                          "train.epochs=2"), GOOD)
        log = support.read_text(os.path.join(run, "log.txt"))
        before, after = log.split("resumed at step")
        set_up, training = before.rsplit("best epoch", 1)[-1], after.split("\nmodel: ")[0]
        self.assertIn(" us;", log)
        for part in (set_up.rsplit("%\n\n", 1)[-1], training):
            self.assertNotIn(" us;", part)

    def test_what_a_recorded_step_is_made_of(self):
        if not beside_program("cudasim"):
            self.skipTest("the module of the simulated device is not built")
        dot, run = self.at("step.dot"), self.at("recorded")
        done = self.train("cudasim", "--step_dot", dot, "--set", "train.tf32=true", run=run)
        self.ends(done, GOOD)
        self.assertIn("cudasim in tf32, 1 thread;", done.out)
        nodes = re.search(r"call by call; a recorded step has (\d+) nodes", done.out)[1]
        self.assertEqual(support.read_text(dot).count("label="), int(nodes))
        log = support.read_text(os.path.join(run, "log.txt"))
        self.assertRegex(log, r"conv2d 'conv_1': forward algorithm 1, math type 0 of .* us")
        self.assertIn(f"recorded: {nodes} nodes", log)
        self.assertNotIn("math type", done.out)
        self.one_sentence(self.train("cpu", "--step_dot", dot), "cpu records no steps", code=USAGE)
        done = self.train("cudasim", "--step_dot", dot, "--set", "train.record=false")
        self.ends(done, GOOD)
        self.assertIn("warning: --step_dot: " + dot + ": no step was recorded", done.out)
        done = self.train("cpu", "--set", "train.tf32=true")
        self.ends(done, GOOD)
        self.assertIn("warning: train.tf32 has no effect: cpu has no TF32", done.out)
        self.assertIn("cpu in fp32", done.out)

    def test_simulated_device_answers_as_the_cpu(self):
        if not beside_program("cudasim"):
            self.skipTest("the module of the simulated device is not built")
        run = self.train_once(self.at("answers"))
        clip = os.path.join(self.data, "2_bob_3.wav")
        for name in ("model", "last"):  # of `last` the best epoch's weights answer
            answers = []
            for device in ("cpu", "cudasim"):
                done = decavox("predict", os.path.join(run, name + ".safetensors"), clip, clip,
                               "--device", device, "--workers", "2")
                answers.append(self.ends(done, GOOD).out)
            self.assertEqual(*answers, name)


if __name__ == "__main__":
    support.main()
