#!/usr/bin/env python3
"""Makes the tables of ratios from measure.py's results: results/peers.md has all of them, and
docs/performance.md, between two marks, the ratios only.

    table.py [--check] [--results FOLDER] [--page FILE]

--check writes nothing, and the exit code is 1 if a table differs from the results.
"""
import argparse
import glob
import json
import os
import sys

from records import RESULTS, ROOT

PAGE = os.path.join(ROOT, "docs", "performance.md")
BEGIN = "<!-- peers: made by benchmarks/peers/table.py of benchmarks/results/peers-*.json -->\n"
END = "<!-- /peers -->\n"

PARTS = ("train", "infer", "features", "start")
PRECISIONS = ("fp32", "tf32", "fp16", "bf16")
MODELS = ("lightweight", "advanced", "efficient", "transformer", "ensemble", "resnet18", "mini")
NAMES = {"train": "training step", "infer": "forward pass", "features": "features",
         "start": "a prediction from nothing"}
PEERS = ("PyTorch", "ONNX Runtime", "librosa", "torchaudio", "Python with PyTorch")
# The peers that the page shows in columns, for each part.
SHOWN = {"train": ["PyTorch"], "infer": ["ONNX Runtime", "PyTorch"]}


def place(names, name):
    return (names.index(name), "") if name in names else (len(names), name)


def key(result):
    """The configuration of a result; results are sorted by it."""
    return (*place(PARTS, result["part"]), result["batch"],
            *place(MODELS, result.get("model") or result["what"]),
            *place(PRECISIONS, result["precision"]), result["threads"], result["device"])


def number(value):
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def ratio(value):
    """A ratio as text, bold if the peer is faster."""
    return f"**{number(value)}**" if value < 1 else number(value)


def microseconds(value):
    return f"{value:.1f} us" if value < 1000 else f"{value / 1000:.2f} ms"


def case(result):
    parts = [result.get("model") or result["what"]]
    if result["part"] != "start":
        parts.append(f"batch {result['batch']}")
    if result["device"] != "cpu":
        parts.append(result["precision"])
    if result["threads"] > 0:
        parts.append(f"{result['threads']} thread{'s' * (result['threads'] > 1)}")
    return ", ".join(parts)


def lines_of(header, rows):
    return ["| " + " | ".join(header) + " |", "|" + "---|" * len(header),
            *["| " + " | ".join(row) + " |" for row in rows]]


def one_or_more(values):
    """The first and the last of sorted texts, or the only one."""
    values = sorted(set(values))
    return " to ".join([values[0], values[-1]] if len(values) > 1 else values)


def about(content):
    """Lines about machine, dates, commits and versions."""
    results = content["results"]
    if not results:
        return f"{content['processor']}, {content['cores']} cores, {content['system']}."
    versions = {}
    for result in results:
        for name, version in result.get("versions", {}).items():
            if name != "decavox":
                versions.setdefault("PyTorch" if name == "torch" else name, set()).add(version)
    trees = sorted({r["commit"] + " with changes" * bool(r["changed_files"]) for r in results})
    names = ", ".join(f"{name} {' and '.join(sorted(found))}"
                      for name, found in sorted(versions.items()))
    return (f"{content['processor']}, {content['cores']} cores, {content['system']}; "
            f"{one_or_more(r['date'] for r in results)}; commit {', '.join(trees)}; {names}.")


def verdict(results):
    ratios = [other["ratio"] for r in results for other in r["peers"].values()]
    slower = sum(value < 1 for value in ratios)
    if not ratios:
        return "Nothing was measured."
    if slower == 0:
        return f"All {len(ratios)} ratios are 1 or more: decavox is the faster one."
    return (f"**Bold: a ratio below 1, where the other one is faster than decavox** "
            f"({slower} of {len(ratios)}).")


def page(content):
    """The page of all measurements on one machine."""
    rows = []
    for result in content["results"]:
        for name, other in result["peers"].items():
            low, high = other["ratio_spread"]
            rows.append([NAMES[result["part"]], case(result), f"{name} ({other['form']})",
                         microseconds(other["microseconds"]), microseconds(result["decavox"]),
                         ratio(other["ratio"]), f"{number(low)} to {number(high)}"])
    lines = [f"## {content['processor']}, {content['cores']} cores", "", about(content), "",
             *lines_of(["measurement", "of", "against", "its time", "decavox", "ratio",
                        "over rounds"], rows), "", verdict(content["results"])]
    memory = [f"{r['model']} {r['memory_kib']['decavox'] / 1024:.1f} MiB"
              + "".join(f" ({name} {value / 1024:.0f} MiB)"
                        for name, value in r["memory_kib"].items() if name != "decavox")
              for r in content["results"] if "memory_kib" in r]
    if memory:
        lines += ["", "Largest resident memory of a prediction from nothing: "
                  + ", ".join(memory) + "."]
    missing = sorted({f"{NAMES[r['part']]}, {name}: {reason}" for r in content["results"]
                      for name, reason in r["notes"].items() if name in PEERS})
    if missing:
        lines += ["", "Not measured:", "", *[f"- {line}" for line in missing]]
    return "\n".join(lines) + "\n"


def columns_of(results):
    """The columns (part, batch, peer) of the page's table that have results."""
    found = []
    for part, peers in SHOWN.items():
        for peer in peers:
            for batch in sorted({r["batch"] for r in results if r["part"] == part
                                 and peer in r["peers"]}):
                found.append((part, batch, peer))
    return found


def results_of(results, column):
    part, batch, peer = column
    return [r for r in results if (r["part"], r["batch"]) == (part, batch) and peer in r["peers"]]


def mode(result):
    """The mode of a result, of which README's table has several in a cell: a number of threads, or
    a precision."""
    return result["threads"] if result["device"] == "cpu" else result["precision"]


def modes_of(results):
    found = {(place(PRECISIONS, r["precision"]), r["threads"]): mode(r) for r in results}
    return [found[order] for order in sorted(found)]


def names_of(modes):
    """The modes as text: "1 thread", "1 / 2 threads" or "FP32 / BF16"."""
    unit = "" if isinstance(modes[0], str) else " thread" if modes == [1] else " threads"
    return " / ".join(str(name).upper() for name in modes) + unit


def heading(results, column, modes):
    """The heading of a column, with its modes if they are not `modes`, those of the table."""
    part, batch, peer = column
    own = modes_of(results_of(results, column))
    return (f"{NAMES[part]}, batch {batch}, against {peer}"
            + (", " + names_of(own)) * (own != modes))


def cell(results, model, column):
    """The ratios of the column's modes, with a dash for modes without a measurement."""
    found = results_of(results, column)
    ratios = {mode(r): ratio(r["peers"][column[2]]["ratio"]) for r in found if r["model"] == model}
    return " / ".join(ratios.get(name, "-") for name in modes_of(found)) if ratios else ""


def summary(content):
    """README's table of the ratios of one machine."""
    results = content["results"]
    steps = [r for r in results if r["part"] in SHOWN]
    lines = [about(content), ""]
    columns = columns_of(steps)
    if columns:
        modes = modes_of([r for column in columns for r in results_of(steps, column)])
        header = ["x " + names_of(modes), *[heading(steps, column, modes) for column in columns]]
        models = sorted({r["model"] for r in steps}, key=lambda model: place(MODELS, model))
        lines += [*lines_of(header, [[model, *[cell(steps, model, c) for c in columns]]
                                     for model in models]), ""]
    rows = [[f"{NAMES[r['part']]}: {case(r)}", name, ratio(other["ratio"])]
            for r in results if r["part"] not in SHOWN for name, other in r["peers"].items()]
    if rows:
        lines += [*lines_of(["also", "against", "x"], rows), ""]
    return "\n".join([*lines, verdict(results)]) + "\n"


def read_all(folder):
    contents = []
    for path in sorted(glob.glob(os.path.join(folder, "peers-*.json"))):
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
        content["results"].sort(key=key)
        contents.append(content)
    return contents


def make(folder, page_path):
    """The two texts by path, made from the results."""
    contents = read_all(folder)
    with open(page_path, encoding="utf-8") as file:
        text = file.read()
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        sys.exit(f"table.py: {page_path} has not once the lines\n{BEGIN}{END}")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    middle = "\n".join(summary(content) for content in contents) or "Not measured yet.\n"
    pages = ("# decavox against its peers\n\n"
             "Made by `benchmarks/peers/table.py` of the JSON files beside it, which "
             "`scripts/peers.sh`\nwrites. A ratio is the time of the other one, in its fastest "
             "form, over ours, both by turns in one\nrun: the median over rounds, with the "
             "smallest and the largest, or the quartiles of a\nprediction from nothing.\n\n"
             + "\n".join(page(content) for content in contents))
    return {os.path.join(folder, "peers.md"): pages,
            page_path: before + BEGIN + middle + END + after}


def write(folder, page_path):
    for path, text in make(folder, page_path).items():
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)


def check(folder, page_path):
    """The paths of the texts that differ from the results."""
    wrong = []
    for path, text in make(folder, page_path).items():
        try:
            with open(path, encoding="utf-8") as file:
                same = file.read() == text
        except FileNotFoundError:
            same = False
        if not same:
            wrong.append(path)
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--results", default=RESULTS)
    parser.add_argument("--page", default=PAGE)
    arguments = parser.parse_args()
    if not arguments.check:
        write(arguments.results, arguments.page)
        return
    wrong = check(arguments.results, arguments.page)
    for path in wrong:
        print(f"{os.path.relpath(path)} is not what the results give: "
              "run benchmarks/peers/table.py")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
