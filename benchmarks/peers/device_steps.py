"""steps.py on a GPU: times the training step or the forward pass in turn.

A time is the wall time of many steps (--report), ended by a wait for the device, divided by their
number. A contender's figure is the median of all its times, with the quartiles beside it. The batch
lies in the device's memory on both sides. The ratio of the medians of the blocks is taken within
each round, as on the CPU.

decavox's programs start first, one after the other, because each times algorithms while it starts.
PyTorch's programs take long to get ready (importing, compiling), so those of as many configurations
as the machine can hold get ready at the same time. Only then are the configurations timed, one
after the other. The file of results is written after each of them.

A figure of decavox must come from replayed steps with the libraries' kernels. Other steps are a
problem, which names the configuration and makes the exit status 1.
"""
import os
import statistics
import subprocess
import sys
import time

from records import (PEERS, RESULTS, Child, Contender, by_turns, check_parameters, model_path,
                     module_path, output_of, program, quartiles, ratios, torch_cache, write_json)

# Host memory of a PyTorch program with CUDA, and device memory of any program.
HOST_GIB, DEVICE_GIB = 2.5, 1.5
LEAST_STEPS = 16  # steps between two waits, even if they are slow
EAGER_STEPS = 1  # the first step runs call by call; the second is recorded, and later ones replayed
LATENCIES = 200
OWN_SECONDS = 60  # time for decavox's program to get ready


def add_options(parser):
    group = parser.add_argument_group("on a device")
    group.add_argument("--device", default="cpu", help="cuda, cuda:N or cudasim")
    group.add_argument("--precision", default="fp32", help="fp32,tf32,fp16,bf16, a comma between; "
                       "tf32 against PyTorch's graph_tf32")
    group.add_argument("--algorithms", default="measured", help="fixed, measured or any")
    group.add_argument("--report", type=int, default=64, help="steps to a time")
    group.add_argument("--block", type=float, default=0,
                       help="seconds of a block; default: 0.1, on the CPU 0.6")
    group.add_argument("--prepare", type=float, default=120,
                       help="seconds in which PyTorch's programs have to be ready")
    group.add_argument("--deadline", type=float, default=0, help="seconds for all; 0: any")
    group.add_argument("--compile-batches", default="",
                       help="torch.compile for these alone, a comma between; default: all")
    group.add_argument("--no-compile", action="store_true", help="without torch.compile")
    group.add_argument("--alone", action="store_true", help="without PyTorch")
    group.add_argument("--python", default=sys.executable, help="the Python that has PyTorch")


def torch_device(device):
    """PyTorch's device. The simulated device is compared with the CPU."""
    return "cpu" if device.startswith("cudasim") else device


def why_no_torch(arguments):
    """The reason why PyTorch cannot compute on the device, or None."""
    test = "import yaml, torch, sys; sys.exit(0 if {} else 'PyTorch sees no CUDA device')"
    wanted = "True" if torch_device(arguments.device) == "cpu" else "torch.cuda.is_available()"
    done = subprocess.run([arguments.python, "-c", test.format(wanted)], stderr=subprocess.PIPE,
                          text=True, check=False)
    return None if done.returncode == 0 else done.stderr.strip().splitlines()[-1]


class Job:
    """One configuration: its programs and, afterwards, its record."""

    def __init__(self, arguments, model, precision, batch):
        self.arguments = arguments
        self.model, self.precision, self.batch = model, precision, batch
        self.ours, self.torch, self.notes = None, [], {}

    def __str__(self):
        what = "forward pass" if self.arguments.inference else "training step"
        return f"{self.model} {self.precision} batch {self.batch} {what}"

    def common(self, precision):
        inference = ["--inference"] if self.arguments.inference else []
        return [model_path(self.model), "--batch", str(self.batch), "--precision", precision,
                *inference]

    def variants(self):
        """Lists of PyTorch's variants, one for each program. Compiling takes long; if it is not
        ready in time, the others count."""
        if self.arguments.variants:
            return [self.arguments.variants]
        if torch_device(self.arguments.device) == "cpu":
            return ["eager"]
        if self.precision == "tf32":
            return ["graph_tf32"]
        plain = ["eager", "graph", "graph_channels_last", "graph_conv1d"]
        return [",".join(plain), *(["compile,graph_compile"] if self.compiles() else [])]

    def compiles(self):
        batches = self.arguments.compile_batches
        return not self.arguments.no_compile and (
            not batches or str(self.batch) in batches.split(","))

    def start(self, end):
        """Starts decavox's program and waits until it is ready, at most until `end` (monotonic)."""
        device = self.arguments.device
        self.ours = Child("step", [
            *program(self.arguments.build, "step"), *self.common(self.precision), "--device",
            device, "--resident", "--report", str(self.arguments.report), "--algorithms",
            self.arguments.algorithms], 1, must=False,
                          environment=module_path(self.arguments.build))
        self.ours.ready(min(OWN_SECONDS, end - time.monotonic()))

    def start_torch(self, threads):
        precision = "fp32" if self.precision == "tf32" else self.precision
        command = [self.arguments.python, os.path.join(PEERS, "torch_step.py"),
                   *self.common(precision), "--device", torch_device(self.arguments.device),
                   "--report", str(self.arguments.report), "--prepare",
                   str(self.arguments.prepare / 2)]
        for variants in self.variants():
            self.torch.append((variants, Child(
                "torch_step", [*command, "--variants", variants], 1, must=False,
                environment=torch_cache() | {"TORCHINDUCTOR_COMPILE_THREADS": str(threads)})))

    def contenders(self, ready_at):
        """The contenders that are ready. The notes name the others."""
        block = self.arguments.block or 0.1
        found = []
        if self.ours.ready():
            found.append(Contender("decavox", self.ours, "run", block))
        else:
            self.notes["decavox"] = self.ours.problem
        for variants, child in self.torch:
            if not child.ready(ready_at - time.monotonic()):
                self.notes[variants] = child.problem
                continue
            self.notes |= child.about["skipped"]
            if self.ours.about is not None and child.about["parameters"] is not None:
                check_parameters(self.model, self.ours, child)
            found += [Contender(name, child, f"run {name}", block)
                      for name in child.about["variants"]]
        return found

    def close(self):
        for child in [self.ours, *[child for _, child in self.torch]]:
            child.kill()

    def measure(self, ready_at, deadline):
        contenders = self.contenders(ready_at)
        running = by_turns(contenders, self.arguments.rounds, self.arguments.warm, before=0,
                           least=LEAST_STEPS, deadline=deadline)
        for contender in contenders:
            if contender not in running:
                self.notes[contender.name] = f"failed: {contender.child.problem}"
        return self.record([c for c in running if c.all])

    def record(self, contenders):
        result = {
            "model": self.model, "precision": self.precision, "batch": self.batch,
            "what": "inference" if self.arguments.inference else "training step",
            "microseconds": {c.name: round(statistics.median(c.all), 2) for c in contenders},
            "quartiles": {c.name: [round(v, 2) for v in quartiles(c.all)] for c in contenders},
            "times": {c.name: len(c.all) for c in contenders},
            "cpu_microseconds": {c.name: round(statistics.median(c.cpu), 2) for c in contenders},
            "notes": self.notes,
        }
        for _, child in self.torch:
            if child.about is not None:
                result |= {key: child.about[key] for key in ("torch", "torch_device")}
        if self.ours.about is not None:
            result |= {"parameters": self.ours.about["parameters"],
                       "decavox_backend": self.ours.about["version"]}
        ours = [c for c in contenders if c.name == "decavox"]
        if ours:
            counts = ("replays", "eager", "skipped", "nodes", "warnings")
            result |= {key: ours[0].last[key] for key in counts if key in ours[0].last}
            self.compare(result, ours[0], [c for c in contenders if c is not ours[0]])
            self.take_latency(result)
        result["problems"] = self.problems(result)
        return result

    def compare(self, result, decavox, others):
        """Compares decavox with each, and with the fastest."""
        result["ratios"] = {c.name: round(statistics.median(ratios(c, decavox)), 3)
                            for c in others}
        if others:
            best = min(others, key=lambda c: statistics.median(c.medians))
            times = ratios(best, decavox)
            result |= {"best_torch": best.name, "ratio": result["ratios"][best.name],
                       "ratio_spread": [round(min(times), 3), round(max(times), 3)]}

    def take_latency(self, result):
        """Times answers from samples to probabilities in the host's memory."""
        if not self.arguments.inference:
            return
        answer = self.ours.ask(f"latency {LATENCIES}")
        if answer is None:
            self.notes["latency"] = self.ours.problem
            return
        times = answer["microseconds"]
        result |= {"latency_microseconds": round(statistics.median(times), 2),
                   "latency_quartiles": [round(v, 2) for v in quartiles(times)]}

    def problems(self, result):
        found = []
        if "decavox" not in result["microseconds"]:
            found.append(self.notes.get("decavox", "not measured"))
        found += step_problems(result)
        return [f"{self}: {problem}" for problem in found]


def step_problems(answer):
    """Problems of steps on a device, from the answer of `decavox_bench step` to `run`: steps that
    were not replayed, and warnings."""
    found = []
    if "eager" in answer and answer.get("replays", 0) == 0:
        found.append(f"no step was replayed, {answer['eager']} ran call by call")
    elif answer.get("eager", 0) > EAGER_STEPS:
        found.append(f"{answer['eager']} steps ran call by call, {EAGER_STEPS} is expected")
    return found + answer.get("warnings", [])


def print_record(result):
    print(f"\n{result['model']}, {result['what']}, {result['precision']}, batch "
          f"{result['batch']}")
    print(f"  {'':24}{'us':>10}{'quartile':>10}{'quartile':>10}{'cpu us':>10}{'ratio':>8}")
    for name, value in sorted(result["microseconds"].items(), key=lambda item: item[1]):
        low, high = result["quartiles"][name]
        ratio = result.get("ratios", {}).get(name)
        print(f"  {name:24}{value:10.1f}{low:10.1f}{high:10.1f}"
              f"{result['cpu_microseconds'][name]:10.1f}"
              + (f"{ratio:8.2f}" if ratio is not None else ""))
    if "latency_microseconds" in result:
        print(f"  {'decavox, host to host':24}{result['latency_microseconds']:10.1f}")
    for name, reason in result["notes"].items():
        print(f"  {name:24}not measured: {reason}")
    for problem in result["problems"]:
        print(f"PROBLEM: {problem}")
    sys.stdout.flush()


def free_gib():
    """Free host and device memory. The device's is only known with nvidia-smi."""
    with open("/proc/meminfo", encoding="ascii") as file:
        host = next(int(line.split()[1]) for line in file if line.startswith("MemAvailable"))
    device = output_of("sh", "-c", "nvidia-smi --query-gpu=memory.free "
                                   "--format=csv,noheader,nounits 2>/dev/null | head -n 1")
    return host / 2**20, int(device) / 1024 if device.isdigit() else 16.0


def next_wave(jobs, with_torch):
    """As many of the configurations as can get ready together, at least one. Without PyTorch each
    is a wave of its own, so that the first ones are measured first."""
    if not with_torch:
        return jobs[:1]
    host, device = free_gib()
    most = min(4 * len(os.sched_getaffinity(0)), host / HOST_GIB, device / DEVICE_GIB)
    wave, programs = [], 0
    for job in jobs:
        programs += 1 + (len(job.variants()) if with_torch else 0)
        if wave and programs > most:
            break
        wave.append(job)
    return wave


def order(arguments):
    """The configurations, the most important first, batch by batch."""
    return [Job(arguments, model, precision, int(batch))
            for batch in arguments.batch.split(",")
            for precision in arguments.precision.split(",")
            for model in arguments.models.split(",")]


def get_ready(wave, with_torch, end):
    """Starts the programs of all configurations. Returns when PyTorch's must be ready
    (monotonic)."""
    for job in wave:
        job.start(end)
    compilers = sum(job.compiles() for job in wave)
    threads = max(1, 2 * len(os.sched_getaffinity(0)) // max(1, compilers))
    ready_at = min(end - 1, time.monotonic() + wave[0].arguments.prepare)
    if with_torch:
        for job in wave:
            job.start_torch(threads)
    for _, child in sum((job.torch for job in wave), []):
        child.ready(max(0.05, ready_at - time.monotonic()))
    return ready_at


def run(arguments):
    """Measures all configurations. Returns the exit status."""
    end = time.monotonic() + (arguments.deadline or 1e9)
    reason = "it is not asked for" if arguments.alone else why_no_torch(arguments)
    if reason is not None:
        print(f"without PyTorch: {reason}", flush=True)
    jobs = order(arguments)
    results, dropped = [], []
    while jobs:
        wave = next_wave(jobs, reason is None)
        jobs = jobs[len(wave):]
        if time.monotonic() > end:
            dropped += wave
            continue
        ready_at = get_ready(wave, reason is None, end)
        for number, job in enumerate(wave):
            if time.monotonic() > end:
                dropped.append(job)
            else:
                results.append(job.measure(ready_at, end))
                print_record(results[-1])
                write(arguments, results, reason, dropped + wave[number + 1:] + jobs)
            job.close()
    write(arguments, results, reason, dropped)
    bad = [r for r in results if r["problems"]]
    return 1 if bad or not results else 0


def write(arguments, results, reason, left):
    content = {"device": arguments.device, "what": "inference" if arguments.inference else
               "training step", "steps_to_a_time": arguments.report, "rounds": arguments.rounds,
               "results": results,
               "not_measured": [str(job) for job in left]}
    if reason is not None:
        content["without_torch"] = reason
    write_json(arguments.out or os.path.join(RESULTS, f"{arguments.device}-steps.json"), content)
