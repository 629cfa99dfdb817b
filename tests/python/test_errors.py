"""Every status is an error of decavox, and one of those that Python's users expect."""
import json
import logging
import os
import pathlib
import pickle
import struct
import subprocess
import sys

import package  # imported first: it reports missing modules
import numpy
import decavox
import support
from decavox import Recognizer, _errors


class Errors(package.Case):
    def raised(self, kind, status, call, *arguments, **options):
        with self.assertRaises(kind) as caught:
            call(*arguments, **options)
        error = caught.exception
        self.assertIsInstance(error, decavox.DecavoxError)
        self.assertEqual(error.status, status)
        self.assertTrue(str(error))
        again = pickle.loads(pickle.dumps(error))
        self.assertEqual((type(again), str(again), again.status),
                         (type(error), str(error), status))
        return error

    def test_arguments(self):
        error = self.raised(ValueError, "EARG", Recognizer, "mini", precision="fp12")
        self.assertIsInstance(error, decavox.ArgumentError)
        self.assertIn("fp12", str(error))
        self.raised(ValueError, "EARG", Recognizer, "mini", algorithms="some")
        recognizer = Recognizer("mini")
        self.raised(ValueError, "EARG", recognizer.predict, numpy.zeros(0), 8000)
        self.raised(ValueError, "EARG", recognizer.predict, numpy.zeros(8000), 50)
        for wrong in ({"threads": -2}, {"threads": 1 << 40}, {"batch": 0}, {"batch": 1 << 33},
                      {"device": "cpu\0"}):
            self.assertRaises(ValueError, Recognizer, "mini", **wrong)
        for rate in (0, -8000, 8000.5, 1 << 64, float("inf"), "8000"):
            self.assertRaises(ValueError, recognizer.predict, numpy.zeros(8000), rate)
        self.assertRaises(TypeError, recognizer.predict_many, "a.wav")

    def test_an_interruption_in_a_message(self):
        """An exception that a handler of the log raises, as Ctrl-C does, reaches the caller."""
        long = self.at("long.wav")
        support.write_wav(long, support.tone(1, 0, 0) * 10)

        class Interrupting(logging.Handler):
            def emit(self, record):
                raise KeyboardInterrupt

        handler = Interrupting()
        logging.getLogger("decavox").addHandler(handler)
        self.addCleanup(logging.getLogger("decavox").removeHandler, handler)
        recognizer = Recognizer("mini")
        self.assertRaises(KeyboardInterrupt, recognizer.predict, long)
        self.assertRaises(KeyboardInterrupt, recognizer.predict_many, [long, long])
        logging.getLogger("decavox").removeHandler(handler)
        recognizer.predict(long)

    def test_files(self):
        error = self.raised(FileNotFoundError, "EIO", Recognizer, self.at("none.safetensors"))
        self.assertIsInstance(error, OSError)
        self.assertIsInstance(error, decavox.MissingFileError)
        self.assertIsInstance(error, decavox.FileError)
        self.raised(FileNotFoundError, "EIO", Recognizer, "no_such_name")
        recognizer = Recognizer("mini")
        self.raised(FileNotFoundError, "EIO", recognizer.predict, self.at("ü.wav"))
        self.raised(OSError, "EIO", decavox.export, recognizer, self.at("no", "a.onnx"))

    def test_malformed(self):
        broken = support.write_text(self.at("broken.safetensors"), "no checkpoint")
        error = self.raised(ValueError, "EFORMAT", Recognizer, broken)
        self.assertIsInstance(error, decavox.FormatError)
        self.assertIn("broken.safetensors", str(error))
        self.raised(ValueError, "EFORMAT", Recognizer, b"no checkpoint")
        self.raised(ValueError, "EFORMAT", Recognizer("mini").predict, broken)

    def test_configurations(self):
        wrong = support.write_text(self.at("wrong.yaml"), "model: mini\nfoo: 1\n")
        error = self.raised(ValueError, "ECONFIG", decavox.train, wrong, self.at("run"))
        self.assertIsInstance(error, decavox.ConfigError)

    def test_devices(self):
        with self.assertRaises(decavox.DecavoxError):
            Recognizer("mini", device="abacus")
        error = self.raised(RuntimeError, "EDEVICE", Recognizer, "mini", device="cuda:99")
        self.assertIsInstance(error, decavox.DeviceError)
        error = self.raised(NotImplementedError, "EUNSUPPORTED", Recognizer, "mini",
                            precision="tf32")
        self.assertIsInstance(error, decavox.UnsupportedError)

    def test_numbers(self):
        """Weights that are too large give no finite answer."""
        path = pathlib.Path(package.ROOT, "checkpoints", "mini.safetensors")
        content = path.read_bytes()
        size = struct.unpack_from("<Q", content)[0]
        header = json.loads(content[8:8 + size])
        for key in ("decavox.checksum", "decavox.format"):
            header["__metadata__"].pop(key, None)
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        large = b"\xff\x7b" * ((len(content) - 8 - size) // 2)  # 65504 in FP16, 3e36 in FP32
        broken = struct.pack("<Q", len(text)) + text + large
        error = self.raised(ArithmeticError, "ENUMERIC", lambda: Recognizer(broken).predict(
            package.tone(1), 8000))
        self.assertIsInstance(error, decavox.NumericError)

    def test_all_statuses(self):
        """Statuses that are hard to cause have their classes, too."""
        for status, kind, python in (
                (1, decavox.ArgumentError, ValueError), (2, decavox.ArgumentError, ValueError),
                (3, decavox.MemoryFailure, MemoryError), (4, decavox.FileError, OSError),
                (5, decavox.FormatError, ValueError), (6, decavox.ConfigError, ValueError),
                (7, decavox.DeviceError, RuntimeError),
                (8, decavox.UnsupportedError, NotImplementedError),
                (9, decavox.NumericError, ArithmeticError),
                (10, decavox.DecavoxError, Exception), (11, decavox.SystemFailure, OSError)):
            error = _errors.error_of(status, "what is wrong")
            self.assertIsInstance(error, kind)
            self.assertIsInstance(error, python)
            self.assertEqual(str(error), "what is wrong")
            self.assertEqual(str(pickle.loads(pickle.dumps(error))), "what is wrong")

    def test_no_library(self):
        for value, part in (("/nowhere/libdecavox.so", "/nowhere"), (sys.executable, "loaded")):
            done = subprocess.run([sys.executable, "-B", "-c", "import decavox"], text=True,
                                  capture_output=True,
                                  env=os.environ | {"DECAVOX_LIBRARY": value, "PYTHONPATH":
                                                    os.path.join(package.ROOT, "python")})
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("ImportError: the library of decavox cannot be loaded", done.stderr)
            self.assertIn(part, done.stderr)

    def test_the_program(self):
        """Outside of a wheel there is no program."""
        done = subprocess.run([sys.executable, "-B", "-c",
                               "from decavox._program import main; main()"], text=True,
                              capture_output=True,
                              env=os.environ | {"PYTHONPATH": os.path.join(package.ROOT,
                                                                           "python")})
        self.assertEqual(done.returncode, 1)
        self.assertIn("was not installed by pip", done.stderr)


if __name__ == "__main__":
    package.main()
