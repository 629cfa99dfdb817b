#!/usr/bin/env python3
"""Trains and measures every protocol of accuracy_protocols.py, and writes the tables.

Finished runs are not repeated and interrupted ones are resumed, so the program may be stopped and
started at will. A protocol whose data are missing is skipped, with the reason. Results go to
checkpoints/results/, one small file for each protocol and model. checkpoints/README.md and the
models' cards are made from those.
"""
import argparse
import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

import accuracy_pages as pages
import accuracy_protocols as protocols
import accuracy_results as results
import accuracy_ship as shipping
import accuracy_smoke as smoke
import accuracy_speed as speed
from accuracy_runs import ROOT, Changed, Failed, Lab, Skipped, short


def options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0], epilog="Protocols: " +
                                     "; ".join(f"{p.name}: {p.title}" for p in protocols.PROTOCOLS))
    parser.add_argument("protocol", nargs="*", help="default: all of them")
    parser.add_argument("--models", help="only these, with commas between; default: all of each")
    parser.add_argument("--data", default=os.environ.get("DECAVOX_DATA") or
                        os.path.join(ROOT, "..", "shared", "data"),
                        help="folder with fsdd, gsc_digits and noise")
    parser.add_argument("--out", help="for results and pages; default: checkpoints")
    parser.add_argument("--runs", help="for trainings; default: runs/accuracy")
    parser.add_argument("--decavox", default=os.path.join(ROOT, "build/release/runner/decavox"),
                        help="the program; default: build/release/runner/decavox")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time")
    parser.add_argument("--threads", type=int, default=0, help="of each run; default: the cores "
                        "there are, shared among the jobs")
    parser.add_argument("--ship", action="store_true",
                        help="export the general models, mix ensembles of them, write their "
                        "cards")
    parser.add_argument("--speed", action="store_true",
                        help="only measure work and latency of the general models' forms; the "
                        "machine has to be idle")
    parser.add_argument("--smoke", action="store_true",
                        help="everything with tiny trainings: figures mean nothing")
    parser.add_argument("--collect", action="store_true",
                        help="run nothing: take what is finished")
    parser.add_argument("--pages", action="store_true", help="only make the pages anew")
    parser.add_argument("--check", action="store_true",
                        help="only tell what of the pages is not as the JSON has it")
    chosen = parser.parse_args()
    if chosen.jobs < 1 or chosen.threads < 0:
        parser.error("--jobs and --threads are numbers of 1 and more")
    try:
        chosen.protocols = protocols.chosen(chosen.protocol, chosen.models)
    except ValueError as error:
        parser.error(str(error))
    return chosen


def set_up(chosen):
    if chosen.smoke:
        chosen.out = chosen.out or tempfile.mkdtemp(prefix="decavox-accuracy-")
        if os.path.realpath(chosen.out) == os.path.realpath(os.path.join(ROOT, "checkpoints")):
            sys.exit("accuracy_tables: --smoke writes no figures into checkpoints")
        chosen.runs = chosen.runs or os.path.join(chosen.out, "runs")
        chosen.data = smoke.make_data(chosen.data, os.path.join(chosen.out, "data"))
        chosen.out = os.path.join(chosen.out, "checkpoints")
    chosen.out = os.path.abspath(chosen.out or os.path.join(ROOT, "checkpoints"))
    chosen.runs = os.path.abspath(chosen.runs or os.path.join(ROOT, "runs/accuracy"))
    threads = chosen.threads or (max(1, (os.cpu_count() or 1) // chosen.jobs)
                                 if chosen.jobs > 1 else 0)
    return Lab(chosen.decavox, os.path.abspath(chosen.data), chosen.runs, chosen.device, threads,
               chosen.jobs, smoke.Smoke() if chosen.smoke else None)


class Session:
    """Runs tasks and remembers their results."""

    def __init__(self, lab, jobs):
        self.lab, self.jobs, self.skipped, self.failed = lab, jobs, {}, {}
        self.changed = set()  # rows whose runs are out of date

    def run(self, protocol):
        """Runs all models and seeds of one protocol. The next protocols may need them, and an
        ensemble needs its members."""
        self.run_models(protocol, [m for m in protocol.models if not protocols.members(m)])
        self.run_models(protocol, [m for m in protocol.models if protocols.members(m)])

    def run_models(self, protocol, models):
        # A cross-validation itself makes that many runs at a time.
        with ThreadPoolExecutor(1 if protocol.kind == "crossval" else self.jobs) as pool:
            waiting = []
            for model in models:
                row = f"{protocol.name} {model}"
                try:
                    self.lab.check(protocol, model)
                    for task in self.lab.tasks(protocol, model):
                        waiting.append((row, pool.submit(task)))
                except Skipped as reason:
                    self.skipped[row] = str(reason)
            try:
                for row, task in waiting:
                    self.take(row, task)
            except KeyboardInterrupt:
                pool.shutdown(cancel_futures=True)
                raise

    def take(self, row, task):
        try:
            task.result()
        except Skipped as reason:
            self.skipped[row] = str(reason)
        except (Failed, OSError, ValueError, KeyError) as error:
            self.failed[row] = f"{type(error).__name__}: {error}"
            if isinstance(error, Changed):
                self.changed.add(row)

    def collect(self, protocol, folder):
        for model in protocol.models:
            row = f"{protocol.name} {model}"
            try:
                result = None if row in self.changed else self.lab.collect(protocol, model)
            except Changed as error:
                self.failed[row] = str(error)
                continue
            if result is None:
                continue
            results.write_json(os.path.join(folder, "results", f"{protocol.name}-{model}.json"),
                               result)
            print(f"{protocol.name:15} {model:12} {pages.spread(result['summary'])}", flush=True)

    def missing(self, model):
        """The names of the protocols that have no figures of this model, but may have those of
        others."""
        rows = (row.split() for row in [*self.skipped, *self.failed])
        return {protocol for protocol, of in rows if of == model}

    def ship(self, folder, models):
        for model in models:
            missing = self.missing(model)
            if shipping.GENERAL.name in missing:
                print(f"not shipped: {model}")
                continue
            try:
                mixed = protocols.members(model)
                if not mixed and self.lab.collect(shipping.GENERAL, model) is None:
                    print(f"not shipped: {model}: it is not trained yet")
                    continue
                shipping.ship(self.lab, model, folder, missing)
            except (Failed, Skipped, OSError, ValueError) as error:
                self.failed[f"ship {model}"] = str(error)

    def tell(self):
        for row, reason in self.skipped.items():
            print(f"skipped: {row}: {reason}")
        for row, reason in self.failed.items():
            print(f"failed: {row}: {reason}", file=sys.stderr)


def measure(chosen):
    lab = set_up(chosen)
    session = Session(lab, chosen.jobs)
    for protocol in chosen.protocols:
        if not chosen.collect:
            session.run(protocol)
        session.collect(protocol, chosen.out)
        pages.write(chosen.out)
    trained = any(p.name == shipping.GENERAL.name for p in chosen.protocols)
    if chosen.ship or chosen.smoke and trained:
        wanted = chosen.models.split(",") if chosen.models else shipping.GENERAL.models
        session.ship(chosen.out, [m for m in shipping.GENERAL.models if m in wanted])
        pages.write(chosen.out)
    session.tell()
    print(f"pages: {short(chosen.out)}")
    return 1 if session.failed else 0


def main():
    chosen = options()
    folder = os.path.abspath(chosen.out or os.path.join(ROOT, "checkpoints"))
    if chosen.check:
        problems = pages.check(folder)
        for problem in problems:
            print(f"accuracy_tables: {problem}", file=sys.stderr)
        return 1 if problems else 0
    if chosen.speed:
        speed.measure(set_up(chosen), folder)
    if chosen.speed or chosen.pages:
        pages.write(folder)
        return 0
    return measure(chosen)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as error:
        sys.exit(f"accuracy_tables: {error}")
    except KeyboardInterrupt:
        sys.exit("accuracy_tables: interrupted; the same command goes on")
