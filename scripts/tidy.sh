#!/usr/bin/env bash
# Runs clang-tidy with .clang-tidy over a configured build; prints its findings and their count.
#
#     scripts/tidy.sh [BUILD_FOLDER [FILE...]]     default: build/release, all its files
set -euo pipefail
cd "$(dirname "$0")/.."

build=${1:-build/release}
[ $# -gt 0 ] && shift
if ! command -v clang-tidy >/dev/null; then
    echo "tidy.sh: no clang-tidy; scripts/install_packages.sh format installs it" >&2
    exit 1
fi
if [ ! -f "$build/compile_commands.json" ]; then
    echo "tidy.sh: $build is not configured: cmake --preset release -D DV_TESTS=ON" >&2
    exit 1
fi
files=("$@")
if [ ${#files[@]} -eq 0 ]; then
    mapfile -t files < <(sed -n 's/^ *"file": "\(.*\)",\{0,1\}$/\1/p' "$build/compile_commands.json" |
        sort -u)
fi

findings=$(mktemp)
output=$(mktemp)
trap 'rm -f "$findings" "$output"' EXIT
failed=false
printf '%s\0' "${files[@]}" |
    xargs -0 -P "$(nproc)" -n 4 clang-tidy -p "$build" --quiet >"$output" 2>&1 || failed=true
grep -E '(warning|error): .*\[' "$output" | sort -u >"$findings" || true
cat "$findings"
if $failed && [ ! -s "$findings" ]; then
    cat "$output" >&2
    echo "tidy.sh: clang-tidy failed" >&2
    exit 1
fi
echo "$(wc -l <"$findings") findings in ${#files[@]} files"
[ ! -s "$findings" ]
