"""scripts/gpu_check.sh without a GPU: with stand-ins for the programs that it calls, and on the
simulated device."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

import support
from support import FAILED, GOOD, ROOT, USAGE

SCRIPT = os.path.join(ROOT, "scripts", "gpu_check.sh")
TOOLS = ["bash", "cat", "cp", "cut", "date", "dirname", "env", "git", "head", "mkdir", "rm", "sed",
         "sh", "sleep", "tail", "timeout", "uname"]

SMI = r"""#!/bin/sh
case "$*" in
*=compute_cap\ *) echo "9.0" ;;
*=name,*) echo "NVIDIA Test 9, 580.1, 81559 MiB, 9.0" ;;
*=name*) echo "NVIDIA Test 9" ;;
*clocks*) echo "345 MHz, 2619 MHz, 1980 MHz, 2619 MHz" ;;
*) exit 6 ;;
esac
"""


class GpuCheck(support.Case):
    def setUp(self):
        self.bin = tempfile.mkdtemp(dir=self.folder)
        self.out = tempfile.mkdtemp(dir=self.folder)
        self.build = tempfile.mkdtemp(dir=self.folder)
        for tool in TOOLS:
            found = shutil.which(tool)
            if found:
                os.symlink(found, os.path.join(self.bin, tool))
        self.stand_in("python3", f'#!/bin/sh\nexec {sys.executable} "$@"\n')

    def stand_in(self, name, text):
        path = support.write_text(os.path.join(self.bin, name), text)
        os.chmod(path, 0o755)
        return path

    def check(self, *arguments, skip_out=False):
        """Runs with nothing on the PATH but the stand-ins and a few tools."""
        out = [] if skip_out else ["--out", self.out, "--build", self.build]
        variables = {"PATH": self.bin, "HOME": self.folder, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(["bash", SCRIPT, *out, *arguments], env=variables, timeout=300,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        return support.Result(done.returncode, done.stdout, done.stderr)

    def report(self, name="nvidia-test-9"):
        path = os.path.join(self.out, f"gpu-{name}")
        page = support.read_text(path + ".txt")
        return json.loads(support.read_text(path + ".json")), page

    def list_tests(self, **programs):
        """A ctest that lists shell programs as tests."""
        tests = []
        for name, text in programs.items():
            path = support.write_text(os.path.join(self.build, name), "#!/bin/sh\n" + text)
            os.chmod(path, 0o755)
            tests.append({"name": name, "command": [path],
                          "properties": [{"name": "WORKING_DIRECTORY", "value": ROOT}]})
        listed = support.write_text(os.path.join(self.build, "list.json"),
                                    json.dumps({"tests": tests}))
        self.stand_in("ctest", f"#!/bin/sh\ncat {listed}\n")

    def test_wrong_use(self):
        for arguments, part in ((["tsts"], "no part 'tsts'; there are: machine build tests"),
                                (["--frob"], "no option '--frob'"),
                                (["--device", "cpu"], "no device 'cpu'"),
                                (["--time", "cooking=3"], "no part 'cooking'"),
                                (["--time", "tests=soon"], "'soon' is no number"),
                                (["--out"], "--out needs a value")):
            done = self.ends(self.check(*arguments, skip_out="--out" in arguments), USAGE, part)
            self.assertEqual(len(done.err.splitlines()), 1, done.err)

    def test_no_gpu(self):
        done = self.ends(self.check("machine"), FAILED, "no NVIDIA GPU can be used here: there is "
                         "no nvidia-smi")
        self.assertEqual(len(done.err.splitlines()), 1, done.err)
        self.stand_in("nvidia-smi", "#!/bin/sh\necho no devices were found\nexit 6\n")
        self.ends(self.check("machine"), FAILED, "nvidia-smi says: no devices were found")
        self.ends(self.check("--skip-code", "77", "machine"), 77, "no devices were found")
        self.assertEqual(os.listdir(self.out), [])

    def test_calls_that_make_the_whole(self):
        told = self.ends(self.check("--help"), GOOD).out
        calls = [c.split() for c in re.findall(r"^ +scripts/gpu_check.sh ([a-z ]+)$", told,
                                               re.MULTILINE)]
        self.assertEqual(calls[0], ["machine", "build", "tests"])
        times = {part: int(seconds) for part, seconds in
                 re.findall(r"\[([a-z]+)\]=([0-9]+)", support.read_text(SCRIPT))}
        for call in calls:
            self.assertLess(sum(times.pop(part) for part in call), times["all"], call)
        self.assertEqual(list(times), ["all"])
        self.assertLess(times["all"], 540)
        self.stand_in("nvidia-smi", SMI)
        done = self.ends(self.check("--time", "all=0"), FAILED)
        self.assertEqual(re.findall(r"^==> ([a-z]+): no time is left$", done.out, re.MULTILINE),
                         calls[0])

    def test_machine(self):
        self.stand_in("nvidia-smi", SMI)
        self.ends(self.check("machine"), GOOD)
        report, page = self.report()
        part = report["parts"]["machine"]
        self.assertEqual(report["device"], "NVIDIA Test 9")
        self.assertEqual(report["result"], "passed: machine")
        self.assertEqual(part["gpu"]["driver_version"], "580.1")
        self.assertEqual(part["gpu"]["clocks.max.sm"], "1980 MHz")
        self.assertIn(part["versions"]["nvcc"].split()[0], ("not", "Build"))
        self.assertIn("compute_cap          9.0", page)

    def test_parts_run_apart_come_together(self):
        self.stand_in("nvidia-smi", SMI)
        self.ends(self.check("machine"), GOOD)
        self.ends(self.check("infer"), GOOD)
        report, page = self.report()
        self.assertEqual(list(report["parts"]), ["machine", "infer"])
        self.assertIn("has no decavox_bench: run the part build", report["parts"]["infer"]["skipped"])
        self.assertIn("skipped: infer", page)
        state = os.path.join(self.build, "gpu_check", "machine.state")
        text = support.read_text(state).splitlines()
        support.write_text(state, "\n".join("commit=another" if line.startswith("commit=") else line
                                            for line in text))
        self.ends(self.check("infer"), GOOD)
        self.assertEqual(list(self.report()[0]["parts"]), ["infer"])

    def test_failing_part(self):
        self.stand_in("nvidia-smi", SMI)
        self.stand_in("cmake", "#!/bin/sh\necho 'CMake Error: planted'\nexit 1\n")
        done = self.ends(self.check("machine", "build"), FAILED)
        self.assertIn("build: failed", done.out)
        report, page = self.report()
        self.assertEqual(report["result"], "passed: machine; failed: build")
        self.assertIn("CMake Error: planted", report["parts"]["build"]["problems"][0])
        self.assertIn("-DCMAKE_CUDA_ARCHITECTURES=90-real", page)

    def test_cut_off(self):
        self.stand_in("nvidia-smi", SMI)
        pid = os.path.join(self.build, "pid")
        self.list_tests(
            test_slow_cuda=f"echo '[       OK ] one'\necho $$ >{pid}\nexec sleep 99")
        begin = time.monotonic()
        done = self.ends(self.check("--time", "tests=4", "tests", "infer"), FAILED)
        self.assertLess(time.monotonic() - begin, 60)
        report, page = self.report()
        self.assertEqual(list(report["parts"]), ["tests", "infer"], done.out)
        text = json.dumps(report["parts"]["tests"])
        self.assertTrue("not at its end after" in text, text)
        with self.assertRaises(ProcessLookupError):
            os.kill(int(support.read_text(pid)), 0)

        # A part that does not look at the clock itself.
        self.stand_in("cmake", "#!/bin/sh\necho begun\nexec sleep 99\n")
        self.ends(self.check("--time", "build=3", "build"), FAILED)
        report, page = self.report()
        self.assertEqual(report["parts"]["build"]["status"], "cut off")
        took = re.search(r"cut off, (\d+) s of at most 3 \(was not at its end after 3 s\)", page)
        self.assertIsNotNone(took, page)
        self.assertTrue(3 <= int(took.group(1)) < 60, took.group())
        self.assertIn("begun", report["parts"]["build"]["log_end"])

        self.ends(self.check("--time", "all=0", "infer"), FAILED)
        self.assertIn("not begun", self.report()[0]["parts"]["infer"]["message"])

    def test_programs(self):
        self.stand_in("nvidia-smi", SMI)
        self.list_tests(
            test_good_cuda="echo '[       OK ] one'; echo '[       OK ] two'",
            test_bad_cuda="echo '[  FAILED  ] conv2d/same on cuda'; exit 1",
            test_absent_cuda="echo 'skipped: no module for cuda'; exit 77",
            test_other="exit 1")
        self.ends(self.check("tests"), FAILED)
        programs = {p["name"]: p for p in self.report()[0]["parts"]["tests"]["programs"]}
        self.assertEqual({name: p["status"] for name, p in programs.items()},
                         {"test_good_cuda": "passed", "test_bad_cuda": "failed",
                          "test_absent_cuda": "failed"})
        self.assertEqual(programs["test_good_cuda"]["passed"], 2)
        problems = self.report()[0]["parts"]["tests"]["problems"]
        self.assertIn("test_bad_cuda: conv2d/same on cuda", problems)
        self.assertIn("test_absent_cuda: no module for cuda", problems)
        self.list_tests(test_other="exit 0")
        self.ends(self.check("tests"), FAILED)
        self.assertIn("ends in _cuda", self.report()[1])

    def test_sanitizer(self):
        self.stand_in("nvidia-smi", SMI)
        self.list_tests(test_ops_device_cuda="exit 0")
        self.stand_in("compute-sanitizer", "#!/bin/sh\ncase $2 in\nracecheck) echo '==== RACECHECK "
                      "SUMMARY: 2 hazards displayed (2 errors, 0 warnings)'; exit 86;;\nesac\n")
        self.ends(self.check("sanitizer"), FAILED)
        part = self.report()[0]["parts"]["sanitizer"]
        self.assertIn("racecheck-norms: 2 hazards displayed (2 errors, 0 warnings)",
                      part["problems"])
        self.assertFalse([p for p in part["problems"] if "memcheck" in p])
        self.stand_in("compute-sanitizer", "#!/bin/sh\necho 'Device not supported'\nexit 1\n")
        self.ends(self.check("sanitizer"), GOOD)
        self.assertIn("does not support this device", self.report()[1])

    def test_simulated_device(self):
        runner = os.path.dirname(support.binary())
        if not os.path.exists(os.path.join(runner, "libdecavox_cudasim.so")):
            self.skipTest("the module of the simulated device is not built")
        os.symlink(runner, os.path.join(self.build, "runner"))
        self.ends(self.check("--device", "cudasim", "--quick", "--data", self.data, "--time",
                             "train=250", "train", "sanitizer"), GOOD)
        report, page = self.report("simulated-device")
        run = report["parts"]["train"]["runs"][0]
        self.assertEqual((run["replayed"], run["eager"]), (1, 1))
        self.assertEqual([c["what"] for c in report["parts"]["train"]["against_cpu"]],
                         ["train_loss", "validation_loss"])
        self.assertIn("skipped: the simulated device checks its memory itself", page)
        self.ends(self.check("--device", "cudasim", "--data", self.at("none"), "train"), GOOD)
        self.assertIn("no recordings", self.report("simulated-device")[1])


if __name__ == "__main__":
    support.main()
