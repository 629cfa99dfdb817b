#!/usr/bin/env bash
# Every protocol's accuracy, and the tables in checkpoints/. `--help` says more.
exec python3 -B "$(dirname "${BASH_SOURCE[0]}")/../tools/accuracy/accuracy_tables.py" "$@"
