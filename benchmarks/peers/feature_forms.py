"""Shared by librosa_features.py and torchaudio_features.py: the clips, and answers on request.

    run FORM K       {"microseconds": [wall time of a batch, K times], "cpu_microseconds": mean}
    features FORM F  writes what the form computes to F, raw floats (batch, rows, frames)
    quit

The first line names versions, forms, and the reasons why others are missing. The clips are noise,
or raw floats (batch, 8000) from --samples FILE. --type is the kind of features, with the sizes of
decavox's defaults; --plain leaves out the normalisation.
"""
import argparse

import numpy

import on_request

RATE, N_FFT, HOP, BANDS, ROWS = 8000, 1024, 256, 64, 13


def parse(description):
    parser = argparse.ArgumentParser(description=description,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--type", default="mfcc", choices=("mfcc", "mel", "spectrogram"))
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--samples", default="", help="raw floats (batch, 8000)")
    parser.add_argument("--plain", action="store_true", help="without the normalisation")
    return parser.parse_args()


def clips(arguments):
    if arguments.samples:
        return numpy.fromfile(arguments.samples, numpy.float32).reshape(arguments.batch, RATE)
    noise = numpy.random.default_rng(1).standard_normal((arguments.batch, RATE))
    return (0.1 * noise).astype(numpy.float32)


def normalized(features):
    """Features (..., rows, frames) minus the mean of each row, divided by the deviation of all."""
    features = features - features.mean(-1, keepdims=True)
    return features / (features.std((-2, -1), keepdims=True) + 0.01)


def serve(makers, about):
    """Serves the forms of makers, {form: function that makes its function}. A form that cannot be
    made is skipped."""
    made, skipped = on_request.make_all(makers)

    def answer(words):
        if len(words) != 3 or words[0] not in ("run", "features") or words[1] not in made:
            return None
        if words[0] == "run":
            return on_request.timed(made[words[1]], int(words[2]))
        features = numpy.asarray(made[words[1]](), numpy.float32)
        features.tofile(words[2])
        return {"features": features.size}
    on_request.say(**about, variants=list(made), skipped=skipped)
    on_request.serve(answer)
