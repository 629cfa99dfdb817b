#!/usr/bin/env bash
# Formats the C files in place; with --check only names those that are not formatted.
# clang-format's versions differ in details: CLANG_FORMAT names another than Debian 12's.
set -euo pipefail
cd "$(dirname "$0")/.."

version=14
tool=${CLANG_FORMAT:-clang-format}
mode=(-i)
[ "${1:-}" = --check ] && mode=(--dry-run --Werror)

if ! command -v "$tool" >/dev/null; then
    echo "skipped: no $tool (Debian package clang-format)"
    exit 77
fi
if ! "$tool" --version | grep -q "version $version\."; then
    echo "skipped: $tool is not version $version: $("$tool" --version)"
    exit 77
fi
find engine frontends kernels runner tests benchmarks -name '*.[ch]' -print0 |
    xargs -0 -r "$tool" --style=file "${mode[@]}"
