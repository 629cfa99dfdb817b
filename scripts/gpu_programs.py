"""The parts of gpu_check.sh that run test programs: tests, sanitizer."""
import concurrent.futures
import glob
import json
import os
import re
import shutil
import subprocess
import time

from gpu_common import ROOT, SKIPPED, cores, environment, left, output_of


class Program:
    """A test program: how it is run and what came of it."""

    def __init__(self, name, command, folder=ROOT, variables=None, skip_fails=False):
        self.name, self.command, self.folder = name, command, folder
        self.variables, self.skip_fails = variables or {}, skip_fails
        self.result = {"name": name}

    def run(self, arguments, findings, seconds):
        begin = time.monotonic()
        log = os.path.join(arguments.work, f"{arguments.part}-{self.name}.log")
        status = None
        with open(log, "w", encoding="utf-8") as file:
            try:
                status = subprocess.run(
                    self.command, cwd=self.folder, stdout=file, stderr=subprocess.STDOUT,
                    env=environment(arguments) | self.variables, timeout=seconds,
                    check=False).returncode
            except subprocess.TimeoutExpired:
                pass
            except OSError as error:
                file.write(str(error))
                status = 127
        with open(log, encoding="utf-8", errors="replace") as file:
            self.judge(status, file.read(), round(time.monotonic() - begin, 1))
        self.tell(findings, seconds)

    def judge(self, status, text, seconds):
        failures = re.findall(r"^\[  FAILED  \] (?!.*\btest\(s\))(.+)$|^(?:FAIL|ERROR): (.+)$",
                              text, re.MULTILINE)
        reason = re.search(r"^skipped: (.*)$", text, re.MULTILINE)
        self.result |= {
            "seconds": seconds, "status": "failed",
            "passed": len(re.findall(r"^\[       OK \]| \.\.\. ok$", text, re.MULTILINE)),
            "failures": sorted({a or b for a, b in failures})[:40],
        }
        if status is None:
            self.result["status"] = "cut off"
        elif status == SKIPPED:
            self.result["status"] = "failed" if self.skip_fails else "skipped"
            self.result["reason"] = reason.group(1) if reason else "no reason given"
        elif status == 0:
            self.result["status"] = "passed"
        if self.result["status"] != "passed":
            self.result["exit_status"] = status
            self.result["last_lines"] = text.strip().splitlines()[-12:]

    def tell(self, findings, seconds):
        result = self.result
        findings.add("programs", result)
        findings.line(f"{result['name']:44} {result['status']:8} {result['passed']:4} passed, "
                      f"{len(result['failures'])} failed, {result['seconds']} s")
        if result["status"] == "failed":
            what = result["failures"][:6] or [result.get("reason") or
                                              " / ".join(result["last_lines"][-2:])]
            findings.problem(f"{result['name']}: " + "; ".join(what)[:600])
        elif result["status"] == "cut off":
            findings.problem(f"{result['name']}: not at its end after {seconds:.0f} s "
                             f"({result['passed']} had passed)")


def run_programs(arguments, findings, programs, width):
    """At once, the first ones first; each has to end before the part is killed."""
    def one(program):
        program.run(arguments, findings, left(arguments, 6))

    with concurrent.futures.ThreadPoolExecutor(max_workers=width) as pool:
        for future in [pool.submit(one, program) for program in programs]:
            future.result()


# ---- tests ----

def registered(arguments):
    """The tests of the build: {name: (command, folder, variables)}."""
    text = output_of("ctest", "--test-dir", arguments.build, "--show-only=json-v1")
    tests = {}
    for test in json.loads(text)["tests"] if text else []:
        properties = {p["name"]: p["value"] for p in test.get("properties", [])}
        variables = dict(v.split("=", 1) for v in properties.get("ENVIRONMENT", []))
        if test.get("command"):
            tests[test["name"]] = (test["command"], properties.get("WORKING_DIRECTORY", ROOT),
                                   variables)
    return tests


def parity(arguments):
    """Whole models against PyTorch in double. None where what it needs is not there."""
    if output_of(arguments.python, "-c", "import numpy, safetensors, torch, yaml") is None:
        return None
    models = [os.path.join(ROOT, "configs", "models", name + ".yaml")
              for name in ("lightweight", "advanced")]
    return Program("parity_with_torch", [
        arguments.python, os.path.join(ROOT, "benchmarks", "peers", "parity.py"), "--build",
        arguments.build, "--device", arguments.device, "--steps", "3", "--threads",
        str(min(8, cores())), *models])


def tests(arguments, findings):
    device = "cudasim" if arguments.device.startswith("cudasim") else "cuda"
    known = registered(arguments)
    pattern = rf"test_optimizer_{device}$" if arguments.quick else (
        rf".*_{device}(_fp16|_bf16)?$|e2e_test_device$")
    programs = [Program(name, *known[name], skip_fails=True) for name in known
                if re.match(pattern, name)]
    ops = known.get(f"test_ops_device_{device}")
    for dtype in ("fp16", "bf16") if ops and not arguments.quick else ():
        programs = [p for p in programs if p.name != f"test_ops_device_{device}_{dtype}"]
        programs.append(Program(f"test_ops_device_{device}_{dtype}", [*ops[0], dtype], *ops[1:],
                                skip_fails=True))
    if not programs:
        findings.problem(f"no test of {arguments.build} ends in _{device}: is it built?")
        return
    programs.sort(key=lambda p: "ops" not in p.name)
    whole = None if arguments.quick else parity(arguments)
    if whole is not None:
        programs.append(whole)
    elif not arguments.quick:
        findings.line("parity_with_torch: no PyTorch, PyYAML, NumPy or safetensors here")
    run_programs(arguments, findings, programs, max(2, cores() // 2))


# ---- sanitizer ----

CASES = {
    "products": ["conv2d/one_element", "conv2d/same", "conv2d/groups_three", "conv2d/pixels_two",
                 "linear/vector", "linear/relu_no_bias"],
    "depthwise": ["conv2d/depthwise_five_stride", "conv2d/depthwise_tiles",
                  "conv2d/depthwise_padding_stride", "conv2d/depthwise_parts"],
    "norms": ["batchnorm/relu", "batchnorm/residual_silu", "batchnorm/channels_17",
              "batchnorm/inference_single", "softmax_cross_entropy/", "dropout/"],
    "pools": ["maxpool/odd", "maxpool/ties", "avgpool/odd", "global_avgpool/", "global_maxpool/",
              "activation/silu", "activation/gelu", "add/plain", "frames/", "concat/"],
    "attention": ["squeeze_excite/relu", "squeeze_excite/channels_33", "spatial_attention/plain",
                  "spatial_attention/ties", "spatial_attention/channels_64"],
}


class Sanitized(Program):
    def __init__(self, tool, sanitizer, name, command, folder, variables):
        # Libraries ask for what a device may lack, and tests for more memory than there is.
        flags = ["--report-api-errors", "no"] if tool == "memcheck" else []
        super().__init__(f"{tool}-{name}", [sanitizer, "--tool", tool, "--error-exitcode", "86",
                                            *flags, *command], folder, variables, True)

    def judge(self, status, text, seconds):
        super().judge(status, text, seconds)
        summary = re.findall(r"(?:ERROR|RACECHECK) SUMMARY: (.*)", text)
        self.result["summary"] = "; ".join(summary)
        if re.search(r"Device not supported|not supported on (this|the) (device|platform)", text):
            self.result |= {"status": "unsupported", "failures": []}

    def tell(self, findings, seconds):
        super().tell(findings, seconds)
        if self.result["status"] == "failed" and self.result["summary"]:
            findings.problem(f"{self.result['name']}: {self.result['summary']}")


def find_sanitizer():
    places = ["/usr/local/cuda/bin", "/usr/local/cuda/compute-sanitizer",
              *sorted(glob.glob("/opt/nvidia/compute-sanitizer*"))]
    return shutil.which("compute-sanitizer") or shutil.which("compute-sanitizer",
                                                             path=os.pathsep.join(places))


def sanitized(arguments, sanitizer):
    """The most telling first: accesses, then races, then barriers; kernels of ours before those of
    libraries."""
    known = registered(arguments)
    ops = known.get("test_ops_device_cuda")
    others = [name for name in ("test_features_device_cuda", "test_optimizer_cuda")
              if name in known]
    made = []
    for tool in ("memcheck", "racecheck", "synccheck"):
        for name in others:
            made.append(Sanitized(tool, sanitizer, name, *known[name]))
        if tool == "memcheck":
            made += [Sanitized(tool, sanitizer, name, *known[name]) for name in (
                "test_trainer_device_cuda", "test_model_device_cuda") if name in known]
        for name, cases in CASES.items() if ops else ():
            if tool == "memcheck" or name != "products":
                made.append(Sanitized(tool, sanitizer, name, [*ops[0], *cases], *ops[1:]))
        if ops and tool == "memcheck":
            halves = [*ops[0], "fp16", "conv2d/same", "linear/vector", "batchnorm/relu",
                      "maxpool/odd", "conv2d/depthwise_tiles"]
            made.append(Sanitized(tool, sanitizer, "halves", halves, *ops[1:]))
    return made


def sanitizer(arguments, findings):
    if arguments.device.startswith("cudasim"):
        findings.skip("the simulated device checks its memory itself")
    program = find_sanitizer()
    if program is None:
        findings.skip("compute-sanitizer is not there (it comes with the CUDA toolkit)")
    programs = sanitized(arguments, program)
    if not programs:
        findings.problem(f"{arguments.build} has no test of the device: is it built?")
        return
    run_programs(arguments, findings, programs, max(2, cores() * 3 // 4))
    if all(p.result["status"] == "unsupported" for p in programs):
        findings.put(problems=[])
        findings.skip("compute-sanitizer does not support this device")
