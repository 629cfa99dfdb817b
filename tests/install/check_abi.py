#!/usr/bin/env python3
"""Compares the public interface of include/decavox.h with tests/install/abi.txt: the prototypes,
the values of the enums, and the size and the offsets of each struct. A program that was compiled
against an earlier header relies on them.

    check_abi.py              compares, and fails if they differ
    check_abi.py --write      writes abi.txt again, for a version that adds or breaks interfaces
    check_abi.py --self-test  changes a copy of the header in each way, which must be found
"""
import argparse
import difflib
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
HEADER = ROOT / "include" / "decavox.h"
KNOWN = ROOT / "tests" / "install" / "abi.txt"


def without_comments(text):
    return re.sub(r"/\*.*?\*/", " ", text, flags=re.S)


def prototypes(text):
    """The functions and callbacks, each in one line."""
    found = re.findall(r"DV_API ((?:DV_MUST_CHECK )?[^;{]*\))\s*;", text)
    found += re.findall(r"(typedef [^;{]*\(\*\w+\)[^;]*\));", text)
    return sorted(re.sub(r"\s+", " ", one) for one in found)


def structs(text):
    """The structs, {name: [(type, name) of each field]}."""
    found = re.findall(r"typedef struct (\w+) \{(.*?)\} \w+;", text, flags=re.S)
    result = {}
    for name, body in found:
        result[name] = []
        for field in re.sub(r"\s+", " ", body).split(";")[:-1]:
            kind, names = re.fullmatch(r"\s*(.*?[ *])(\w+(?:, \w+)*)", field).groups()
            result[name] += [(kind.strip(), one) for one in names.split(", ")]
    return result


def enums(text):
    found = re.findall(r"typedef enum \w+ \{([^#{}]*)\}", text)
    values = [value for body in found for value in re.findall(r"DV_\w+", body)]
    listed = re.search(r"#define DV_STATUS_LIST\(X\)(.*?)\n\n", text, flags=re.S).group(1)
    return values + [f"DV_{name}" for name in re.findall(r"X\((\w+),", listed)]


def layout(header, text):
    """The compiler's layout of the structs and values of the enums."""
    lines = [f'printf("{name} = %d\\n", (int){name});' for name in enums(text)]
    for name, fields in structs(text).items():
        lines.append(f'printf("{name}: %zu bytes", sizeof({name}));')
        lines += [f'printf(", {kind} {field} at %zu", offsetof({name}, {field}));'
                  for kind, field in fields]
        lines.append('printf("\\n");')
    with tempfile.TemporaryDirectory() as folder:
        source, program = pathlib.Path(folder, "layout.c"), pathlib.Path(folder, "layout")
        source.write_text(f'#include "{header}"\n#include <stdio.h>\nint main(void)\n{{\n'
                          + "\n".join(lines) + "\nreturn 0;\n}\n")
        subprocess.run(["cc", "-std=c99", str(source), "-o", str(program)], check=True)
        return subprocess.run([str(program)], check=True, capture_output=True,
                              text=True).stdout.splitlines()


def interface(header):
    text = without_comments(pathlib.Path(header).read_text())
    found = prototypes(text)
    if len(found) < 20 or len(structs(text)) < 5:
        sys.exit(f"check_abi.py: {header}: only {len(found)} functions and {len(structs(text))} "
                 "structs are understood")
    return found + layout(header, text)


def compare(header):
    known = KNOWN.read_text().splitlines()
    return list(difflib.unified_diff(known, interface(header), "abi.txt", "decavox.h", lineterm="",
                                     n=0))


def self_test():
    changes = {"a parameter": ("const void *bytes, size_t size,", "const void *bytes, int size,"),
               "a field in between": ("    int capacity;", "    int other;\n    int capacity;"),
               "a field's type": ("    double seconds;", "    float seconds;"),
               "a status in between": ("    X(EIO,", '    X(ENEW, "new") X(EIO,'),
               "a function less": ("DV_API void dv_model_close", "void dv_model_close"),
               "a level in between": ("DV_LOG_INFO,", "DV_LOG_NOTE, DV_LOG_INFO,")}
    text = HEADER.read_text()
    for what, (old, new) in changes.items():
        if old not in text:
            sys.exit(f"check_abi.py: {what}: '{old}' is not in the header")
        with tempfile.NamedTemporaryFile("w", suffix=".h") as changed:
            changed.write(text.replace(old, new, 1))
            changed.flush()
            if not compare(changed.name):
                sys.exit(f"check_abi.py: {what} is not found")
    print(f"{len(changes)} changes of the header are found")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--self-test", action="store_true")
    chosen = parser.parse_args()
    if chosen.self_test:
        self_test()
    elif chosen.write:
        KNOWN.write_text("\n".join(interface(HEADER)) + "\n")
    elif difference := compare(HEADER):
        print("\n".join(difference))
        sys.exit("the public interface is another one than tests/install/abi.txt has: programs that "
                 "are compiled against the old one may break (check_abi.py --write where that is "
                 "wanted)")


if __name__ == "__main__":
    main()
