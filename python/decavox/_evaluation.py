"""Evaluation of a model on a data set, and export of a model for other runtimes."""

from __future__ import annotations

import ctypes
import json
import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generator, Literal, Optional, Union

import numpy as np
import numpy.typing as npt

from . import _c
from ._model import Source
from ._recognizer import Recognizer

Path = Union[str, "os.PathLike[str]"]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The figures of a model on the clips of a data set.

    Attributes
    ----------
    count, correct : int
        The number of clips that were answered, and of correct answers.
    accuracy : float
        The share of correct answers.
    loss : float
        The mean cross-entropy.
    labels : tuple of str
        The labels of the rows and the columns of `confusion`.
    confusion : numpy.ndarray
        The number of clips by label (row) and answer (column), int64.
    report : dict
        All figures, as ``decavox eval --format json`` prints them.
    """

    count: int
    correct: int
    accuracy: float
    loss: float
    labels: tuple[str, ...]
    confusion: npt.NDArray[np.int64]
    report: dict[str, Any]


@contextmanager
def _opened(model: Union[Recognizer, Source]) -> Generator[ctypes.c_void_p, None, None]:
    """The handle of a recognizer's model, or of a model that is opened for the call."""
    if isinstance(model, Recognizer):
        with model._own().used() as handle:  # pyright: ignore[reportPrivateUsage]
            yield handle
    else:
        with Recognizer(model) as own, _opened(own) as handle:
            yield handle


def _path(path: Optional[Path]) -> Optional[bytes]:
    return None if path is None else _c.path_bytes(os.fspath(path))


def evaluate(model: Union[Recognizer, Source], data: Optional[Path] = None, *,
             split: Optional[str] = None,
             part: Literal["train", "validation", "test", "all"] = "test",
             exclude: Optional[Path] = None, threads: int = 0) -> Evaluation:
    """Evaluate a model on the clips of a data set.

    Parameters
    ----------
    model : Recognizer, str, os.PathLike or bytes
        A recognizer, or a model as `Recognizer` takes it.
    data : str or os.PathLike, optional
        A folder or a manifest; by default the data of the training.
    split : str, optional
        ``"official"``, ``"speaker"`` and so on; by default the split of the training.
    part : {"train", "validation", "test", "all"}
        The part of the split.
    exclude : str or os.PathLike, optional
        A CSV file that names files to leave out; by default that of the training.
    threads : int
        Host threads; 0 is one per physical core.

    Returns
    -------
    Evaluation
        The figures.
    """
    options = _c.EvaluationOptions(data=_path(data), split=_c.text(split), part=_c.text(part),
                                   exclude=_path(exclude), threads=threads)
    found = ctypes.c_void_p()
    call = _c.library
    with _opened(model) as handle:
        _c.check(call.dv_evaluate(handle, ctypes.byref(options), ctypes.byref(found)))
        try:
            size = call.dv_model_label_count(handle)
            labels = tuple(call.dv_model_label(handle, i).decode() for i in range(size))
            confusion = np.array([[call.dv_evaluation_confusion(found, truth, answer)
                                   for answer in range(size)] for truth in range(size)], np.int64)
            count = call.dv_evaluation_count(found)
            correct = call.dv_evaluation_correct(found)
            return Evaluation(count, correct, correct / count if count else float("nan"),
                              call.dv_evaluation_loss(found), labels, confusion,
                              json.loads(call.dv_evaluation_json(found)))
        finally:
            call.dv_evaluation_free(found)


def export(model: Union[Recognizer, Source], path: Path, *, format: Optional[str] = None,
           input: str = "audio", precision: str = "fp32", batch: Optional[int] = None,
           license: Optional[str] = None, force: bool = False) -> None:
    """Write a model for other runtimes, or only its weights.

    Parameters
    ----------
    model : Recognizer, str, os.PathLike or bytes
        A recognizer, or a model as `Recognizer` takes it.
    path : str or os.PathLike
        The file, which is written completely or not at all.
    format : str, optional
        ``"onnx"``, ``"torchscript"``, ``"pt2"`` or ``"safetensors"`` (only the weights); by default
        the format of the path's ending: .onnx, .pt, .pt2 or .safetensors.
    input : str
        The input of the exported model: ``"audio"``, ``"features"`` or ``"log_mel"``.
    precision : str
        The precision of the network: ``"fp32"`` or ``"fp16"``.
    batch : int, optional
        A fixed batch size; by default any size.
    license : str, optional
        The licence of the model, for the metadata of the file.
    force : bool
        Whether to replace a file that export did not write.
    """
    options = _c.ExportOptions(format=_c.text(format), input=_c.text(input),
                               precision=_c.text(precision), batch=batch or 0,
                               license=_c.text(license), force=int(force))
    with _opened(model) as handle:
        _c.check(_c.library.dv_export(handle, _path(path), ctypes.byref(options)))
