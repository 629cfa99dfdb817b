"""cmake/cuda.cmake: the GPUs for which the CUDA module is built, chosen by nvidia-smi's output."""
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import support


class CudaChoice(unittest.TestCase):
    """Configures into one folder many times: a choice must not outlive its cause."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="decavox-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.build = os.path.join(self.folder, "build")
        if "not found" in self.told("AUTO", "exit 1"):
            self.skipTest("there is no CUDA toolkit with cuDNN")

    def told(self, choice, smi, *more):
        """The line about the module. `smi` is nvidia-smi as a shell script."""
        tool = support.write_text(os.path.join(self.folder, "nvidia-smi"), f"#!/bin/sh\n{smi}\n")
        os.chmod(tool, 0o755)
        path = self.folder + os.pathsep + os.environ["PATH"]
        done = subprocess.run(["cmake", "-S", support.ROOT, "-B", self.build, "-G", "Ninja",
                               "-DCMAKE_BUILD_TYPE=Release", "-DDV_TESTS=OFF",
                               f"-DDV_CUDA={choice}", *more], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, env=os.environ | {"PATH": path})
        self.assertEqual(done.returncode, 0, done.stdout)
        return re.search(r"The CUDA module is (.*)", done.stdout)[1]

    def test_choice(self):
        for smi in ("exit 9", "echo '[N/A]'", "echo 5.0"):  # no driver, no number, too old for nvcc
            self.assertRegex(self.told("AUTO", smi), "^not built: nvidia-smi names no GPU .*"
                                                     "quickstart.sh --cuda, or -DDV_CUDA=ON")
        gpus = r"printf '9.0\n8.6\n9.0\n5.0\n'"
        self.assertEqual(self.told("AUTO", gpus), "built for 90-real;86-real")
        for choice in ("ON", "TOOLKIT"):
            self.assertRegex(self.told(choice, "exit 9"), "^built for 80-real;86-real;89-real;90")
        module = support.write_text(os.path.join(self.build, "runner", "libdecavox_cuda.so"), "")
        self.assertIn("not built", self.told("AUTO", "exit 9"))
        self.assertFalse(os.path.exists(module))
        self.assertEqual(self.told("AUTO", "exit 9", "-DCMAKE_CUDA_ARCHITECTURES=80-real"),
                         "built for 80-real")


if __name__ == "__main__":
    support.main()
