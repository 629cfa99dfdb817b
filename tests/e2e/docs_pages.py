"""What stands on a page of Markdown: commands with their output, pieces of code, links and anchors."""
import os
import re
from dataclasses import dataclass, field

import support

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.S | re.M)
NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e-?\d+)?")
LEFT_OUT = " ..."


@dataclass
class Command:
    text: str
    output: list = field(default_factory=list)  # lines, of a block `console`


def names():
    """README.md and the pages of docs/, by their paths in the tree."""
    docs = sorted(os.listdir(os.path.join(support.ROOT, "docs")))
    return ["README.md"] + [f"docs/{name}" for name in docs if name.endswith(".md")]


def read(name):
    return support.read_text(os.path.join(support.ROOT, *name.split("/")))


def blocks(text, language):
    return [body for kind, body in FENCE.findall(text) if kind == language]


def shell_blocks(text):
    """The commands of each block `sh`: without comments, continued lines as one."""
    for body in blocks(text, "sh"):
        lines = [re.sub(r"(^|  +)# .*", "", line).rstrip()
                 for line in re.sub(r" *\\\n *", " ", body).splitlines()]
        yield [line for line in lines if line]


def console_commands(text):
    """Those of the blocks `console`, each with its output."""
    for body in blocks(text, "console"):
        commands = []
        for line in body.splitlines():
            if line.startswith("$ "):
                commands.append(Command(line[2:]))
            else:
                commands[-1].output.append(line)
        yield from commands


def pieces(text):
    """The pieces of code between the words."""
    found = re.findall(r"`([^`]+)`", FENCE.sub("", text))
    return sorted({" ".join(piece.replace("\\|", "|").split()) for piece in found})


def links(text):
    """(path or "", anchor or "") of each link that stays in the tree."""
    for target in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", text)):
        if not re.match(r"\w+:", target):
            path, _, anchor = target.partition("#")
            yield path, anchor


def anchors(text):
    """Those that headings have on GitHub."""
    for heading in re.findall(r"^#+ (.*)$", FENCE.sub("", text), re.M):
        heading = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        yield re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def without_numbers(line):
    """The words that do not vary from run to run: `*` marks the better ones of some numbers, and a
    noun behind a number is singular or plural."""
    return " ".join(re.sub(r"# (\w+)s\b", r"# \1", NUMBER.sub("#", line)).replace(" *", " ").split())


def missing_of(expected, printed):
    """The first line of the output on a page that a command did not print, in its order, or None."""
    rest = iter([without_numbers(line) for line in printed.splitlines()])
    for line in expected:
        if line != LEFT_OUT and line.strip() and without_numbers(line) not in rest:
            return line
    return None
