"""cmake/commit.cmake: the commit from which programs are built."""
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import support

SCRIPT = os.path.join(support.ROOT, "cmake", "commit.cmake")


class Commit(unittest.TestCase):
    def setUp(self):
        for tool in ("git", "cmake"):
            if shutil.which(tool) is None:
                self.skipTest(f"{tool} is not installed")
        self.folder = os.path.realpath(tempfile.mkdtemp(prefix="decavox-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.out = os.path.join(self.folder, "commit.c")
        self.root = os.path.join(self.folder, "tree")
        os.makedirs(os.path.join(self.root, "engine"))
        os.makedirs(os.path.join(self.root, "checkpoints"))
        for name in ("engine/a.c", "README.md", "checkpoints/a.json"):
            self.write(name, "1")

    def write(self, name, text):
        support.write_text(os.path.join(self.root, name), text)

    def git(self, *arguments, folder=None):
        done = subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b.example",
                               "-c", "commit.gpgsign=false", *arguments],
                              cwd=folder or self.root, stdout=subprocess.PIPE, text=True,
                              check=True)
        return done.stdout.strip()

    def commit(self, folder=None):
        self.git("init", "--quiet", folder=folder)
        self.git("add", "tree" if folder else ".", folder=folder)
        self.git("commit", "--quiet", "--message", "All", folder=folder)

    def told(self, **variables):
        subprocess.run(["cmake", "-D", "ROOT=" + self.root, "-D", "OUT=" + self.out, "-P",
                        SCRIPT], check=True, env=os.environ | variables)
        return re.search(r'return "(.*)";', support.read_text(self.out))[1]

    def test_a_checkout(self):
        self.commit()
        head = self.git("rev-parse", "--short=12", "HEAD")
        self.assertEqual(self.told(), head)
        before = os.stat(self.out).st_mtime_ns
        self.write("README.md", "2")  # no part of a program
        self.write("checkpoints/a.json", "2")
        self.write("new.c", "")
        self.assertEqual(self.told(), head)
        self.assertEqual(os.stat(self.out).st_mtime_ns, before)  # nothing is compiled again
        self.write("engine/a.c", "2")
        self.assertEqual(self.told(), f"{head}-dirty")

    def test_an_archive(self):
        self.assertEqual(self.told(GIT_CEILING_DIRECTORIES=self.folder), "unknown")
        self.commit(folder=self.folder)  # another repository around it
        self.assertEqual(self.told(), "unknown")

    def test_without_git(self):
        self.commit()
        tools = os.path.join(self.folder, "tools")
        os.makedirs(tools)
        os.symlink(shutil.which("cmake"), os.path.join(tools, "cmake"))
        self.assertEqual(self.told(PATH=tools), "unknown")


if __name__ == "__main__":
    support.main()
