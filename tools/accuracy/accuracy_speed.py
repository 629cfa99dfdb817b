"""Measures work and latency of the general models' forms side by side on this machine, by decavox
compare, into checkpoints/results/speed.json, for the table of coarse and fine frames."""
import json
import os

import accuracy_protocols as protocols
import accuracy_results as results
from accuracy_runs import Failed

GENERAL = protocols.named(protocols.GENERAL_PROTOCOL)
NAME = "speed.json"
KEPT = ("parameters", "mflops", "latency_p50_us", "latency_p99_us", "measured")


def measure(lab, folder):
    """Measures every form with one thread. Raises Failed if the machine was busy meanwhile."""
    configs = {model: protocols.fill([GENERAL.config], {"model": model})[0]
               for model in GENERAL.models}
    compared = json.loads(lab.ask("compare", *configs.values(), "--device", "cpu", "--threads",
                                  "1", "--fresh", "--format", "json"))
    by_path = {one["path"]: one for one in compared["models"]}
    busy = [model for model, path in configs.items() if by_path[path]["busy"]]
    if busy:
        raise Failed(f"the machine was busy while {', '.join(busy)} were measured")
    results.write_json(os.path.join(folder, "results", NAME), {
        "command": "decavox compare configs/general_*.yaml --threads 1",
        "version": compared["version"], "machine": compared["machine"],
        "models": {model: {key: by_path[path][key] for key in KEPT}
                   for model, path in configs.items()}})


def read(folder):
    """The last measurement, or None."""
    path = os.path.join(folder, "results", NAME)
    return results.read_json(path) if os.path.exists(path) else None
