#!/usr/bin/env bash
# Kills a training at each call that opens, writes, synchronises, renames or removes something in
# its folder, resumes it, and compares its files with those of an uninterrupted training. This is
# done for a run that begins and for one that is resumed. Prints a line for each of the two.
#
#     scripts/kill_points.sh [N]     at every N-th call, default 1
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cmake --preset release -D DV_TESTS=ON >/dev/null
cmake --build --preset release --target decavox kill_at >/dev/null
if ! told=$(DECAVOX_KILL_EVERY=${1:-1} python3 -B tests/e2e/test_kill_points.py \
    build/release/runner/decavox build/release/tests/kill_at 2>&1); then
    echo "$told"
    exit 1
fi
grep -oE 'a run( that goes on)?: killed at .*' <<<"$told"
