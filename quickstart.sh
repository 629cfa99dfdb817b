#!/usr/bin/env bash
# From a fresh clone to a trained model that recognises spoken digits: installs what is missing,
# builds, makes or takes recordings, trains, evaluates, predicts. All it leaves lies in build/.
#
#     ./quickstart.sh                                  synthetic voices by espeak-ng
#     ./quickstart.sh --data FOLDER [--split SPLIT]    your recordings (see decavox train --help)
#     ./quickstart.sh --cuda                           also the CUDA module, for all GPUs of a release
#
# Without --cuda the module is built for the GPU that is here, and where there is none it is not.
set -euo pipefail
called_from=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")"

usage()
{
    sed -n '/^# From/,/^set/s/^# \{0,1\}//p' quickstart.sh
    exit "$1"
}

fail()
{
    echo "quickstart.sh: $*" >&2
    exit 1
}

began=$SECONDS
step()
{
    printf '\n==> %s  (%d s)\n' "$*" $((SECONDS - began))
}

# The way to split recordings: as the manifest says, as FSDD does it where few people speak much,
# by speaker where there are many, else at random.
choose_split()
{
    local speakers
    if [ -f "$1" ]; then
        head -1 "$1" | grep -q split && echo official || echo random
        return
    fi
    speakers=$(find -L "$1" -maxdepth 1 -name '*_*_*.*' |
        sed -n 's|.*/[^/_]*_\(.*\)_[0-9]*\.[A-Za-z0-9]*$|\1|p' | sort -u | wc -l)
    if [ "$speakers" -eq 0 ]; then
        echo random
    elif [ "$speakers" -lt 10 ]; then
        echo official
    else
        echo speaker
    fi
}

data='' split='' configure=()
while [ $# -gt 0 ]; do
    case $1 in
    --data | --split)
        [ $# -ge 2 ] || usage 2 >&2
        [ "$1" = --data ] && data=$2 || split=$2
        shift 2
        ;;
    --cuda)
        configure+=(-DDV_CUDA=ON)
        shift
        ;;
    --help | -h) usage 0 ;;
    *) usage 2 >&2 ;;
    esac
done
if [ -n "$split" ] && [ -z "$data" ]; then
    usage 2 >&2
fi
if [ -n "$data" ] && [[ $data != /* ]] && [ "$called_from" != "$PWD" ]; then
    data=$called_from/$data
fi
if [ -n "$data" ] && [ ! -e "$data" ]; then
    fail "--data $data: there is no such folder or manifest"
fi

step "installing what is missing"
scripts/install_packages.sh build
began=$SECONDS # what follows is the demonstration

step "building"
configured=$(cmake --preset release "${configure[@]}")
grep "CUDA module" <<<"$configured"
cmake --build --preset release
decavox=build/release/runner/decavox

work=build/quickstart
mkdir -p "$work"
if [ -n "$data" ]; then
    split=${split:-$(choose_split "$data")}
    step "your recordings: $data, split: $split"
else
    data=$work/voices split=speaker
    step "making spoken digits with espeak-ng"
    rm -rf "$data"
    "$decavox" synth --out "$data" --voices 130 --jobs "$(nproc)"
fi

step "training configs/quickstart.yaml"
rm -rf "$work/run"
"$decavox" train configs/quickstart.yaml --data "$data" --split "$split" --out "$work/run"
model=$work/run/model.safetensors

step "evaluating once more, with the answer to every clip in $work/answers.json"
"$decavox" eval "$model" --format json --clips >"$work/answers.json"
sed -n 's/^  "\(correct\|count\)": \(.*\),$/\1 \2/p' "$work/answers.json"

step "predicting one file that was not trained on: file, digit, confidence"
file=$(sed -n 's/^ *"file": "\(.*\)",$/\1/p' "$work/answers.json" | sed -n '1p')
[ -f "$file" ] || fail "no file among the answers: '$file'"
"$decavox" predict "$model" "$file"

cat <<TEXT

Done in $((SECONDS - began)) s. Try next:
    $decavox predict $model YOUR.wav --format json
    $decavox info $model
    $decavox train configs/lightweight.yaml --data FOLDER    (FSDD, or a folder for each word)
    $decavox info --config --layers                          (every key of a configuration)
    ./test.sh
TEXT
