#!/usr/bin/env bash
# The first of two short runs on a machine with an NVIDIA GPU. Tests that everything works there,
# and measures the speed of decavox. It takes at most 390 s and needs the pack of
# scripts/gpu_pack.sh. --help lists the options.
set -eu
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
exec python3 -B "$here/../tools/gpu/gpu_run.py" first "$@"
