"""scripts/gpu_first.sh and gpu_second.sh without a GPU: on the simulated device, and with planted
faults in stand-ins for the programs that they start."""
import hashlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time

import support
from support import FAILED, GOOD, ROOT, USAGE

TOOLS = ["bash", "dirname", "env", "grep", "sh", "sleep", "uname"]
TESTS = ["test_ops_device", "test_optimizer", "test_features_device"]

SMI = r"""case "$*" in
*=name,*) echo "NVIDIA Test 9, 580.1, 81559 MiB, 9.0" ;;
*loop-ms*) echo 40; exec sleep 60 ;;
*clocks*) echo "345 MHz, 2619 MHz, 1980 MHz, 2619 MHz" ;;
*) exit 6 ;;
esac
"""

# The stand-in for a pack's programs, called with NAME ROOT ARGUMENTS.
PROGRAMS = r'''
import json, os, subprocess, sys

name, root, arguments = sys.argv[1], sys.argv[2], sys.argv[3:]


def say(**content):
    print(json.dumps(content), flush=True)


def decavox():
    if arguments[0] == "info":
        print("decavox 0\nbackend cuda    CUDA 13.0\n  cuda:0  NVIDIA Test 9")
        return 0
    here = {"cuda": "cpu", "train.mixed_precision=fp16": "train.mixed_precision=bf16"}
    there = [here.get(a, a) for a in arguments]
    done = subprocess.run([os.environ["REAL_DECAVOX"], *there], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    for text, out in ((done.stdout, sys.stdout.buffer), (done.stderr, sys.stderr.buffer)):
        # This processor may have no bf16: not what the device that it stands for would say.
        out.write(b"".join(line for line in text.splitlines(True)
                           if b"no mixed precision" not in line))
        out.flush()
    if arguments[0] == "train":
        print("3 steps replayed, 1 call by call")
    return done.returncode


def bench():
    faults = os.path.join(root, "faults.json")
    planted = json.load(open(faults)) if os.path.exists(faults) else {}
    say(parameters=1, arena=1, threads=1, version="stand-in", rows=13, frames=32)
    for line in sys.stdin:
        word = line.split()[0]
        if word == "run":
            say(**({"microseconds": [100.0] * 4, "cpu_microseconds": 1.0, "losses": [1.0],
                    "replays": 59, "eager": 1, "nodes": 56, "skipped": 0,
                    "warnings": []} | planted))
        elif word == "algorithms":
            say(algorithms=["conv2d 'conv_1': forward algorithm 1, math type 2"])
        elif word == "latency":
            say(microseconds=[200.0, 210.0])
        elif word == "layers":
            print("layer (ms per batch)  forward  backward\ntotal  1.5  2.5", file=sys.stderr)
            say(good=True)
        else:
            return 0


def test():
    failing = os.path.join(root, "failing")
    if os.path.exists(failing) and name in open(failing).read().split():
        print("[  FAILED  ] conv2d/same on cuda")
        return 1
    print("[       OK ] one")


sys.exit({"decavox": decavox, "decavox_bench": bench}.get(name, test)())
'''


class GpuRuns(support.Case):
    def setUp(self):
        self.bin, self.out, self.root = (tempfile.mkdtemp(dir=self.folder) for _ in range(3))
        for tool in TOOLS:
            os.symlink(shutil.which(tool), os.path.join(self.bin, tool))
        self.stand_in(self.bin, "nvidia-smi", SMI)
        self.stand_in(self.bin, "ldd", 'echo "	libm.so.6 => /lib/libm.so.6 (0x0)"\n')
        python = f'exec {sys.executable} "$@"\n'
        self.stand_in(self.bin, "python3", python)
        self.stand_in(self.bin, "compute-sanitizer", 'echo "ERROR SUMMARY: 0 errors"\n')
        self.stand_in(self.bin, "ncu", "exit 1\n")
        self.stand_in(self.bin, "torch-python", f'case "$*" in\n*gpu_cudnn.py*) echo {{}};;\n'
                      f'*torch_step*) exit 1 ;;\n*"import nvidia"*) exit 1 ;;\nesac\n')
        script = support.write_text(os.path.join(self.root, "programs.py"), PROGRAMS)
        for path in ("runner/decavox", "benchmarks/decavox_bench",
                     *("tests/" + name for name in TESTS)):
            folder, name = os.path.split(os.path.join(self.root, path))
            os.makedirs(folder, exist_ok=True)
            self.stand_in(folder, name, f'exec {sys.executable} -S -E {script} {name} '
                          f'{self.root} "$@"\n')
        support.write_text(os.path.join(self.root, "runner", "libdecavox_cuda.so"), "")
        support.write_text(os.path.join(self.root, "tests", "device_tests.txt"), "\n".join(TESTS))

    def stand_in(self, folder, name, text):
        """Writes a shell program that hangs if ROOT/hang contains its name."""
        hang = os.path.join(self.root, "hang")
        path = support.write_text(os.path.join(folder, name), f"""#!/bin/sh
if grep -qsx -- "{name}" {hang} || grep -qsx -- "{name} $1" {hang}; then
    echo $$ >>{hang}.pids
    exec sleep 300
fi
{text}""")
        os.chmod(path, 0o755)

    def hang(self, *names):
        support.write_text(os.path.join(self.root, "hang"), "\n".join(names))

    def command(self, run, *arguments):
        return ["bash", os.path.join(ROOT, "scripts", f"gpu_{run}.sh"), "--out", self.out,
                *arguments]

    def variables(self):
        return {"PATH": self.bin, "HOME": self.folder, "OMP_NUM_THREADS": "1",
                "TMPDIR": self.folder, "REAL_DECAVOX": support.binary()}

    def run_script(self, run, *arguments, variables=None):
        done = subprocess.run(self.command(run, *arguments), env=variables or self.variables(),
                              timeout=300, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True)
        return support.Result(done.returncode, done.stdout, done.stderr)

    def run_stand_ins(self, run, *arguments):
        """Runs with only the stand-ins and a few tools on the PATH."""
        return self.run_script(run, "--root", self.root, "--data", self.data, "--python",
                               os.path.join(self.bin, "torch-python"), *arguments)

    def summary(self, done):
        """The printed summary, which must also be the head of the page."""
        at = done.out.rfind("\ndecavox on ")
        self.assertGreaterEqual(at, 0, done.out + done.err)
        text = done.out[at + 1:]
        self.assertLess(len(text.splitlines()), 80, text)
        names = os.listdir(self.out)
        self.assertLessEqual(len(names), 8, names)
        page, = [name for name in names if name.endswith(".txt")]
        head = text.splitlines()[0]
        self.assertEqual(support.read_text(os.path.join(self.out, page)).splitlines()[0], head)
        return text

    def states(self, text):
        found = re.findall(r"^(\w+) +(passed|failed|skipped|cut off|not begun) +[\d.]+ s of", text,
                           re.MULTILINE)
        return dict(found)

    def report(self, run, device="nvidia-test-9"):
        return json.loads(support.read_text(os.path.join(self.out, f"gpu-{device}-{run}.json")))

    # ---- Without a fault ----

    def test_wrong_use(self):
        for arguments, part in ((["--frob"], "unrecognized arguments: --frob"),
                                (["--device", "cpu"], "'cpu' is none of"),
                                (["--time", "cooking=3"], "no line 'cooking'; there are: unpack "),
                                (["--lines", "cooking"], "no line 'cooking'; there are: unpack "),
                                (["--time", "smoke=soon"], "'smoke=soon' is not LINE=SECONDS"),
                                (["--single"], "--single is for the first run")):
            self.ends(self.run_script("second", *arguments), USAGE, part)

    def test_times_fit(self):
        sys.path.insert(0, os.path.join(ROOT, "tools", "gpu"))
        import gpu_plan
        for run, stages in (("first", gpu_plan.FIRST), ("first", gpu_plan.SINGLE),
                            ("second", gpu_plan.SECOND)):
            longest = sum(max(line.seconds for line in stage) for stage in stages)
            self.assertLess(longest + gpu_plan.RESERVE, gpu_plan.SECONDS[run] - 15)
            self.assertEqual([line.seconds for line in gpu_plan.lines_of(stages)
                              if line.seconds == 0], [0])
        self.assertEqual(gpu_plan.SECONDS, {"first": 390, "second": 280})

    def test_stand_ins_pass(self):
        done = self.ends(self.run_stand_ins("first", "--quick"), GOOD)
        text = self.summary(done)
        states = self.states(text)
        self.assertEqual({name for name, state in states.items() if state == "skipped"},
                         {"compile"}, text)
        self.assertIn("decavox on NVIDIA Test 9, first run", text)
        self.assertIn("problems: 0\n", text)
        self.assertRegex(text, r"lightweight, training +56 +56 +56 +56\n")
        self.assertIn("99.0 % of the test part", text)
        self.assertIn("host to host 205.0", text)
        self.assertIn("ncu measured nothing", json.dumps(self.report("first")))
        done = self.ends(self.run_stand_ins("second", "--quick", "--first", self.out), GOOD)
        self.assertIn("again: every test passed in the first run".split(": ")[1], done.out)
        self.assertRegex(done.out, r"predict, \d+ files, cuda: .*; no kernel runs on the GPU 60 % ")

    def test_simulated_device(self):
        """The programs of this build run, without lines that only repeat others."""
        build = os.path.dirname(os.path.dirname(support.binary()))
        for path in ("runner/libdecavox_cudasim.so", "benchmarks/decavox_bench",
                     "tests/test_ops_device"):
            if not os.path.exists(os.path.join(build, path)):
                self.skipTest(f"{path} is not built")
        variables = dict(os.environ) | {"OMP_NUM_THREADS": "1", "TMPDIR": self.folder}
        for run, lines in (("first", "cudnn,smoke,recorded,tests,compile,train,profile,sanitizer"),
                           ("second", "tf32,infer,predict,features,again")):
            done = self.run_script(run, "--device", "cudasim", "--quick", "--root", build, "--data",
                                   self.data, "--out", self.out + run, "--lines", lines,
                                   variables=variables)
            self.ends(done, GOOD)
            print(re.search(r"^decavox on .*", done.out, re.MULTILINE | re.DOTALL).group())

    # ---- Planted faults ----

    def test_steps_that_are_not_replayed(self):
        support.write_text(os.path.join(self.root, "faults.json"),
                           json.dumps({"replays": 0, "eager": 60}))
        done = self.ends(self.run_stand_ins("first", "--quick", "--lines", "recorded,alone"),
                         FAILED)
        told = "no step was replayed, 60 ran call by call"
        text = self.summary(done)
        self.assertIn(f"recorded: lightweight bf16 training: {told}", text)
        self.assertIn(f"alone: lightweight fp32 batch 4 training step: {told}", text)
        self.assertIn(f"alone: lightweight bf16 batch 4 forward pass: {told}", text)
        support.write_text(os.path.join(self.root, "faults.json"), json.dumps({"eager": 2}))
        done = self.ends(self.run_stand_ins("first", "--quick", "--lines", "alone"), FAILED)
        self.assertIn("lightweight fp32 batch 4 training step: 2 steps ran call by call, 1 is "
                      "expected", self.summary(done))

    def test_plain_kernels(self):
        warning = "conv2d 'conv_1': cuDNN has no forward pass for it; a plain kernel computes it"
        support.write_text(os.path.join(self.root, "faults.json"),
                           json.dumps({"warnings": [warning]}))
        done = self.ends(self.run_stand_ins("second", "--quick", "--lines", "against,infer,tf32"),
                         FAILED)
        text = self.summary(done)
        for start in ("against: lightweight tf32 batch 4 training step",
                      "infer: lightweight bf16 batch 4 forward pass",
                      "tf32: lightweight fp32 batch 4 training step"):
            self.assertIn(f"{start}: {warning}", text)

    def test_failed_tests_run_again(self):
        support.write_text(os.path.join(self.root, "failing"), "test_features_device")
        done = self.ends(self.run_stand_ins("first", "--lines", "tests"), FAILED)
        told = "test_features_device: conv2d/same on cuda"
        self.assertIn("tests: " + told, self.summary(done))
        second = self.run_stand_ins("second", "--lines", "again", "--first", self.out, "--out",
                                    self.out + "second")
        self.ends(second, FAILED)
        self.assertIn("again: " + told, second.out)
        self.assertNotIn("test_optimizer", second.out)

    def test_nothing_without_driver_library_device(self):
        self.stand_in(self.bin, "ldd", 'echo "	libOpenCL.so.1 => not found"\n')
        text = self.summary(self.ends(self.run_stand_ins("first"), FAILED))
        self.assertIn("ldd: decavox needs libOpenCL.so.1, which is not on this machine", text)
        self.assertEqual(self.states(text)["info"], "not begun")
        self.stand_in(self.bin, "nvidia-smi", "echo no devices were found\nexit 6\n")
        shutil.rmtree(self.out)
        text = self.summary(self.ends(self.run_stand_ins("second"), FAILED))
        self.assertIn("driver: nvidia-smi, which comes with NVIDIA's driver, shows no GPU", text)
        shutil.rmtree(self.out)
        text = self.summary(self.ends(self.run_script("second", "--pack", self.at("none")), FAILED))
        self.assertIn("scripts/gpu_pack.sh makes the pack", text)
        self.assertEqual(self.states(text)["driver"], "not begun")

    def check_dead(self):
        """Asserts that no hung process is left, except zombies."""
        for pid in support.read_text(os.path.join(self.root, "hang.pids")).split():
            path = f"/proc/{pid}/stat"
            if os.path.exists(path):
                self.assertEqual(support.read_text(path).rsplit(")", 1)[1].split()[0], "Z", pid)

    def test_hang_in_each_line(self):
        names = ["nvidia-smi", "ldd", "decavox info"]
        for line, name in zip(("driver", "ldd", "info"), names):
            self.hang(name)
            shutil.rmtree(self.out)
            done = self.ends(self.run_stand_ins("first", "--time", line + "=0.7"), FAILED)
            text = self.summary(done)
            self.assertIn(f"The run ended after {line},", text)
            self.assertIn(f"\n  {line}: ", text)
        for run in ("first", "second"):
            shutil.rmtree(self.out)
            self.hang("decavox train", "decavox predict", "decavox_bench step", "ncu",
                      "decavox_bench features", "torch-python -B", "compute-sanitizer", *TESTS)
            first = self.at("first")
            os.makedirs(first, exist_ok=True)
            support.write_text(os.path.join(first, "gpu-x-first.json"), json.dumps(
                {"lines": {"tests": {"programs": [{"name": "test_optimizer", "status": "failed",
                                                   "failures": []}]}}}))
            lines = ["cudnn", "smoke", "recorded", "tests", "compile", "alone", "train", "profile",
                     "sanitizer"] if run == "first" else [
                "smoke", "against", "infer", "predict", "features", "tf32", "again"]
            times = sum((["--time", line + "=0.7"] for line in lines), [])
            done = self.ends(self.run_stand_ins(run, "--first", first, *times), FAILED)
            text, states = self.summary(done), self.states(done.out)
            entries = self.report(run)["lines"]
            for line in lines:
                self.assertIn(states[line], ("cut off", "failed"), text)
                self.assertIn(f"\n  {line}: ", text)
                self.assertLess(entries[line]["seconds"], 20, text)
            self.check_dead()

    def test_time_is_over(self):
        self.hang("test_ops_device")
        done = self.ends(self.run_stand_ins("first", "--time", "all=7", "--time", "smoke=60"),
                         FAILED)
        text, states = self.summary(done), self.states(done.out)
        self.assertIn(states["smoke"], ("cut off", "failed"), text)
        self.assertEqual(states["train"], "not begun", text)
        self.assertIn("train: not begun: no time was left", text)
        self.check_dead()

    def test_interrupted(self):
        self.hang("test_ops_device")
        with subprocess.Popen(self.command("first", "--root", self.root), env=self.variables(),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            pids = os.path.join(self.root, "hang.pids")
            end = time.monotonic() + 60
            while not os.path.exists(pids) and time.monotonic() < end:
                time.sleep(0.05)
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=60)
        text = self.summary(self.ends(support.Result(process.returncode, out, err), FAILED))
        self.assertIn("The run was ended: SIGTERM.", text)
        self.assertIn("smoke: cut off: the run was ended", text)
        self.check_dead()

    def test_pack(self):
        """The pack is unpacked into a folder of its own, and compared with the tree beside it."""
        name = "tools/gpu/gpu_plan.py"
        content = support.read_bytes(os.path.join(ROOT, name))
        digest = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        for files, told in (([(digest, name)], "pack of commit abc\n\n"),
                            ([(digest, name), ("0" * 40, "README")],
                             "THE TREE BESIDE THE PACK IS ANOTHER ONE: 1 files differ, README")):
            pack = os.path.join(self.root, "pack.tar.xz")
            tree = "".join(f"{digest} {file}\n" for digest, file in files)
            with tarfile.open(pack, "w:xz", preset=0) as archive:
                for path, text in (("commit.txt", "abc\n"), ("tree.txt", tree)):
                    member = tarfile.TarInfo(path)
                    member.size = len(text)
                    archive.addfile(member, io.BytesIO(text.encode()))
            done = self.ends(self.run_script("first", "--pack", pack), FAILED)
            text = self.summary(done)
            self.assertIn(told, text)
            self.assertEqual(self.states(text)["unpack"], "passed")
            self.assertIn("runner/decavox is not there", text)


if __name__ == "__main__":
    support.main()
