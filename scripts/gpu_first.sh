#!/usr/bin/env bash
# The first of two short runs on a machine with an NVIDIA GPU: does all work there, and how fast is
# decavox alone? At most 390 s; needs the pack of scripts/gpu_pack.sh. --help lists the options.
set -eu
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
exec python3 -B "$here/../tools/gpu/gpu_run.py" first "$@"
