"""The Python package as its users have it: the wheel in a fresh environment and an empty folder,
the examples, and checks by mypy, pyright and numpydoc.

    python_package.py BUILD      a release build, for the library that numpydoc's check loads
"""
import glob
import inspect
import os
import re
import subprocess
import sys
import tempfile
import unittest
import venv
import zipfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))
import support  # noqa: E402

BUILD = os.path.abspath(sys.argv.pop(1))
LEFT_OUT = {"EX01", "SA01", "ES01", "GL01", "SS02"}  # examples, and rules of pandas' own


def run(*command, **options):
    done = subprocess.run(command, text=True, capture_output=True, timeout=1500, **options)
    if done.returncode != 0:
        raise AssertionError(f"{command}: {done.stdout}{done.stderr}")
    return done.stdout


class Wheel(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory(prefix="decavox-")
        cls.addClassCleanup(scratch.cleanup)
        cls.folder = os.path.join(scratch.name, "empty")
        os.makedirs(cls.folder)
        told = run(os.path.join(ROOT, "scripts", "wheel.sh"), "--out", scratch.name)
        cls.wheel, = glob.glob(os.path.join(scratch.name, "*.whl"))
        cls.told = told
        home = os.path.join(scratch.name, "environment")
        venv.create(home, with_pip=True)
        cls.python = os.path.join(home, "bin", "python")
        run(cls.python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", cls.wheel)
        cls.environment = {"PATH": os.environ["PATH"], "HOME": scratch.name, "OMP_NUM_THREADS": "1"}

    def here(self, *command):
        return run(*command, cwd=self.folder, env=self.environment)

    def test_the_wheel(self):
        self.assertRegex(self.told.splitlines()[-1], r"\.whl: \d+ bytes$")
        self.assertRegex(os.path.basename(self.wheel),
                         r"^decavox-\d+\.\d+\.\d+-py3-none-manylinux_2_36_\w+\.whl$")
        with zipfile.ZipFile(self.wheel) as archive:
            names = archive.namelist()
        for name in ("decavox/__init__.py", "decavox/py.typed", "decavox/lib/libdecavox.so",
                     "decavox/lib/libdecavox_spin.so", "decavox/bin/decavox",
                     "decavox/share/decavox/configs/models/mini.yaml",
                     "decavox/share/decavox/checkpoints/lightweight.safetensors",
                     "decavox/share/decavox/checkpoints/ensemble_fine.safetensors"):
            self.assertIn(name, names)
        self.assertEqual([name for name in names if re.search(r"include/|pkgconfig|cmake/", name)],
                         [])
        self.assertEqual(len([name for name in names if "libdecavox.so" in name]), 1)
        licences = [name for name in names if "dist-info/licenses/" in name]
        for part in ("LICENSE", "libsndfile1.txt", "libgomp1.txt"):
            self.assertTrue(any(name.endswith(part) for name in licences), licences)

    def test_examples(self):
        data = support.make_data(os.path.join(self.folder, "data"))
        clip = os.path.join(data, "0_ann_0.wav")
        examples = os.path.join(ROOT, "examples")
        said = self.here(self.python, os.path.join(examples, "predict.py"), clip)
        self.assertRegex(said, r"0_ann_0.wav: \d, 0\.\d{4}\n")
        said = self.here(self.python, os.path.join(examples, "digit.py"), clip)
        self.assertRegex(said, r"^Predicted: \d \(confidence: 0\.\d{3}\)\n$")
        said = self.here(self.python, os.path.join(examples, "train.py"), data, "run",
                         "train.epochs=1", "data.split=random")
        self.assertRegex(said, r"(?s)^epoch 1 of 1: loss .* of \d+ right\n$")
        self.assertTrue(os.path.exists(os.path.join(self.folder, "run", "model.onnx")))

    def test_the_command(self):
        program = os.path.join(os.path.dirname(self.python), "decavox")
        self.assertIn("predict", self.here(program, "--help"))
        self.assertIn("lightweight", self.here(program, "info", "lightweight"))

    def test_threads_of_libgomp(self):
        """The library beside the package's own makes them sleep soon, in the wheel too."""
        said = self.here(self.python, "-c", "import decavox, os; "
                         "decavox.Recognizer('mini', threads=-1); "
                         "print([line.split()[-1] for line in open('/proc/self/maps') "
                         "if 'libdecavox_spin' in line][0])")
        self.assertIn("site-packages/decavox/lib/libdecavox_spin.so", said)


class Reading(unittest.TestCase):
    """Checks by programs that read the source."""

    def test_mypy(self):
        run(sys.executable, "-m", "mypy", "--strict", "python/decavox",
            "examples/digit.py", "examples/predict.py", "examples/train.py", cwd=ROOT)

    def test_pyright(self):
        run(sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "python/decavox",
            "examples/digit.py", "examples/predict.py", "examples/train.py", cwd=ROOT)

    def test_numpydoc(self):
        os.environ["DECAVOX_LIBRARY"] = os.path.join(BUILD, "libdecavox.so")
        sys.path.insert(0, os.path.join(ROOT, "python"))
        import decavox
        from numpydoc.validate import validate
        names = []
        for name in decavox.__all__:
            value = getattr(decavox, name)
            names.append(f"decavox.{name}")
            if inspect.isclass(value):
                names += [f"decavox.{name}.{part}" for part, member in vars(value).items()
                          if not part.startswith("_")
                          and (callable(member) or isinstance(member, property))]
        made_by_decavox = {"decavox.Answer", "decavox.Evaluation", "decavox.Progress",
                           "decavox.Stream", "decavox.TrainResult", "decavox.Window"}
        found = [(name, code, text) for name in names for code, text in validate(name)["errors"]
                 if code not in LEFT_OUT and (code, name in made_by_decavox) != ("PR01", True)]
        self.assertEqual(found, [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
