#!/usr/bin/env python3
"""The features of `decavox_bench features` in torchaudio, on request; the commands are those of
feature_forms.py.

    torchaudio        torchaudio.transforms, made once, clip by clip
    torchaudio_batch  the same on a whole batch in one tensor
"""
import torch

from feature_forms import BANDS, HOP, N_FFT, RATE, ROWS, clips, normalized, parse, serve


def import_torchaudio():
    """Imports torchaudio, which refuses a PyTorch for another CUDA. This only matters to its own
    operators, which are not used here."""
    cuda = torch.version.cuda
    torch.version.cuda = None
    try:
        import torchaudio
    finally:
        torch.version.cuda = cuda
    return torchaudio


def transform(torchaudio, kind):
    """The module from (..., 8000) to (..., rows, frames)."""
    sizes = {"n_fft": N_FFT, "hop_length": HOP, "pad_mode": "constant"}
    mel = sizes | {"n_mels": BANDS, "norm": "slaney", "mel_scale": "slaney"}
    if kind == "mfcc":
        return torchaudio.transforms.MFCC(RATE, ROWS, melkwargs=mel)
    power = (torchaudio.transforms.MelSpectrogram(RATE, **mel) if kind == "mel"
             else torchaudio.transforms.Spectrogram(**sizes))
    return torch.nn.Sequential(power, torchaudio.transforms.AmplitudeToDB("power", 80))


def main():
    arguments = parse(__doc__)
    torch.set_num_threads(arguments.threads)
    torch.set_grad_enabled(False)
    torchaudio = import_torchaudio()
    module = transform(torchaudio, arguments.type)
    samples = torch.from_numpy(clips(arguments))

    def maker(compute):
        if arguments.plain:
            return lambda: lambda: compute(samples).numpy()
        return lambda: lambda: normalized(compute(samples).numpy())
    # A dimension for channels gives each clip of a batch a floor of its own.
    serve({"torchaudio": maker(lambda y: torch.stack([module(clip) for clip in y])),
           "torchaudio_batch": maker(lambda y: module(y[:, None])[:, 0])},
          {"torch": torch.__version__, "torchaudio": torchaudio.__version__})


if __name__ == "__main__":
    main()
