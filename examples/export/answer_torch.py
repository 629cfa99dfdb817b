"""Answers WAV files with a model that `decavox export` has written as TorchScript.

    decavox export lightweight --out digits.pt
    python3 answer_torch.py digits.pt FILE.wav...

Needs torch, from 1.13 on. The files have one channel of 16 bits, at the model's rate.
"""
import array
import json
import sys
import wave

import torch

notes = {"labels": "", "sample_rate": ""}
model = torch.jit.load(sys.argv[1], _extra_files=notes)
labels, rate = json.loads(notes["labels"]), int(notes["sample_rate"])

for path in sys.argv[2:]:
    with wave.open(path) as file:
        if (file.getnchannels(), file.getsampwidth(), file.getframerate()) != (1, 2, rate):
            sys.exit(f"{path}: not one channel of 16 bits at {rate} Hz")
        samples = array.array("h", file.readframes(file.getnframes()))
    audio = torch.tensor(samples, dtype=torch.float32)[None] / 32768  # (batch, samples), -1 to 1
    with torch.no_grad():
        probabilities, logits = model(audio)
    word = probabilities[0].argmax().item()
    print(f"{path}\t{labels[word]}\t{probabilities[0, word].item():.4f}")
