"""Recognizing words: the recognizer, its answers, and the predictor of digits."""

from __future__ import annotations

import ctypes
import os
import weakref
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Iterator, Literal, Mapping, Optional, Sequence, Union, overload

import numpy as np
import numpy.typing as npt

from . import _c, _sounds
from ._errors import DecavoxError
from ._model import ModelChoice, OpenModel, Source, pointer
from ._sounds import Sound
from ._stream import Stream


@dataclass(eq=False)
class Answer:
    """The answer of a model to a sound.

    Attributes
    ----------
    label : str
        The label with the highest probability.
    confidence : float
        This probability.
    probabilities : numpy.ndarray
        The probability of each label in the order of `Recognizer.labels`, float32, read-only.
    seconds : float
        The length of the sound.
    seen : tuple of float
        Start and end of the part that the model saw, in seconds.
    """

    __slots__ = ("confidence", "label", "probabilities", "seconds", "seen")

    label: str
    confidence: float
    probabilities: npt.NDArray[np.float32]
    seconds: float
    seen: tuple[float, float]


def _answer(labels: tuple[str, ...], row: npt.NDArray[np.float32], seen: _c.Seen) -> Answer:
    """Makes an answer that owns the row of probabilities."""
    row.setflags(write=False)
    best = int(row.argmax())
    return Answer(labels[best], float(row[best]), row, seen.seconds,
                  (getattr(seen, "from"), seen.to))


class Recognizer:
    """A model that recognizes words. Any number of threads may use it at once.

    Parameters
    ----------
    model : str, os.PathLike or bytes
        The path of a checkpoint, the name of a model that comes with decavox, or the bytes of a
        checkpoint.
    device : str
        ``"cpu"``, ``"cuda"``, ``"cuda:N"``, ``"ref"`` or ``"auto"``.
    precision : str
        ``"fp32"``, ``"tf32"``, ``"fp16"`` or ``"bf16"``, if the device supports it.
    algorithms : str, optional
        The choice of algorithms on a GPU: ``"kept"`` (the default), ``"fixed"``, ``"measured"`` or
        ``"any"``.
    threads : int
        Threads of the library for the sounds of one call; -1 is one per physical core.
    batch : int
        Number of sounds that `predict_many` computes at a time.

    Notes
    -----
    A recognizer can be pickled; unpickling opens the model again. A forked child opens the model
    again at the first use.
    """

    def __init__(self, model: Source = "lightweight", *, device: str = "cpu",
                 precision: str = "fp32", algorithms: Optional[str] = None, threads: int = 1,
                 batch: int = 16) -> None:
        self._choice = ModelChoice.of(model, device, precision, algorithms, threads)
        self._batch = _c.whole("batch", batch, 1, 4096)
        self._model = self._open()

    def _open(self) -> OpenModel:
        model = OpenModel(self._choice)
        self._finalizer = weakref.finalize(self, model.close)
        return model

    def _own(self) -> OpenModel:
        """The model of this process. A forked child must open its own."""
        if self._model.process != os.getpid():
            self._model = self._open()
        return self._model

    # ---- Properties of the model ----

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the model."""
        return self._model.labels

    @property
    def sample_rate(self) -> int:
        """The model's sample rate in Hz. Sounds at other rates are resampled to it."""
        return self._model.sample_rate

    @property
    def window(self) -> float:
        """The length of the model's window in seconds."""
        return self._model.window

    @property
    def card(self) -> str:
        """The resolved configuration of the checkpoint as YAML."""
        return self._model.card

    @property
    def device(self) -> str:
        """The device of the model."""
        return self._model.device

    @property
    def precision(self) -> str:
        """The precision of the model."""
        return self._model.precision

    # ---- Answers ----

    def predict(self, sound: Sound, sample_rate: Optional[int] = None) -> Answer:
        """Answer a sound.

        Parameters
        ----------
        sound : str, os.PathLike or numpy.ndarray
            The path of a sound file, or the samples of one channel: float32 or float64 from -1 to
            1, or int16.
        sample_rate : int, optional
            The rate of the samples in Hz. It is required for an array.

        Returns
        -------
        Answer
            The label and its probability, among other things.
        """
        model = self._own()
        samples: Optional[npt.NDArray[Any]] = None
        rate = 0
        path = None if isinstance(sound, np.ndarray) else _sounds.path_of(sound)
        if path is None:
            samples, rate = _sounds.samples_of(sound), _sounds.rate_of(sample_rate)
        session = model.take(1)
        try:
            if samples is None:
                assert path is not None
                status = _c.library.dv_session_file(session.handle, _c.path_bytes(path),
                                                    session.answer_address, session.seen_address)
            else:
                _sounds.fill(session.sound, samples, rate)
                status = _c.library.dv_session_sound(session.handle, session.sound_address,
                                                     session.answer_address, session.seen_address)
            _c.raise_interruption()
            if status:
                _c.check(status, path)
            return _answer(model.labels, session.answer.copy(), session.seen)
        finally:
            model.give_back(session)

    @overload
    def predict_many(self, sounds: Sequence[Sound], sample_rate: Optional[int] = None, *,
                     errors: Literal["raise"] = "raise") -> list[Answer]: ...

    @overload
    def predict_many(self, sounds: Sequence[Sound], sample_rate: Optional[int] = None, *,
                     errors: Literal["return"]) -> list[Union[Answer, Exception]]: ...

    def predict_many(self, sounds: Sequence[Sound], sample_rate: Optional[int] = None, *,
                     errors: Literal["raise", "return"] = "raise") -> list[Any]:
        """Answer sounds, `batch` at a time.

        Parameters
        ----------
        sounds : sequence
            Paths and arrays, as `predict` takes them.
        sample_rate : int, optional
            The rate of the arrays in Hz.
        errors : {"raise", "return"}
            ``"raise"`` raises the error of the first sound that fails. ``"return"`` puts each error
            into the list in place of the answer.

        Returns
        -------
        list of Answer
            An answer or an exception for each sound.
        """
        if errors not in ("raise", "return"):
            raise ValueError(f"errors is '{errors}', must be 'raise' or 'return'")
        if isinstance(sounds, (str, bytes, np.ndarray)):
            raise TypeError("sounds are a list of paths or of arrays; predict takes one sound")
        given = list(sounds)
        answers: list[Any] = [None] * len(given)
        paths: dict[int, bytes] = {}
        arrays: dict[int, npt.NDArray[Any]] = {}
        rate = 0
        for i, sound in enumerate(given):
            path = _sounds.path_of(sound)
            try:
                if path is not None:
                    paths[i] = _c.path_bytes(path)
                else:
                    rate = _sounds.rate_of(sample_rate)
                    arrays[i] = _sounds.samples_of(sound)
            except (TypeError, ValueError) as error:
                if errors == "raise":
                    raise
                answers[i] = error
        if paths:
            self._answer_files(paths, answers)
        if arrays:
            self._answer_arrays(arrays, rate, answers)
        return self._with_errors(given, sample_rate, answers, errors)

    def _answer_files(self, paths: dict[int, bytes], answers: list[Any]) -> None:
        places = list(paths)
        for some in self._parts(places):
            encoded = (ctypes.c_char_p * len(some))(*(paths[place] for place in some))
            self._answer_all(_c.library.dv_session_files, encoded, some, answers)

    def _answer_arrays(self, arrays: dict[int, npt.NDArray[Any]], rate: int, answers: list[Any]
                       ) -> None:
        places = list(arrays)
        for some in self._parts(places):
            sounds = (_c.Sound * len(some))()
            for sound, place in zip(sounds, some):
                _sounds.fill(sound, arrays[place], rate)
            self._answer_all(_c.library.dv_session_sounds, sounds, some, answers)

    def _parts(self, places: list[int]) -> Iterator[list[int]]:
        """Splits the places into calls of 16 batches, between which Python can react to Ctrl-C."""
        step = 16 * self._batch
        return (places[first:first + step] for first in range(0, len(places), step))

    def _answer_all(self, call: Any, sounds: Any, places: list[int], answers: list[Any]) -> None:
        """Calls the library and puts the answers into their places."""
        model, count = self._own(), len(places)
        rows = np.zeros((count, len(model.labels)), np.float32)
        seen, statuses = (_c.Seen * count)(), (ctypes.c_int * count)()
        session = model.take(self._batch if count > 1 else 1)
        try:
            call(session.handle, sounds, count, pointer(rows), seen, statuses)
        finally:
            model.give_back(session)
        _c.raise_interruption()
        for i, place in enumerate(places):
            if statuses[i] == 0:
                answers[place] = _answer(model.labels, rows[i].copy(), seen[i])

    def _with_errors(self, given: list[Sound], sample_rate: Optional[int], answers: list[Any],
                     errors: str) -> list[Any]:
        """Answers each sound that failed again, alone, to get its error: a call of many sounds has
        the message of only one."""
        for i, answer in enumerate(answers):
            if answer is None:
                try:
                    answers[i] = self.predict(given[i], sample_rate)
                except (DecavoxError, ValueError) as error:
                    if errors == "raise":
                        raise
                    answers[i] = error
        return answers

    def stream(self, sample_rate: Optional[int] = None, *, hop: Optional[float] = None,
               smoothing: float = 0.0,
               thresholds: Union[float, Mapping[str, float], None] = None) -> Stream:
        """Begin a stream: a sound that arrives in pieces.

        Parameters
        ----------
        sample_rate : int, optional
            The rate of the pieces in Hz; by default the model's rate.
        hop : float, optional
            Seconds between the starts of two windows; by default a quarter of a window.
        smoothing : float
            Seconds over which the probabilities are averaged.
        thresholds : float or mapping of str to float, optional
            The smoothed probability from which a word counts as heard, for all words or by word. A
            word with a threshold above 1 is never heard. The default is 0.5.

        Returns
        -------
        Stream
            The stream, which has a session of its own.
        """
        return Stream(self._own(), sample_rate, hop, smoothing, thresholds)

    # ---- Life ----

    def close(self) -> None:
        """Free the model. Calls in progress and open streams end as usual."""
        self._finalizer()

    def __enter__(self) -> Recognizer:
        """Return the recognizer itself."""
        return self

    def __exit__(self, kind: Optional[type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        """Close the recognizer."""
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the parameters of the recognizer."""
        return _reopen, (self._choice, self._batch)

    def __repr__(self) -> str:
        """Name the model, its device and the number of its labels."""
        source = self._choice.source
        name = f"<{len(source)} bytes>" if isinstance(source, bytes) else repr(source)
        return f"Recognizer({name}, device={self.device!r}, {len(self.labels)} labels)"


def _reopen(choice: ModelChoice, batch: int) -> Recognizer:
    return Recognizer(choice.source, device=choice.device, precision=choice.precision,
                      algorithms=choice.algorithms, threads=choice.threads, batch=batch)


_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


class DigitPredictor:
    """Predicts spoken digits, one file at a time.

    Parameters
    ----------
    model : str, os.PathLike or bytes
        A checkpoint, as `Recognizer` takes it.
    """

    def __init__(self, model: Source) -> None:
        self.recognizer = Recognizer(model)

    def predict(self, sound: Sound, sample_rate: Optional[int] = None
                ) -> tuple[Union[int, str], float]:
        """Predict the digit of a sound.

        Parameters
        ----------
        sound : str, os.PathLike or numpy.ndarray
            A path or samples, as `Recognizer.predict` takes them.
        sample_rate : int, optional
            The rate of the samples in Hz.

        Returns
        -------
        tuple
            The digit and its probability. The digit is an int if the label is ``"0"`` to ``"9"`` or
            ``"zero"`` to ``"nine"``, and else the label itself.
        """
        answer = self.recognizer.predict(sound, sample_rate)
        label = answer.label
        if label in _DIGITS:
            return _DIGITS.index(label), answer.confidence
        if len(label) == 1 and label in "0123456789":
            return int(label), answer.confidence
        return label, answer.confidence
