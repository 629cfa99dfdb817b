#!/usr/bin/env python3
"""Puts the licences of Debian's libraries that a wheel has into its folder of licences.

    wheel_licences.py FOLDER LIBRARY...     FOLDER: the unpacked wheel; LIBRARY: ours, as they were
                                            linked before libraries were added
    wheel_licences.py --self-test

A library that is there under the GPL alone ends the script: who passes the wheel on would have to
follow it with all of decavox. Prints a line for each package.
"""
import pathlib
import platform
import re
import shutil
import subprocess
import sys

# Names of licences under which a library may be part of the wheel, and the exception of GCC's own.
FREE = re.compile(r"\bLGPL|Lesser General Public|\bBSD\b|\bExpat\b|\bMIT\b|\bApache\b|zlib|"
                  r"Runtime Library Exception", re.I)


def is_gpl_alone(text):
    """Whether a file `copyright` of Debian allows the package's library under nothing but the GPL.

    In the form that machines read, the paragraph of all files says it.
    """
    for paragraph in re.split(r"\n\s*\n", text):
        files = re.search(r"^Files:\s*\*\s*$", paragraph, re.M)
        found = re.search(r"^License:\s*(\S.*)$", paragraph, re.M)
        if files and found:
            return FREE.search(found[1]) is None and "GPL" in found[1]
    return FREE.search(text) is None and "GPL" in text.replace("General Public License", "GPL")


def lister(library):
    """The command that lists what a library is linked with. That of 64-bit ARM runs in an emulator."""
    machine = pathlib.Path(library).read_bytes()[18:20]  # e_machine; 183 is EM_AARCH64
    if machine == bytes([183, 0]) and platform.machine() != "aarch64":
        return ["qemu-aarch64", "/lib/ld-linux-aarch64.so.1", "--list"]
    return ["ldd"]


def linked(libraries):
    """{name of a library without version: path} of all that these are linked with."""
    paths = {}
    for library in libraries:
        text = subprocess.run([*lister(library), library], check=True, capture_output=True,
                              text=True).stdout
        for path in re.findall(r"=> (/\S+)", text):
            paths[pathlib.Path(path).name] = pathlib.Path(path).resolve()
    return paths


def package_of(path):
    """The Debian package that has the file, whose folder may be called /lib or /usr/lib."""
    for name in (str(path), str(path).removeprefix("/usr"), f"/usr{path}"):
        found = subprocess.run(["dpkg", "-S", name], capture_output=True, text=True)
        if found.returncode == 0:
            return found.stdout.split(":")[0]
    sys.exit(f"wheel_licences.py: no package has {path}")


def original(name, known):
    """The path of a library that the wheel has as NAME-HASH.so.VERSION, or under its own name."""
    plain = re.sub(r"-[0-9a-f]{8}(?=\.so)", "", name)
    matches = [path for path in known.values() if path.name.startswith(plain) or
               plain.startswith(path.name)]
    matches += [path for short, path in known.items() if plain.startswith(short)]
    if not matches:
        sys.exit(f"wheel_licences.py: it is not known where {name} comes from")
    return matches[0]


def self_test():
    dep5 = "Format: x\n\nFiles: *\nCopyright: a\nLicense: {}\n\nFiles: debian/*\nLicense: {}\n"
    for text, alone in ((dep5.format("GPL-2+", "MIT"), True), (dep5.format("LGPL-2+", "GPL-2"), False),
                        (dep5.format("GPL-2+ or BSD-3-clause", "GPL-2"), False),
                        ("It is under the GNU General Public License.\n", True),
                        ("GPL, with the GCC Runtime Library Exception\n", False)):
        if is_gpl_alone(text) != alone:
            sys.exit(f"wheel_licences.py: wrong about:\n{text}")
    print("licences are told apart")


def main():
    if sys.argv[1:] == ["--self-test"]:
        self_test()
        return
    folder, known = pathlib.Path(sys.argv[1]), linked(sys.argv[2:])
    names = sorted(path.name for path in folder.glob("decavox.libs/*"))
    if not names:
        sys.exit("wheel_licences.py: the wheel has no libraries of others")
    target = next(folder.glob("*.dist-info")) / "licenses"
    target.mkdir(exist_ok=True)
    for name in names:
        package = package_of(original(name, known))
        file = pathlib.Path("/usr/share/doc", package, "copyright")
        if is_gpl_alone(file.read_text(encoding="utf-8", errors="replace")):
            sys.exit(f"wheel_licences.py: {name} of the package {package} is under the GPL alone")
        shutil.copyfile(file, target / f"{package}.txt")
        print(f"{package}: {name}")


if __name__ == "__main__":
    main()
