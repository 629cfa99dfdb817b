"""Recognizer and DigitPredictor: sounds of every kind, many at once, threads, processes."""
import concurrent.futures
import contextlib
import gc
import io
import logging
import multiprocessing
import os
import pathlib
import pickle
import threading
from unittest import mock

import package  # imported first: it reports missing modules
import numpy
import support
from decavox import Answer, DigitPredictor, Recognizer
from package import tone


def label_in_child(recognizer, samples, queue):
    queue.put(recognizer.predict(samples, 8000).label)


class Recognizing(package.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.recognizer = Recognizer("lightweight")
        cls.addClassCleanup(cls.recognizer.close)
        cls.path = cls.at("äöü 七.wav")
        support.write_wav(cls.path, tone(3))

    def test_what_the_model_is(self):
        one = self.recognizer
        self.assertEqual(one.labels, tuple("0123456789"))
        self.assertEqual((one.sample_rate, one.window, one.device, one.precision),
                         (8000, 1.0, "cpu", "fp32"))
        self.assertIn("features:", one.card)
        self.assertIn("10 labels", repr(one))

    def test_an_answer(self):
        answer = self.recognizer.predict(tone(3, 6000), 8000)
        self.assertIsInstance(answer, Answer)
        self.assertEqual(answer.probabilities.dtype, numpy.float32)
        self.assertEqual(answer.probabilities.shape, (10,))
        self.assertAlmostEqual(float(answer.probabilities.sum()), 1, 5)
        best = int(answer.probabilities.argmax())
        self.assertEqual(answer.label, self.recognizer.labels[best])
        self.assertEqual(answer.confidence, float(answer.probabilities[best]))
        self.assertEqual((answer.seconds, answer.seen), (0.75, (0.0, 0.75)))
        with self.assertRaises(ValueError):
            answer.probabilities[0] = 1
        with self.assertRaises(AttributeError):
            answer.lable = "1"
        later = self.recognizer.predict(tone(1), 8000)
        self.assertFalse(numpy.shares_memory(answer.probabilities, later.probabilities))

    def test_files(self):
        by_text = self.recognizer.predict(self.path)
        self.same(by_text, self.recognizer.predict(pathlib.Path(self.path)))
        samples = numpy.array([int(32767 * s) for s in tone(3)], numpy.int16)
        numpy.testing.assert_array_equal(by_text.probabilities,
                                         self.recognizer.predict(samples, 8000).probabilities)

    def test_types_and_strides(self):
        samples = tone(2)
        plain = self.recognizer.predict(samples, 8000)
        two = numpy.stack([samples, samples[::-1]], axis=1)
        for same in (samples.astype(numpy.float64), two[:, 0], two[::-1, 1],
                     samples.astype(">f4"), numpy.asfortranarray(two)[:, 0],
                     samples.reshape(-1, 2).reshape(-1)):
            self.same(plain, self.recognizer.predict(same, 8000))
        short = (samples * 32768).astype(numpy.int16)
        whole = self.recognizer.predict(short, 8000)
        self.same(whole, self.recognizer.predict(short.astype(numpy.float32) / 32768, 8000))
        self.same(whole, self.recognizer.predict(short.astype(">i2"), 8000))
        self.same(whole, self.recognizer.predict(numpy.repeat(short, 3)[::3], numpy.int64(8000)))
        read_only = samples.copy()
        read_only.setflags(write=False)
        self.same(plain, self.recognizer.predict(read_only, 8000.0))

    def test_what_is_no_sound(self):
        for kind in ("int32", "uint8", "complex64", "bool", "float16", "object"):
            with self.assertRaisesRegex(TypeError, f"not {kind}"):
                self.recognizer.predict(numpy.zeros(8000, kind), 8000)
        with self.assertRaisesRegex(TypeError, "not list"):
            self.recognizer.predict([0.0, 1.0], 8000)
        with self.assertRaisesRegex(TypeError, "not bytes"):
            self.recognizer.predict(b"a.wav", 8000)
        with self.assertRaisesRegex(ValueError, r"shape \(8000, 2\).*sound\[:, 0\].*mean"):
            self.recognizer.predict(numpy.zeros((8000, 2), numpy.float32), 8000)
        with self.assertRaisesRegex(ValueError, "sample_rate"):
            self.recognizer.predict(tone(1))
        with self.assertRaisesRegex(ValueError, "whole number"):
            self.recognizer.predict(tone(1), 8000.5)
        with self.assertRaisesRegex(ValueError, "null character"):
            self.recognizer.predict("a\0b.wav")

    def test_many(self):
        arrays = [tone(digit, 3000 + 500 * digit) for digit in range(10)] * 4
        alone = [self.recognizer.predict(one, 8000) for one in arrays]
        for batch in (1, 3, 16):
            with Recognizer("lightweight", batch=batch) as other:
                for one, answer in zip(alone, other.predict_many(arrays, 8000)):
                    self.same(one, answer)
        mixed = self.recognizer.predict_many([arrays[0], self.path, arrays[1], self.path], 8000)
        self.same(mixed[0], alone[0])
        self.same(mixed[2], alone[1])
        self.same(mixed[1], self.recognizer.predict(self.path))
        self.same(mixed[3], mixed[1])
        self.assertEqual(self.recognizer.predict_many([]), [])
        with Recognizer("lightweight", threads=2) as other:
            for one, answer in zip(alone, other.predict_many(arrays, 8000)):
                self.same(one, answer)

    def test_many_with_errors(self):
        sounds = [tone(1), self.at("none.wav"), numpy.full(800, numpy.nan), self.path,
                  numpy.zeros((2, 2)), numpy.zeros(4, numpy.int32)]
        found = self.recognizer.predict_many(sounds, 8000, errors="return")
        self.assertIsInstance(found[0], Answer)
        self.assertIsInstance(found[1], FileNotFoundError)
        self.assertIn("none.wav", str(found[1]))
        self.assertIsInstance(found[2], ValueError)
        self.assertIn("sample 0 is nan", str(found[2]))
        self.same(found[3], self.recognizer.predict(self.path))
        self.assertIsInstance(found[4], ValueError)
        self.assertIsInstance(found[5], TypeError)
        with self.assertRaises(FileNotFoundError):
            self.recognizer.predict_many(sounds[:4], 8000)
        with self.assertRaises(TypeError):
            self.recognizer.predict_many([sounds[0], sounds[5]], 8000)
        found = self.recognizer.predict_many([sounds[0], self.path], errors="return")
        self.assertIn("sample_rate", str(found[0]))
        self.assertIsInstance(found[1], Answer)
        with self.assertRaisesRegex(ValueError, "'ignore'"):
            self.recognizer.predict_many([], errors="ignore")

    def test_threads(self):
        """Eight threads share a recognizer. Each gets the answers of its own sounds."""
        arrays = [tone(digit, 2000 + 700 * digit) for digit in range(8)]
        alone = [self.recognizer.predict(one, 8000) for one in arrays]
        wrong, barrier = [], threading.Barrier(8)

        def work(number):
            barrier.wait()
            for turn in range(40):
                if turn % 10 == 0:
                    answer = self.recognizer.predict_many(arrays, 8000)[number]
                else:
                    answer = self.recognizer.predict(arrays[number], 8000)
                if not numpy.array_equal(answer.probabilities, alone[number].probabilities):
                    wrong.append(number)

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))
        self.assertEqual(wrong, [])

    def test_errors_of_threads(self):
        """The message is that of the thread's own call."""
        def work(number):
            for turn in range(20):
                name = f"none_{number}_{turn}.wav"
                try:
                    self.recognizer.predict(name)
                except FileNotFoundError as error:
                    if name not in str(error):
                        return str(error)
            return None

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            self.assertEqual(list(pool.map(work, range(8))), [None] * 8)

    def test_closed_within_calls(self):
        other, samples = Recognizer("mini"), tone(1)
        ended = []

        def work(_):
            with contextlib.suppress(ValueError):
                while True:
                    other.predict(samples, 8000)
            ended.append(True)

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            done = pool.map(work, range(4))
            other.close()
            list(done)
        self.assertEqual(len(ended), 4)

    def test_closed(self):
        with Recognizer("mini") as other:
            stream = other.stream()
            other.predict(tone(1), 8000)
        other.close()
        with self.assertRaisesRegex(ValueError, "closed"):
            other.predict(tone(1), 8000)
        with self.assertRaisesRegex(ValueError, "closed"):
            other.stream()
        self.assertEqual(len(other.labels), 10)
        self.assertEqual(len(stream.accept(tone(1, 8000))), 1)  # a stream ends as usual
        stream.close()

    def test_collected(self):
        for _ in range(5):
            Recognizer("mini").predict(tone(1), 8000)
        stream = Recognizer("mini").stream()
        gc.collect()
        self.assertEqual(len(stream.accept(tone(1, 8000))), 1)

    def test_bytes_and_names(self):
        path = os.path.join(package.ROOT, "checkpoints", "mini.safetensors")
        plain = Recognizer(path).predict(tone(1), 8000)
        content = pathlib.Path(path).read_bytes()
        in_memory = Recognizer(content)
        self.assertIn("bytes", repr(in_memory))
        for other in (in_memory, Recognizer("mini"), Recognizer(pathlib.Path(path)),
                      pickle.loads(pickle.dumps(in_memory)),
                      Recognizer("checkpoints/mini.safetensors")):
            self.same(plain, other.predict(tone(1), 8000))

    def test_a_name_of_ones_own(self):
        os.makedirs(self.at("home", "checkpoints"))
        content = pathlib.Path(package.ROOT, "checkpoints", "mini.safetensors").read_bytes()
        path = pathlib.Path(self.at("home", "checkpoints", "own.safetensors"))
        path.write_bytes(content)
        with mock.patch.dict(os.environ, DECAVOX_HOME=self.at("home")):
            one = Recognizer("own")
        self.assertIn(str(path), repr(pickle.loads(pickle.dumps(one))))
        with self.assertRaises(FileNotFoundError):
            Recognizer("own")

    def test_pickled(self):
        """A recognizer can be pickled, also for another folder, and with a name in other
        letters."""
        copy = self.at("mödel.safetensors")
        content = pathlib.Path(package.ROOT, "checkpoints", "mini.safetensors").read_bytes()
        pathlib.Path(copy).write_bytes(content)
        before = os.getcwd()
        os.chdir(self.folder)
        self.addCleanup(os.chdir, before)
        one = Recognizer("mödel.safetensors", batch=3)
        text = pickle.dumps(one)
        os.chdir("/")
        self.same(one.predict(tone(1), 8000), pickle.loads(text).predict(tone(1), 8000))

    def test_processes(self):
        """A forked child, and one that is spawned, open the model for themselves."""
        expected = self.recognizer.predict(tone(4), 8000).label
        for method in ("fork", "spawn"):
            context = multiprocessing.get_context(method)
            queue = context.Queue()
            child = context.Process(target=label_in_child,
                                    args=(self.recognizer, tone(4), queue))
            child.start()
            self.assertEqual(queue.get(timeout=60), expected)
            child.join(60)
            self.assertEqual(child.exitcode, 0)
        self.assertEqual(self.recognizer.predict(tone(4), 8000).label, expected)

    def test_the_logger(self):
        long = self.at("long.wav")
        support.write_wav(long, numpy.concatenate([tone(1)] * 4))
        with self.assertLogs("decavox", logging.WARNING) as told:
            Recognizer("mini").predict(long)
        self.assertIn("long.wav", told.output[0])

    def test_the_reference(self):
        """Another device gives the same answer within rounding."""
        with Recognizer("mini", device="ref") as other, Recognizer("mini") as one:
            self.assertEqual(other.device, "ref")
            numpy.testing.assert_allclose(other.predict(tone(1), 8000).probabilities,
                                          one.predict(tone(1), 8000).probabilities, atol=1e-4)


class Digits(package.Case):
    def test_the_code_of_the_documentation(self):
        path = os.path.join(package.ROOT, "checkpoints", "advanced_fine.safetensors")
        os.makedirs(self.at("models"))
        os.symlink(path, self.at("models", "advanced_fine.safetensors"))
        support.write_wav(self.at("audio.wav"), tone(3))
        before = os.getcwd()
        os.chdir(self.folder)
        self.addCleanup(os.chdir, before)
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            predictor = DigitPredictor('models/advanced_fine.safetensors')
            digit, confidence = predictor.predict('audio.wav')
            print(f"Predicted: {digit} (confidence: {confidence:.3f})")
        self.assertIsInstance(digit, int)
        self.assertRegex(said.getvalue(), r"^Predicted: \d \(confidence: [01]\.\d{3}\)\n$")

    def test_labels_that_are_words(self):
        class Known:
            def predict(self, sound, sample_rate=None):
                return Answer(sound, 0.5, numpy.zeros(1, numpy.float32), 1.0, (0.0, 1.0))

        predictor = DigitPredictor("mini")
        predictor.recognizer = Known()
        for label, digit in (("seven", 7), ("zero", 0), ("9", 9), ("yes", "yes"), ("10", "10"),
                             ("٣", "٣")):
            self.assertEqual(predictor.predict(label), (digit, 0.5))


if __name__ == "__main__":
    package.main()
