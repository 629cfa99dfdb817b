#!/usr/bin/env python3
"""The features of `decavox_bench features` in librosa, on request; the commands are
those of feature_forms.py.


    librosa           librosa.feature clip by clip, as it is used
    librosa_batch     the same functions on a whole batch in one array
    librosa_prepared  librosa.stft on a batch, the rest by hand, and the mel matrix made once

librosa's floor lies 80 dB below the loudest value of an array, a clip or a batch. It is set by hand
for each clip of a batch, so that all forms compute the same.
"""
import librosa
import numpy
import scipy.fft

from feature_forms import BANDS, HOP, N_FFT, RATE, ROWS, clips, normalized, parse, serve

SIZES = {"n_fft": N_FFT, "hop_length": HOP}


def power_of(kind, samples):
    """Turns samples (..., 8000) into power (..., rows, frames)."""
    if kind == "spectrogram":
        return numpy.abs(librosa.stft(samples, **SIZES)) ** 2
    return librosa.feature.melspectrogram(y=samples, sr=RATE, n_mels=BANDS, **SIZES)


def decibels(power):
    """Turns power (batch, rows, frames) into decibels, with a floor of its own for each clip."""
    levels = librosa.power_to_db(power, top_db=None)
    return numpy.maximum(levels, levels.max((-2, -1), keepdims=True) - 80)


def one(kind, clip):
    if kind == "mfcc":
        return librosa.feature.mfcc(y=clip, sr=RATE, n_mfcc=ROWS, n_mels=BANDS, **SIZES)
    return librosa.power_to_db(power_of(kind, clip))


def batch(kind, samples):
    levels = decibels(power_of(kind, samples))
    return librosa.feature.mfcc(S=levels, n_mfcc=ROWS) if kind == "mfcc" else levels


def prepared(kind):
    mel = librosa.filters.mel(sr=RATE, n_fft=N_FFT, n_mels=BANDS)

    def compute(samples):
        spectrum = librosa.stft(samples, **SIZES)
        power = spectrum.real ** 2 + spectrum.imag ** 2
        levels = decibels(power if kind == "spectrogram" else mel @ power)
        if kind != "mfcc":
            return levels
        return scipy.fft.dct(levels, axis=-2, norm="ortho")[..., :ROWS, :]
    return compute


def main():
    arguments = parse(__doc__)
    samples, kind = clips(arguments), arguments.type
    forms = {"librosa": lambda y: numpy.stack([one(kind, clip) for clip in y]),
             "librosa_batch": lambda y: batch(kind, y),
             "librosa_prepared": prepared(kind)}

    def maker(compute):
        if arguments.plain:
            return lambda: lambda: compute(samples)
        return lambda: lambda: normalized(compute(samples))
    serve({name: maker(compute) for name, compute in forms.items()},
          {"librosa": librosa.__version__, "numpy": numpy.__version__})


if __name__ == "__main__":
    main()
