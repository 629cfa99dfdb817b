#!/usr/bin/env python3
"""Lists the changes beyond noise between two files of decavox_bench's JSON lines.

    compare.py BEFORE.jsonl AFTER.jsonl [--least 5] [--all] [--fail-on-slower]

Suite, name, device, threads and precision identify a measurement; the last of several lines in a
file counts. A measurement has changed if
  - the ranges between its quartiles do not overlap, and
  - its median has changed by --least per cent or more, or by four times that if one side has fewer
    than 5 repetitions, whose quartiles say little.
Less is better, of seconds and of bytes. An exponent of growth has changed if it differs by 0.15 or
more. With --fail-on-slower the exit code is 1 if a measurement is slower or larger. It is 2 if a
file cannot be read.
"""
import argparse
import json
import math
import sys

KEY = ("suite", "name", "device", "threads", "precision")
NUMBERS = ("median", "low", "high", "count")
FEW, FEW_FACTOR, EXPONENT_LEAST = 5, 4, 0.15


def fail(message):
    print(f"compare.py: {message}", file=sys.stderr)
    sys.exit(2)


def read(path):
    """Returns {key: line} in the order of the file."""
    lines = {}
    try:
        with open(path, encoding="utf-8") as file:
            for number, text in enumerate(file, 1):
                try:
                    line = json.loads(text)
                    lines[tuple(line.get(key) for key in KEY)] = line
                    good = all(isinstance(line[key], (int, float)) for key in NUMBERS)
                    good = good and line["median"] > 0 and isinstance(line["unit"], str)
                except (ValueError, KeyError, AttributeError):
                    good = False
                if not good:
                    fail(f"{path}:{number}: no line of decavox_bench")
    except OSError as error:
        fail(f"{path}: {error.strerror}")
    except UnicodeDecodeError:
        fail(f"{path}: no text")
    if not lines:
        fail(f"{path}: has no line")
    return lines


def verdict(before, after, least):
    """Returns -1 for less, which is better, 1 for more, and 0 for no change beyond noise."""
    old, new = before["median"], after["median"]
    if before["unit"] == "exponent":
        return 0 if abs(new - old) < EXPONENT_LEAST else 1 if new > old else -1
    few = min(before["count"], after["count"]) < FEW
    limit = 1 + least / 100 * (FEW_FACTOR if few else 1)
    if after["low"] > before["high"] and new >= old * limit:
        return 1
    if after["high"] < before["low"] and old >= new * limit:
        return -1
    return 0


def value(line, key="median"):
    """The value with a suitable unit: "12.3 us"."""
    number, unit = line[key], line["unit"]
    if unit not in ("s", "B"):
        return f"{number:.3f}"
    number = number * 1e9 if unit == "s" else number
    units = ["ns", "us", "ms", "s"] if unit == "s" else ["B", "kB", "MB", "GB"]
    while number >= 999.5 and len(units) > 1:
        number /= 1000
        units.pop(0)
    return f"{number:.3g} {units[0]}"


def title(key):
    suite, name, device, threads, precision = key
    more = [f"{threads} thread{'s' if threads != 1 else ''}"]
    more += [device] if device != "cpu" else []
    more += [precision] if precision not in (None, "fp32") else []
    return f"{suite} {name} ({', '.join(more)})"


def print_changes(heading, keys, before, after):
    if not keys:
        return
    print(f"\n{heading}: {len(keys)}")
    for key in keys:
        old, new = before[key], after[key]
        print(f"    {title(key):<64} {value(old):>9} -> {value(new):>9}"
              f"   x {new['median'] / old['median']:.3f}"
              f"   [{value(old, 'low')}, {value(old, 'high')}]"
              f" -> [{value(new, 'low')}, {value(new, 'high')}]")


def print_names(heading, keys):
    if keys:
        print(f"\n{heading}: {len(keys)}")
    for key in keys:
        print(f"    {title(key)}")


def print_origin(before, after):
    """Prints the origin of each file's lines, and a warning if the two files differ in it."""
    for what, differs in (("machine", True), ("build", True), ("versions", True),
                          ("commit", False)):
        sides = [sorted({json.dumps(line.get(what), sort_keys=True) for line in lines.values()})
                 for lines in (before, after)]
        old, new = (", ".join(side) for side in sides)
        if old == new:
            print(f"{what}: {old}")
        else:
            print(f"{'WARNING: another ' if differs else ''}{what}: {old} -> {new}")


def print_suites(common, changes, before, after):
    """Prints the mean ratio of each suite, over times and sizes, but not over exponents."""
    print()
    for suite in sorted({key[0] for key in common}):
        keys = [key for key in common if key[0] == suite]
        ratios = [after[key]["median"] / before[key]["median"] for key in keys
                  if before[key]["unit"] != "exponent"]
        mean = math.exp(sum(map(math.log, ratios)) / len(ratios)) if ratios else 1
        more = sum(changes[key] > 0 for key in keys)
        less = sum(changes[key] < 0 for key in keys)
        print(f"{suite}: {len(keys)} compared, {more} slower or larger, {less} faster or smaller, "
              f"geometric mean x {mean:.3f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before")
    parser.add_argument("after")
    parser.add_argument("--least", type=float, default=5, help="per cent that count as a change")
    parser.add_argument("--all", action="store_true", help="show also what has not changed")
    parser.add_argument("--fail-on-slower", action="store_true")
    arguments = parser.parse_args()
    before, after = read(arguments.before), read(arguments.after)
    common = [key for key in before if key in after]
    changes = {key: verdict(before[key], after[key], arguments.least) for key in common}
    by_ratio = sorted(common, key=lambda key: after[key]["median"] / before[key]["median"])
    slower = [key for key in reversed(by_ratio) if changes[key] > 0]
    print_origin(before, after)
    print_changes("slower or larger", slower, before, after)
    print_changes("faster or smaller", [key for key in by_ratio if changes[key] < 0], before, after)
    if arguments.all:
        print_changes("no change beyond noise", [key for key in common if changes[key] == 0],
                      before, after)
    print_names("new", [key for key in after if key not in before])
    print_names("missing", [key for key in before if key not in after])
    print_suites(common, changes, before, after)
    sys.exit(1 if arguments.fail_on_slower and slower else 0)


if __name__ == "__main__":
    main()
