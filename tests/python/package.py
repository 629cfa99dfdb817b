"""Shared by the tests of the Python package: the package over the library of the release build that
$DECAVOX_RELEASE_BUILD names, and sounds.

A test file needs numpy and that build. If one is missing, the file names it and ends with 77.
"""
import os
import shutil
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "python"), os.path.join(ROOT, "tests", "e2e")]


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(77)


BUILD = os.environ.get("DECAVOX_RELEASE_BUILD")
if not BUILD:
    skip("DECAVOX_RELEASE_BUILD names no release build")
LIBRARY = os.path.join(os.path.abspath(BUILD), "libdecavox.so")
if not os.path.exists(LIBRARY):
    skip(f"there is no {LIBRARY}")
os.environ["DECAVOX_LIBRARY"] = LIBRARY
os.environ.setdefault("OMP_NUM_THREADS", "1")
try:
    import numpy
except ImportError:
    skip("this Python has no numpy (tests/requirements.txt)")

import decavox  # noqa: E402
import support  # noqa: E402

PROGRAM = os.path.join(os.path.abspath(BUILD), "runner", "decavox")


def tone(digit, count=4000):
    """A sound of the digit's pitch at 8 kHz, float32."""
    return numpy.array(support.tone(digit, 0, 0, count), numpy.float32)


class Case(unittest.TestCase):
    """A folder for each test class."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="decavox-")
        cls.addClassCleanup(shutil.rmtree, cls.folder)

    @classmethod
    def at(cls, *parts):
        return os.path.join(cls.folder, *parts)

    def same(self, one, other):
        """Asserts that two answers are equal to the bit."""
        numpy.testing.assert_array_equal(one.probabilities, other.probabilities)
        self.assertEqual((one.label, one.confidence, one.seconds, one.seen),
                         (other.label, other.confidence, other.seconds, other.seen))


def main():
    unittest.main(module="__main__", verbosity=2)
