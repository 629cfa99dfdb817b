#!/bin/sh
# Time and memory of one prediction from nothing: benchmarks/cold_start.sh DECAVOX CHECKPOINT FILE
# Needs hyperfine and GNU time. The file cache is warm; ROUNDS=50 is the number of runs.
set -eu
if [ $# -ne 3 ]; then
    echo "usage: benchmarks/cold_start.sh DECAVOX CHECKPOINT FILE" >&2
    exit 2
fi
decavox=$1 checkpoint=$2 sound=$3
for program in hyperfine /usr/bin/time; do
    command -v "$program" >/dev/null || { echo "cold_start.sh: $program is missing" >&2; exit 1; }
done
unset OPENBLAS_CORETYPE
export OPENBLAS_NUM_THREADS=1
results=$(mktemp)
trap 'rm -f "$results"' EXIT

hyperfine --warmup 5 --runs "${ROUNDS:-50}" --shell=none --style basic --export-json "$results" \
    "'$decavox' predict '$checkpoint' '$sound'" 2>/dev/null |
    sed -n '/Time/p;/Range/p'

# The largest of some runs: memory differs little.
peak=0
for _ in 1 2 3 4 5; do
    kilobytes=$({ /usr/bin/time -f %M "$decavox" predict "$checkpoint" "$sound" >/dev/null; } 2>&1 |
        tail -n 1)
    [ "$kilobytes" -gt "$peak" ] && peak=$kilobytes
done
echo "  Peak memory (resident):   $((peak / 1024)) MiB ($peak KiB)"
echo "  Programs and libraries:   $("$decavox" --version), load $(cut -d ' ' -f 1 /proc/loadavg)"
