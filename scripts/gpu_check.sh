#!/usr/bin/env bash
# Checks decavox on an NVIDIA GPU and measures it against PyTorch.
#
#     scripts/gpu_check.sh [--data DIR] [--out DIR] [--device cuda] [PART ...]
#
#     machine     device, driver, versions, commit
#     build       release build for this GPU's architecture, in build/gpu
#     tests       every test of the device, in FP32, FP16 and BF16; whole models against PyTorch
#     sanitizer   compute-sanitizer: memcheck, racecheck, synccheck on a part of the tests
#     train       both models in each precision on the Free Spoken Digit Dataset; 20 steps against
#                 the CPU
#     step        time of a training step against PyTorch: eager, torch.compile, CUDA graphs
#     infer       time of the forward pass, likewise
#     features    utterances per second of the front-end, likewise
#
# A part that is not at its end after its time is cut off, and the report says so. So is all that a
# call does after nine minutes. Three calls, of which the first is the default, make the whole; what
# they find comes together in one report as long as the commit and the build folder are the same:
#
#     scripts/gpu_check.sh machine build tests
#     scripts/gpu_check.sh train step infer features
#     scripts/gpu_check.sh sanitizer
#
# The build needs the CUDA toolkit with cuDNN, gcc, cmake, pkg-config, python3 and, with their
# headers, libsndfile, libsoxr, libyaml, jansson, libdeflate, oneDNN and for the tests cmocka:
# scripts/install_packages.sh test. A machine without network has to be given them; Debian's oneDNN
# (libdnnl2) wants libOpenCL.so.1 besides, from ocl-icd-libopencl1. Where only a certain folder comes
# back from the machine, --out has to name it.
#
#     --data DIR              recordings; default: ../shared/data/fsdd, /data/fsdd
#     --out DIR               of the report gpu-DEVICE.json and .txt; default: benchmarks/results
#     --device NAME           cuda, cuda:N, or cudasim, the simulated device
#     --build DIR             default: build/gpu
#     --python PROGRAM        the Python that has PyTorch; default: python3
#     --time PART=SECONDS     another time for a part; --time all=SECONDS: for the whole
#     --quick                 the smallest sizes, to try the script: figures mean nothing
#     --skip-code N           exit status where there is no GPU; default: 1
#
# Exit status: 0 every part passed or was skipped for a reason that the report names, 1 one failed
# or was cut off, 2 wrong use.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")

all_parts=(machine build tests sanitizer train step infer features)
declare -A seconds_of=([machine]=30 [build]=150 [tests]=250 [sanitizer]=450 [train]=80 [step]=190
                       [infer]=55 [features]=30 [all]=530)
data='' out='' device=cuda build=build/gpu python=python3 skip_code=1 quick=()
parts=()

usage()
{
    sed -n '2,/^set /s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" | sed '$d'
}

wrong_use()
{
    echo "gpu_check.sh: $*" >&2
    exit 2
}

is_part()
{
    [[ " ${all_parts[*]} " == *" $1 "* ]]
}

set_time()
{
    local part=${1%%=*} seconds=${1#*=}
    is_part "$part" || [ "$part" = all ] || wrong_use "--time: no part '$part'"
    [[ $seconds =~ ^[0-9]+$ ]] || wrong_use "--time: '$seconds' is no number of seconds"
    seconds_of[$part]=$seconds
}

command_line="scripts/gpu_check.sh $*"
while [ $# -gt 0 ]; do
    case $1 in
    --help | -h)
        usage
        exit 0
        ;;
    --quick) quick=(--quick) ;;
    --data | --out | --device | --build | --python | --time | --skip-code)
        [ $# -ge 2 ] || wrong_use "$1 needs a value"
        case $1 in
        --data) data=$2 ;;
        --out) out=$2 ;;
        --device) device=$2 ;;
        --build) build=$2 ;;
        --python) python=$2 ;;
        --time) set_time "$2" ;;
        --skip-code) skip_code=$2 ;;
        esac
        shift
        ;;
    -*) wrong_use "no option '$1'; --help lists them" ;;
    *)
        is_part "$1" || wrong_use "no part '$1'; there are: ${all_parts[*]}"
        parts+=("$1")
        ;;
    esac
    shift
done
[ ${#parts[@]} -gt 0 ] || parts=(machine build tests)

no_gpu()
{
    echo "gpu_check.sh: no NVIDIA GPU can be used here: $*" >&2
    exit "$skip_code"
}

find_device()
{
    case $device in
    cudasim*)
        name="simulated device"
        [ -n "$out" ] || out=$build
        return
        ;;
    cuda | cuda:[0-9]*) ;;
    *) wrong_use "no device '$device': cuda, cuda:N or cudasim" ;;
    esac
    local index=${device#cuda}
    index=${index#:}
    command -v nvidia-smi >/dev/null ||
        no_gpu "there is no nvidia-smi, which comes with NVIDIA's driver"
    name=$(nvidia-smi -i "${index:-0}" --query-gpu=name --format=csv,noheader 2>&1) ||
        no_gpu "nvidia-smi says: $(head -n 1 <<<"$name")"
    name=$(head -n 1 <<<"$name")
    [ -n "$name" ] || no_gpu "nvidia-smi lists no device"
    [ -n "$out" ] || out=$root/benchmarks/results
}

command -v python3 >/dev/null || { echo "gpu_check.sh: python3 is not there" >&2; exit 1; }
invoked_from=$PWD
cd "$root"
absolute()
{
    case $1 in
    /* | '') echo "$1" ;;
    *) echo "$2/$1" ;;
    esac
}
[ "$build" = build/gpu ] || build=$(absolute "$build" "$invoked_from")
build=$(absolute "$build" "$root")
data=$(absolute "$data" "$invoked_from")
out=$(absolute "$out" "$invoked_from")
name=''
find_device
work=$build/gpu_check
mkdir -p "$work" "$out"

commit=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
# What the calls before this one reported is no change.
if [ -n "$(git status --porcelain -- ':!benchmarks/results' 2>/dev/null)" ]; then
    commit+=", changed"
fi
if [ ${#quick[@]} -gt 0 ]; then
    commit+=", quick"
fi
date=$(date -u '+%Y-%m-%d %H:%M UTC')

write_report()
{
    python3 -B "$here/gpu_report.py" --work "$work" --out "$out" --name "$name" \
        --commit "$commit" --date "$date" --command "$command_line"
}

# PART STATUS SECONDS BUDGET [MESSAGE]
write_state()
{
    printf 'status=%s\nseconds=%s\nbudget=%s\nmessage=%s\ncommit=%s\ndate=%s\n' \
        "$2" "$3" "$4" "${5:-}" "$commit" "$date" >"$work/$1.state"
    report=$(write_report)
}

child=''
# shellcheck disable=SC2317 # called by the trap
stop()
{
    trap - INT TERM
    if [ -n "$child" ]; then
        kill -TERM "$child" 2>/dev/null || true
    fi
    echo "gpu_check.sh: interrupted; what is known is in $report.txt" >&2
    exit 1
}
trap stop INT TERM

bad=0
run_part()
{
    local part=$1 budget=${seconds_of[$1]} left=$((seconds_of[all] - SECONDS)) begin=$SECONDS
    local status=0 result message=''
    rm -f "$work/$part."* "$work/$part-"*
    if [ "$left" -lt "$budget" ]; then
        budget=$left
    fi
    if [ "$budget" -lt 1 ]; then
        echo "==> $part: no time is left"
        write_state "$part" "cut off" 0 0 "not begun: the time for all parts was used up"
        bad=1
        return
    fi
    echo "==> $part (at most $budget s)"
    write_state "$part" "cut off" 0 "$budget" "begun; nothing was heard of its end"
    # `timeout` ends the whole group of processes that the part is.
    timeout --kill-after=3 "$budget" python3 -B "$here/gpu_parts.py" "$part" --build "$build" \
        --work "$work" --device "$device" --data "$data" --seconds "$budget" --python "$python" \
        "${quick[@]}" >"$work/$part.log" 2>&1 </dev/null &
    child=$!
    wait "$child" || status=$?
    child=''
    case $status in
    0) result=passed ;;
    77) result=skipped ;;
    124 | 137)
        result="cut off"
        message="was not at its end after $budget s"
        ;;
    *) result=failed ;;
    esac
    write_state "$part" "$result" "$((SECONDS - begin))" "$budget" "$message"
    if [ "$result" = failed ] || [ "$result" = "cut off" ]; then
        bad=1
        tail -n 15 "$work/$part.log" | cut -c 1-300
    fi
    echo "    $part: $result${message:+, $message}, $((SECONDS - begin)) s"
}

for part in "${parts[@]}"; do
    run_part "$part"
done
cat "$work"/*.log >"$work/all.txt" 2>/dev/null || true
if [ "$out" != "$root/benchmarks/results" ] && [ "$out" != "$work" ]; then
    cp "$work/all.txt" "$report.log"
fi
cat "$report.txt"
echo "written to $report.json and .txt; logs in $work"
exit "$bad"
