#!/usr/bin/env bash
# Formats the C files in place. With --check it only prints the files that are not formatted.
# Versions of clang-format differ in details, so it must be that of Debian 12. CLANG_FORMAT may name
# the program.
set -euo pipefail
cd "$(dirname "$0")/.."

version=14
tool=${CLANG_FORMAT:-clang-format}
if ! command -v "$tool" >/dev/null; then
    echo "skipped: no $tool here (scripts/install_packages.sh format)"
    exit 77
fi
if ! "$tool" --version | grep -q "version $version\."; then
    echo "skipped: not version $version: $("$tool" --version)"
    exit 77
fi

mapfile -t files < <(find include examples engine frontends kernels runner tests benchmarks -name '*.[ch]' | sort)
case ${1:-} in
'') "$tool" -i "${files[@]}" ;;
--check)
    bad=$("$tool" --dry-run --Werror "${files[@]}" 2>&1 | sed -n 's/:[0-9]*:[0-9]*: error: .*//p' |
        sort -u) || true
    if [ -n "$bad" ]; then
        printf 'not formatted (scripts/format.sh does it):\n%s\n' "$bad"
        exit 1
    fi
    ;;
*)
    echo "usage: $0 [--check]" >&2
    exit 2
    ;;
esac
