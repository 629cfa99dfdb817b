"""Recognizes words in WAV files with a model that `decavox export` has written for PyTorch.

    decavox export lightweight --out digits.pt2
    python3 answer_torch.py digits.pt2 FILE.wav...

It needs torch 2.15 for .pt2, or torch 1.13 and later for .pt (TorchScript). The files must have one
channel of 16 bits at the model's rate.
"""
import array
import json
import sys
import wave

import torch

if len(sys.argv) < 3:
    sys.exit("usage: answer_torch.py MODEL FILE.wav...")
notes = {"labels": "", "sample_rate": ""}
if sys.argv[1].endswith(".pt2"):
    model = torch.export.load(sys.argv[1], extra_files=notes).module()
else:
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
