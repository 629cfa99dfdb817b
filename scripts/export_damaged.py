#!/usr/bin/env python3
"""Damages a checkpoint in many ways and lets `decavox export` write each in every form: all must be
refused, and nothing be written. Prints one line.

    scripts/export_damaged.py DECAVOX [--count 1000] [--checkpoint FILE] [--seed N]

Half of the checkpoints have bytes that are changed, cut off or added, which their checksum tells.
The others have no checksum, as files of other programs: a tensor is missing, too many, of another
size, type or name, or not finite, or their configuration or their labels are wrong.

Exit code 0 if all were refused, 1 if not, 2 if it was used wrongly.
"""
import argparse
import collections
import json
import os
import random
import re
import struct
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OURS = ("decavox.checksum", "decavox.format")  # what files of other programs have not


def split(data):
    """The header, and the tensors' bytes."""
    size, = struct.unpack_from("<Q", data)
    return json.loads(data[8:8 + size]), data[8 + size:]


def join(header, blob):
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + blob


# ---- Damage of bytes ----

def flip(rng, data):
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1:]


def cut(rng, data):
    return data[:rng.randrange(len(data))]


def lengthen(rng, data):
    return data + rng.randbytes(rng.randint(1, 64))


def exchange(rng, data):
    """A stretch is overwritten by another one."""
    length = rng.randint(8, 512)
    while True:
        one, other = (rng.randrange(len(data) - length) for _ in range(2))
        if data[one:one + length] != data[other:other + length]:
            return data[:one] + data[other:other + length] + data[one + length:]


# ---- Damage of what is in it, without a checksum ----

def tensors(header):
    return sorted(name for name in header if name != "__metadata__")


def drop_tensor(rng, header, blob):
    del header[rng.choice(tensors(header))]
    return header, blob


def rename_tensor(rng, header, blob):
    name = rng.choice(tensors(header))
    header[name + "_"] = header.pop(name)
    return header, blob


def reshape_tensor(rng, header, blob):
    info = header[rng.choice(tensors(header))]
    info["shape"] = [1, *info["shape"]]
    return header, blob


def retype_tensor(rng, header, blob):
    info = header[rng.choice(tensors(header))]
    info["dtype"] = rng.choice(["I64", "U8", "F64", "F99", ""])
    return header, blob


def no_number(rng, header, blob):
    info = header[rng.choice(tensors(header))]
    begin, end = info["data_offsets"]
    number = {"F32": struct.pack("<f", rng.choice([float("nan"), float("inf")])),
              "F16": struct.pack("<e", float("nan"))}[info["dtype"]]
    at = begin + rng.randrange((end - begin) // len(number)) * len(number)
    return header, blob[:at] + number + blob[at + len(number):]


def move_tensor(rng, header, blob):
    info = header[rng.choice(tensors(header))]
    info["data_offsets"] = [offset + rng.choice([-4, 4, 1 << 40]) for offset in
                            info["data_offsets"]]
    return header, blob


def drop_metadata(rng, header, blob):
    del header["__metadata__"][rng.choice(["decavox.config", "decavox.labels"])]
    return header, blob


def change_labels(rng, header, blob):
    labels = header["__metadata__"]["decavox.labels"]
    header["__metadata__"]["decavox.labels"] = rng.choice(
        ["", "{}", "a: b\n", "[", labels + "- one_more\n", "[[1]]"])
    return header, blob


def change_config(rng, header, blob):
    """A key that is not known, a number that cannot be, a section that is gone."""
    config = header["__metadata__"]["decavox.config"]
    key, value = rng.choice([("n_fft", "500"), ("n_fft", "0"), ("hop", "-1"), ("window", "99999"),
                             ("n_mels", "4000"), ("duration", ".nan"), ("type", "wavelet"),
                             ("placement", "anywhere"), ("filters", "0"), ("units", "-3"),
                             ("kernel", "[0, 0]"), ("features", "7"), ("layers", "none")])
    changed, count = re.subn(rf"(\b{key}: ?)[^,}}\n]*", rf"\g<1>{value}", config, count=1)
    header["__metadata__"]["decavox.config"] = changed if count else config + "\n]["
    return header, blob


OF_BYTES = (flip, cut, lengthen, exchange)
OF_CONTENT = (drop_tensor, rename_tensor, reshape_tensor, retype_tensor, no_number, move_tensor,
              drop_metadata, change_labels, change_config)


def damaged(rng, number, data):
    """Its kind and the bytes."""
    if number % 2 == 0:
        kind = OF_BYTES[number // 2 % len(OF_BYTES)]
        return kind.__name__, kind(rng, data)
    kind = OF_CONTENT[number // 2 % len(OF_CONTENT)]
    header, blob = split(data)
    for key in OURS:
        del header["__metadata__"][key]
    return kind.__name__, join(*kind(rng, header, blob))


def formats(program):
    """The choices of --format in the help, without auto."""
    done = subprocess.run([program, "export", "--help"], stdout=subprocess.PIPE, text=True,
                          check=True)
    names = re.search(r"--format NAME .*?\(auto \| ([^;]*);", " ".join(done.stdout.split()))
    return names[1].split(" | ")


def problem(program, form, source, folder):
    """What is wrong with what the program does; "": nothing."""
    before = set(os.listdir(folder))
    out = os.path.join(folder, "out")
    done = subprocess.run([program, "export", source, "--format", form, "--out", out],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    left = set(os.listdir(folder)) - before
    for name in left:
        os.remove(os.path.join(folder, name))
    if done.returncode not in (1, 2):
        return f"exit code {done.returncode}: {done.stdout}{done.stderr}"
    if left:
        return f"left {', '.join(sorted(left))}"
    return "" if done.stderr.startswith("decavox export: ") else f"says {done.stderr!r}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("decavox")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--checkpoint",
                        default=os.path.join(ROOT, "checkpoints", "mini.safetensors"))
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    with open(chosen.checkpoint, "rb") as file:
        data = file.read()
    forms, found, kinds = formats(chosen.decavox), [], collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, "damaged.safetensors")
        for number in range(chosen.count):
            rng = random.Random(f"{chosen.seed} {number}")
            kind, changed = damaged(rng, number, data)
            kinds[kind] += 1
            with open(source, "wb") as file:
                file.write(changed)
            for form in forms:
                wrong = problem(chosen.decavox, form, source, folder)
                if wrong:
                    found.append(f"{number} ({kind}) as {form}: {wrong}")
    for line in found[:20]:
        print(line)
    print(f"{chosen.count} damaged checkpoints of {len(kinds)} kinds to {', '.join(forms)}: "
          f"{len(found)} not refused")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
