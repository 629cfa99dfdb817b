#!/usr/bin/env python3
"""Writes the tables of docs/configuration.md, between two marks, from the output of
`decavox info --config --layers`.

    scripts/docs_tables.py [--check] [BINARY]      default: build/release/runner/decavox

--check writes nothing, and the exit code is 1 if the page differs from the output.
"""
import argparse
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PAGE = os.path.join(ROOT, "docs", "configuration.md")
BEGIN, END = "<!-- keys: made by scripts/docs_tables.py -->\n", "<!-- /keys -->\n"

# The values that a key takes follow its meaning in brackets: a range, or choices.
VALUES = re.compile(r" \(((?:-?[\d.e+-]+ to [\d.e+-]+(?:, one number or \[a, b\])?|any|at least \S+|"
                    r"[\w/.]+(?: \| [\w/.]+)+)(?:; required)?|required)\)$")
KEY = re.compile(r"(?:  )?(# )?([\w.]+): *(.*?) *# (.*)$")


def sections_of(text):
    """(name, its explanation or "", [(key, default, values, meaning)]) in the program's order. The
    keys before the first section belong to the section ""."""
    sections, about = [("", "", [])], ""
    for line in text.splitlines():
        key = KEY.match(line)
        if key is not None:
            values = VALUES.search(key[4])
            meaning = key[4][:values.start()] if values else key[4]
            sections[-1][2].append((key[2], key[3], values[1] if values else "", meaning))
        elif line.startswith("# "):
            about = line[2:]
        elif re.fullmatch(r"[\w.]+:", line):
            sections.append((line[:-1], about, []))
            about = ""
        elif line.strip():
            sys.exit(f"docs_tables.py: a line that is not understood: {line}")
    return sections if sections[0][2] else sections[1:]


def cell(text):
    """A text in a table: no character of it is one of Markdown."""
    text = text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")
    return re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\_", text)


def code(text):
    return "`" + text.replace("|", "\\|") + "`" if text else ""


def table(keys):
    if not keys:
        return ""
    return "\n| key | default | values | meaning |\n|---|---|---|---|\n" + "".join(
        f"| {code(key)} | {code(default)} | {cell(values)} | {cell(meaning)} |\n"
        for key, default, values, meaning in keys)


def tables(config, layers):
    """The text between the marks."""
    parts = []
    for name, about, keys in sections_of(config):
        heading = name or "at the top"
        parts.append(f"\n### {heading}\n" + (f"\n{cell(about)}\n" if about else "") + table(keys))
    parts.append("\n### layers\n")
    for name, about, keys in sections_of(layers):
        parts.append(f"\n**`{name}`**: {cell(about)}\n" + table(keys))
    return "".join(parts) + "\n"


def page_with(binary, text):
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        sys.exit(f"docs_tables.py: {PAGE} has not once the lines\n{BEGIN}{END}")

    def printed(option):
        return subprocess.run([binary, "info", option], check=True, text=True,
                              stdout=subprocess.PIPE).stdout
    before, rest = text.split(BEGIN)
    return (before + BEGIN + tables(printed("--config"), printed("--layers")) + END +
            rest.split(END)[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("binary", nargs="?", metavar="BINARY",
                        default=os.path.join(ROOT, "build", "release", "runner", "decavox"))
    arguments = parser.parse_args()
    with open(PAGE, encoding="utf-8") as file:
        old = file.read()
    new = page_with(arguments.binary, old)
    if arguments.check and new != old:
        sys.exit("docs/configuration.md is not what the program prints: run scripts/docs_tables.py")
    if not arguments.check:
        with open(PAGE, "w", encoding="utf-8") as file:
            file.write(new)


if __name__ == "__main__":
    main()
