"""Runs the real clients and oracles of decavox: programs of others that read its files, or compute
the same results. Each has a time limit of its own, and most have a virtual environment.

    run.py [--seconds N] [--build BUILD] [CLIENT...]      `./test.sh clients` calls it

A client passes, fails, or is absent because its packages cannot be installed, a program is missing,
or no time is left. Prints a table. The exit code is 1 if one fails.
"""
import argparse
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SKIPPED = 77


@dataclass(frozen=True)
class Client:
    """One client. `requirements` is a file with its packages, or None, and `environment` the folder
    in which they are installed. `programs` must be installed, too. `command` follows the
    environment's Python, if there is one; {build} and {decavox} are filled in."""
    name: str
    about: str
    requirements: str | None
    environment: str | None
    seconds: int
    command: tuple
    programs: tuple = ()


PEERS = ("benchmarks/peers/requirements.txt", "build/peers")  # as in scripts/peers.sh

CLIENTS = (
    Client("chromium", "pages of report, runs, data and compare, opened",
           "tests/clients/chromium.txt", "build/clients/chromium", 300,
           ("tests/clients/chromium.py", "{decavox}"), ("chromium", "chromedriver")),
    Client("tensorboard", "epochs, configuration and result of runs, read",
           "tests/clients/tensorboard.txt", "build/clients/tensorboard", 300,
           ("tests/e2e/test_events.py", "{decavox}", "Events.test_tensorboard_reads_them",
            "Events.test_tensorboard_shows_them")),
    Client("torch", "every model in PyTorch and ONNX Runtime", *PEERS, 900,
           ("tests/clients/peers.py", "{build}")),
    Client("export_onnx", "every checkpoint, exported, in ONNX Runtime and OpenVINO", *PEERS, 900,
           ("tests/clients/export_onnx.py", "{build}")),
    Client("export_onnx_old", "the same in ONNX Runtime 1.16",
           "tests/clients/onnx_old.txt", "build/clients/onnx_old", 600,
           ("tests/clients/export_onnx.py", "{build}")),
    Client("export_torch", "every checkpoint, exported, in PyTorch", *PEERS, 900,
           ("tests/clients/export_torch.py", "{build}")),
    Client("librosa", "features in librosa and torchaudio", *PEERS, 300,
           ("benchmarks/peers/features_equal.py", "--build", "{build}")),
    Client("sherpa", "words in the audio tagger of sherpa-onnx",
           "tests/clients/sherpa.txt", "build/clients/sherpa", 600,
           ("tests/clients/export_sherpa.py", "{build}")),
    Client("python", "the wheel in a fresh environment; mypy, pyright and numpydoc",
           "tests/clients/python.txt", "build/clients/python", 1800,
           ("tests/clients/python_package.py", "{build}")),
    Client("deb", "the package of Debian in a clean Debian, installed, used and purged", None, None,
           1500, ("scripts/check_deb.sh", "{build}"), ("mmdebstrap", "lintian")),
)


def run(command, log, seconds):
    """Runs a command. Returns its exit code, or None if the client and its children were ended
    after `seconds`."""
    with open(log, "a", encoding="utf-8") as file:
        process = subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=file,
                                   start_new_session=True)
        try:
            return process.wait(timeout=max(1, seconds))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()
            return None


def environment(client, log, seconds):
    """The Python of the client's environment, which is made if it is missing, or None and the
    reason."""
    requirements = os.path.join(ROOT, client.requirements)
    folder = os.path.join(ROOT, client.environment)
    python, mark = (os.path.join(folder, *parts) for parts in (("bin", "python"),
                                                               ("installed.txt",)))
    with open(requirements, encoding="utf-8") as file:
        wanted = file.read()
    if os.path.exists(mark):
        with open(mark, encoding="utf-8") as file:
            if file.read() == wanted:
                return python, ""
    shutil.rmtree(folder, ignore_errors=True)
    for command in ([sys.executable, "-m", "venv", folder],
                    [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                     "--retries", "1", "--timeout", "15", "--requirement", requirements]):
        if run(command, log, seconds) != 0:
            return None, f"its packages cannot be installed ({os.path.relpath(log, ROOT)})"
    with open(mark, "w", encoding="utf-8") as file:
        file.write(wanted)
    return python, ""


def judge(client, values, deadline):
    """Runs one client. Returns (verdict, reason)."""
    left = deadline - time.monotonic()
    if left < 60:
        return "absent", "no time is left"
    for program in client.programs:
        if shutil.which(program) is None:
            return "absent", f"no {program} here (scripts/install_packages.sh clients deb)"
    folder = os.path.join(ROOT, "build", "clients")
    os.makedirs(folder, exist_ok=True)
    log = os.path.join(folder, client.name + ".log")
    if os.path.exists(log):
        os.remove(log)
    command = [part.format(**values) for part in client.command]
    if client.requirements is not None:
        python, why = environment(client, log, left)
        if python is None:
            return "absent", why
        command = [python, "-B", *command]
    seconds = min(client.seconds, deadline - time.monotonic())
    code = run(command, log, seconds)
    told = f"see {os.path.relpath(log, ROOT)}"
    if code is None:
        late = seconds < client.seconds
        return ("absent", "no time was left") if late else ("fail", f"{seconds:.0f} s, {told}")
    if code == SKIPPED:
        return "absent", told
    return ("pass", client.about) if code == 0 else ("fail", f"exit code {code}, {told}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("client", nargs="*", help="default: all of them")
    parser.add_argument("--seconds", type=float, default=3600, help="for all of them together")
    parser.add_argument("--build", default=os.path.join(ROOT, "build/test-release"),
                        help="a release build with benchmarks")
    chosen = parser.parse_args()
    known = [client.name for client in CLIENTS]
    for name in chosen.client:
        if name not in known:
            parser.error(f"no client '{name}': {', '.join(known)}")
    build = os.path.abspath(chosen.build)
    values = {"build": build, "decavox": os.path.join(build, "runner", "decavox")}
    if not os.path.exists(values["decavox"]):
        parser.error(f"there is no {values['decavox']}: ./test.sh builds it")
    deadline = time.monotonic() + chosen.seconds
    failed = False
    print(f"{'client':12} {'verdict':8} {'seconds':>7}  what")
    for client in CLIENTS:
        if chosen.client and client.name not in chosen.client:
            continue
        begin = time.monotonic()
        verdict, why = judge(client, values, deadline)
        failed = failed or verdict == "fail"
        print(f"{client.name:12} {verdict:8} {time.monotonic() - begin:7.0f}  {why}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
