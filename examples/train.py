"""Trains a model on a folder of recordings, evaluates it and exports it.

    python train.py DATA FOLDER [KEY=VALUE...]

Ctrl-C pauses the training, and the same command resumes it.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import decavox


def value_of(text: str) -> Any:
    """Read a text as JSON if it is valid JSON (numbers, booleans, lists), else return it."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def follow(progress: decavox.Progress) -> None:
    """Print a line for each epoch."""
    if progress.epoch_ended:
        best = ", the best so far" if progress.improved else ""
        print(f"epoch {progress.epoch} of {progress.epochs}: loss {progress.loss:.4f}, validation "
              f"accuracy {100 * progress.validation_accuracy:.2f} %{best}", flush=True)


def main() -> int:
    """Train as the command line says."""
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    data, folder = sys.argv[1:3]
    settings: dict[str, Any] = {"data.path": data}
    for one in sys.argv[3:]:
        key, _, value = one.partition("=")
        settings[key] = value_of(value)
    try:
        result = decavox.train("configs/quickstart.yaml", folder, settings=settings,
                               resume=os.path.exists(os.path.join(folder, "config.yaml")),
                               progress=follow)
    except KeyboardInterrupt:
        print("paused; the same command goes on")
        return 1
    print(f"{result.correct} of {result.count} right")
    decavox.export(result.model, os.path.join(folder, "model.onnx"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
