"""Shared by the programs on request: each line of stdin is a command and gets a line of JSON on
stdout, until `quit`; and the times of steps.
"""
import json
import os
import sys
import time


def timed(work, times, each=1):
    """Calls `work`, which makes `each` steps, `times` times. Returns the wall time of a step in
    each call, and the mean processor time of a step."""
    seconds = []
    cpu, start = time.process_time(), time.perf_counter()
    for _ in range(times):
        work()
        now = time.perf_counter()
        seconds.append(now - start)
        start = now
    cpu = (time.process_time() - cpu) / (times * each)
    return {"microseconds": [round(t / each * 1e6, 3) for t in seconds],
            "cpu_microseconds": round(cpu * 1e6, 3)}


def timed_reports(step, wait, steps, report):
    """Times of `report` steps each. `wait` gets the result of the last one at the end. If fewer
    steps are asked for, there is one time of them."""
    each = max(1, min(steps, report))

    def work():
        for _ in range(each):
            result = step()
        wait(result)
    return timed(work, -(-steps // each), each)


def reason(error):
    """The reason of an error in one line."""
    return f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"


def make_all(makers):
    """Calls makers, {form: function that makes its function}. Returns the functions, each called
    once, and the reasons why others are missing."""
    made, skipped = {}, {}
    for name, maker in makers.items():
        try:
            form = maker()
            form()
            made[name] = form
        except Exception as error:  # one form less
            skipped[name] = reason(error)
    return made, skipped


def say(**content):
    print(json.dumps(content), flush=True)


def serve(answer):
    """Answers commands. `answer` turns a line's words into the answer, None for an unknown
    command."""
    for line in sys.stdin:
        words = line.split()
        if words == ["quit"]:
            break
        content = answer(words)
        if content is None:
            name = os.path.splitext(os.path.basename(sys.argv[0]))[0]
            sys.exit(f"{name}: no command '{line.strip()}'")
        say(**content)


def serve_runs(forms):
    """Answers the lines `run FORM K` by forms, {FORM: function of K}."""
    def answer(words):
        if len(words) != 3 or words[0] != "run" or words[1] not in forms:
            return None
        return forms[words[1]](int(words[2]))
    serve(answer)
