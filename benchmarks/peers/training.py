"""Settings and batches of decavox's training step, for PyTorch's programs."""
import torch

SMOOTHING, CLIP, RATE, DECAY = 0.1, 1.0, 1e-3, 0.02


def random_batches(arguments, count, memory_format, device="cpu"):
    """Draws `count` batches of features (batch, 1, rows, frames) and of targets (batch)."""
    generator = torch.Generator().manual_seed(1)
    a, features, targets = arguments, [], []
    for _ in range(count):
        batch = torch.randn(a.batch, 1, a.rows, a.frames, generator=generator)
        features.append(batch.contiguous(memory_format=memory_format).to(device))
        targets.append(torch.randint(a.classes, (a.batch,), generator=generator).to(device))
    return features, targets
