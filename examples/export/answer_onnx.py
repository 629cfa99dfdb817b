"""Recognizes words in WAV files with a model that `decavox export` has written as ONNX.

    decavox export lightweight --out digits.onnx
    python3 answer_onnx.py digits.onnx FILE.wav...

It needs onnxruntime and numpy. The files must have one channel of 16 bits at the model's rate.
"""
import json
import sys
import wave

import numpy
import onnxruntime

if len(sys.argv) < 3:
    sys.exit("usage: answer_onnx.py MODEL FILE.wav...")
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
notes = session.get_modelmeta().custom_metadata_map
labels, rate = json.loads(notes["labels"]), int(notes["sample_rate"])

for path in sys.argv[2:]:
    with wave.open(path) as file:
        if (file.getnchannels(), file.getsampwidth(), file.getframerate()) != (1, 2, rate):
            sys.exit(f"{path}: not one channel of 16 bits at {rate} Hz")
        samples = numpy.frombuffer(file.readframes(file.getnframes()), "<i2")
    audio = samples.astype(numpy.float32)[None] / 32768  # (batch, samples), -1 to 1
    probabilities, logits = session.run(None, {"audio": audio})
    word = probabilities[0].argmax()
    print(f"{path}\t{labels[word]}\t{probabilities[0, word]:.4f}")
