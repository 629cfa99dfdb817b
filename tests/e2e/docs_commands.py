"""Tables about the commands on the pages: values of placeholders, commands that try a switch, and
reasons why a command is not run."""

# Values of the placeholders in pieces of code.
WORDS = {
    "CHECKPOINT": "lightweight", "FOLDER": "fsdd", "FILE...": "a.wav b.wav", "FILE": "a.html",
    "FILE.csv": "words.csv", "PATH": "fsdd", "NAME": "mini", "N": "3", "K": "2", "COMMAND": "train",
}

TRAIN = "decavox train configs/mini.yaml --data fsdd --out runs/switch {}"
EVAL = "decavox eval runs/words/model.safetensors {}"
PREDICT = "decavox predict lightweight a.wav {}"
ENSEMBLE = "decavox ensemble transformer_fine advanced_fine {} --force --out switch.st"
EXPORT = "decavox export lightweight {} --force"
RECOMMEND = "decavox recommend {}"

# A switch in the text, by its beginning: the commands that it is tried with. A piece without a
# value gets the one that stands behind {}. One that is not here is to be an option of a command.
SWITCHES = {
    "--strict": ["decavox data fsdd {}", TRAIN],
    "--layout": ["decavox data fsdd {} name"],
    "--split": ["decavox data fsdd {} speaker"],
    "--html": ["decavox data fsdd {}", EVAL],
    "--format json": [EVAL, "decavox predict lightweight a.wav {}", "decavox info lightweight {}",
                      "decavox info {}", "decavox data fsdd {}", "decavox compare lightweight {}"],
    "--format jsonl": [PREDICT],
    "--auto": [TRAIN],
    "--changed_data": ["decavox train --resume runs/words {}"],
    "--set": [TRAIN + " train.seed=3"],
    "--model_type": ["decavox train --data fsdd --out runs/switch {} mini"],
    "--features": [TRAIN + " coarse"],
    "--feature_type": [TRAIN + " mel"],
    "--dot": [TRAIN],
    "--threads": [TRAIN + " 1"],
    "--mixed_precision": [TRAIN],
    "--clips": [EVAL + " --format json"],
    "--allow_missing": [EVAL],
    "--top": [PREDICT + " --format json"],
    "--threshold": [PREDICT],
    "--windows": [PREDICT],
    "--device ref": [TRAIN + " --set train.max_steps=1", PREDICT],
    "--algorithms": [EVAL + " fixed", PREDICT + " fixed"],
    "--file_precision fp16": [ENSEMBLE + " --shares 0.5,0.5"],
    "--fresh": ["decavox compare lightweight {}"],
    "--keep_busy": ["decavox compare lightweight {}"],
    "--protocol": [RECOMMEND + " gsc"],
    "--max_latency_ms": [RECOMMEND + " 10000"],
    "--max_size_mb": [RECOMMEND + " 50"],
    "--min_accuracy": [RECOMMEND + " 50"],
    "--batch 8": [EXPORT + " --out batch.onnx"],
    "--precision fp16": [EXPORT + " --out half.onnx"],
    "--license TEXT": [EXPORT + " --out licence.onnx"],
    "--input features": [EXPORT + " --out features.onnx"],
}

THE_BUILD = "makes the build that is tested here"
A_MEASUREMENT = "measures for minutes to hours, of other programs too"
A_GPU = "needs a GPU"
OF_PEERS = "needs ONNX Runtime, PyTorch, Spark or Ray: a client of ./test.sh clients runs it"

# By the beginning of a command or a piece of code.
NOT_RUN = {
    "./quickstart.sh": THE_BUILD,
    "./test.sh clients": "installs gigabytes of other programs",
    "./test.sh": "runs this test",
    "scripts/install_packages.sh": THE_BUILD,
    "cmake --preset arm64": "builds for another processor: scripts/check_arm64.sh",
    "cmake --build --preset arm64": "builds for another processor: scripts/check_arm64.sh",
    "cmake --build build/arm64": "builds for another processor: scripts/check_arm64.sh",
    "cmake --build build/release --target package": "builds it again: ./test.sh clients deb",
    "cmake --preset release -DCMAKE_CUDA_ARCHITECTURES": A_GPU,
    "cmake --preset release -DDV_CUDA=ON": "needs the CUDA toolkit",
    "cmake --preset release": THE_BUILD,
    "cmake --build --preset release": THE_BUILD,
    "cmake --install build/release": "is how what is tested was installed",
    "cpack -G DEB": "builds a package: ./test.sh clients deb",
    "apt-get install": "needs root",
    "pip install .": "builds for minutes: the client `python` runs it",
    "python3 tests/golden/make_ops.py": "writes golden vectors anew, with PyTorch",
    "scripts/check_includes.sh": "is a test of its own",
    "scripts/check_links.sh": "is a test of its own",
    "scripts/check_shape.py": "is a test of its own",
    "scripts/rooms.sh": "a list, which the two checks read",
    "scripts/check_deb.sh": "needs root: ./test.sh clients deb",
    "scripts/check_arm64.sh": "takes an hour in an emulator",
    "scripts/wheel.sh": "builds for minutes: the client `python` runs it",
    "scripts/peers.sh": A_MEASUREMENT,
    "scripts/accuracy_tables.sh": A_MEASUREMENT,
    "scripts/predict_many.py": A_MEASUREMENT,
    "scripts/gpu_": A_GPU,
    "arecord": "needs a microphone",
    "grep '\"error\"'": "needs a file that cannot be read: tested by test_predict_rows.py",
    "decavox predict lightweight --input again.jsonl": "is behind that one",
    "decavox export lightweight --out digits.onnx --verify": OF_PEERS,
    "decavox train ... | head": "tested by test_outputs.py",
    "decavox crossval --folds speaker": "the beginning of a command that the page has in full",
    "decavox predict --": "the beginning of a command that the page has in full",
    "--verify": OF_PEERS,
    "--python": OF_PEERS,
    "--step_dot": A_GPU,
    "--device cudasim --quick": "of scripts/gpu_first.sh, tested by test_gpu_runs.py",
    "--device cudasim": "of a build that has the simulated device: tested on it",
    "--device cuda": A_GPU,
    "--smoke": "of scripts/accuracy_tables.sh, tested by test_accuracy_tables.py",
    "--architectures": "of scripts/gpu_pack.sh",
    "--single": "of scripts/gpu_first.sh",
    "--name": "a pattern",
}

# Commands whose words vary with the machine, and not their numbers alone.
VARYING = {
    "decavox recommend": "names the model that is the fastest here",
}

# Names of the snippets in Python.
PRELUDE = """
import decavox, numpy
samples = numpy.zeros(16000, dtype=numpy.float32)
paths = ["a.wav", "b.wav"]
def microphone():
    yield samples
"""
# In the snippets that are not run: programs that this test does not have.
OTHER_PROGRAMS = ("sherpa_onnx", "torch.", "from src.")
