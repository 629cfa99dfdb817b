"""Measures how much faster eight Python threads with one recognizer answer sounds than one thread.

    python benchmarks/python_threads.py [--model MODEL] [--sounds N] [--rounds N]

Both answer the same number of arrays, in turn. The ratio is that of the medians of the rounds. The
package and the library are found as in any program, by PYTHONPATH=python and $DECAVOX_LIBRARY.
"""
import argparse
import os
import statistics
import threading
import time

import decavox
import numpy

THREADS = 8


def answer(recognizer, sounds, count):
    rate = recognizer.sample_rate
    for i in range(count):
        recognizer.predict(sounds[i % len(sounds)], rate)


def measure(recognizer, sounds, count, threads):
    """The seconds that `threads` threads need for `count` sounds together."""
    workers = [threading.Thread(target=answer, args=(recognizer, sounds, count // threads))
               for _ in range(threads)]
    begin = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return time.perf_counter() - begin


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--model", default="lightweight")
    parser.add_argument("--sounds", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=7)
    chosen = parser.parse_args()
    recognizer = decavox.Recognizer(chosen.model)
    draw = numpy.random.default_rng(1)
    sounds = [draw.normal(0, 0.1, int(recognizer.sample_rate * recognizer.window))
              .astype(numpy.float32) for _ in range(16)]
    count = chosen.sounds // THREADS * THREADS
    measure(recognizer, sounds, count, THREADS)  # makes the sessions
    times = {1: [], THREADS: []}
    for _ in range(chosen.rounds):
        for threads, found in times.items():
            found.append(measure(recognizer, sounds, count, threads))
    alone, together = (statistics.median(times[threads]) for threads in (1, THREADS))
    print(f"{chosen.model}: {count} sounds, median of {chosen.rounds} rounds on {os.cpu_count()} "
          f"cores: 1 thread {1e6 * alone / count:.1f} us a sound, {THREADS} threads "
          f"{1e6 * together / count:.1f} us, x {alone / together:.2f}")


if __name__ == "__main__":
    main()
