#!/usr/bin/env python3
"""Writes the tables of docs/configuration.md, between two marks, from what
`decavox info --config --layers` prints.

    scripts/docs_tables.py [--check] [BINARY]      default: build/release/runner/decavox

--check writes nothing; exit code 1 where the page is not what the program prints.
"""
import argparse
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PAGE = os.path.join(ROOT, "docs", "configuration.md")
BEGIN, END = "<!-- keys: made by scripts/docs_tables.py -->\n", "<!-- /keys -->\n"

# What a key takes stands before its meaning: a range, or choices.
VALUES = re.compile(r"((?:required, )?(?:-?[\d.e+-]+ to [\d.e+-]+(?:, one number or \[a, b\])?|"
                    r"[\w/.]+(?: \| [\w/.]+)+)|required): ")
KEY = re.compile(r"  (# )?([\w.]+): *(.*?) *# (.*)$")


def sections_of(text):
    """(name, what it is or "", [(key, default, values, meaning)]) in the program's order."""
    sections, about = [], ""
    for line in text.splitlines():
        key = KEY.match(line)
        if line.startswith("# "):
            about = line[2:]
        elif re.fullmatch(r"[\w.]+:", line):
            sections.append((line[:-1], about, []))
            about = ""
        elif key is not None and sections:
            values = VALUES.match(key[4])
            meaning = key[4][values.end():] if values else key[4]
            sections[-1][2].append((key[2], key[3], values[1] if values else "", meaning))
        elif line.strip():
            sys.exit(f"docs_tables.py: a line that is not understood: {line}")
    return sections


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
    """Everything that stands between the marks."""
    parts = []
    for name, about, keys in sections_of(config):
        parts.append(f"\n### {name}\n" + (f"\n{cell(about)}\n" if about else "") + table(keys))
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
