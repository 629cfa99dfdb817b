"""Makes features.txt, the golden vectors of tests/features/test_features.c, with librosa in double,
and those of fbank with kaldi-native-fbank in float.

    python tests/golden/make_features.py > tests/golden/features.txt

The signals are made by the same formulas in C (make_signal in tests/features/test_features.c).
"""
import importlib.metadata
import sys

import kaldi_native_fbank
import librosa
import numpy as np

BASE = dict(rate=8000, samples=8000, n_fft=1024, window=1024, hop=256, n_mels=64, n_mfcc=13,
            fmin=0, fmax=0, scale="slaney", norm="slaney", top_db=80)
RECIPE = dict(n_fft=512, window=400, hop=250, n_mels=40, fmin=60, fmax=3900, norm="sum", top_db=40)
HTK = dict(scale="htk", norm="none")
KALDI = dict(n_fft=256, window=200, hop=80, n_mels=40, fmin=20)
CED = dict(rate=16000, samples=16000, n_fft=512, window=512, hop=160, n_mels=64, top_db=120)
WIDE = dict(rate=16000, samples=16000, n_fft=1024, window=640, hop=320, n_mels=80, n_mfcc=20)

# signal, type, step between stored rows, differences from BASE
CASES = [
    ("silence", "mfcc", 1, {}),
    ("silence", "spectrogram", 64, {}),
    ("square", "mfcc", 1, {}),
    ("square", "mel", 3, {}),
    ("square", "spectrogram", 16, {}),
    ("click", "mfcc", 1, {}),
    ("click", "mel", 9, {}),
    ("click", "spectrogram", 64, {}),
    ("chirp", "mfcc", 1, {}),
    ("chirp", "mel", 3, {}),
    ("chirp", "spectrogram", 16, {}),
    ("short", "mfcc", 1, {}),
    ("short", "mel", 3, {}),
    ("short", "spectrogram", 16, {}),
    ("chirp", "mel", 3, HTK),
    ("chirp", "mfcc", 1, HTK),
    ("chirp", "mel", 3, RECIPE),
    ("short", "mfcc", 1, RECIPE),
    ("short", "mel", 3, dict(RECIPE, top_db=0)),
    ("click", "mel", 3, RECIPE),
    ("chirp", "mel", 9, dict(fmin=60, fmax=3900)),
    ("chirp", "spectrogram", 16, dict(n_fft=512, window=399, hop=250, top_db=40)),
    ("chirp", "mfcc", 1, dict(samples=4001, hop=300)),
    ("chirp", "mfcc", 1, WIDE),
    ("short", "mel", 9, WIDE),
    ("square", "spectrogram", 32, WIDE),
    ("silence", "fbank", 20, KALDI),
    ("square", "fbank", 6, KALDI),
    ("click", "fbank", 9, dict(KALDI, fmax=3900)),
    ("chirp", "fbank", 6, KALDI),
    ("chirp", "fbank", 6, dict(KALDI, samples=4001, hop=120, top_db=40)),
    ("short", "fbank", 9, CED),
    ("chirp", "fbank", 9, CED),
]


def noise(count):
    """Uniform noise in -1..1 from a linear congruential generator modulo 2^32."""
    state, out = 1, np.empty(count)
    for i in range(count):
        state = (state * 1664525 + 1013904223) % 2**32
        out[i] = state / 2147483648.0 - 1.0
    return out


def signal(name, rate, count):
    i = np.arange(count)
    t = i / rate
    if name == "silence":
        x = np.zeros(count)
    elif name == "square":
        x = np.where(i * 880 // rate % 2 == 0, 1.0, -1.0)
    elif name == "click":
        x = np.where(i == count // 3, 1.0, 0.0)
    else:
        x = 0.5 * np.sin(2 * np.pi * (100 * t + 1700 * t * t)) + 0.05 * noise(count)
        if name == "short":
            x[count // 4:] = 0.0
    return x.astype(np.float32).astype(np.float64)


def kaldi(y, c):
    """Energies in mel bands (n_mels, frames)."""
    options = kaldi_native_fbank.FbankOptions()
    frame, mel = options.frame_opts, options.mel_opts
    frame.samp_freq, frame.snip_edges, frame.window_type = c["rate"], False, "hann"
    frame.dither, frame.preemph_coeff, frame.remove_dc_offset = 0, 0, False
    frame.frame_length_ms = c["window"] * 1000 / c["rate"]
    frame.frame_shift_ms = c["hop"] * 1000 / c["rate"]
    mel.num_bins, mel.low_freq, mel.high_freq = c["n_mels"], c["fmin"], c["fmax"]
    options.use_log_fbank = options.use_energy = False
    stream = kaldi_native_fbank.OnlineFbank(options)
    stream.accept_waveform(c["rate"], y.astype(np.float32).tolist())
    stream.input_finished()
    return np.array([stream.get_frame(i) for i in range(stream.num_frames_ready)]).T


def features(name, kind, c):
    y = signal(name, c["rate"], c["samples"])
    if kind == "fbank":
        return librosa.power_to_db(kaldi(y, c), ref=1.0, amin=1e-10, top_db=c["top_db"] or None)
    power = np.abs(librosa.stft(y, n_fft=c["n_fft"], hop_length=c["hop"], win_length=c["window"],
                                window="hann", center=True, pad_mode="constant")) ** 2
    if kind != "spectrogram":
        norm = {"slaney": "slaney", "none": None, "sum": 1}[c["norm"]]
        power = librosa.feature.melspectrogram(
            S=power, sr=c["rate"], n_fft=c["n_fft"], n_mels=c["n_mels"], fmin=c["fmin"],
            fmax=c["fmax"] or None, htk=c["scale"] == "htk", norm=norm, dtype=np.float64)
    log_power = librosa.power_to_db(power, ref=1.0, amin=1e-10, top_db=c["top_db"] or None)
    if kind != "mfcc":
        return log_power
    return librosa.feature.mfcc(S=log_power, n_mfcc=c["n_mfcc"], dct_type=2, norm="ortho")


def main():
    out = sys.stdout
    out.write("# tests/golden/make_features.py; Python %s, librosa %s, numpy %s, "
              "kaldi-native-fbank %s\n" % (
                  sys.version.split()[0], librosa.__version__, np.__version__,
                  importlib.metadata.version("kaldi-native-fbank")))
    for name, kind, step, changes in CASES:
        c = dict(BASE, **changes)
        values = features(name, kind, c)
        stored = values[::step]
        out.write("case %s %s %s %s" % (name, kind, c["scale"], c["norm"]))
        for key in ("rate", "samples", "n_fft", "window", "hop", "n_mels", "n_mfcc", "fmin",
                    "fmax", "top_db"):
            out.write(" %d" % c[key])
        out.write(" %d %d %d\n" % (step, stored.shape[0], stored.shape[1]))
        for row in stored:
            out.write(" ".join("%.9g" % v for v in row) + "\n")


main()
