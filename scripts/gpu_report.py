#!/usr/bin/env python3
"""Writes the report of gpu_check.sh from what its parts have left in WORK.

    gpu_report.py --work WORK --out DIR --name DEVICE --commit COMMIT --date DATE --command LINE

WORK holds for each part PART.state (status, seconds and more; lines of key=value), PART.json
(findings), PART.results.json (of a benchmark) and PART.log. What another commit has left does not
count. Makes DIR/gpu-DEVICE.json and .txt, the same as a page.
"""
import argparse
import json
import os
import re

PARTS = ["machine", "build", "tests", "sanitizer", "train", "step", "infer", "features"]


def read_json(path):
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return {}


def read_state(path):
    try:
        with open(path, encoding="utf-8") as file:
            return dict(line.rstrip("\n").split("=", 1) for line in file if "=" in line)
    except OSError:
        return {}


def last_lines(path, count):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return [line[:400] for line in file.read().splitlines()[-count:]]
    except OSError:
        return []


def collect(work, commit):
    """{part: what is known of it}, in the order in which they are run."""
    parts = {}
    for part in PARTS:
        path = os.path.join(work, part)
        state = read_state(path + ".state")
        if not state or state.get("commit") != commit:
            continue
        entry = {key: state[key] for key in ("status", "date", "message") if state.get(key)}
        entry |= {key: float(state[key]) for key in ("seconds", "budget") if key in state}
        entry |= read_json(path + ".json")
        results = read_json(path + ".results.json")
        if results:
            entry["measured"] = results
        if entry["status"] in ("failed", "cut off"):
            entry["log_end"] = last_lines(path + ".log", 30)
        parts[part] = entry
    return parts


def verdict(parts):
    counts = {}
    for part, entry in parts.items():
        counts.setdefault(entry["status"], []).append(part)
    return "; ".join(f"{status}: {', '.join(names)}" for status, names in counts.items())


# ---- The page ----

def heading(part, entry, date):
    text = f"{part}: {entry['status']}"
    if entry.get("date") != date:
        text += f" on {entry.get('date')}"
    if "seconds" in entry:
        text += f", {entry['seconds']:.0f} s of at most {entry['budget']:.0f}"
    return text + (f" ({entry['message']})" if "message" in entry else "")


def step_table(measured):
    """A line for each configuration: microseconds, quartiles, and against PyTorch's forms."""
    lines = [f"{'model':12} {'prec.':5} {'batch':>5} {'decavox us':>11} {'quartiles':>17} "
             f"{'eager':>9} {'compile':>9} {'graph':>9}  fastest of PyTorch: times as long"]
    for r in measured.get("results", []):
        times, quartiles = r["microseconds"], r["quartiles"].get("decavox")
        span = f"{quartiles[0]:.1f}-{quartiles[1]:.1f}" if quartiles else "-"
        cells = [f"{times[name]:9.1f}" if name in times else f"{'-':>9}"
                 for name in ("eager", "compile", "graph")]
        best = "-"
        if "ratio" in r:
            best = (f"{r['best_torch']} {times[r['best_torch']]:.1f} us: {r['ratio']:.2f} "
                    f"({r['ratio_spread'][0]:.2f} to {r['ratio_spread'][1]:.2f})")
        ours = f"{times['decavox']:11.1f}" if "decavox" in times else f"{'-':>11}"
        lines.append(f"{r['model']:12} {r['precision']:5} {r['batch']:5} {ours} {span:>17} "
                     f"{' '.join(cells)}  {best}")
    for r in measured.get("results", []):
        if "graph_tf32" in r.get("ratios", {}):
            lines.append(f"PyTorch's graph with TF32, which is less exact than FP32: {r['model']} "
                         f"batch {r['batch']} {r['microseconds']['graph_tf32']:.1f} us, "
                         f"{r['ratios']['graph_tf32']:.2f} times as long as decavox in FP32")
    notes = {f"{r['model']} {r['precision']} batch {r['batch']}: {name}: {why}"
             for r in measured.get("results", []) for name, why in r.get("notes", {}).items()
             if "1-D form" not in why and "one-dimensional" not in why}
    lines += sorted(notes)
    for text in measured.get("not_measured", []):
        lines.append("not measured, out of time: " + text)
    if "steps_to_a_time" in measured:
        lines.append(f"median over times of {measured['steps_to_a_time']} steps with one wait for "
                     "the device at their end")
    return lines


def feature_table(measured):
    lines = []
    for r in measured.get("results", []):
        lines.append(f"batch {r['batch']}, features {r['features']}: utterances per second")
        lines += [f"    {name:24} {value:12,}" for name, value in
                  r["utterances_per_second"].items()]
        lines += [f"    {name:24} not measured: {why}" for name, why in r["notes"].items()]
    return lines


def section(part, entry, date):
    title = heading(part, entry, date)
    lines = ["", title, "-" * len(title)]
    if "skipped" in entry:
        lines.append("skipped: " + entry["skipped"])
    lines += entry.get("lines", [])
    measured = entry.get("measured", {})
    if "without_torch" in measured:
        lines.append("without PyTorch: " + measured["without_torch"])
    if measured:
        lines += feature_table(measured) if part == "features" else step_table(measured)
    lines += ["PROBLEM: " + text for text in entry.get("problems", [])]
    if "log_end" in entry:
        lines += ["the end of its log:"] + ["    " + line for line in entry["log_end"]]
    return lines


def page(report):
    title = f"decavox on {report['device']}"
    lines = [title, "=" * len(title), "", f"commit {report['commit']}, {report['date']}",
             report["result"]]
    for part, entry in report["parts"].items():
        lines += section(part, entry, report["date"])
    return "\n".join(lines) + "\n"


def write(path, text):
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(path + ".new", path)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("work", "out", "name", "commit", "date", "command"):
        parser.add_argument("--" + name, required=True)
    arguments = parser.parse_args()
    parts = collect(arguments.work, arguments.commit)
    report = {"device": arguments.name, "commit": arguments.commit, "date": arguments.date,
              "command": arguments.command, "result": verdict(parts), "parts": parts}
    slug = re.sub(r"[^a-z0-9]+", "-", arguments.name.lower()).strip("-")
    os.makedirs(arguments.out, exist_ok=True)
    path = os.path.join(arguments.out, "gpu-" + slug)
    write(path + ".json", json.dumps(report, indent=1) + "\n")
    write(path + ".txt", page(report))
    print(path)


if __name__ == "__main__":
    main()
