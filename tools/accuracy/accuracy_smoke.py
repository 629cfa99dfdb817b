"""Makes accuracy_tables.py quick enough for a test: a few clips, one seed, two steps."""
import csv
import math
import os
import random
import shutil
import struct
import wave

import accuracy_protocols as protocols

RATE = 8000
SPEAKERS = {"fsdd": 3, "gsc": 9}


class Smoke:
    seeds = (1,)
    train = ("--model_type", "mini", "--epochs", "1", "--batch_size", "16",
             "--set", "train.max_steps=2")
    synth = ("--voices", "2", "--takes", "1", "--seed", "1", "--words", "0,1,2,3,4,5,6,7,8,9")


def write_wav(path, samples):
    with wave.open(path, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(struct.pack(f"<{len(samples)}h", *(int(9000 * s) for s in samples)))


def tone(digit, speaker, index):
    draw = random.Random(f"{digit} {speaker} {index}")
    step = 2 * math.pi * 200 * 1.3**digit * draw.uniform(0.95, 1.05) / RATE
    return [math.sin(step * t) + draw.gauss(0, 0.05) for t in range(RATE // 5)]


def make_up(folder, name):
    """Writes tones in place of a missing data set."""
    if name == "noises":
        for noise in protocols.NOISES:
            draw = random.Random(noise)
            # The name says FLAC, but the content is WAV, and the content counts.
            write_wav(os.path.join(folder, f"{noise}.flac"),
                      [draw.gauss(0, 0.3) for _ in range(RATE)])
        return
    for digit in range(10):
        for speaker in range(SPEAKERS[name]):
            for index in (0, 5, 6):
                write_wav(os.path.join(folder, f"{digit}_made{speaker}_{index}.wav"),
                          tone(digit, speaker, index))


def talkative(names, count):
    """The `count` speakers with the most digits."""
    digits = {}
    for name in names:
        digit, speaker, _ = name.split("_")
        digits.setdefault(speaker, set()).add(digit)
    return sorted(digits, key=lambda speaker: (-len(digits[speaker]), speaker))[:count]


def take_some(source, folder, name):
    """Copies a few clips of a data set."""
    names = sorted(n for n in os.listdir(source) if n.endswith((".wav", ".flac")))
    if name == "noises":
        chosen = [n for n in names if os.path.splitext(n)[0] in protocols.NOISES]
    else:
        speakers = talkative(names, SPEAKERS[name])
        chosen, taken = [], {}
        for n in names:
            digit, speaker, _ = n.split("_")
            taken[digit, speaker] = taken.get((digit, speaker), 0) + 1
            if speaker in speakers and taken[digit, speaker] <= 3:
                chosen.append(n)
    for n in chosen:
        shutil.copy(os.path.join(source, n), folder)


def write_suspects(folder):
    """Writes a list with the first clip, in the form of the real list."""
    first = sorted(os.listdir(folder))[0]
    with open(os.path.join(folder, "suspect_labels.csv"), "w", encoding="utf-8",
              newline="") as file:
        csv.writer(file).writerows([("file", "cv_model_says", "confidence"), (first, "1", "0.9")])


def make_data(source, out):
    """Makes a small copy of the data at `source`, or invents data that are missing."""
    for name, data in protocols.DATA.items():
        folder = os.path.join(out, data.folder)
        if not data.folder or os.path.isdir(folder):
            continue
        os.makedirs(folder)
        if os.path.isdir(os.path.join(source, data.folder)):
            take_some(os.path.join(source, data.folder), folder, name)
        else:
            make_up(folder, name)
        if name == "gsc":
            write_suspects(folder)
    return out
