#!/usr/bin/env python3
"""Makes the picture of a terminal in README.md, docs/images/terminal.svg, from what real commands
have printed. Their output is kept beside it, in terminal.txt.

    scripts/terminal_svg.py                        draws terminal.txt again
    scripts/terminal_svg.py --record PREFIX DATA   runs the commands first: decavox is installed in
                                                   PREFIX, and DATA is the folder arabic_digits
    scripts/terminal_svg.py --check                writes nothing; exit code 1 where the picture is
                                                   not that of terminal.txt
"""
import argparse
import html
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TEXT, PICTURE = (os.path.join(ROOT, "docs", "images", name)
                 for name in ("terminal.txt", "terminal.svg"))

# The commands, and which lines of their output are shown; " ..." stands for those between them.
COMMANDS = (
    ("decavox train configs/mel_lightweight.yaml --auto --epochs 40 --data arabic_digits/manifest.csv "
     "--out runs/arabic", r"total:|cpu in|epoch [1-3]/|best epoch|model:|validation part|accuracy "),
    ("decavox predict runs/arabic/model.safetensors arabic_digits/7_a07_1.flac "
     "arabic_digits/3_a25_2.flac", r""),
    ("decavox export runs/arabic/model.safetensors --out words.onnx", r""),
)

COLUMNS, SIZE, LINE, EDGE = 116, 13, 18, 14  # characters of a line, px
STYLE = """text { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace;
  white-space: pre; fill: #1f2328 }
rect { fill: #f6f8fa; stroke: #d1d9e0 }
.command { font-weight: bold; fill: #0550ae }
.left_out { fill: #59636e }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } rect { fill: #161b22; stroke: #3d444d }
  .command { fill: #79c0ff } .left_out { fill: #9198a1 } }
"""


def shown(output, pattern):
    lines = []
    for line in output.rstrip("\n").split("\n"):
        if re.match(pattern, line):
            lines.append(line)
        elif lines and lines[-1] != " ...":
            lines.append(" ...")
    return lines[:-1] if lines and lines[-1] == " ..." else lines


def record(prefix, data):
    """The commands and what they print, in a folder of their own."""
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        os.symlink(os.path.abspath(data), os.path.join(folder, "arabic_digits"))
        environment = os.environ | {
            "PATH": os.path.join(os.path.abspath(prefix), "bin") + os.pathsep + os.environ["PATH"]}
        for command, pattern in COMMANDS:
            done = subprocess.run(command, shell=True, cwd=folder, env=environment, check=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            lines += ["$ " + command, *shown(done.stdout, pattern)]
    return "\n".join(lines) + "\n"


def wrapped(text):
    """Lines as a terminal of COLUMNS characters has them, with their class."""
    for line in text.splitlines():
        kind = "command" if line.startswith("$ ") else "left_out" if line == " ..." else ""
        for start in range(0, max(len(line), 1), COLUMNS):
            yield line[start:start + COLUMNS], kind


def draw(text):
    lines = list(wrapped(text))
    width = round(COLUMNS * SIZE * 0.602) + 2 * EDGE
    height = len(lines) * LINE + 2 * EDGE
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
             f'viewBox="0 0 {width} {height}" role="img">\n'
             f"<title>decavox on a terminal</title>\n<style>{STYLE}</style>\n"
             f'<rect x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="6"/>\n']
    for number, (line, kind) in enumerate(lines):
        place = f' class="{kind}"' if kind else ""
        parts.append(f'<text x="{EDGE}" y="{EDGE + LINE * number + SIZE}"{place}>'
                     f"{html.escape(line, quote=False)}</text>\n")
    return "".join(parts) + "</svg>\n"


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--record", nargs=2, metavar=("PREFIX", "DATA"))
    arguments = parser.parse_args()
    if arguments.record:
        write(TEXT, record(*arguments.record))
    with open(TEXT, encoding="utf-8") as file:
        picture = draw(file.read())
    if not arguments.check:
        write(PICTURE, picture)
        return
    with open(PICTURE, encoding="utf-8") as file:
        if file.read() != picture:
            sys.exit("docs/images/terminal.svg is not terminal.txt: run scripts/terminal_svg.py")


if __name__ == "__main__":
    main()
