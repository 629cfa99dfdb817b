"""Training from a configuration, with progress, pauses and resuming."""

from __future__ import annotations

import ctypes
import json
import logging
import os
import signal
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Callable, Generator, Literal, Mapping, Optional, Union

from . import _c
from ._errors import INTERRUPTED, error_of

Next = Literal["continue", "pause", "finish"]
_NEXT = {None: _c.TRAIN_CONTINUE, "continue": _c.TRAIN_CONTINUE, "pause": _c.TRAIN_PAUSE,
         "finish": _c.TRAIN_FINISH}


@dataclass(frozen=True)
class Progress:
    """The progress of a training. Unknown numbers are NaN.

    Attributes
    ----------
    pretraining : bool
        Whether this is the training of the section ``pretrain``.
    epoch, epochs : int
        The current epoch, from 1, and the largest possible number of epochs.
    step, steps : int
        Batches of this epoch that are done, and all batches of it.
    epoch_ended : bool
        Whether an epoch has ended. After a step, only the loss so far is known.
    loss, accuracy : float
        Means over the training clips.
    validation_loss, validation_accuracy : float
        Means over the validation clips.
    learning_rate : float
        The learning rate of the last update.
    seconds : float
        The duration of the epoch.
    improved : bool
        Whether the validation result is the best so far.
    """

    pretraining: bool
    epoch: int
    epochs: int
    step: int
    steps: int
    epoch_ended: bool
    loss: float
    accuracy: float
    validation_loss: float
    validation_accuracy: float
    learning_rate: float
    seconds: float
    improved: bool


def _progress(told: _c.TrainProgress) -> Progress:
    return Progress(bool(told.pretraining), told.epoch, told.epochs, told.step, told.steps,
                    bool(told.epoch_ended), told.loss, told.accuracy, told.validation_loss,
                    told.validation_accuracy, told.learning_rate, told.seconds,
                    bool(told.improved))


@dataclass(frozen=True)
class TrainResult:
    """The result of a training.

    Attributes
    ----------
    paused : bool
        Whether `progress` has paused the training, so that it can be resumed.
    folder : str
        The folder of the run.
    model : str
        The path of the trained model. It does not exist while the training is paused.
    epochs : int
        The number of epochs that are done.
    best_epoch : int
        The epoch with the best validation, from 1; 0 if there was none.
    best_accuracy, best_loss : float
        The validation accuracy and loss after that epoch.
    is_test : bool
        Whether the figures below are of the test part, and not of the validation part.
    correct, count : int
        The number of correct answers, and of all answers.
    loss : float
        The mean cross-entropy.
    """

    paused: bool
    folder: str
    model: str
    epochs: int
    best_epoch: int
    best_accuracy: float
    best_loss: float
    is_test: bool
    correct: int
    count: int
    loss: float

    @property
    def accuracy(self) -> float:
        """The share of correct answers, or NaN without answers."""
        return self.correct / self.count if self.count else float("nan")


def setting_text(value: Any) -> str:
    """The text of a setting's value, YAML in one line.

    Numbers of numpy and tuples are written as those of Python, and paths as texts.
    """
    def plain(other: Any) -> Any:
        if isinstance(other, os.PathLike):
            return os.fspath(other)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
        if hasattr(other, "tolist"):
            return other.tolist()
        raise TypeError(f"a setting is no {type(other).__name__}")
    return json.dumps(value, ensure_ascii=False, default=plain)


class _Caller:
    """Passes calls of the library to the caller's functions. An exception pauses the training."""

    def __init__(self, log: Optional[Callable[[str], object]],
                 progress: Optional[Callable[[Progress], Optional[Next]]]) -> None:
        self.error: Optional[BaseException] = None
        self._log = log
        self._progress = progress

    def log(self, user: Any, level: int, line: bytes) -> None:
        try:
            text = line.decode(errors="replace")
            if self._log is None:
                _c.logger.log(_c.LOG_LEVELS[level], "%s", text)
            else:
                self._log(text)
        except BaseException as error:
            self.error = self.error or error

    def progress(self, user: Any, told: int) -> int:
        try:
            if self.error is None and self._progress is not None:
                said = self._progress(_progress(_c.TrainProgress.from_address(told)))
                if said not in _NEXT:
                    raise ValueError(f"progress has returned {said!r}, must be None, 'continue', "
                                     "'pause' or 'finish'")
                return _c.TRAIN_PAUSE if self.error is not None else _NEXT[said]
        except BaseException as error:
            self.error = self.error or error
        return _c.TRAIN_CONTINUE if self.error is None else _c.TRAIN_PAUSE

    @contextmanager
    def interrupts(self) -> Generator[None, None, None]:
        """Keeps the exception of the Ctrl-C handler, which would be lost between two callbacks."""
        before = (signal.getsignal(signal.SIGINT)
                  if threading.current_thread() is threading.main_thread() else None)
        if not callable(before):
            yield
            return
        handler = before

        def handle(number: int, frame: Any) -> None:
            try:
                handler(number, frame)
            except BaseException as error:
                self.error = self.error or error

        signal.signal(signal.SIGINT, handle)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)


@contextmanager
def _configuration(config: Optional[str], settings: Mapping[str, Any]
                   ) -> Generator[Optional[ctypes.c_void_p], None, None]:
    """The C configuration, or None if a run is resumed with its own."""
    if config is None:
        if settings:
            raise ValueError("settings are laid over a configuration, and there is none")
        yield None
        return
    handle = ctypes.c_void_p()
    texts = [f"{key}={setting_text(value)}".encode() for key, value in settings.items()]
    _c.check(_c.library.dv_config_open(_c.path_bytes(config), ctypes.byref(handle)))
    try:
        _c.check(_c.library.dv_config_set(handle, (ctypes.c_char_p * len(texts))(*texts),
                                          len(texts)))
        yield handle
    finally:
        _c.library.dv_config_free(handle)


def train(config: Union[str, "os.PathLike[str]", None], folder: Union[str, "os.PathLike[str]"], *,
          settings: Optional[Mapping[str, Any]] = None, resume: bool = False,
          device: str = "auto", threads: int = 0,
          log: Optional[Callable[[str], object]] = None,
          progress: Optional[Callable[[Progress], Optional[Next]]] = None) -> TrainResult:
    """Train a model.

    Parameters
    ----------
    config : str, os.PathLike or None
        The path of a configuration, which may be one that comes with decavox, for example
        ``"configs/lightweight.yaml"``. It may be None if `resume` is true.
    folder : str or os.PathLike
        The folder of the run, created if it is missing.
    settings : mapping, optional
        Keys of the configuration and their values: ``{"data.path": "fsdd", "train.epochs": 30}``.
    resume : bool
        Whether to resume the interrupted run in the folder.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:N"`` or ``"ref"``.
    threads : int
        Host threads; 0 is one per physical core.
    log : callable, optional
        Receives each line of the log. By default the lines go to the logger ``decavox``.
    progress : callable, optional
        Receives a `Progress` after each step and each epoch. It returns None or ``"continue"``,
        ``"pause"`` (saves the state, which can be resumed), or ``"finish"`` (makes the current
        epoch the last one).

    Returns
    -------
    TrainResult
        The result of the training.

    Notes
    -----
    An exception in `log` or `progress`, or Ctrl-C, pauses the training, and is raised when the
    state is saved.
    """
    run = os.fspath(folder)
    caller, result = _Caller(log, progress), _c.TrainResult()
    log_function = _c.LogFunction(caller.log)
    progress_function = _c.TrainFunction(caller.progress)
    options = _c.TrainOptions(folder=_c.path_bytes(run), resume=int(resume),
                              device=_c.text(device), threads=threads, log=log_function,
                              progress=progress_function)
    with _configuration(None if config is None else os.fspath(config), settings or {}) as handle, \
            caller.interrupts():
        status = _c.library.dv_train(handle, ctypes.byref(options), ctypes.byref(result))
        message = _c.message() if status else ""
    if caller.error is not None:
        if status not in (0, INTERRUPTED):
            logging.getLogger("decavox").warning("%s", message)
        raise caller.error
    if status not in (0, INTERRUPTED):
        raise error_of(status, message)
    return TrainResult(status == INTERRUPTED, run, os.path.join(run, "model.safetensors"),
                       result.epochs, result.best_epoch, result.best_accuracy, result.best_loss,
                       bool(result.is_test), result.correct, result.count, result.loss)
