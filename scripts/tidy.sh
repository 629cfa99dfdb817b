#!/usr/bin/env bash
# Runs clang-tidy with .clang-tidy over a configured build; prints its findings and their count.
#
#     scripts/tidy.sh [BUILD_FOLDER [FILE...]]     default: build/release, every file of it
set -euo pipefail
cd "$(dirname "$0")/.."

build=${1:-build/release}
[ $# -gt 0 ] && shift
if ! command -v clang-tidy >/dev/null; then
    echo "tidy.sh: no clang-tidy; scripts/install_packages.sh format installs it" >&2
    exit 1
fi
if [ ! -f "$build/compile_commands.json" ]; then
    echo "tidy.sh: $build is not configured: cmake --preset release" >&2
    exit 1
fi
files=("$@")
if [ ${#files[@]} -eq 0 ]; then
    mapfile -t files < <(sed -n 's/^ *"file": "\(.*\)",\{0,1\}$/\1/p' "$build/compile_commands.json" |
        sort -u)
fi

findings=$(mktemp)
trap 'rm -f "$findings"' EXIT
printf '%s\0' "${files[@]}" |
    xargs -0 -P "$(nproc)" -n 4 clang-tidy -p "$build" --quiet 2>/dev/null |
    grep -E '(warning|error): .*\[' | sort -u >"$findings" || true
cat "$findings"
echo "$(wc -l <"$findings") findings in ${#files[@]} files"
[ ! -s "$findings" ]
