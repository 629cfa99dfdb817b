"""What the parts of gpu_check.sh share."""
import json
import os
import subprocess
import sys
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SKIPPED = 77
START = time.monotonic()


class Findings:
    """What a part has found so far, on the disk after each change."""

    def __init__(self, arguments):
        self.path = os.path.join(arguments.work, arguments.part + ".json")
        self.content = {"lines": [], "problems": []}
        self.lock = threading.Lock()
        self.save()

    def save(self):
        with open(self.path + ".new", "w", encoding="utf-8") as file:
            json.dump(self.content, file, indent=1)
        os.replace(self.path + ".new", self.path)

    def put(self, **more):
        with self.lock:
            self.content |= more
            self.save()

    def line(self, text):
        with self.lock:
            print(text, flush=True)
            self.content["lines"].append(text)
            self.save()

    def problem(self, text):
        with self.lock:
            print("PROBLEM: " + text, flush=True)
            self.content["problems"].append(text)
            self.save()

    def add(self, key, item):
        with self.lock:
            self.content.setdefault(key, []).append(item)
            self.save()

    def skip(self, reason):
        self.put(skipped=reason)
        print("skipped: " + reason, flush=True)
        sys.exit(SKIPPED)


def output_of(*command):
    """Standard output, or None where the program is not there or fails."""
    try:
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              text=True, check=False, timeout=60, errors="replace")
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def left(arguments, reserve):
    """Seconds until the part has to be at its end, `reserve` before it is killed."""
    return max(1.0, arguments.seconds - reserve - (time.monotonic() - START))


def cores():
    return len(os.sched_getaffinity(0))


def environment(arguments):
    return os.environ | {"OMP_NUM_THREADS": "1",
                         "DECAVOX_MODULE_PATH": os.path.join(arguments.build, "runner")}
