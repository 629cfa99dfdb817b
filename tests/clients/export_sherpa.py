"""A model that decavox trains, in the audio tagger of sherpa-onnx. `export_sherpa.py BUILD`; the
exit code is 77 without recordings at 16 kHz.

sherpa-onnx computes the bands of a whole clip, and decavox those of a window of a second. They
differ in these points, and a test measures each:

- decavox removes the mean of a clip, and sherpa-onnx does not (`test_a_second`).
- If the clip is longer than the window, the frames at the window's ends differ. decavox mirrors the
  window there, and sherpa-onnx has the rest of the clip (`test_longer`).
- If the clip is shorter, decavox has zeros beside it, and a frame beside the clip that reaches into
  it. sherpa-onnx mirrors the clip, and the program has silence beside it (`test_shorter`).

The bounds are five to fifteen times the differences measured on 600 clips with two models of 100
epochs, on an Intel Xeon (family 6, model 207), 2026-11-30.
"""
import csv
import json
import os
import sys
import unittest

import numpy as np
import onnx
import onnxruntime
import sherpa_onnx
import soundfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import support
from support import GOOD, decavox

RATE, BANDS, FRAMES, TOP_DB, SILENCE = 16000, 64, 100, 60, -100
SKIPPED = 77
DATA = os.path.abspath(os.path.join(os.environ.get("DECAVOX_DATA") or os.path.join(
    support.ROOT, "..", "shared", "data"), "arabic_digits"))
CLIPS, EPOCHS = 200, "20"
FLOAT = onnx.TensorProto.FLOAT
DECIBELS = "front_end/decibels/Mul"  # decibels of the bands, before top_db


def rows_of(part):
    """The (path, label) of each clip of a part."""
    with open(os.path.join(DATA, "manifest.csv"), encoding="utf-8", newline="") as file:
        return [(os.path.join(DATA, row["path"]), row["label"]) for row in csv.DictReader(file)
                if row["split"] == part]


def write_manifest(path):
    """Writes a manifest. The validation part is the test part, so that no training sees it."""
    lines = [f"{file},{label},{split}" for part, split in (("train", "train"),
                                                           ("validation", "test"))
             for file, label in rows_of(part)]
    return support.write_text(path, "\n".join(["path,label,split", *lines, ""]))


def read(path):
    samples, rate = soundfile.read(path, dtype="float32")
    assert rate == RATE, path
    return samples


def without_mean(samples):
    return (samples - samples.mean(dtype=np.float64)).astype(np.float32)


def tagger(model, labels):
    config = sherpa_onnx.AudioTaggingConfig(
        model=sherpa_onnx.AudioTaggingModelConfig(ced=model, num_threads=1, debug=False,
                                                  provider="cpu"),
        labels=labels, top_k=1 << 20)
    return sherpa_onnx.AudioTagging(config)


def tag(audio_tagger, samples):
    """The name of the likeliest event, and all probabilities by index."""
    stream = audio_tagger.create_stream()
    stream.accept_waveform(RATE, samples)
    events = audio_tagger.compute(stream)
    probabilities = np.zeros(len(events), np.float32)
    for event in events:
        probabilities[event.index] = event.prob
    return events[0].name, probabilities


def write_mirror(folder, frames):
    """Writes a model of the tagger's kind whose probabilities are its input, and its labels."""
    count = BANDS * frames
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Reshape", ["x", "sizes"], ["y"])], "mirror",
        [value("x", FLOAT, [1, BANDS, "T"])],
        [value("y", FLOAT, [1, count])],
        [onnx.helper.make_tensor("sizes", onnx.TensorProto.INT64, [2], [1, count])])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)],
                                   ir_version=8)
    path = os.path.join(folder, f"mirror_{frames}.onnx")
    onnx.save(model, path)
    lines = [f'{i},{i},"{i}"' for i in range(count)]
    labels = support.write_text(path + ".csv", "\n".join(["index,mid,display_name", *lines, ""]))
    return tagger(path, labels)




def run(model, values, *more):
    """Runs the model in ONNX Runtime. Returns the probabilities, and the tensors named in
    `more`."""
    program = onnx.load(model)
    for name in more:
        program.graph.output.append(onnx.helper.make_tensor_value_info(name, FLOAT, None))
    session = onnxruntime.InferenceSession(program.SerializeToString(),
                                           providers=["CPUExecutionProvider"])
    return session.run(["probabilities", *more], {program.graph.input[0].name: values})


def window_of(bands):
    """The middle FRAMES of (bands, frames), with silence beside them if there are fewer."""
    first = bands.shape[1] // 2 - FRAMES // 2
    out = np.full((len(bands), FRAMES), SILENCE, np.float64)
    for frame in range(FRAMES):
        if 0 <= first + frame < bands.shape[1]:
            out[:, frame] = np.maximum(bands[:, first + frame], SILENCE)
    return out


def features_of(window):
    """The features of a window by the preset."""
    floored = np.maximum(window, window.max() - TOP_DB)
    centred = floored - floored.mean(1, keepdims=True)
    return centred / (centred.std() + 0.01)


def loudest(samples, count):
    powers = np.convolve(samples.astype(np.float64) ** 2, np.ones(count), "valid")
    start = int(powers.argmax())
    return samples[start:start + count]


class Sherpa(support.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model, out = cls.at("run", "model.safetensors"), cls.at("run")
        done = decavox("train", "configs/ced_mini.yaml", "--data",
                       write_manifest(cls.at("manifest.csv")), "--split", "official", "--epochs",
                       EPOCHS, "--out", out, threads=None, timeout=400, folder=support.ROOT)
        if done.code != GOOD:
            raise AssertionError(done.err + done.out)
        cls.program, cls.labels = cls.at("ced.onnx"), cls.at("ced.csv")
        for name, more in (("ced", ("--input", "log_mel", "--labels", cls.labels)),
                           ("features", ("--input", "features")), ("audio", ())):
            done = decavox("export", cls.model, "--out", cls.at(name + ".onnx"), *more)
            if done.code != GOOD:
                raise AssertionError(done.err)
        cls.tagger = tagger(cls.program, cls.labels)
        tested = rows_of("validation")
        chosen = tested[::len(tested) // CLIPS]
        cls.clips = [read(path) for path, _ in chosen]
        cls.words = [label for _, label in chosen]

    def answers(self, clips):
        """[(word, probabilities)] of `decavox predict`, from files with exactly these samples."""
        paths = []
        for number, samples in enumerate(clips):
            paths.append(self.at(f"clip_{number}.wav"))
            support.write_float_wav(paths[-1], samples, RATE)
        done = self.ends(decavox("predict", self.model, *paths, "--format", "json"), GOOD)
        return [(answer["label"], np.array(answer["probabilities"]))
                for answer in json.loads(done.out)]

    def compare(self, what, clips):
        """The number of clips with the same word, and the distance of each clip's probabilities."""
        ours, theirs = self.answers(clips), [tag(self.tagger, clip) for clip in clips]
        same = sum(one[0] == other[0] for one, other in zip(ours, theirs))
        apart = np.array([abs(one[1] - other[1]).max() for one, other in zip(ours, theirs)])
        right = [sum(answer[0] == word for answer, word in zip(answers, self.words))
                 for answers in (ours, theirs)]
        print(f"{what}: {same} of {len(clips)} words the same, probabilities apart by "
              f"{np.median(apart):.1e}, at most {apart.max():.1e}; {right[0]} right in decavox, "
              f"{right[1]} in sherpa-onnx", flush=True)
        return same / len(clips), apart

    def test_a_second(self):
        """Measured are equal words, and distances of 1.3e-6 without the mean and 1.2e-3 with it."""
        same, apart = self.compare("1.0 s, mean removed", [without_mean(c) for c in self.clips])
        self.assertEqual(same, 1)
        self.assertLess(apart.max(), 2e-5)
        same, apart = self.compare("1.0 s", self.clips)
        self.assertGreaterEqual(same, 0.99)
        self.assertLess(apart.max(), 2e-2)

    def test_longer(self):
        """A recording between two others. Measured are equal words, and distances up to 0.06."""
        beside = int(0.65 * RATE)
        clips = [np.concatenate([self.clips[i - 7][-beside:], self.clips[i],
                                 self.clips[i - 31][:beside]]) for i in range(len(self.clips))]
        same, apart = self.compare("2.3 s", clips)
        self.assertGreaterEqual(same, 0.98)
        self.assertLess(np.median(apart), 5e-3)
        self.assertLess(apart.max(), 0.3)

    def test_shorter(self):
        """The loudest 0.3 s, cut off within the word, where the surroundings of the clip count
        most. Measured are 90 to 94 % equal words; models are unsure of the others."""
        same, apart = self.compare("0.3 s", [loudest(c, int(0.3 * RATE)) for c in self.clips])
        self.assertGreaterEqual(same, 0.8)
        self.assertLess(np.median(apart), 0.2)

    def test_bands(self):
        """Compares the bands of sherpa-onnx and of decavox, from the floor up. Measured are 0.0007
        dB. A mean that stays is in the lowest two bands; the others differ by 0.0005 dB."""
        mirror, farthest, with_mean = write_mirror(self.folder, FRAMES), [], []
        for clip in self.clips:
            ours = run(self.at("audio.onnx"), clip[None], DECIBELS)[1][0].T
            floor = ours.max() - TOP_DB
            for samples, distances in ((without_mean(clip), farthest), (clip, with_mean)):
                theirs = tag(mirror, samples)[1].reshape(BANDS, FRAMES)
                distances.append(abs(np.maximum(ours, floor) - np.maximum(theirs, floor)).max(1))
        farthest, with_mean = np.max(farthest, 0), np.max(with_mean, 0)
        print(f"bands apart by {farthest.max():.1e} dB at most; with the mean the lowest two by "
              f"{with_mean[:2].max():.1e}, the others by {with_mean[2:].max():.1e}", flush=True)
        self.assertLess(farthest.max(), 7e-3)
        self.assertLess(with_mean[2:].max(), 7e-3)

    def test_any_number_of_frames(self):
        """Compares the program with its formulas, by the model that takes features."""
        draw = np.random.default_rng(1)
        for frames in (1, 2, 31, 99, 100, 101, 230, 1001):
            bands = draw.normal(-40, 25, (3, BANDS, frames)).astype(np.float32)
            bands[0, :, 0] = -np.inf  # the logarithm of 0
            features = np.stack([features_of(window_of(clip)) for clip in bands])
            expected, = run(self.at("features.onnx"), features.astype(np.float32))
            np.testing.assert_allclose(run(self.program, bands)[0], expected, atol=2e-5)

    def test_the_labels_are_the_words(self):
        words = sorted(set(self.words))
        lines = support.read_text(self.labels).splitlines()
        self.assertEqual(lines, ["index,mid,display_name",
                                 *(f'{i},{i},"{word}"' for i, word in enumerate(words))])


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(f"usage: {sys.argv[0]} BUILD [unittest options]")
    if not os.path.exists(os.path.join(DATA, "manifest.csv")):
        print(f"skipped: no recordings at {DATA} (set DECAVOX_DATA)")
        sys.exit(SKIPPED)
    sys.argv[1] = os.path.join(os.path.abspath(sys.argv[1]), "runner", "decavox")
    support.main()
