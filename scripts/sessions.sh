#!/usr/bin/env bash
# Shows that sessions of one model work in parallel: 16 sessions give ANSWERS answers in total,
# equal to those of a single session, without reports about our code from ThreadSanitizer and
# AddressSanitizer. Then measures their speed, without sanitizers, against that of one session.
# Prints a line for each.
#
#     scripts/sessions.sh [ANSWERS]     default: 100000; builds build/tsan, build/asan, build/release
set -euo pipefail
cd "$(dirname "$0")/.."

answers=${1:-100000}
model=checkpoints/lightweight.safetensors
out=$(mktemp)
trap 'rm -f "$out"' EXIT

run()
{
    local build=$1 bench=build/$1/benchmarks/decavox_bench
    shift
    [ -f "build/$build/CMakeCache.txt" ] || cmake --preset "$build" -DDV_BENCHMARKS=ON >/dev/null
    cmake --build "build/$build" --target decavox_bench >/dev/null
    if ! env OMP_NUM_THREADS=1 "$@" "$bench" sessions --sessions 16 --answers "$answers" "$model" \
        >"$out" 2>&1 || grep -q 'WARNING: ThreadSanitizer\|ERROR: AddressSanitizer' "$out"; then
        echo "FAILED: $build"
        cat "$out"
        exit 1
    fi
    echo "$build: $(tail -1 "$out")"
}

# libgomp and oneDNN are not compiled for it: what they synchronise is not seen.
run tsan "TSAN_OPTIONS=suppressions=$PWD/tests/tsan.supp"
run asan
run release
