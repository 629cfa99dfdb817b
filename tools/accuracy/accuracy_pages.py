"""Makes the pages of checkpoints/ from the JSON there: README.md and a card for each model."""
import hashlib
import os
import statistics

import accuracy_protocols as protocols
import accuracy_results as results
import accuracy_speed as speed

MADE_BY = "Made by `scripts/accuracy_tables.sh --pages` from {}; do not edit."
NONE = "–"


def percent(share, digits=2):
    return f"{100 * share:.{digits}f}"


def interval(low_high):
    return f"{percent(low_high[0])} to {percent(low_high[1])}"


def table(header, rows):
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines) + "\n"


def spread(summary):
    """Mean, deviation and number of seeds as text."""
    deviation = summary["deviation"]
    return (percent(summary["mean"]) + (f" ± {percent(deviation)}" if deviation is not None else "")
            + (f" ({summary['n']})" if "n" in summary else ""))


# ---- README.md ----

def shipped_table(cards):
    if not cards:
        return ("None is shipped yet. `decavox train` leaves one as `model.safetensors` in its "
                "run's folder, and `decavox export` makes it small.\n")
    rows = []
    for card in cards:
        scores = card["accuracy"]
        rows.append([f"[{card['name']}]({card['name']}.md)", f"{card['parameters']:,}",
                     feature_text(card, short=True),
                     f"{card['file']['precision']}, {card['file']['bytes'] / 1e6:.2f} MB"
                     + (", made by the build" if "members" in card else ""),
                     *(percent(scores[name]["accuracy"]) if name in scores else NONE
                       for name in ("gsc", "gsc_official"))])
    return table(["model", "parameters", "features", "file", "gsc, %", "gsc_official, %"], rows)


def accuracy_table(measured):
    rows = []
    for protocol in protocols.PROTOCOLS:
        if "--noise" in protocol.arguments or not set(protocol.models) & set(protocols.FORMS):
            continue
        cells = [measured.get((protocol.name, model)) for model in protocols.FORMS]
        counts = sorted({str(cell["summary"]["count"]) for cell in cells if cell})
        rows.append([f"`{protocol.name}`", " or ".join(counts) or NONE,
                     *(spread(cell["summary"]) if cell
                       else NONE if model in protocol.models else "" for model, cell
                       in zip(protocols.FORMS, cells))])
    return table(["protocol", "clips", *protocols.FORMS], rows)


def cost(model, quick):
    """Millions of multiply-adds, and microseconds of a forward pass if they were measured. A taught
    model costs the same."""
    if quick is None:
        return []
    one = quick["models"][model]
    return [f"{one['mflops'] / 2:.1f}", f"{one['latency_p50_us']:.0f}"]


def general_table(measured, quick):
    """The table of coarse and fine frames, with and without a teacher, on the clips of gsc."""
    rows = []
    for name in (protocols.GENERAL_PROTOCOL, "untaught", "taught"):
        for model in sorted(protocols.named(name).models):
            result = measured.get((name, model))
            if result is None:
                continue
            chosen = [run["validation_accuracy"] for run in result["runs"]
                      if "validation_accuracy" in run]
            every = measured.get(("gsc_all", model)) if name == protocols.GENERAL_PROTOCOL else None
            rows.append([f"`{name}`", model, percent(statistics.fmean(chosen)) if chosen else NONE,
                         spread(result["summary"]), spread(every["summary"]) if every else "",
                         *cost(model, quick)])
    costs = ["10^6 multiply-adds", "p50, µs"] if quick else []
    return table(["protocol", "model", "validation", "test", "`gsc_all`", *costs],
                 rows) if rows else ""


def fold_table(measured):
    rows = []
    for (name, model), result in measured.items():
        worst = result["summary"].get("worst_fold")
        if worst:
            rows.append([f"`{name}`", model, percent(result["summary"]["mean"]),
                         interval(result["summary"]["interval_95"]), worst["fold"],
                         percent(worst["mean"])])
    return table(["protocol", "model", "mean", "95 % interval", "worst fold", "its mean"],
                 rows) if rows else ""


def noise_table(measured):
    rows = []
    for protocol in protocols.PROTOCOLS:
        if "--noise" not in protocol.arguments:
            continue
        for model in protocol.models:
            result = measured.get((protocol.name, model))
            points = {} if result is None else {
                point["snr"]: point for point in result["summary"]["noise"]}
            rows.append([f"`{protocol.name}`", model,
                         spread(result["summary"]) if result else NONE,
                         *(spread(points[snr]) if snr in points else NONE
                           for snr in protocols.RATIOS)])
    return table(["protocol", "model", "clean", *(f"{snr} dB" for snr in protocols.RATIOS)], rows)


def source_line(measured):
    smoke = any(result.get("smoke") for result in measured.values())
    return MADE_BY.format("`results/*.json` and the models' `NAME.json`") + (
        " **Of a smoke test: these figures mean nothing.**" if smoke else "")


def legend():
    lines = []
    for protocol in protocols.PROTOCOLS:
        lines.append(f"- `{protocol.name}`: {protocol.title}")
    return "\n".join(lines) + "\n"


def readme(measured, cards, quick):
    folds, general = fold_table(measured), general_table(measured, quick)
    machine = (f" p50: of a forward pass of one clip on one thread of {quick['machine']}, all "
               "measured one after the other." if quick else "")
    return "\n".join([
        source_line(measured), "\n# Trained models\n", shipped_table(cards),
        "\n## Accuracy by protocol\n",
        "Per cent of the clips that are right: mean over the seeds, standard deviation between "
        f"them, and in brackets their number. {NONE}: not measured. Seeds differ in weights, order "
        "and augmentation; the clips of the test are the same. What is chosen, configurations, "
        "epochs and seeds, is chosen on validation parts or on training speakers of other data, "
        "never on a test; where a protocol keeps no validation part, the last epoch counts.\n",
        accuracy_table(measured), "\n" + legend(),
        *(["\nBy speaker left out:\n", folds] if folds else []),
        *(["\n## General models: coarse and fine frames, and teachers\n",
           "`NAME_fine` hears 81 frames of a second, `NAME` 33. The speakers of the validation "
           f"part chose the epoch.{machine}\n", general] if general else []),
        "\n## In noise\n",
        f"The same clips with recorded noise ({', '.join(protocols.NOISES)}) at a ratio of the "
        "clip's mean power to the noise's; no training has heard these noises.\n",
        noise_table(measured),
        "\n## How they are made\n",
        "    scripts/accuracy_tables.sh            # every protocol; goes on where it was stopped\n"
        "    scripts/accuracy_tables.sh --ship     # and exports the general models, and mixes ensembles of them\n",
        "Each file in `results/` holds the command, the commit and every seed's figures.\n"])


# ---- A card ----

def feature_text(card, short=False):
    features, (rows, frames) = card["features"], card["shape"]
    text = f"{features.get('type', '?')} {rows} x {frames}"
    return text if short else f"{text} of sound at {features.get('sample_rate', '?')} Hz"


def scores_table(card):
    rows = []
    for name, score in card["accuracy"].items():
        if "--noise" in protocols.named(name).arguments:
            continue  # shown as a curve below; without noise it is gsc_official
        rows.append([f"`{name}`", protocols.named(name).title, score["count"],
                     percent(score["accuracy"]), interval(score["interval_95"]),
                     percent(score["ece"]) if "ece" in score else NONE])
    return table(["protocol", "clips", "number", "accuracy, %", "95 % interval", "ECE, %"], rows)


def noise_curve(card):
    points = card["accuracy"].get("noise_gsc", {}).get("noise", [])
    if not points:
        return "Not measured.\n"
    names = sorted({one["noise"] for point in points for one in point["files"]})
    rows = []
    for point in points:
        by_noise = {one["noise"]: one for one in point["files"]}
        rows.append([f"{point['snr']:g} dB", percent(point["accuracy"]),
                     *(percent(by_noise[name]["accuracy"]) if name in by_noise and
                       by_noise[name]["count"] else NONE for name in names)])
    return table(["ratio", "all, %", *names], rows)


def form_table(card, measured):
    rows = []
    for protocol in protocols.PROTOCOLS:
        result = measured.get((protocol.name, card["model"]))
        if result and "--noise" not in protocol.arguments:
            summary = result["summary"]
            rows.append([f"`{protocol.name}`", protocol.title, spread(summary),
                         interval(summary["interval_95"])])
    return table(["protocol", "clips", "mean ± deviation (seeds), %", "95 % interval"],
                 rows) if rows else "Not measured.\n"


def weaknesses(card):
    lines = []
    for name in ("gsc", "gsc_official"):
        score = card["accuracy"].get(name)
        worst = results.worst_word(score) if score and "confusion" in score else None
        if worst:
            word, recall, other = worst
            lines.append(f"Of {protocols.named(name).title.split(',')[0]}, the worst word is “{word}”: "
                         f"{percent(recall)} % are right"
                         + (f", and most of the others are taken for “{other}”." if other else "."))
    noisy = card["accuracy"].get("noise_gsc")
    worst = results.worst_noise(noisy) if noisy and "noise" in noisy else None
    if worst:
        lines.append(f"The worst noise is {worst[0]} at {worst[1]:g} dB: {percent(worst[2])} %.")
    lines += ["It knows these words and nothing else: any other sound gets one of them too.",
              *card.get("notes", [])]
    return "".join(f"- {line}\n" for line in lines)


def data_table(card):
    rows = []
    for name in card["data"]:
        data = protocols.DATA[name]
        rows.append([f"[{data.title}]({data.url})", data.licence, data.attribution])
    return table(["data", "licence", "by"], rows)


def origin_rows(card):
    """Rows about the choice of the seed, or about the members of a mix."""
    training = card["training"]
    if "members" in card:
        shares = ", ".join(f"{one['share']:.4f} of [{one['name']}]({one['name']}.md)"
                           for one in card["members"])
        return [["made of", f"{shares}, by the build: with these shares the loss on the validation "
                 f"part is least ({percent(training['validation_accuracy'])} % are right)"]]
    chosen = (f", of seeds {', '.join(map(str, training['seeds']))} the one with the best accuracy "
              f"on the validation part ({percent(training['validation_accuracy'])} %)"
              if "validation_accuracy" in training else "")
    return [["seed", f"{training['seed']}{chosen}"]]


def card_page(card, measured):
    training, file = card["training"], card["file"]
    smoke = " **Of a smoke test: of no use.**" if card.get("smoke") else ""
    return "\n".join([
        MADE_BY.format(f"`{card['name']}.json` and `results/*.json`") + smoke,
        f"\n# {card['name']}\n",
        f"Recognises {len(card['labels'])} spoken words ({', '.join(card['labels'])}) in clips of "
        "about a second.\n",
        table(["", ""], [
            ["file", f"`{file['name']}`, {file['bytes']:,} bytes, {file['precision']}"],
            ["SHA-256", f"`{file['sha256']}`"],
            ["form", f"`configs/models/{card['model']}.yaml`, {card['parameters']:,} parameters"],
            ["features", feature_text(card)],
            ["command", f"`{training['command']}`"],
            *origin_rows(card),
            ["program", f"{training['version']}, commit {training['commit']}, {training['date']}"],
        ]),
        "\n## Data\n", data_table(card),
        "\n## Accuracy of this file\n", scores_table(card),
        "ECE is the expected calibration error of its confidences.\n",
        "\nIn noise that it was not trained with:\n", noise_curve(card),
        "\n## Accuracy of models of this form\n",
        *(["Their members are of one seed each, and their shares were trained; this file is none "
           "of them.\n"] if "members" in card else []),
        form_table(card, measured),
        "\n## What it is not good at\n", weaknesses(card)])


# ---- All of them ----

def read_cards(folder):
    cards = []
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        if name.endswith(".json"):
            cards.append(results.read_json(os.path.join(folder, name)))
    return cards


def make(folder):
    """Returns {file: text} of all pages."""
    measured = results.read_results(os.path.join(folder, "results"))
    cards = read_cards(folder)
    order = {p.name: i for i, p in enumerate(protocols.PROTOCOLS)}
    measured = dict(sorted(measured.items(), key=lambda item: (order.get(item[0][0], 99),
                                                               item[0][1])))
    pages = {"README.md": readme(measured, cards, speed.read(folder))}
    for card in cards:
        pages[f"{card['name']}.md"] = card_page(card, measured)
    return pages


def write(folder):
    for name, text in make(folder).items():
        results.write_text(os.path.join(folder, name), text)


def check_models(folder, cards):
    problems = []
    for card in cards:
        path = os.path.join(folder, card["file"]["name"])
        try:
            with open(path, "rb") as file:
                data = file.read()
        except OSError:
            problems.append(f"{card['file']['name']} is missing")
            continue
        if hashlib.sha256(data).hexdigest() != card["file"]["sha256"]:
            problems.append(f"{card['file']['name']} is not the file that {card['name']}.json is "
                            "of")
        if len(data) >= protocols.SHIPPED_SIZE:
            problems.append(f"{card['file']['name']} has {len(data)} bytes, at most "
                            f"{protocols.SHIPPED_SIZE} are allowed")
    shown = {card["file"]["name"] for card in cards}
    problems += [f"{name} has no card" for name in sorted(os.listdir(folder))
                 if name.endswith(".safetensors") and name not in shown]
    return problems


def check(folder):
    """Lists the pages that differ from the JSON. Writes nothing."""
    if not os.path.isdir(folder):
        return [f"there is no folder {folder}"]
    problems = []
    pages = make(folder)
    for name, text in pages.items():
        try:
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                same = file.read() == text
        except OSError:
            same = False
        if not same:
            problems.append(f"{name} is not what --pages makes")
    problems += [f"{name} belongs to no model" for name in sorted(os.listdir(folder))
                 if name.endswith(".md") and name not in pages]
    values = [*read_cards(folder), *results.read_results(os.path.join(folder, "results")).values()]
    problems += [f"the absolute path {path}" for value in values
                 for path in results.absolute_paths(value)]
    return problems + check_models(folder, read_cards(folder))
