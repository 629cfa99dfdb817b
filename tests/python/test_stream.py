"""Streams give the answers of `predict` for the same samples, whatever the pieces are."""
import concurrent.futures

import package  # imported first: it reports missing modules
import numpy
from decavox import Recognizer, Window
from package import tone


class Streaming(package.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.recognizer = Recognizer("lightweight")
        cls.addClassCleanup(cls.recognizer.close)
        cls.samples = numpy.concatenate([tone(digit, 6000) for digit in range(5)])

    def same_windows(self, one, other):
        self.assertEqual(len(one), len(other))
        for a, b in zip(one, other):
            self.assertEqual((a.start, a.end, a.label, a.confidence, a.heard),
                             (b.start, b.end, b.label, b.confidence, b.heard))
            numpy.testing.assert_array_equal(a.probabilities, b.probabilities)
            numpy.testing.assert_array_equal(a.smoothed, b.smoothed)

    def test_equal_to_predict(self):
        with self.recognizer.stream(hop=0.5) as stream:
            windows = stream.accept(self.samples) + stream.end()
        self.assertGreater(len(windows), 5)
        for window in windows:
            self.assertIsInstance(window, Window)
            begin, end = round(window.start * 8000), round(window.end * 8000)
            answer = self.recognizer.predict(self.samples[begin:end], 8000)
            numpy.testing.assert_array_equal(window.probabilities, answer.probabilities)
            self.assertEqual((window.label, window.confidence), (answer.label, answer.confidence))
        self.assertEqual(windows[-1].end, len(self.samples) / 8000)

    def test_pieces_and_types(self):
        stream = self.recognizer.stream(8000, smoothing=0.5)
        whole = stream.accept(self.samples) + stream.end()
        for size in (160, 1000, 7999):
            stream.reset()
            windows = []
            for at in range(0, len(self.samples), size):
                windows += stream.accept(self.samples[at:at + size].astype(numpy.float64))
            self.same_windows(whole, windows + stream.end())
        short = (self.samples * 32768).astype(numpy.int16)
        stream.reset()
        of_int16 = stream.accept(short) + stream.end()
        stream.reset()
        self.same_windows(of_int16, stream.accept(short.astype(numpy.float32) / 32768)
                          + stream.end())
        stream.close()
        with self.assertRaises(ValueError):
            whole[0].smoothed[0] = 1

    def test_more_than_a_minute(self):
        with self.recognizer.stream(hop=1.0) as stream:
            windows = stream.accept(numpy.tile(tone(1, 8000), 70))
        self.assertEqual(len(windows), 70)

    def test_thresholds(self):
        def heard(thresholds):
            with self.recognizer.stream(thresholds=thresholds) as stream:
                windows = stream.accept(self.samples) + stream.end()
            return [window.label for window in windows if window.heard]

        self.assertEqual(heard(None), heard(0.5))
        self.assertGreater(len(heard(0.0)), 0)
        self.assertEqual(heard(1.1), [])
        word = heard(0.0)[0]
        never = heard({word: 2.0} | {label: 0.0 for label in self.recognizer.labels
                                     if label != word})
        self.assertNotIn(word, never)
        with self.assertRaisesRegex(ValueError, "eleven"):
            self.recognizer.stream(thresholds={"eleven": 0.5})

    def test_refused(self):
        for options in ({"hop": 2.0}, {"hop": -1.0}, {"smoothing": 61.0}, {"sample_rate": 5}):
            with self.assertRaises(ValueError):
                self.recognizer.stream(**options)
        stream = self.recognizer.stream()
        with self.assertRaises(ValueError):
            stream.accept(numpy.full(100, 100.0))
        with self.assertRaises(TypeError):
            stream.accept([0.0])
        stream.end()
        with self.assertRaisesRegex(ValueError, "end"):
            stream.accept(tone(1))
        stream.close()
        stream.close()
        for call in (stream.end, stream.reset, lambda: stream.accept(tone(1))):
            with self.assertRaisesRegex(ValueError, "closed"):
                call()

    def test_threads(self):
        """Each thread has a stream, beside answers of the same recognizer."""
        with self.recognizer.stream() as stream:
            alone = stream.accept(self.samples) + stream.end()

        def work(_):
            with self.recognizer.stream() as own:
                windows = []
                for at in range(0, len(self.samples), 800):
                    windows += own.accept(self.samples[at:at + 800])
                    self.recognizer.predict(self.samples[:4000], 8000)
                return windows + own.end()

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for windows in pool.map(work, range(4)):
                self.same_windows(alone, windows)


if __name__ == "__main__":
    package.main()
