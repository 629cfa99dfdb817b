"""Shared by the measurements against peers: the contest of contest.py, and the form of a result.

A result is {"part", "model" or "what", "batch", "threads", "precision", "device", "decavox":
microseconds, "peers": {name: {"form", "microseconds", "ratio", "ratio_spread"}}, "notes",
"versions", "date", "commit", "load_of_others", ...}. A ratio is the peer's time over ours.
"""
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys

PEERS = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.dirname(PEERS))
from contest import (ROOT, Child, Contender, blas_environment, by_turns,  # noqa: F401
                     load_of_others, module_path, output_of, processor, program, quartiles, ratios)

RESULTS = os.path.join(ROOT, "benchmarks", "results")
BUSY = 0.4  # load of other programs, in processors, that makes figures doubtful


def model_path(model):
    return os.path.join(ROOT, "configs", "models", model + ".yaml")


def check_parameters(model, ours, torch):
    """Checks that two children that are ready have the same model."""
    counts = [child.about["parameters"] for child in (ours, torch)]
    if counts[0] != counts[1]:
        sys.exit(f"{model}: {counts[0]} parameters, in PyTorch {counts[1]}")


def peer(contenders, decavox):
    """Compares the fastest of a peer's forms with decavox."""
    best = min(contenders, key=lambda c: statistics.median(c.medians))
    times = ratios(best, decavox)
    return {"form": best.name, "microseconds": round(statistics.median(best.medians), 1),
            "ratio": round(statistics.median(times), 3),
            "ratio_spread": [round(min(times), 3), round(max(times), 3)]}


def warn_of_load():
    load = load_of_others()
    if load > BUSY:
        print(f"warning: others use {load:.1f} processors of this machine: "
              "these figures are worth little", file=sys.stderr)
    return load


def stamp():
    """Date and commit of the tree. Files that the measurement itself writes are no change."""
    now = datetime.datetime.now(datetime.timezone.utc)
    return {"date": now.strftime("%Y-%m-%d %H:%M UTC"),
            "commit": output_of("git", "rev-parse", "--short", "HEAD"),
            "changed_files": len(output_of("git", "status", "--porcelain", "--",
                                           ":!docs/performance.md",
                                           ":!benchmarks/results").splitlines()),
            "python": platform.python_version()}


def importable(python, *modules):
    """The reason why this Python cannot import the modules, or None."""
    done = subprocess.run([python, "-c", "import " + ", ".join(modules)], stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True, check=False)
    return None if done.returncode == 0 else done.stderr.strip().splitlines()[-1]


def torch_cache():
    """The folder beside the peers in which torch.compile keeps its results from run to run."""
    folder = os.path.join(ROOT, "build", "peers", "inductor")
    return {"TORCHINDUCTOR_CACHE_DIR": os.environ.get("TORCHINDUCTOR_CACHE_DIR", folder)}


def write_json(path, content):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(content, file, indent=1)
        file.write("\n")
    os.replace(path + ".new", path)


def run_part(arguments, measure_all, print_record):
    """Runs one part by itself: prints each result, and writes all results so far to --out."""
    warn_of_load()
    results = []

    def take(result):
        print_record(result)
        results.append(result)
        if arguments.out:
            write_json(arguments.out, {"results": results})
    measure_all(arguments, take)
