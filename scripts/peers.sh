#!/usr/bin/env bash
# Measures decavox against PyTorch, ONNX Runtime, librosa and torchaudio on this machine, in turns
# within one run, and prints the table of ratios.
#
#     scripts/peers.sh [--quick] [--part train,infer,features,start] [--device cuda] [OPTION ...]
#
#     --quick            short, and without torch.compile; the figures mean little
#     --part LIST        train (a training step, batch 32), infer (a forward pass, batch 1 and 64),
#                        features, start (a process that predicts once); default: all
#     --device NAME      cuda or cuda:N measure PyTorch with AMP and CUDA graphs; default: cpu
#     --prepare          do everything except the timing: install, build, and fill the cache of
#                        torch.compile, which takes about an hour
#     --install          only make the virtual environment
#     --venv DIR         virtual environment of the peers, made if missing; default: build/peers
#     --python PROGRAM   take the peers from this Python instead; nothing is installed
#     --build DIR        a release build with benchmarks; default: build/release, made now
#     --out DIR          folder of peers-PROCESSOR.json; default: benchmarks/results. Only with the
#                        default, peers.md and docs/performance.md are updated as well
#
# Other options, --models, --threads, --batch, --rounds and --variants, are for
# benchmarks/peers/measure.py. The peers are for measuring only: decavox needs none of them.
#
# Exit status: 0 if measured, 1 if something failed, 2 for wrong usage.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")
requirements=$root/benchmarks/peers/requirements.txt

venv=$root/build/peers python='' build='' device=cpu install_only=false
measure=()

usage()
{
    sed -n '2,/^set /s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" | sed '$d'
}

fail()
{
    echo "peers.sh: $*" >&2
    exit 1
}

wrong_use()
{
    echo "peers.sh: $*" >&2
    exit 2
}

while [ $# -gt 0 ]; do
    case $1 in
    --help) usage; exit 0 ;;
    --quick | --prepare) measure+=("$1"); shift; continue ;;
    --install) install_only=true; shift; continue ;;
    --venv | --python | --build | --device | --part | --out | --models | --threads | --batch | \
        --rounds | --variants) [ $# -ge 2 ] || wrong_use "$1 needs a value" ;;
    *) wrong_use "no option '$1'; --help tells which there are" ;;
    esac
    case $1 in
    --venv) venv=$2 ;;
    --python) python=$2 ;;
    --build) build=$2 ;;
    --device) device=$2 ;;
    *) measure+=("$1" "$2") ;;
    esac
    shift 2
done
[[ $device =~ ^(cpu|cudasim|cuda(:[0-9]+)?)$ ]] || wrong_use "no device '$device'"

# From where pip's own configuration says. PyPI's PyTorch brings CUDA; a smaller one for the CPU
# alone can be had by PIP_INDEX_URL.
install()
{
    [ -x "$venv/bin/python" ] || python3 -m venv "$venv" ||
        fail "python3 -m venv failed; on Debian: apt-get install python3-venv"
    "$venv/bin/python" -m pip install --quiet --requirement "$requirements" ||
        fail "pip could not install $requirements"
    cp "$requirements" "$venv/installed.txt"
}

if [ -z "$python" ]; then
    if ! cmp --silent "$requirements" "$venv/installed.txt"; then
        echo "==> installing the peers into $venv"
        install
    fi
    python=$venv/bin/python
fi
! $install_only || exit 0

if [ -z "$build" ]; then
    echo "==> building decavox"
    build=$root/build/release
    cmake -S "$root" --preset release -DDV_BENCHMARKS=ON >/dev/null
    cmake --build "$build" >/dev/null || fail "decavox does not build: cmake --build $build"
fi

cd "$root"
exec "$python" -B benchmarks/peers/measure.py --build "$build" --device "$device" \
    "${measure[@]+"${measure[@]}"}"
