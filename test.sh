#!/usr/bin/env bash
# Installs what the tests need, builds with sanitizers and runs everything. Real recordings are
# looked for in ../shared/data or $DECAVOX_DATA; what is skipped is named at the end.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

scripts/install_packages.sh test
scripts/check_includes.sh
cmake --preset asan >/dev/null
cmake --build --preset asan

export OMP_NUM_THREADS=1
export UBSAN_OPTIONS=print_stacktrace=1
log=build/asan/Testing/Temporary/LastTest.log
passed=true
ctest --preset asan -j "$(nproc)" || passed=false

# Each test program holds several tests, and a program or a test may be skipped with a reason.
awk '/^\[==========\] .*[0-9]+ test\(s\) run\.$/ { sub(/ test\(s\) run\.$/, ""); cases += $NF }
     END { printf "\n%d tests in the programs of cmocka\n", cases }' "$log"
awk '/^skipped: /                  { reason = substr($0, 10) }
     /^\[ +SKIPPED \] [A-Za-z_0-9]+$/ && reason != "" { print "    " $NF ": " reason; reason = "" }
     /^[0-9]+\/[0-9]+ Test: /      { program = $NF; reason = "" }
     /^Test Skipped\.$/            { print "    " program ": " reason; reason = "" }' "$log" |
    sort -u >build/asan/skipped.txt
if [ -s build/asan/skipped.txt ]; then
    echo "skipped:"
    cat build/asan/skipped.txt
else
    echo "nothing was skipped"
fi
$passed || { echo "FAILED" >&2; exit 1; }
echo "all passed"
