#!/usr/bin/env python3
"""The features of `decavox_bench features` in PyTorch, on request: `run VARIANT K`, `quit`.

    stft          torch.stft and products with the matrices of the mel bands and of the DCT
    stft_graph    the same captured as one CUDA graph
    torchaudio    torchaudio.transforms.MFCC with the same sizes, and the normalisation

All forms begin with windows of one second in the device's memory. decavox also cuts them out of the
clips.
"""
import argparse
import math
import sys

import torch

from on_request import make_all, say, serve_runs, timed_reports

RATE, N_FFT, HOP, BANDS, ROWS, TOP_DB = 8000, 1024, 256, 64, 13, 80.0


def mel_matrix():
    """The matrix (N_FFT / 2 + 1, BANDS) of triangles of area 1 on Slaney's scale."""
    step = math.log(6.4) / 27

    def hertz(mel):
        return 200 / 3 * mel if mel < 15 else 1000 * math.exp(step * (mel - 15))

    top = 15 + math.log(RATE / 2 / 1000) / step
    edges = torch.tensor([hertz(top * i / (BANDS + 1)) for i in range(BANDS + 2)])
    bins = torch.linspace(0, RATE / 2, N_FFT // 2 + 1)[:, None]
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    rise, fall = (bins - low) / (middle - low), (high - bins) / (high - middle)
    return torch.minimum(rise, fall).clamp(min=0) * (2 / (high - low))


def dct_matrix():
    """The orthonormal DCT matrix (BANDS, ROWS)."""
    n, k = torch.arange(BANDS)[:, None], torch.arange(ROWS)
    matrix = torch.cos(math.pi / BANDS * (n + 0.5) * k) * math.sqrt(2 / BANDS)
    matrix[:, 0] /= math.sqrt(2)
    return matrix


class Features:
    def __init__(self, arguments):
        self.device = torch.device(arguments.device)
        self.window = torch.hann_window(N_FFT, device=self.device)
        self.mel, self.dct = mel_matrix().to(self.device), dct_matrix().to(self.device)
        self.clips = 0.1 * torch.randn(arguments.batch, RATE, device=self.device)

    def normalize(self, rows):
        """Subtracts the mean of each coefficient and divides by the deviation of all."""
        rows = rows - rows.mean(2, keepdim=True)
        return rows / (rows.pow(2).mean((1, 2), keepdim=True).sqrt() + 0.01)

    def stft(self):
        spectrum = torch.stft(self.clips, N_FFT, HOP, window=self.window, center=True,
                              pad_mode="constant", return_complex=True)
        power = torch.view_as_real(spectrum).square().sum(-1)
        levels = 10 * torch.log10((power.transpose(1, 2) @ self.mel).clamp(min=1e-10))
        levels = torch.maximum(levels, levels.amax((1, 2), keepdim=True) - TOP_DB)
        return self.normalize((levels @ self.dct).transpose(1, 2))

    def make_torchaudio(self):
        from torchaudio_features import import_torchaudio, transform
        module = transform(import_torchaudio(), "mfcc").to(self.device)
        return lambda: self.normalize(module(self.clips))

    def make_graph(self):
        if self.device.type != "cuda":
            raise RuntimeError("graphs are for CUDA")
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                self.stft()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.result = self.stft()
        return graph.replay

    def wait(self, _):
        if self.device.type == "cuda":
            torch.cuda.synchronize()


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--report", type=int, default=1, help="batches to a time")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.set_grad_enabled(False)
    features = Features(arguments)
    made, skipped = make_all({"stft": lambda: features.stft, "stft_graph": features.make_graph,
                              "torchaudio": features.make_torchaudio})
    versions = {name: sys.modules[name].__version__ for name in ("torch", "torchaudio")
                if name in sys.modules}
    say(**versions, variants=list(made), skipped=skipped, shape=list(features.stft().shape))

    def runs(form):
        return lambda steps: timed_reports(form, features.wait, steps, arguments.report)
    serve_runs({name: runs(form) for name, form in made.items()})


if __name__ == "__main__":
    main()
