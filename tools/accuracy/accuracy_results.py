"""Results of protocols: figures of an evaluation, means over seeds, and files without folders.

checkpoints/results/PROTOCOL-MODEL.json holds one protocol, one model and all its seeds:

    protocol, model, config, command   the run, with data by name and the seed as N
    version, commit, date              the program of each of the seeds below
    runs                               figures of each seed, with its folds or noise if any
    pooled                             figures of all answers of a cross-validation together
    summary                            figures over the seeds

accuracy_speed.py writes speed.json beside them.
"""
import json
import math
import os
import re
import statistics

# A path from the root of a machine, anywhere in a text, but not "a/b", "://" or "/s".
ABSOLUTE = re.compile(r"(?:^|[\s=,:;'\"\[({])(/(?:[\w.~-]+/)+[\w.~-]*|/(?:home|root|tmp|work)\b)")


def read_json(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def as_text(value):
    """Compact JSON for commits: one value or list of numbers or names per line, without spaces."""
    text = json.dumps(value, indent=0, separators=(",", ":"), ensure_ascii=False)
    plain = r'-?[\d.]+(?:[eE][+-]?\d+)?|null|"[\w.-]*"'
    one_line = re.sub(rf"\[\s*((?:{plain})(?:,\s*(?:{plain}))*)\s*\]",
                      lambda m: "[" + re.sub(r",\s*", ",", m.group(1)) + "]", text)
    return one_line + "\n"


def read_text(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def write_text(path, text):
    """Writes a file as a whole or not at all. An equal file is not touched."""
    try:
        if read_text(path) == text:
            return
    except OSError:
        pass
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(path + ".new", path)


def absolute_paths(value):
    """All texts in a JSON value that name a folder from the root."""
    if isinstance(value, str):
        return [match.group(1) for match in ABSOLUTE.finditer(value)]
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if isinstance(value, list):
        return [path for item in value for path in absolute_paths(item)]
    return []


def write_json(path, value):
    bad = absolute_paths(value)
    if bad:
        raise ValueError(f"{os.path.basename(path)} would hold the absolute path {bad[0]}")
    write_text(path, as_text(value))


def wilson(accuracy, count):
    """The 95 % interval of a share of `count` (E. B. Wilson, 1927)."""
    z = 1.959963984540054
    middle = accuracy + z * z / (2 * count)
    half = z * math.sqrt(accuracy * (1 - accuracy) / count + z * z / (4 * count * count))
    return [max(0.0, (middle - half) / (1 + z * z / count)),
            min(1.0, (middle + half) / (1 + z * z / count))]


# ---- One evaluation ----

def figures(evaluation):
    """The figures that are kept of an evaluation (report.json, eval --format json)."""
    kept = {key: evaluation[key] for key in ("accuracy", "correct", "count", "interval_95", "loss")
            if key in evaluation}
    if "calibration" in evaluation:
        kept["ece"] = evaluation["calibration"]["ece"]
    if "confusion" in evaluation:
        kept["labels"] = [one["label"] for one in evaluation["classes"]]
        kept["confusion"] = evaluation["confusion"]
    if "noise" in evaluation:
        kept["noise"] = [noise_figures(point) for point in evaluation["noise"]]
    return kept


def noise_figures(point):
    """The figures of one ratio of `eval --noise --snr`, and of its clips by noise."""
    kept = {key: point[key] for key in ("snr", "accuracy", "correct", "count")}
    kept["files"] = [{"noise": os.path.splitext(os.path.basename(one["file"]))[0],
                      "accuracy": one["accuracy"], "correct": one["correct"],
                      "count": one["count"]} for one in point["files"]]
    return kept


def crossval_runs(crossval):
    """One entry per seed of crossval.json, with its folds. Seeds with a failed fold are left
    out."""
    names = [one["fold"] for one in crossval["folds"]]
    by_seed = {}
    for one in crossval["runs"]:
        by_seed.setdefault(one["seed"], {})[one["fold"]] = one
    runs = []
    for seed, folds in sorted(by_seed.items()):
        if set(folds) != set(names):
            continue
        kept = [{key: folds[name][key] for key in ("fold", "accuracy", "correct", "count")}
                for name in names]
        runs.append({"seed": seed, "accuracy": statistics.fmean(one["accuracy"] for one in kept),
                     "correct": sum(one["correct"] for one in kept),
                     "count": sum(one["count"] for one in kept), "folds": kept})
    return runs


def crossval_pooled(crossval):
    """Figures of all folds and seeds together, without an interval: summary_of has that of the
    mean."""
    kept = figures(crossval["pooled"])
    return {key: kept[key] for key in ("loss", "ece", "labels", "confusion") if key in kept}


# ---- All seeds ----

def mean_and_deviation(values):
    return {"mean": statistics.fmean(values),
            "deviation": statistics.stdev(values) if len(values) > 1 else None}


def summary_of(runs):
    """Figures over the seeds. The interval is that of the mean on the clips of one seed, because
    seeds share their clips."""
    summary = mean_and_deviation([run["accuracy"] for run in runs]) | {"n": len(runs)}
    summary["count"] = runs[0]["count"]
    summary["interval_95"] = wilson(summary["mean"], summary["count"])
    if all("ece" in run for run in runs):
        summary["ece"] = statistics.fmean(run["ece"] for run in runs)
    if all("folds" in run for run in runs):
        folds = [one["fold"] for one in runs[0]["folds"]]
        means = {fold: statistics.fmean(one["accuracy"] for run in runs for one in run["folds"]
                                        if one["fold"] == fold) for fold in folds}
        worst = min(folds, key=means.get)
        summary["worst_fold"] = {"fold": worst, "mean": means[worst]}
    if all("noise" in run for run in runs):
        summary["noise"] = noise_summary(runs)
    return summary


def noise_summary(runs):
    points = []
    for snr in [point["snr"] for point in runs[0]["noise"]]:
        same = [point for run in runs for point in run["noise"] if point["snr"] == snr]
        points.append({"snr": snr} | mean_and_deviation([point["accuracy"] for point in same]))
    return points


def result(protocol, model, about, runs, pooled=None):
    summary = summary_of(runs)
    if pooled and "ece" in pooled:
        summary["ece"] = pooled["ece"]
    return {"protocol": protocol, "model": model, **about, "runs": runs,
            **({"pooled": pooled} if pooled else {}), "summary": summary}


def read_results(folder):
    """Reads {(protocol, model): result}."""
    results = {}
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    for name in names:
        if name.endswith(".json") and "-" in name:
            value = read_json(os.path.join(folder, name))
            results[value["protocol"], value["model"]] = value
    return results


# ---- Weaknesses ----

def worst_word(run):
    """(word, recall, wrong answer) of the word with the least recall, None if all words are always
    right. The answer is empty if none has more than half of the wrong ones."""
    worst = None
    for i, row in enumerate(run["confusion"]):
        total = sum(row)
        if total == 0 or row[i] == total:
            continue
        recall = row[i] / total
        if worst is None or recall < worst[1]:
            other = max((k for k in range(len(row)) if k != i), key=lambda k: row[k])
            most = 2 * row[other] > total - row[i]
            worst = (run["labels"][i], recall, run["labels"][other] if most else "")
    return worst


def worst_noise(run):
    """(noise, snr, accuracy) of the noise curve's row with the least accuracy."""
    rows = [(one["noise"], point["snr"], one["accuracy"]) for point in run["noise"]
            for one in point["files"] if one["count"] > 0]
    return min(rows, key=lambda row: row[2]) if rows else None
