#!/usr/bin/env python3
"""Checks the English of comments, help texts and messages, as far as a program can: each of them is
a sentence or a phrase with a noun, and none is a telegram. Prints each that is not.

    scripts/check_prose.py [FOLDER ...]     this tree, or these folders and files of it
    scripts/check_prose.py --self-test      plants a fault against each rule

TELEGRAM   a comment of a header, a help text or a message says "-1: none; NULL: any" in place of
           a sentence: "-1 stands for none"
PRONOUN    a comment of one line begins with What, That, Of, As or Which
HELP       a help text begins with a preposition or a pronoun, and so has no noun to belong to
MESSAGE    likewise a message, or it has fewer than three words and nothing is put in
"""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# Texts that break a rule and are good as they are, by file and beginning; at most ten.
ALLOWED = ()

TOKEN = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|/\*.*?\*/|//[^\n]*', re.S)
TELEGRAM = re.compile(r'(?:^|[;,.(]\s*)(-?\d+|NULL|false|true|""):\s')
PRONOUN = re.compile(r"(What|That|Of|As|Which)\b", re.I)
NO_NOUN = re.compile(r"(what|that|of|as|which|whose|where|when|so|again|by|with|without|within|in|"
                     r"on|at|to|for|from|than|and|or)\b", re.I)
FIELD = re.compile(r"\b(DV_)?(INT|FLOAT|BOOL|ENUM|STRING|PATH|PAIR|TREE_FIELD)\(")
FAILURE = re.compile(r"\b(DV_FAIL|dv_fail|dv_log_write|dv_answer_warn)\(")
SETTING = re.compile(r'\{"\w+",\s*"[\w.]+",\s*(?:NULL|"\w*"),')
STRINGS = re.compile(r'(?:"(?:\\.|[^"\\\n])*"\s*(?:PRI\w+\s*)?)+')


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def comments(text):
    """(position, text without the stars, whether it has one line) of each comment."""
    for match in TOKEN.finditer(text):
        token = match.group()
        if token.startswith("/"):
            body = token[2:-2] if token[1] == "*" else token[2:]
            yield match.start(), re.sub(r"\s*\n\s*\*?\s*", " ", body).strip(" *"), "\n" not in token


def without_comments(text):
    def blank(match):
        token = match.group()
        return re.sub(r"[^\n]", " ", token) if token.startswith("/") else token
    return TOKEN.sub(blank, text)


def call_end(text, position):
    """The position behind the parenthesis or brace that closes the one at `position`."""
    depth = 0
    for match in re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|[(){}]').finditer(
            text, position):
        token = match.group()
        depth += (token in "({") - (token in ")}") if len(token) == 1 else 0
        if depth == 0:
            return match.end()
    return len(text)


def joined(literals):
    return "".join(re.findall(r'"((?:\\.|[^"\\\n])*)"', literals))


def texts_of(text, pattern, which):
    """(position, literal) of each call that `pattern` begins: its first or its last literal."""
    for match in pattern.finditer(text):
        if text[max(match.start() - 8, 0):match.start()] == "#define ":
            continue
        opens = text.index("{" if match.group()[0] == "{" else "(", match.start())
        found = STRINGS.findall(text[opens:call_end(text, opens)])
        if found:
            yield match.start(), joined(found[which])


def bare_message(literal):
    """A message without the places, names and numbers at its beginning: "%s: line %d: "."""
    return re.sub(r"^((%[-.*\w]+|'%[-.*\w]+'|line|lines)[ :,]*)+", "", literal)


def problems_of(name, text):
    header, found = name.endswith((".h", ".cuh")), []

    def report(position, rule, words):
        if not any(name == allowed and words.startswith(start) for allowed, start in ALLOWED):
            found.append(f"{name}:{line_of(text, position)}: {rule}: {words[:100]}")

    for position, words, is_line in comments(text):
        if header and TELEGRAM.search(words):
            report(position, "TELEGRAM", words[max(TELEGRAM.search(words).start() - 20, 0):])
        if is_line and PRONOUN.match(words):
            report(position, "PRONOUN", words)
    code = without_comments(text).replace("\\\n", " \n")  # bodies of macros
    for pattern in (FIELD, SETTING):
        for position, words in texts_of(code, pattern, -1):
            if NO_NOUN.match(words) or TELEGRAM.search(words):
                report(position, "HELP", words)
    for position, words in texts_of(code, FAILURE, 0):
        bare = bare_message(words)
        few = "%" not in words and len(re.findall(r"[a-zA-Z]{2,}", words)) < 3
        if NO_NOUN.match(bare) or few or TELEGRAM.search(bare):
            report(position, "MESSAGE", words)
    return found


def sources(paths):
    listed = subprocess.run(["git", "ls-files", "--", *paths], cwd=ROOT, check=True,
                            capture_output=True, text=True).stdout.split()
    return [name for name in listed if name.endswith((".h", ".c", ".cu", ".cuh"))]


def self_test():
    planted = {
        "a.h": ("/* -1: none */\n/* The count. NULL: any. */\nint a; /* which is it */\n", 3),
        "b.h": ("/* -1 stands for none, and 0 for one. */\nint a; /* number of clips */\n", 0),
        "c.c": ('f(DV_FAIL(DV_EARG, "%s: of a file that is no file", x));\n', 1),
        "d.c": ('f(DV_FAIL(DV_EARG, "%s: %s", x, y), DV_FAIL(DV_EARG, "too large"));\n', 1),
        "e.c": ('DV_INT(t, a, "1", 1, 2, "of " "each run"),\nDV_BOOL(t, b, "true", "add a bias"),\n', 1),
        "f.c": ('{"seed", "train.seed", NULL, "of weights"},\n', 1),
        "h.h": ('#define D(t) \\\n    DV_BOOL(t, a, "true", "of the " \\\n            "device")\n', 1),
        "g.c": ('const char *a = "/* Of a text */"; /* 0: none */\n', 0),
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
    names = sources(sys.argv[1:])
    if not names:
        sys.exit("check_prose: no sources found")
    if len(ALLOWED) > 10:
        sys.exit("check_prose: more than ten texts are allowed")
    found = []
    for name in names:
        with open(os.path.join(ROOT, name), encoding="utf-8") as file:
            found += problems_of(name, file.read())
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
