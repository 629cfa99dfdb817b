#!/usr/bin/env bash
# Installs what the tests need, builds with sanitizers and runs them. Real recordings are looked for
# in ../shared/data or $DECAVOX_DATA; what is skipped is named at the end.
#
#     ./test.sh                                    what needs Debian's packages, numpy, safetensors
#     ./test.sh clients [--seconds N] [CLIENT...]  real clients, behind it: PyTorch, browsers, ...
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

if [ "${1:-}" = clients ]; then
    scripts/install_packages.sh test
    scripts/install_packages.sh clients deb || echo "clients whose programs are missing will be absent"
    cmake --preset release -B build/test-release -D DV_CUDA=OFF \
        -D DV_BENCHMARKS=ON >/dev/null
    cmake --build build/test-release
    exec python3 -B tests/clients/run.py "${@:2}"
elif [ $# -gt 0 ]; then
    echo "usage: $0 [clients [--seconds N] [CLIENT...]]" >&2
    exit 2
fi

scripts/install_packages.sh test
scripts/check_includes.sh
# Where PyPI can be reached, Python packages that tests read decavox's files with.
oracles=build/oracles
if ! cmp --silent tests/requirements.txt "$oracles/installed.txt"; then
    python3 -m venv "$oracles"
    if "$oracles/bin/python" -m pip install --quiet --disable-pip-version-check --retries 1 \
        --timeout 15 --requirement tests/requirements.txt; then
        cp tests/requirements.txt "$oracles/installed.txt"
    fi
fi
# Of what is configured only what is left out is of interest: the CUDA module, the simulated device.
configured=$(cmake --preset asan -D Python3_EXECUTABLE="$PWD/$oracles/bin/python")
grep "not built" <<<"$configured" || true
cmake --build --preset asan
# What users build: warnings, which are errors, come with the optimisation.
cmake --preset release -B build/test-release -D DV_CUDA=OFF -D DV_BENCHMARKS=ON \
    >/dev/null
cmake --build build/test-release
export DECAVOX_RELEASE_BUILD=$PWD/build/test-release # the README's commands are run with it

export UBSAN_OPTIONS=print_stacktrace=1
passed=true
ctest --preset asan -j "$(nproc)" || passed=false

# A program holds several tests. Both may be skipped: the reason is a line "skipped: ..." before.
awk '/^[0-9]+\/[0-9]+ Test: /    { program = $NF; reason = "" }
     /^\[ RUN      \] /          { test = $NF; reason = "" }
     /^skipped: /                { reason = substr($0, 10) }
     /^\[  SKIPPED \] / && $NF == test {
         skipped[++count] = program ", " test ": " (reason ? reason : "no reason given")
         test = reason = ""
     }
     /^Test time =/ && reason    { skipped[++count] = program ": " reason }
     # Python writes a name, "...", skipped and the reason in quotes; with a description two lines.
     /^test_[^ ]+ \(/            { test = $1 }
     / \.\.\. skipped ./ {
         text = $0; sub(/.* \.\.\. skipped ./, "", text); sub(/.$/, "", text)
         skipped[++count] = program ", " test ": " text
     }
     /^Ran [0-9]+ tests? in /    { tests += $2 }
     /^\[==========\] .* run\.$/ { for (i = 1; i <= NF; i++) if ($i == "test(s)") tests += $(i - 1) }
     END {
         printf "\n%d tests in the programs above, %d skipped\n", tests, count
         for (i = 1; i <= count; i++) print "    " skipped[i]
     }' build/asan/Testing/Temporary/LastTest.log
if ! $passed; then
    echo "FAILED" >&2
    exit 1
fi
echo "all passed"
