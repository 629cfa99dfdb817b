#!/usr/bin/env bash
# Measures the accuracy of every protocol, and makes the tables in checkpoints/. See --help.
exec python3 -B "$(dirname "${BASH_SOURCE[0]}")/../tools/accuracy/accuracy_tables.py" "$@"
