#!/usr/bin/env python3
"""`decavox predict` as usual in Python: reads a checkpoint and a sound file, and prints an answer.

    predict_torch.py CHECKPOINT FILE             with soundfile and librosa, as usual
    predict_torch.py --lean CHECKPOINT FILE      with only PyTorch, NumPy and Python's own library
"""
import math
import sys

import numpy
import torch
import yaml
from safetensors import safe_open

import twin


# ---- The sound ----

def read_lean(path, rate):
    import wave
    with wave.open(path) as file:
        if (file.getframerate(), file.getsampwidth()) != (rate, 2):
            sys.exit(f"{path}: must have {rate} Hz and 16 bits")
        samples = numpy.frombuffer(file.readframes(file.getnframes()), "<i2")
        return samples.reshape(-1, file.getnchannels()).mean(1) / 32768


def read_sound(path, rate):
    import librosa
    import soundfile
    samples, found = soundfile.read(path, dtype="float32", always_2d=True)
    samples = samples.mean(1)
    return samples if found == rate else librosa.resample(samples, orig_sr=found, target_sr=rate)


# ---- Preparation of a clip: mean, level, the word's place ----

def loud_rms(samples, length):
    padded = numpy.pad(samples, (0, -len(samples) % length))
    powers = (padded.reshape(-1, length) ** 2).mean(1)
    return math.sqrt((powers ** 2).sum() / powers.sum()) if powers.sum() > 0 else 0


def prepared(samples, config):
    samples = samples - samples.mean()
    level = {"none": 0, "peak": abs(samples).max(),
             "rms": loud_rms(samples, config["sample_rate"] // 40)}[config["level"]]
    if level < 1e-6:
        return samples
    return samples * ((1 if config["level"] == "peak" else 0.1) / level)


def envelope(samples, rate):
    """The envelope's values and the middles of their frames."""
    length, hop = rate // 40, rate // 100
    count = 1 + -(-max(0, len(samples) - length) // hop)
    filtered = samples - 0.5 * numpy.concatenate(([0], samples[:-1]))
    starts = numpy.arange(count) * hop
    ends = numpy.minimum(starts + length, len(samples))
    sums = numpy.concatenate(([0], numpy.cumsum(filtered ** 2)))
    values = numpy.sqrt((sums[ends] - sums[starts]) / length)
    return values, (starts + ends) / 2


def loudest(values, frames):
    """The values with zeros outside of the `frames` neighbours that hold the most."""
    if len(values) <= frames:
        return values
    sums = numpy.concatenate(([0], numpy.cumsum(values)))
    first = (sums[frames:] - sums[:-frames]).argmax()
    kept = numpy.zeros_like(values)
    kept[first:first + frames] = values[first:first + frames]
    return kept


def word_centre(samples, rate, size):
    values, middles = envelope(samples, rate)
    floor = (1.5 * numpy.percentile(values, 20) if len(samples) / rate > 0.7
             else 0.5 * numpy.percentile(values, 5))
    values = numpy.maximum(values - floor, 0)
    near = numpy.stack([numpy.pad(values, 2)[k:k + len(values)] for k in range(5)])
    for weights in (loudest(numpy.median(near, 0), max(1, size // (rate // 100))), values):
        if weights.sum() > 0:
            return min(round((weights * middles).sum() / weights.sum()), len(samples) - 1)
    return len(samples) // 2


def window_of(samples, config):
    """The samples of the window."""
    size = round(config["duration"] * config["sample_rate"])
    centres = {"middle": lambda: len(samples) // 2, "start": lambda: size // 2,
               "energy": lambda: word_centre(samples, config["sample_rate"], size)}
    centre = centres[config["placement"]]()
    start = centre - size // 2
    padded = numpy.pad(samples, (max(0, -start), max(0, start + size - len(samples))))
    return padded[max(0, start):max(0, start) + size].astype(numpy.float32)


# ---- Features ----

def mel_lean(config):
    """The mel matrix (bins, bands)."""
    step, top = math.log(6.4) / 27, config["fmax"] or config["sample_rate"] / 2

    def mel(hertz):
        if config["mel_scale"] == "htk":
            return 2595 * math.log10(1 + hertz / 700)
        return hertz * 3 / 200 if hertz < 1000 else 15 + math.log(hertz / 1000) / step

    def hertz(value):
        if config["mel_scale"] == "htk":
            return 700 * (10 ** (value / 2595) - 1)
        return value * 200 / 3 if value < 15 else 1000 * math.exp((value - 15) * step)
    bands, low = config["n_mels"], mel(config["fmin"])
    edges = numpy.array([hertz(low + (mel(top) - low) * i / (bands + 1)) for i in range(bands + 2)])
    bins = numpy.linspace(0, config["sample_rate"] / 2, config["n_fft"] // 2 + 1)[:, None]
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    matrix = numpy.minimum((bins - low) / (middle - low), (high - bins) / (high - middle)).clip(0)
    scale = {"slaney": 2 / (high - low), "none": 1, "sum": 1 / matrix.sum(0)}[config["mel_norm"]]
    return torch.from_numpy((matrix * scale).astype(numpy.float32))


def cosines(rows, bands):
    """The orthonormal DCT matrix (bands, rows)."""
    matrix = torch.cos(math.pi / bands * (torch.arange(bands)[:, None] + 0.5) * torch.arange(rows))
    matrix *= math.sqrt(2 / bands)
    matrix[:, 0] /= math.sqrt(2)
    return matrix


def features_lean(window, config):
    spectrum = torch.stft(torch.from_numpy(window), config["n_fft"], config["hop"],
                          config["window"], torch.hann_window(config["window"]), center=True,
                          pad_mode="constant", return_complex=True)
    power = torch.view_as_real(spectrum).square().sum(-1)
    if config["type"] != "spectrogram":
        power = mel_lean(config).T @ power
    levels = 10 * torch.log10(power.clamp(min=1e-10))
    if config["top_db"]:
        levels = levels.clamp(min=levels.max() - config["top_db"])
    if config["type"] == "mfcc":
        levels = cosines(config["n_mfcc"], config["n_mels"]).T @ levels
    return levels


def features_librosa(window, config):
    import librosa
    power = abs(librosa.stft(window, n_fft=config["n_fft"], hop_length=config["hop"],
                             win_length=config["window"])) ** 2
    if config["type"] != "spectrogram":
        norm = {"slaney": "slaney", "none": None, "sum": 1}[config["mel_norm"]]
        power = librosa.feature.melspectrogram(
            S=power, sr=config["sample_rate"], n_fft=config["n_fft"], n_mels=config["n_mels"],
            fmin=config["fmin"], fmax=config["fmax"] or None, htk=config["mel_scale"] == "htk",
            norm=norm)
    levels = librosa.power_to_db(power, top_db=config["top_db"] or None)
    if config["type"] == "mfcc":
        levels = librosa.feature.mfcc(S=levels, n_mfcc=config["n_mfcc"])
    return torch.from_numpy(levels)


def normalized(levels, config):
    over = {"clip": (0, 1), "band": (1,)}
    if config["mean"] != "none":
        levels = levels - levels.mean(over[config["mean"]], keepdim=True)
    if config["deviation"] != "none":
        deviation = levels.std(over[config["deviation"]], correction=0, keepdim=True)
        levels = levels / (deviation + 0.01)
    return levels


# ---- The model ----

def read_checkpoint(path):
    with safe_open(path, "pt") as file:
        about = {key: yaml.load(file.metadata()["decavox." + key],
                                getattr(yaml, "CSafeLoader", yaml.SafeLoader))
                 for key in ("config", "labels")}
        tensors = {name: file.get_tensor(name).float() for name in file.keys() if "/" not in name}
    return about["config"], about["labels"], tensors


def model_of(config, classes, shape, tensors):
    model = twin.build(config["model"], *shape, classes)
    twin.load(model, tensors)
    return model.eval()


def main():
    lean = "--lean" in sys.argv
    paths = [argument for argument in sys.argv[1:] if argument != "--lean"]
    if len(paths) != 2:
        sys.exit(__doc__)
    torch.set_grad_enabled(False)
    torch.set_num_threads(1)
    config, labels, tensors = read_checkpoint(paths[0])
    sound = config["features"]
    samples = (read_lean if lean else read_sound)(paths[1], sound["sample_rate"])
    window = window_of(prepared(samples, sound), sound)
    features = normalized((features_lean if lean else features_librosa)(window, sound), sound)
    model = model_of(config, len(labels), features.shape, tensors)
    answer = torch.softmax(model(features[None, None])[0], 0)
    print(f"{paths[1]}  {labels[int(answer.argmax())]}  {float(answer.max()):.4f}")


if __name__ == "__main__":
    main()
