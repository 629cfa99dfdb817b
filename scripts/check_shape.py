#!/usr/bin/env python3
"""Checks the size of functions and files, and that they say what they do: every file of the product
begins with a comment, and every function of it over 20 lines has one before it. Prints each that
does not; the figures with --figures. docs/how-it-is-built.md names the same limits.

    scripts/check_shape.py [--figures | --self-test]
"""
import os
import re
import statistics
import subprocess
import sys
from dataclasses import dataclass

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PRODUCT, TESTS = (("include", "examples", "kernels", "engine", "frontends", "runner"),
                  ("tests", "benchmarks"))
FUNCTION, FILE = {"product": 50, "tests": 80}, {"product": 500, "tests": 600}
EXPLAINED = 20  # lines of a function that needs no comment
PAGE = "docs/how-it-is-built.md"
BUDGET = (f"functions over {FUNCTION['product']} lines and files over {FILE['product']} (tests: "
          f"{FUNCTION['tests']} and {FILE['tests']})")


@dataclass(frozen=True)
class Function:
    line: int
    lines: int
    explained: bool


def is_comment_end(line):
    return line.rstrip().endswith("*/") or line.lstrip().startswith("//")


def functions(lines):
    """Those of a file: a body begins with { in the first column, and ends with } there."""
    found, i = [], 0
    while i < len(lines):
        begins = lines[i] == "{" and i > 0
        i += 1
        if not begins:
            continue
        start = i - 1
        while start > 0 and lines[start - 1].strip() and lines[start - 1] != "}" and \
                not lines[start - 1].startswith("#") and not is_comment_end(lines[start - 1]):
            start -= 1
        head = " ".join(lines[start:i - 1])
        while i < len(lines) and lines[i] != "}":
            i += 1
        if "(" not in head or re.match(r"(namespace|extern \"C\"|enum|struct|union)\b", head):
            continue
        before = lines[start - 1] if start > 0 else ""
        found.append(Function(start + 1, i + 1 - start, is_comment_end(before)))
    return found


def begins_with_comment(lines):
    """A macro of the C library may stand before it."""
    first = next((line for line in lines if line.strip() and
                  not line.startswith("#define _")), "")
    return first.startswith(("/*", "//"))


def problems_of(name, text):
    kind = "product" if name.split("/")[0] in PRODUCT else "tests"
    lines = text.split("\n")
    found = []
    if len(lines) - 1 > FILE[kind]:
        found.append(f"{name}: {len(lines) - 1} lines, at most {FILE[kind]}")
    if name.endswith(".py"):
        return found  # its functions and comments are not looked at
    if kind == "product" and not begins_with_comment(lines):
        found.append(f"{name}: does not say what lives in it")
    for one in functions(lines):
        if one.lines > FUNCTION[kind]:
            found.append(f"{name}:{one.line}: a function of {one.lines} lines, at most "
                         f"{FUNCTION[kind]}")
        if kind == "product" and one.lines > EXPLAINED and not one.explained:
            found.append(f"{name}:{one.line}: a function of {one.lines} lines that does not say "
                         "what it does")
    return found


def sources():
    """{name: text}"""
    names = subprocess.run(["git", "ls-files", *PRODUCT, *TESTS], cwd=ROOT, check=True,
                           stdout=subprocess.PIPE, text=True).stdout.splitlines()
    texts = {}
    for name in names:
        path = os.path.join(ROOT, name)
        if name.endswith((".c", ".h", ".cu", ".cuh", ".cpp", ".py")) and os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                texts[name] = file.read()
    return texts


def print_figures(texts):
    for kind, folders in (("product", PRODUCT), ("tests", TESTS)):
        own = {name: text for name, text in texts.items()
               if name.split("/")[0] in folders and not name.endswith(".py")}
        sizes = sorted(one.lines for text in own.values() for one in functions(text.split("\n")))
        files = sorted(text.count("\n") for text in own.values())
        print(f"{kind}: {len(sizes)} functions, median {statistics.median(sizes):g}, 90 % at most "
              f"{sizes[len(sizes) * 9 // 10]}, longest {sizes[-1]}; {len(files)} files, longest "
              f"{files[-1]}")


def self_test():
    long_body = "    a();\n" * 60
    planted = {
        "engine/a.c": ("/* a */\n\nstatic void f(void)\n{\n" + long_body + "}\n", 2),
        "engine/b.c": ("/* b */\n\nvoid f(void)\n{\n" + "    a();\n" * 20 + "}\n", 1),
        "engine/c.c": ("/* c */\n\n/* Does. */\nvoid f(void)\n{\n" + "    a();\n" * 20 + "}\n", 0),
        "engine/d.c": ("#define _GNU_SOURCE\n#include <a.h>\n", 1),
        "engine/e.c": ("/* e */\n" + "int a;\n" * 500, 1),
        "tests/f.c": ("void f(void)\n{\n" + long_body + "}\n", 0),
        "tests/h.py": ("a = 1\n" * 601, 1),
        "tests/g.c": ("void f(void)\n{\n" + long_body + long_body + "}\n", 1),
    }
    for name, (text, count) in planted.items():
        found = problems_of(name, text)
        if len(found) != count:
            sys.exit(f"self-test: {name} has {count} faults, found: {found}")
    print("every planted fault was found")


def main():
    if sys.argv[1:] == ["--self-test"]:
        self_test()
        return 0
    texts = sources()
    if not texts:
        sys.exit("check_shape: no sources found")
    if sys.argv[1:] == ["--figures"]:
        print_figures(texts)
        return 0
    found = [problem for name, text in texts.items() for problem in problems_of(name, text)]
    with open(os.path.join(ROOT, *PAGE.split("/")), encoding="utf-8") as file:
        if BUDGET not in " ".join(file.read().split()):
            found.append(f"{PAGE}: its budget does not say: {BUDGET}")
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
