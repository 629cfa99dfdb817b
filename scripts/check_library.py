#!/usr/bin/env python3
"""Checks that the rooms of the library neither print nor end the process nor keep anything between
calls: no symbol of stdio's that writes to standard output or standard error, no exit, no variable
that can be written to. What is allowed is in ALLOWED, by name and with its reason.

    check_library.py BUILD               the libraries of a build folder
    check_library.py BUILD --self-test   plants an object that does all of it
"""
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
PRINTS = {"printf", "vprintf", "puts", "putchar", "perror", "stdout", "stderr", "__printf_chk",
          "__vprintf_chk"}
ENDS = {"exit", "_exit", "_Exit", "quick_exit", "abort"}
ALLOWED = {
    ("allocation.c.o", "stderr"): "DV_ASSERT, an error of ours, says where it is",
    ("allocation.c.o", "abort"): "and ends the process",
    ("status.c.o", "message"): "the message of the thread's latest failure; each thread has its own",
    ("threads.c.o", "reserved"): "how many threads the calling thread has had OpenMP make; its own",
    ("audio.c.o", "opening"): "a lock: libsndfile opens one file at a time",
    ("audio.c.o", "kept_over_fork"): "whether this lock is taken over a fork",
}
# Of compilers and sanitizers, and constants that the loader fills in before they are used.
SECTIONS = re.compile(r"\.t?(bss|data)(\.(?!rel\.ro).*)?$")
IGNORED = re.compile(r"^(\.|__asan|__odr|__tsan|__ubsan|\.L|_?\.?LASAN|__gcov)")


def rooms():
    listed = re.search(r"rooms=\((.*?)\)", (ROOT / "scripts/rooms.sh").read_text(), re.S).group(1)
    return [room for room in listed.split()
            if "/" in room and not room.startswith("kernels") and room != "runner/cli"]


def symbols(library):
    """(object, section, name) of each symbol."""
    text = subprocess.run(["objdump", "-t", str(library)], check=True, capture_output=True,
                          text=True).stdout
    member = None
    for line in text.splitlines():
        if found := re.match(r"(\S+):\s+file format", line):
            member = found.group(1)
        elif found := re.match(r"[0-9a-f]+ (.......) (\S+)\s+[0-9a-f]+ (?:\.hidden )?(\S+)$", line):
            flags, section, name = found.groups()
            yield pathlib.Path(member).name, flags, section, name


def check(libraries):
    found, used = [], set()
    for library in libraries:
        for member, flags, section, name in symbols(library):
            plain = re.sub(r"\.\d+$", "", name)
            bad = (section == "*UND*" and name in PRINTS | ENDS) or (
                ("O" in flags or section.startswith(".t")) and SECTIONS.fullmatch(section)
                and not IGNORED.match(name) and name != section)
            if not bad:
                continue
            if (member, plain) in ALLOWED:
                used.add((member, plain))
                continue
            what = "uses" if section == "*UND*" else "can write to its variable"
            found.append(f"{library}: {member} {what} {plain}")
    return found, set(ALLOWED) - used


def libraries_of(build):
    paths = [build / room / f"libdv_{room.rsplit('/', 1)[1]}.a" for room in rooms()]
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        sys.exit(f"check_library.py: there is no {', '.join(missing)}: build it first")
    return paths


def self_test(build):
    code = ("#include <stdio.h>\n#include <stdlib.h>\nint kept; static _Thread_local int mine;\n"
            "int *planted(int x) { printf(\"%d\", x); if (x) exit(x); return x > 2 ? &kept : &mine; }\n")
    with tempfile.TemporaryDirectory() as folder:
        source, planted = pathlib.Path(folder, "planted.c"), pathlib.Path(folder, "planted.o")
        source.write_text(code)
        subprocess.run(["cc", "-c", str(source), "-o", str(planted)], check=True)
        found, _ = check([*libraries_of(build), planted])
    names = sorted(line.rsplit(" ", 1)[1] for line in found if "planted" in line)
    if names != ["exit", "kept", "mine", "printf"]:
        sys.exit(f"check_library.py: of the planted object only {names} is found")
    print("the planted calls and variables are found")


def main():
    if len(sys.argv) < 2 or sys.argv[2:] not in ([], ["--self-test"]):
        sys.exit(__doc__)
    build = pathlib.Path(sys.argv[1])
    if sys.argv[2:]:
        self_test(build)
        return
    found, unused = check(libraries_of(build))
    found += [f"{member} has no {name} any more: ALLOWED need not name it"
              for member, name in sorted(unused)]
    if found:
        sys.exit("\n".join(found))
    print(f"{len(rooms())} rooms neither print nor end the process nor keep anything")


if __name__ == "__main__":
    main()
