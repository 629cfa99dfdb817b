"""Exports the general models, mixes ensembles of them, and writes their cards' JSON."""
import datetime
import hashlib
import json
import os
import re
import tempfile

import accuracy_protocols as protocols
import accuracy_results as results
from accuracy_runs import Failed, Skipped, short

GENERAL = protocols.named(protocols.GENERAL_PROTOCOL)
KEPT = ("notes",)  # keys of a card's JSON that people write


def best_run(result):
    """The best run by validation, without a look at the test part. Without validation the first
    seed."""
    return max(result["runs"], key=lambda run: (run.get("validation_accuracy", 0),
                                                -run.get("validation_loss", 0), -run["seed"]))


def section(text, name):
    """The scalars of a section of the configuration that `decavox info` prints."""
    found = re.search(rf"^{name}:\n((?:  .*\n)*)", text, re.MULTILINE)
    lines = found.group(1).splitlines() if found else []
    pairs = (line.strip().split(": ", 1) for line in lines if re.match(r"  \w+: \S", line))
    return {key: value.strip('"') for key, value in pairs}


def read_info(lab, path):
    """The facts about a checkpoint: parameters, labels, features."""
    text = lab.ask("info", short(path))
    bad = results.absolute_paths(text)
    if bad:
        raise Failed(f"{short(path)} would hold the absolute path {bad[0]}")
    shape = re.search(r"^ *0 +\S+ +input +\(\d+, (\d+), (\d+), \d+\)", text, re.MULTILINE)
    return {"parameters": int(re.search(r"^total: (\d+) parameters", text, re.MULTILINE)[1]),
            "labels": re.search(r"^labels: (.*)$", text, re.MULTILINE)[1].split(),
            "features": section(text, "features"), "shape": [int(n) for n in shape.groups()]}


def file_about(path):
    with open(path, "rb") as file:
        data = file.read()
    if len(data) >= protocols.SHIPPED_SIZE:
        raise Failed(f"{short(path)} has {len(data)} bytes, at most {protocols.SHIPPED_SIZE} are "
                     "allowed")
    return {"name": os.path.basename(path), "bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(), "precision": protocols.SHIPPED_PRECISION}


def scores(lab, path, missing):
    """Evaluates the exported file itself, which does not say where its data lie."""
    measured = {}
    test_part = protocols.fill(("eval", *protocols.KEPT_ASIDE, "--format", "json"),
                               lab.values(GENERAL))
    with tempfile.TemporaryDirectory() as folder:
        for protocol in [GENERAL, *(p for p in protocols.PROTOCOLS if p.of == GENERAL.name)]:
            if protocol.name in missing:
                continue
            command = test_part if protocol is GENERAL else \
                lab.command(protocol, "", lab.values(protocol))
            out = os.path.join(folder, "one.json")
            lab.evaluate_file(path, command, out)
            measured[protocol.name] = results.figures(results.read_json(out))
    return measured


def export(lab, model, path):
    """Writes the weights of the best run. Returns the card's facts about their origin."""
    result = lab.collect(GENERAL, model)
    if result is None:
        raise Failed(f"{GENERAL.name} has no trained {model}")
    run = best_run(result)
    trained = lab.folder(GENERAL.name, model, f"seed-{run['seed']}", "model.safetensors")
    lab.ask("export", short(trained), "--out", short(path), "--precision",
            protocols.SHIPPED_PRECISION)
    return {"training": {
        "protocol": GENERAL.name,
        "command": re.sub(r"\bseed([ -])N\b", rf"seed\g<1>{run['seed']}", result["command"]),
        "seed": run["seed"], "seeds": [one["seed"] for one in result["runs"]],
        **{key: run[key] for key in ("version", "commit", "date", "validation_accuracy")
           if key in run}}}


def mix(lab, model, path):
    """Writes the mix of the shipped members. Returns the card's facts about it, from which every
    build makes the same file again (cmake/checkpoints.cmake)."""
    members = protocols.members(model)
    files = [os.path.join(os.path.dirname(path), f"{name}.safetensors") for name in members]
    for file in files:
        if not os.path.exists(file):
            raise Skipped(f"{short(file)} is not there")
    command = (*protocols.KEPT_ASIDE, "--file_precision", protocols.SHIPPED_PRECISION)
    told = json.loads(lab.ask("ensemble", *map(short, files),
                              *protocols.fill(command, lab.values(GENERAL)),
                              "--out", short(path), "--format", "json"))
    shown = ["decavox", "ensemble", *members,
             *protocols.fill(command, protocols.shown_values())]
    return {"members": [{"name": name, "share": one["share"]}
                        for name, one in zip(members, told["members"])],
            "training": {"protocol": GENERAL.name, "command": " ".join(shown),
                         "version": lab.version, "commit": lab.commit,
                         "date": datetime.date.today().isoformat(),
                         "validation_accuracy": told["ensemble"]["accuracy"]}}


def ship(lab, model, folder, missing):
    """Ships a model. `missing` has the names of protocols that cannot be run here."""
    path, card_path = (os.path.join(folder, f"{model}.{end}") for end in ("safetensors", "json"))
    made = (mix if protocols.members(model) else export)(lab, model, path)
    try:
        about = read_info(lab, path)
        file = file_about(path)
    except Failed:
        os.remove(path)
        raise
    card = {"name": model, "model": model, "file": file, **about, **made,
            "data": GENERAL.data(), "accuracy": scores(lab, path, missing)}
    if lab.smoke:
        card["smoke"] = True
    before = results.read_json(card_path) if os.path.exists(card_path) else {}
    results.write_json(card_path, card | {key: before.get(key, []) for key in KEPT})
