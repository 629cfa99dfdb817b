"""The lines that run test programs: smoke, tests, sanitizer, again."""
import concurrent.futures
import glob
import os
import re
import subprocess
import time

from gpu_common import ROOT, SKIPPED, cores, left, program, read_json, simulated
from gpu_profile import find_tool


class Program:
    """A test program, its command and its result."""

    def __init__(self, name, command, skip_fails=False):
        self.name, self.command, self.skip_fails = name, command, skip_fails
        self.result = {"name": name}

    def run(self, arguments, findings, seconds):
        begin = time.monotonic()
        log = os.path.join(arguments.work, f"{arguments.line}-{self.name}.log")
        status = None
        with open(log, "w", encoding="utf-8") as file:
            try:
                status = subprocess.run(
                    self.command, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT,
                    timeout=seconds, check=False).returncode
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
            "deviations": re.findall(r"^deviation: (.*)$", text, re.MULTILINE),
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
        for deviation in result["deviations"]:
            findings.line("    deviates by: " + deviation)
        if result["status"] == "failed":
            what = result["failures"][:6] or [result.get("reason") or
                                              " / ".join(result["last_lines"][-2:])]
            findings.problem(f"{result['name']}: " + "; ".join(what)[:600])
        elif result["status"] == "cut off":
            findings.problem(f"{result['name']}: not at its end after {seconds:.0f} s "
                             f"({result['passed']} had passed)")


def run_programs(arguments, findings, programs):
    """Runs programs side by side, in their order. Each must end before the line is killed."""
    def one(made):
        made.run(arguments, findings, left(arguments, 3))

    width = max(2, cores() * 3 // 4)
    with concurrent.futures.ThreadPoolExecutor(max_workers=width) as pool:
        for future in [pool.submit(one, made) for made in programs]:
            future.result()


# ---- Tests ----

OPS = "test_ops_device"
PRECISIONS = ("tf32", "fp16", "bf16")  # besides fp32
SMOKE_CASES = ("conv2d/", "linear/")
QUICK_CASES = ("conv2d/same", "linear/vector")


def device_tests(arguments):
    """The names of the test programs of a device."""
    path = os.path.join(arguments.root, "tests", "device_tests.txt")
    with open(path, encoding="utf-8") as file:
        return file.read().split()


def test_program(arguments, name, *options):
    """A test program by name, with options: the one of the operations takes a precision and
    cases."""
    return Program("-".join([name, *(o for o in options if o in PRECISIONS)]),
                   [program(arguments, name), arguments.device, *options], skip_fails=True)


def smoke(arguments, findings):
    cases = QUICK_CASES if arguments.quick else SMOKE_CASES
    run_programs(arguments, findings, [test_program(arguments, OPS, *cases),
                                       test_program(arguments, OPS, "bf16", *cases)])


def tests(arguments, findings):
    """Runs the tests, the longest first."""
    if arguments.quick:
        run_programs(arguments, findings, [test_program(arguments, "test_optimizer")])
        return
    names = device_tests(arguments)
    run_programs(arguments, findings, [
        test_program(arguments, OPS),
        *[test_program(arguments, OPS, precision) for precision in PRECISIONS],
        *[test_program(arguments, name) for name in names if name != OPS]])


def again(arguments, findings):
    """Runs the tests again that failed or were cut off in the first run."""
    for path in glob.glob(os.path.join(arguments.first, "gpu-*-first.json")):
        break
    else:
        findings.skip(f"no report of a first run in {arguments.first}")
    before = {}
    for line in read_json(path).get("lines", {}).values():
        before |= {p["name"]: p for p in line.get("programs", []) if p.get("status") != "passed"
                   and re.fullmatch(rf"test_\w+(-({'|'.join(PRECISIONS)}))?", p["name"])}
    if not before:
        findings.skip("every test passed in the first run")
    programs = []
    for name, result in before.items():
        test, _, precision = name.partition("-")
        cases = [failure.split()[0] for failure in result["failures"]] if test == OPS else []
        programs.append(test_program(arguments, test, *([precision] if precision else []), *cases))
    run_programs(arguments, findings, programs)


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
FP16_CASES = ("fp16", "conv2d/same", "linear/vector", "batchnorm/relu", "maxpool/odd",
              "conv2d/depthwise_tiles")


class Sanitized(Program):
    def __init__(self, arguments, sanitizer_path, tool, name, test, *options):
        # Libraries ask for features that a device may lack, and tests for more memory than it has.
        flags = ["--report-api-errors", "no"] if tool == "memcheck" else []
        super().__init__(f"{tool}-{name}", [
            sanitizer_path, "--tool", tool, "--error-exitcode", "86", *flags,
            program(arguments, test), arguments.device, *options], True)

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


def sanitized(arguments, path):
    """The programs under the sanitizer, the most important first: accesses, then races, then
    barriers; our kernels before those of libraries."""
    made = []
    for tool in ("memcheck", "racecheck", "synccheck"):
        for name, cases in CASES.items():
            if tool == "memcheck" or name != "products":
                made.append(Sanitized(arguments, path, tool, name, OPS, *cases))
        for name in ("test_features_device", "test_optimizer"):
            made.append(Sanitized(arguments, path, tool, name, name))
        if tool == "memcheck":
            made.append(Sanitized(arguments, path, tool, "fp16", OPS, *FP16_CASES))
    return made


def sanitizer(arguments, findings):
    if simulated(arguments):
        findings.skip("the simulated device checks its memory itself")
    path = find_tool("compute-sanitizer")
    if path is None:
        findings.skip("compute-sanitizer is not here (it comes with the CUDA toolkit)")
    programs = sanitized(arguments, path)
    run_programs(arguments, findings, programs)
    if all(p.result["status"] == "unsupported" for p in programs):
        findings.put(problems=[])
        findings.skip("compute-sanitizer does not support this device")
