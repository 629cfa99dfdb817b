#!/usr/bin/env bash
# The second of two short runs on a machine with an NVIDIA GPU. Measures decavox against PyTorch. It
# takes at most 280 s and needs the pack of scripts/gpu_pack.sh. --help lists the options.
set -eu
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
exec python3 -B "$here/../tools/gpu/gpu_run.py" second "$@"
