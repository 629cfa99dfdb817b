"""Recognizes words in files, on all cores.

    python predict.py FILE...
    python predict.py --model MODEL FILE...
"""

from __future__ import annotations

import argparse
import sys

import decavox


def main() -> int:
    """Print the word of each file, and return 1 if a file cannot be answered."""
    parser = argparse.ArgumentParser(description="Recognizes words in sound files.")
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("--model", default="lightweight", help="a path, or a name: lightweight")
    chosen = parser.parse_args()
    failed = 0
    with decavox.Recognizer(chosen.model, threads=-1) as recognizer:
        for path, answer in zip(chosen.files,
                                recognizer.predict_many(chosen.files, errors="return")):
            if isinstance(answer, decavox.Answer):
                print(f"{path}: {answer.label}, {answer.confidence:.4f}")
            else:
                print(answer, file=sys.stderr)
                failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main())
