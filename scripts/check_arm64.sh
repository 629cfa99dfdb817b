#!/usr/bin/env bash
# Shows that the build for 64-bit ARM computes the same as the build of this machine. Runs the tests
# of operations, features, sessions and resumed trainings in the emulator, then lets both builds
# predict the official test clips of FSDD with five checkpoints. Prints one line.
#
#     scripts/check_arm64.sh [--data DIR]
#
# DIR contains the folder fsdd; the default is $DECAVOX_DATA, else ../shared/data. Builds
# build/arm64 and build/release. Needs the packages of `scripts/install_packages.sh arm64`; exits
# with 77 without them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

data=${DECAVOX_DATA:-../shared/data}
if [ "${1:-}" = --data ] && [ $# -eq 2 ]; then
    data=$2
elif [ $# -gt 0 ]; then
    echo "usage: $0 [--data DIR]" >&2
    exit 2
fi
if ! command -v qemu-aarch64 >/dev/null || ! command -v aarch64-linux-gnu-gcc >/dev/null; then
    echo "skipped: no cross-compiler or emulator (scripts/install_packages.sh arm64)"
    exit 77
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
log=$scratch/log
export OMP_NUM_THREADS=1

fail()
{
    echo "FAILED: $*" >&2
    exit 1
}

# The answers of a program, with a checkpoint, as JSON.
answers()
{
    find "$data/fsdd" -name '*_[0-4].wav' | sort |
        xargs "$1" predict "checkpoints/$2.safetensors" --format json 2>>"$log"
}

for preset in release arm64; do
    cmake --preset "$preset" >"$log" 2>&1 || fail "configuring $preset: $(tail -5 "$log")"
    targets=()
    [ "$preset" = arm64 ] || targets=(--target decavox)
    cmake --build --preset "$preset" "${targets[@]}" >"$log" 2>&1 ||
        fail "building $preset: $(tail -15 "$log")"
done

# The program as the tests of the whole program start it.
cat >"$scratch/decavox" <<PROGRAM
#!/bin/sh
exec qemu-aarch64 "$PWD/build/arm64/runner/decavox" "\$@"
PROGRAM
chmod +x "$scratch/decavox"

tests=0
for room in ops features model; do
    # Those of a device have its name.
    ctest --test-dir "build/arm64/tests/$room" --exclude-regex '_(cudasim|cuda)(_|$)' \
        --parallel "$(nproc)" --timeout 3000 --verbose >"$log" 2>&1 ||
        fail "tests of $room: $(tail -15 "$log")"
    tests=$((tests + $(awk '/\[  PASSED  \] [0-9]/ { for (i = 1; i < NF; i++) if ($i == "PASSED") n += $(i + 2) }
        END { print n + 0 }' "$log")))
done
python3 -B tests/e2e/test_resume.py "$scratch/decavox" >"$log" 2>&1 ||
    fail "resume: $(tail -30 "$log")"
tests=$((tests + $(sed -n 's/^Ran \([0-9]*\) tests.*/\1/p' "$log")))

checkpoints=(lightweight mini advanced_fine efficient_fine transformer_fine)
if [ ! -d "$data/fsdd" ]; then
    echo "arm64: $tests tests passed; no clips in $data/fsdd"
    exit 0
fi

pids=()
for checkpoint in "${checkpoints[@]}"; do
    answers build/release/runner/decavox "$checkpoint" >"$scratch/$checkpoint.here"
    answers "$scratch/decavox" "$checkpoint" >"$scratch/$checkpoint.arm64" &
    pids+=($!)
done
for pid in "${pids[@]}"; do
    wait "$pid" || fail "a prediction in the emulator: $(tail -5 "$log")"
done
told=$(python3 - "$scratch" "${checkpoints[@]}" <<'PYTHON'
import json
import sys

folder, checkpoints = sys.argv[1], sys.argv[2:]
largest, counts = 0, set()
for checkpoint in checkpoints:
    here, there = (json.load(open(f"{folder}/{checkpoint}.{side}", encoding="utf-8"))
                   for side in ("here", "arm64"))
    counts.update((len(here), len(there)))
    for a, b in zip(here, there, strict=True):
        if (a["file"], a["label"]) != (b["file"], b["label"]):
            sys.exit(f"{checkpoint} {a['file']}: {a['label']} here, {b['label']} there")
        largest = max(largest, *(abs(p - q) for p, q in zip(a["probabilities"], b["probabilities"])))
if len(counts) != 1 or largest > 1e-4:
    sys.exit(f"clips: {counts}; probabilities differ by up to {largest:.2g}")
print(f"{len(checkpoints)} checkpoints x {counts.pop()} files: same words, "
      f"probabilities within {largest:.1e}")
PYTHON
) || fail "the answers are not the same"
echo "arm64: $tests tests passed; $told"
