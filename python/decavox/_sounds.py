"""Sounds: a path, or an array of samples."""

from __future__ import annotations

import os
from typing import Any, Optional, Union, cast

import numpy as np
import numpy.typing as npt

from . import _c
from ._model import pointer

Samples = Union[npt.NDArray[np.float32], npt.NDArray[np.float64], npt.NDArray[np.int16]]
Sound = Union[str, "os.PathLike[str]", Samples]

_FLOAT32, _FLOAT64, _INT16 = np.dtype("float32"), np.dtype("float64"), np.dtype("int16")
_KNOWN = (_FLOAT32, _INT16, _FLOAT64)


def samples_of(sound: Any) -> npt.NDArray[Any]:
    """Converts samples to a contiguous array of float32 or int16 in native byte order."""
    if not isinstance(sound, np.ndarray):
        raise TypeError("a sound is a path or a numpy array of samples, not "
                        f"{type(sound).__name__}")
    array = cast("npt.NDArray[Any]", sound)
    kind = array.dtype
    if kind not in _KNOWN and kind.newbyteorder("=") not in _KNOWN:
        raise TypeError(f"samples are float32, float64 or int16, not {kind}")
    if array.ndim != 1:
        raise ValueError(f"samples are those of one channel, not an array of shape {array.shape}: "
                         "choose a channel, for example sound[:, 0], or average them if they are "
                         "floats, sound.mean(axis=1) or sound.mean(axis=0)")
    return np.ascontiguousarray(array, _INT16 if kind.kind == "i" else _FLOAT32)


def rate_of(sample_rate: Optional[int]) -> int:
    """Checks the sample rate of an array."""
    if sample_rate is None:
        raise ValueError("an array of samples needs its sample_rate in Hz")
    if isinstance(sample_rate, str) or not 0 < sample_rate < 1 << 31 or \
            int(sample_rate) != sample_rate:
        raise ValueError(f"sample_rate is {sample_rate!r}, must be a whole number of Hz")
    return int(sample_rate)


def path_of(sound: Any) -> Optional[str]:
    """The path of a sound that is a file, else None."""
    return os.fsdecode(cast("str | os.PathLike[str]", sound)) if isinstance(
        sound, (str, os.PathLike)) else None


def fill(target: _c.Sound, samples: npt.NDArray[Any], rate: int) -> None:
    """Makes the C structure point to the samples, which must outlive the call."""
    address = pointer(samples)
    short = samples.dtype == _INT16
    target.samples = None if short else address
    target.samples16 = address if short else None
    target.count = samples.shape[0]
    target.sample_rate = rate
