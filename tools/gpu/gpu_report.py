"""The report of gpu_first.sh and gpu_second.sh: all findings as JSON, the same as a page, and a
summary of one page, which is printed last and stands at the head of the page."""
import json
import os
import re

from gpu_common import read_json

MOST_PROBLEMS, MOST_FIGURES = 6, 40  # of a line, and of all lines, in the summary; the page has all
WIDTH = 160
NO_MORE = "the run had ended"  # message of a line that was not run


def last_lines(path, count):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return [line[:400] for line in file.read().splitlines()[-count:]]
    except OSError:
        return []


def collect(work, states):
    """Returns {line: its state and findings} in the order of the run."""
    lines = {}
    for name, state in states.items():
        entry = dict(state) | read_json(os.path.join(work, name + ".json"))
        if entry["status"] in ("failed", "cut off"):
            entry["log_end"] = last_lines(os.path.join(work, name + ".log"), 30)
        lines[name] = entry
    return lines


def problems_of(name, entry):
    """The problems of a line. For a failed line without findings they are the end of its log; for
    lines that an ended run did not reach, the end of the run."""
    found = list(dict.fromkeys(entry.get("problems", [])))
    if entry["status"] in ("cut off", "not begun") and entry["message"] != NO_MORE:
        found.append(f"{entry['status']}: {entry['message']}")
    elif entry["status"] == "failed" and not found:
        found.append(entry.get("message") or "".join(entry.get("log_end", [])[-1:]))
    return [f"{name}: {text}" for text in found]


def shortened(text):
    """The text without its middle, because the end of a warning says what followed."""
    return text if len(text) <= WIDTH else text[:WIDTH - 50] + " ... " + text[-45:]


def first_of(texts, most, more):
    lines = ["  " + shortened(text) for text in texts[:most]]
    if len(texts) > most:
        lines.append(f"  {more}{len(texts) - most} more: see the page")
    return lines


def state_line(name, entry):
    seconds = f"{entry['seconds']:5.1f} s of at most {entry['budget']:3.0f}"
    reason = entry.get("skipped") or entry.get("message") or ""
    return f"{name:10} {entry['status']:9} {seconds}  {reason}"[:WIDTH].rstrip()


def summary(report):
    title = f"decavox on {report['device']}, {report['run']} run"
    lines = [title, "=" * len(title), f"{report['date']}, {report['seconds']:.0f} s of at most "
             f"{report['budget']:.0f} s", *report["tree"], ""]
    lines += [state_line(name, entry) for name, entry in report["lines"].items()]
    lines += ["", *report["notes"]]
    problems = {name: problems_of(name, entry) for name, entry in report["lines"].items()}
    lines.append(f"problems: {sum(map(len, problems.values()))}")
    for name, texts in problems.items():
        lines += first_of(texts, MOST_PROBLEMS, f"{name}: ")
    figures = [text for entry in report["lines"].values() for text in entry.get("figures", [])]
    if figures:
        lines += ["figures:", *first_of(figures, MOST_FIGURES, "")]
    return "\n".join(lines) + "\n"


# ---- The page ----

def step_table(measured):
    """A line for each configuration: microseconds, quartiles, and ratios to PyTorch's forms."""
    lines = [f"{'model':12} {'prec.':5} {'batch':>5} {'decavox us':>11} {'quartiles':>17} "
             f"{'eager':>9} {'compile':>9} {'graph':>9}  fastest of PyTorch: times as long"]
    for r in measured.get("results", []):
        times, quartiles = r["microseconds"], r["quartiles"].get("decavox")
        span = f"{quartiles[0]:.1f}-{quartiles[1]:.1f}" if quartiles else "-"
        named = {"graph": "graph_tf32" if r["precision"] == "tf32" else "graph"}
        cells = [f"{times[named.get(name, name)]:9.1f}" if named.get(name, name) in times
                 else f"{'-':>9}" for name in ("eager", "compile", "graph")]
        best = "-"
        if "ratio" in r:
            best = (f"{r['best_torch']} {times[r['best_torch']]:.1f} us: {r['ratio']:.2f} "
                    f"({r['ratio_spread'][0]:.2f} to {r['ratio_spread'][1]:.2f})")
        ours = f"{times['decavox']:11.1f}" if "decavox" in times else f"{'-':>11}"
        lines.append(f"{r['model']:12} {r['precision']:5} {r['batch']:5} {ours} {span:>17} "
                     f"{' '.join(cells)}  {best}")
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


def section(name, entry):
    title = state_line(name, entry)
    lines = ["", title, "-" * len(title), entry["what"], *entry.get("lines", [])]
    for measured in entry.get("measured", []):
        lines += feature_table(measured) if name == "features" else step_table(measured)
    lines += ["PROBLEM: " + text for text in entry.get("problems", [])]
    if "log_end" in entry:
        lines += ["the end of its log:"] + ["    " + line for line in entry["log_end"]]
    return lines


def page(report):
    lines = [summary(report)]
    for name, entry in report["lines"].items():
        lines += section(name, entry)
    return "\n".join(lines) + "\n"


def write_file(path, text):
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(path + ".new", path)


def write(out, report):
    """Writes OUT/gpu-DEVICE-RUN.json and .txt. Returns the path without the ending."""
    slug = re.sub(r"[^a-z0-9]+", "-", report["device"].lower()).strip("-")
    os.makedirs(out, exist_ok=True)
    path = os.path.join(out, f"gpu-{slug}-{report['run']}")
    write_file(path + ".json", json.dumps(report, indent=1) + "\n")
    write_file(path + ".txt", page(report))
    return path
