"""libgomp's threads spin briefly in a program made of our rooms, in one that is linked with
libdecavox.so and in one that loads it. The environment's own setting has precedence, and children
inherit it unchanged.

    test_spin.py DECAVOX ROOMS LINKED LOADS LIBRARY

DECAVOX is the program, ROOMS, LINKED and LOADS are measure_spin.c in three ways, and LIBRARY is
libdecavox.so.
"""
import os
import re
import subprocess
import sys
import unittest

BRIEF = 5  # factor below libgomp's own spinning
PROGRAMS = {}


def measure(program, **variables):
    """Processor time in milliseconds, and GOMP_SPINCOUNT in main and in its child."""
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith(("OMP_", "GOMP_"))}
    environment.update(variables)
    said = subprocess.run(program, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    time, here, child = said.stdout.split()
    return float(time), here, child


@unittest.skipIf(len(os.sched_getaffinity(0)) < 2, "one processor: libgomp does not spin on it")
class TestSpin(unittest.TestCase):
    def test_briefly(self):
        """A parallel region costs far less than with libgomp's own number of turns."""
        for name, program in PROGRAMS.items():
            with self.subTest(name):
                brief, here, child = measure(program)
                usual = measure(program, GOMP_SPINCOUNT="300000")[0]
                print(f"{name}: {brief} ms, usually {usual} ms")
                self.assertLess(BRIEF * brief, usual)
                self.assertEqual((here, child), ("unset", "unset"))

    def test_the_environment_comes_first(self):
        for name, program in PROGRAMS.items():
            with self.subTest(name):
                said = measure(program, GOMP_SPINCOUNT="300000")
                self.assertEqual(said[1:], ("300000", "300000"))
                said = measure(program, OMP_WAIT_POLICY="passive")
                self.assertEqual(said[1:], ("unset", "unset"))

    def test_the_loader_begins_with_it(self):
        """The loader shows it, in decavox too."""
        told = subprocess.run([decavox, "--version"], env={**os.environ, "LD_DEBUG": "files"},
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                              check=True)
        order = re.findall(r"calling init: .*/(\S+)", told.stderr)
        self.assertLess(order.index("libdecavox_spin.so"), order.index("libgomp.so.1"))


if __name__ == "__main__":
    decavox, rooms, linked, loads, library = sys.argv[1:]
    PROGRAMS.update({"rooms": [rooms], "linked": [linked], "loaded": [loads, library]})
    unittest.main(argv=sys.argv[:1])
