#!/usr/bin/env python3
"""Writes schedules.txt, learning rates by torch.optim.lr_scheduler, for
tests/train/test_schedule.c.

    python3 tests/golden/make_schedules.py

A line is a schedule: its kind, the fields of dv_schedule (peak, minimum, total, period, factor,
rise), and the rate of each update. A line of plateau has peak, minimum, patience and factor, then
the loss of each epoch and the rate of the next.
"""
import os
import warnings

import torch
from torch.optim import lr_scheduler

warnings.simplefilter("ignore")


def optimizer(peak):
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=peak)


def rates(peak, count, make):
    on = optimizer(peak)
    schedule = make(on)
    found = []
    for _ in range(count):
        if found:
            on.step()
            schedule.step()
        found.append(on.param_groups[0]["lr"])
    return found


def line(kind, peak, minimum, total, period, factor, rise, make):
    numbers = rates(peak, total, make)
    fields = [kind, peak, minimum, total, period, factor, rise, *numbers]
    return " ".join(repr(f) if isinstance(f, float) else str(f) for f in fields)


def one_cycle(peak, minimum, total, rise):
    return line("one_cycle", peak, minimum, total, 1, 1.0, rise, lambda on: lr_scheduler.OneCycleLR(
        on, peak, total_steps=total + 1, pct_start=rise, final_div_factor=peak / 25 / minimum))


def plateau(peak, minimum, patience, factor, losses):
    on = optimizer(peak)
    schedule = lr_scheduler.ReduceLROnPlateau(on, factor=factor, patience=patience, min_lr=minimum)
    fields = ["plateau", peak, minimum, patience, factor]
    for loss in losses:
        schedule.step(loss)
        fields += [loss, on.param_groups[0]["lr"]]
    return " ".join(map(str, fields))


def main():
    losses = [2.0, 1.5, 1.5, 1.49995, 1.6, 1.4, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.39, 1.39, 1.39, 1.39,
              1.2, 1.3, 1.3, 1.3, 1.3, 1.3, 1.3, 1.3]
    restarts = lr_scheduler.CosineAnnealingWarmRestarts
    lines = [
        f"# made by make_schedules.py with torch {torch.__version__}",
        line("cosine", 0.1, 0.001, 17, 1, 1.0, 0.0,
             lambda on: lr_scheduler.CosineAnnealingLR(on, 17, eta_min=0.001)),
        line("cosine_restarts", 0.1, 0.01, 24, 7, 1.0, 0.0,
             lambda on: restarts(on, 7, T_mult=1, eta_min=0.01)),
        line("cosine_restarts", 0.5, 0.0, 30, 3, 2.0, 0.0, lambda on: restarts(on, 3, T_mult=2)),
        line("step", 0.3, 0.0, 20, 6, 0.1, 0.0, lambda on: lr_scheduler.StepLR(on, 6, gamma=0.1)),
        line("none", 0.3, 0.0, 4, 1, 1.0, 0.0, lambda on: lr_scheduler.ConstantLR(on, factor=1)),
        one_cycle(0.1, 0.0001, 20, 0.3),
        one_cycle(0.8, 0.01, 13, 0.45),
        plateau(0.1, 0.002, 2, 0.25, losses),
        plateau(0.1, 0.0, 0, 0.5, losses),
    ]
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "schedules.txt")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


main()
