"""Answers files on a cluster of this machine with two workers, one of which is killed in the
middle. Each file must have exactly one row.

    scale.py BUILD spark|ray      a release build

Spark has a master and two workers, to which examples/scale/spark_predict.py is submitted. Ray has a
head and two nodes, and examples/scale/ray_predict.py runs with the Python package of the tree.
"""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))
import support  # noqa: E402

BUILD, WHICH = os.path.abspath(sys.argv.pop(1)), sys.argv.pop(1)
EXAMPLES = os.path.join(ROOT, "examples", "scale")
PROGRAM = os.path.join(BUILD, "runner", "decavox")
MODEL = os.path.join(ROOT, "checkpoints", "mini.safetensors")
FILES, BAD = 20000, 17  # one of BAD files cannot be read
LIMIT = 240  # s


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def processes(*words):
    """The processes whose command lines contain these words."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/cmdline", encoding="utf-8", errors="replace") as file:
                line = file.read().replace("\0", " ")
        except OSError:
            continue
        if all(word in line for word in words):
            found.append(int(name))
    return found


def wait_for(what, seconds=LIMIT):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = what()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"waited {seconds} s in vain")


class Cluster(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="decavox-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.started = []
        self.addCleanup(self.stop)
        self.names, self.answers = self.at("files.txt"), self.at("answers")
        self.make_files()
        self.environment = os.environ | {"OMP_NUM_THREADS": "1", "TMPDIR": self.folder}

    def at(self, *parts):
        return os.path.join(self.folder, *parts)

    def make_files(self):
        """Makes many files that are links to few. Returns their names."""
        os.makedirs(self.at("sounds"))
        sounds = []
        for i in range(40):
            sounds.append(self.at(f"{i}.wav"))
            support.write_wav(sounds[-1], support.tone(i % 4, i % 2, i))
        self.files = [self.at("sounds", f"{i}.wav") for i in range(FILES)]
        for i, file in enumerate(self.files):
            os.symlink(sounds[i % len(sounds)] if i % BAD else self.at("absent"), file)
        support.write_text(self.names, "".join(f"{file}\n" for file in self.files))

    def start(self, *command):
        with open(self.at(f"log{len(self.started)}"), "wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder,
                                       env=self.environment, start_new_session=True)
        self.started.append(process)
        return process

    def log(self):
        return "".join(support.read_text(self.at(name)) for name in sorted(os.listdir(self.folder))
                       if name.startswith("log"))

    def stop(self):
        for process in self.started:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except OSError:
                pass
            process.wait()

    def check_rows(self):
        rows = []
        for name in sorted(os.listdir(self.answers)):
            if not name.startswith((".", "_")):
                rows += support.read_text(os.path.join(self.answers, name)).splitlines()
        rows = [json.loads(row) for row in rows]
        self.assertEqual(sorted(row["file"] for row in rows), sorted(self.files))
        for row in rows:
            number = int(os.path.basename(row["file"])[:-4])
            self.assertEqual(bool(row.get("error")), number % BAD == 0, row)
            self.assertEqual(bool(row.get("label")), number % BAD != 0, row)

    def end_of(self, job):
        self.assertEqual(job.wait(timeout=LIMIT), 0, self.log()[-5000:])

    @staticmethod
    def executors():
        return processes("org.apache.spark.executor.CoarseGrainedExecutorBackend", "--app-id")

    @unittest.skipUnless(WHICH == "spark", "asked for the other")
    def test_spark(self):
        """The process of a worker's executor is killed while it has parts to do."""
        pyspark = os.path.dirname(__import__("pyspark").__file__)
        spark, port = os.path.join(pyspark, "bin", "spark-class"), free_port()
        os.makedirs(self.at("bin"))
        slow = self.at("bin", "decavox")  # slow enough to be killed in the middle
        support.write_text(slow, f'#!/bin/sh\necho >>"{self.at("begun")}"\nsleep 0.4\n'
                                 f'exec "{PROGRAM}" "$@"\n')
        os.chmod(slow, 0o755)
        self.environment |= {"PATH": f"{self.at('bin')}:{os.environ['PATH']}",
                             "SPARK_HOME": pyspark, "SPARK_LOCAL_IP": "127.0.0.1",
                             "SPARK_WORKER_DIR": self.at("work"), "PYSPARK_PYTHON": sys.executable}
        address = f"spark://127.0.0.1:{port}"
        self.start(spark, "org.apache.spark.deploy.master.Master", "--host", "127.0.0.1", "--port",
                   str(port), "--webui-port", str(free_port()))
        for _ in range(2):
            self.start(spark, "org.apache.spark.deploy.worker.Worker", address, "--cores", "1",
                       "--memory", "1g", "--webui-port", str(free_port()))
        wait_for(lambda: self.log().count("Registering worker") >= 2)
        job = self.start(os.path.join(pyspark, "bin", "spark-submit"), "--master", address,
                         "--executor-memory", "512m", "--conf", "spark.ui.enabled=false",
                         os.path.join(EXAMPLES, "spark_predict.py"), MODEL, self.names,
                         self.answers, "--parts", "40")
        wait_for(lambda: job.poll() is not None or (os.path.exists(self.at("begun")) and
                                                    len(support.read_text(self.at("begun"))) > 10))
        self.assertIsNone(job.poll(), self.log()[-5000:])
        self.assertEqual(len(self.executors()), 2)
        os.killpg(self.started[2].pid, signal.SIGKILL)
        wait_for(lambda: len(self.executors()) == 1)
        self.end_of(job)
        self.assertIn("Lost executor", self.log())
        self.assertTrue(os.path.exists(os.path.join(self.answers, "_SUCCESS")))
        self.check_rows()

    @unittest.skipUnless(WHICH == "ray", "asked for the other")
    def test_ray(self):
        """A worker, the process that has opened the model, is killed."""
        ray, port = os.path.join(os.path.dirname(sys.executable), "ray"), free_port()
        self.environment |= {
            "PYTHONPATH": os.path.join(ROOT, "python"), "RAY_USAGE_STATS_ENABLED": "0",
            "DECAVOX_LIBRARY": os.path.join(BUILD, "libdecavox.so"),
            "RAY_ADDRESS": f"127.0.0.1:{port}", "RAY_TMPDIR": self.folder,
            "RAY_DATA_DISABLE_PROGRESS_BARS": "1"}
        self.addCleanup(subprocess.run, [ray, "stop", "--force"], stdout=subprocess.DEVNULL,
                        stderr=subprocess.DEVNULL)
        head = ["--head", f"--port={port}", "--include-dashboard=false", "--num-cpus=1"]
        for more in (head, [f"--address=127.0.0.1:{port}", "--num-cpus=2"],
                     [f"--address=127.0.0.1:{port}", "--num-cpus=2"]):
            self.end_of(self.start(ray, "start", "--disable-usage-stats", *more))
        job = self.start(sys.executable, os.path.join(EXAMPLES, "ray_predict.py"), MODEL,
                         self.names, self.answers)
        workers = wait_for(lambda: processes("MapWorker"))
        time.sleep(1)
        self.assertIsNone(job.poll(), self.log()[-3000:])
        os.kill(workers[0], signal.SIGKILL)
        self.end_of(job)
        self.check_rows()


if __name__ == "__main__":
    unittest.main(verbosity=2)
