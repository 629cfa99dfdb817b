"""SHA-256 of a run's ingredients: its configuration, and the checkpoints with which it begins."""
import hashlib
import os
import re

KEY = re.compile(r"^(base|model): *(.+)$", re.MULTILINE)
NAME = re.compile(r"[\w./-]+")
MEMBERS = re.compile(r"\bmodels: *\[([^]]*)\]")  # members of an ensemble


def of_file(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def content(path):
    """The content without empty lines and comments, which may change at any time. A line with
    quotes counts as a whole, because a # may belong to its text."""
    with open(path, encoding="utf-8") as file:
        lines = [line.rstrip() for line in file]
    lines = [line if '"' in line or "'" in line else re.sub(r"(^|\s+)#.*", "", line)
             for line in lines]
    return "".join(line + "\n" for line in lines if line)


def files_of(config):
    """The configuration, its bases, and the files of the models that they name."""
    found, waiting = {}, [config]
    while waiting:
        path = waiting.pop()
        if path in found or path != config and not os.path.exists(path):
            continue
        found[path] = content(path)
        folder = os.path.dirname(path)
        models = folder if os.path.basename(folder) == "models" else os.path.join(folder, "models")
        for key, value in KEY.findall(found[path]):
            for name in NAME.findall(value):
                name = name if key == "base" else os.path.join("models", f"{name}.yaml")
                waiting.append(os.path.normpath(os.path.join(folder, name)))
        for names in MEMBERS.findall(found[path]):
            waiting += [os.path.join(models, f"{name.strip()}.yaml") for name in names.split(",")]
    return found


def of_config(config):
    """The digest of a configuration. It depends on the meaningful content of its files, not on
    their folder."""
    found = files_of(config)
    folder = os.path.dirname(config)
    text = "".join(f"{os.path.relpath(path, folder)}\n{found[path]}\n" for path in sorted(found))
    return hashlib.sha256(text.encode()).hexdigest()
