"""The command `decavox` of the wheel, which executes the program in the wheel."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Replace Python by the program."""
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bin", "decavox")
    if not os.path.exists(program):
        sys.exit(f"decavox: there is no program {program}: the package was not installed by pip")
    os.execv(program, ["decavox", *sys.argv[1:]])
