#!/usr/bin/env python3
"""Times a new process that predicts one sound file, decavox and Python in turn.

    cold_start.py --build BUILD CHECKPOINT... SOUND [--rounds 15] [--out FILE]

Each round starts every program once, in a changing order, with a warm file cache. The Python
programs are predict_torch.py with soundfile and librosa, and without. All must give the same label,
and the same confidence within LIMIT. The program prints medians over the rounds of wall time and of
processor time, the largest resident memory, and the median and quartiles of the ratio within a
round.
"""
import argparse
import os
import statistics
import subprocess
import sys
import time

from records import PEERS, blas_environment, output_of, processor, quartiles, write_json

LIMIT = 2e-4


class Program:
    def __init__(self, name, command):
        self.name, self.command = name, command
        self.wall, self.cpu, self.memory = [], [], 0

    def start(self, environment):
        """Runs the program. Returns label and confidence."""
        began = time.perf_counter()
        with subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True,
                              env=environment) as process:
            text = process.stdout.read()
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        self.wall.append(time.perf_counter() - began)
        self.cpu.append(used.ru_utime + used.ru_stime)
        if process.returncode != 0:
            sys.exit(f"cold_start: {self.name} ended with {process.returncode}")
        label, confidence = text.split()[-2:]
        return label, float(confidence)

    def measure_memory(self, environment):
        """Measures the memory of the program alone: a child of Python begins with Python's
        memory."""
        done = subprocess.run(["/usr/bin/time", "-f", "%M", *self.command], env=environment,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                              check=True)
        self.memory = max(self.memory, int(done.stderr.split()[-1]))


def programs(arguments, checkpoint):
    script = os.path.join(PEERS, "predict_torch.py")
    decavox = os.path.join(arguments.build, "runner", "decavox")
    return [Program("decavox", [decavox, "predict", checkpoint, arguments.sound]),
            Program("librosa", [arguments.python, script, checkpoint, arguments.sound]),
            Program("lean", [arguments.python, script, "--lean", checkpoint, arguments.sound])]


def same(answers):
    label, confidence = answers[0]
    return all(other == label and abs(value - confidence) <= LIMIT for other, value in answers)


def measure(arguments, checkpoint, environment):
    contenders = programs(arguments, checkpoint)
    for number in range(-1, arguments.rounds):
        turn = number % len(contenders)
        order = contenders[turn:] + contenders[:turn]
        answers = [program.start(environment) for program in order]
        if not same(answers):
            sys.exit(f"cold_start: {checkpoint}: different answers: {answers}")
        if number < 0:  # the first round fills the file cache
            for program in contenders:
                program.wall.clear()
                program.cpu.clear()
    for _ in range(3):
        for program in contenders:
            program.measure_memory(environment)
    result = {"checkpoint": os.path.basename(checkpoint), "answer": answers[0],
              "rounds": arguments.rounds, "programs": {}}
    for program in contenders:
        times = [their / our for their, our in zip(program.wall, contenders[0].wall)]
        result["programs"][program.name] = {
            "milliseconds": round(1e3 * statistics.median(program.wall), 2),
            "quartiles": [round(1e3 * value, 2) for value in quartiles(program.wall)],
            "cpu_milliseconds": round(1e3 * statistics.median(program.cpu), 2),
            "memory_kib": program.memory, "ratio": round(statistics.median(times), 1),
            "ratio_quartiles": [round(value, 1) for value in quartiles(times)]}
    return result


def print_result(result):
    label, confidence = result["answer"]
    print(f"{result['checkpoint']}: all say {label}, {confidence:.4f}; {result['rounds']} rounds")
    for name, row in result["programs"].items():
        low, high = row["ratio_quartiles"]
        print(f"  {name:10}{row['milliseconds']:9.1f} ms {row['cpu_milliseconds']:9.1f} ms of the "
              f"processor {row['memory_kib'] / 1024:8.1f} MiB {row['ratio']:8.1f} times decavox's "
              f"({low:.1f} to {high:.1f})", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, help="a release build")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--python", default=sys.executable, help="the Python that has the peers")
    parser.add_argument("--out", default="", help="file for the JSON")
    parser.add_argument("checkpoints", nargs="+", metavar="CHECKPOINT")
    parser.add_argument("sound", metavar="SOUND")
    arguments = parser.parse_args()
    environment = blas_environment()
    results = []
    for checkpoint in arguments.checkpoints:
        results.append(measure(arguments, checkpoint, environment))
        print_result(results[-1])
    if arguments.out:
        commit = output_of("git", "rev-parse", "--short", "HEAD")
        write_json(arguments.out, {"processor": processor(), "commit": commit, "results": results})


if __name__ == "__main__":
    main()
