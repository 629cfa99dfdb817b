#!/usr/bin/env bash
# Fuzzes each parser with libFuzzer, and valid configurations with our own fuzzer, under
# AddressSanitizer and UndefinedBehaviorSanitizer. Prints one line for each target: inputs, line
# coverage of the parser's files, crashes, hangs, leaks. Exits with 1 if something was found, or if
# less than 85 % of a parser's lines were run. Findings stay in build/fuzz/found.
#
#     scripts/fuzz.sh [SECONDS [TARGET...]]     default: 480 s in total, all targets
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

total=${1:-480}
shift || true
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
    targets=(yaml graph csv safetensors checkpoint audio json config)
fi
build=build/fuzz
found=$build/found
least=85 # percent of a parser's lines
seconds=$((total / ${#targets[@]}))
export OMP_NUM_THREADS=1 UBSAN_OPTIONS=print_stacktrace=1
if [ -w /dev/shm ]; then # files of an input are written to the disk before they count as written
    export TMPDIR=/dev/shm
fi

# What each target parses: the whole of the files whose lines count. What an input cannot reach in
# them are failures of the system and of memory, wrong calls by ourselves, and device arithmetic.
declare -A files=(
    [yaml]="engine/base/yaml.c" # reading and, of what was read, writing
    # From a file to a graph: the files it names, the sections, a section's keys, the layers.
    [graph]="runner/experiment/experiment.c frontends/model/model_file.c engine/base/field.c engine/layers/model.c"
    # Lines, of either kind, and what they mean.
    [csv]="engine/base/csv.c engine/base/json_lines.c frontends/dataset/manifest.c"
    [safetensors]="frontends/model/safetensors_read.c frontends/model/safetensors_format.c"
    # A predictor's and a training's, exported and saved again, and another training's beginning.
    [checkpoint]="frontends/model/checkpoint.c frontends/model/transfer.c"
    # The file, what its header says, and what libsndfile makes of it, resampled and written.
    [audio]="frontends/audio/audio.c frontends/audio/audio_file.c frontends/audio/audio_header.c"
    # A run's report, and measurements that were kept. The header of safetensors is that target's;
    # a model's card (runner/compare/comparison_list.c) is not fuzzed.
    [json]="runner/crossval/crossval_summary.c runner/compare/comparison_cache.c"
)
files[audio]+=" frontends/audio/audio_levels.c"

configure()
{
    scripts/install_packages.sh fuzz
    local flags="-fsanitize=fuzzer-no-link -fprofile-instr-generate -fcoverage-mapping"
    cmake -S . -B $build -G Ninja -D CMAKE_C_COMPILER=clang-14 -D CMAKE_BUILD_TYPE=RelWithDebInfo \
        -D DV_SANITIZE=ON -D DV_CUDA=OFF -D DV_FUZZER=ON -D CMAKE_C_FLAGS="$flags" >/dev/null
    cmake --build $build --target "${targets[@]/#/fuzz_}"
}

# The line coverage, in percent, of a target's files in the run whose profile is $2.
coverage()
{
    local data=$build/$1.profdata
    llvm-profdata-14 merge -sparse "$2" -o "$data"
    # shellcheck disable=SC2086 # a list of files
    llvm-cov-14 report $build/tests/fuzz/fuzz_"$1" -instr-profile="$data" ${files[$1]} |
        awk '$1 == "TOTAL" { print $10 }'
}

# Ends where libFuzzer does: after its time, or with the first crash, hang or leak.
fuzz_parser()
{
    local name=$1 corpus=$PWD/$build/corpus/$1 log=$build/$1.log profile=$PWD/$build/$1.profraw code=0
    mkdir -p "$corpus" "$found"
    if [ -d tests/fuzz/corpus/"$name" ]; then
        cp tests/fuzz/corpus/"$name"/* "$corpus"
    fi
    DECAVOX_FUZZ_SEEDS=$corpus LLVM_PROFILE_FILE=$profile $build/tests/fuzz/fuzz_"$name" \
        -max_total_time="$seconds" -timeout=30 -rss_limit_mb=4096 -max_len=65536 \
        -artifact_prefix="$found/$name-" -print_final_stats=1 "$corpus" >"$log" 2>&1 || code=$?
    local inputs covered leaks=0 hangs=0 crashes=0
    inputs=$(awk '/number_of_executed_units/ { print $2 }' "$log")
    covered=$(coverage "$name" "$profile")
    if grep -q "LeakSanitizer: detected" "$log"; then
        leaks=1
    elif grep -q "libFuzzer: timeout" "$log"; then
        hangs=1
    elif [ $code -ne 0 ]; then
        crashes=1
    fi
    printf '%-12s %9s inputs  %7s of the lines of %s  %d crashes  %d hangs  %d leaks\n' "$name" \
        "${inputs:-0}" "$covered" "${files[$name]}" $crashes $hangs $leaks
    [ $code -eq 0 ] && awk -v covered="$covered" "BEGIN { exit covered + 0 < $least }"
}

fuzz_config()
{
    LLVM_PROFILE_FILE=/dev/null $build/tests/fuzz/fuzz_config run "$seconds" \
        "$(date +%s)" 2>"$build/config.log" | tail -n 1
}

configure
failed=0
for name in "${targets[@]}"; do
    if [ "$name" = config ]; then
        fuzz_config || failed=1
    else
        fuzz_parser "$name" || failed=1
    fi
done
exit $failed
