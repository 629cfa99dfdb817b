"""Answers the files of a list on a Ray cluster, with the Python package.

    python examples/scale/ray_predict.py MODEL FILES.txt ANSWERS [--workers N]

FILES.txt has one file name per line, and every machine must be able to read the files. The program
creates the folder ANSWERS. Each worker is a process that opens the model once. If a worker is lost,
another one answers its files again.
"""
import argparse
from typing import Any

import numpy as np
import ray

import decavox


class Answers:
    """The state of a worker, which answers batches of file names."""

    def __init__(self, model: str) -> None:
        self.recognizer = decavox.Recognizer(model)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        files = [str(name) for name in batch["text"]]
        answers = self.recognizer.predict_many(files, errors="return")
        told = [(a.label, a.confidence, "") if isinstance(a, decavox.Answer) else
                ("", 0.0, str(a)) for a in answers]
        return {"file": np.array(files, object),
                "label": np.array([label for label, _, _ in told], object),
                "confidence": np.array([confidence for _, confidence, _ in told]),
                "error": np.array([error for _, _, error in told], object)}


def main() -> None:
    parser = argparse.ArgumentParser(description="answers the files of a list on a Ray cluster")
    parser.add_argument("model")
    parser.add_argument("files")
    parser.add_argument("answers")
    parser.add_argument("--workers", type=int, default=2)
    chosen = parser.parse_args()
    ray.init(ignore_reinit_error=True)
    names = ray.data.read_text(chosen.files).repartition(8 * chosen.workers)
    answers = names.map_batches(Answers, fn_constructor_args=[chosen.model], batch_size=256,
                                concurrency=chosen.workers)
    answers.write_json(chosen.answers)


if __name__ == "__main__":
    main()
