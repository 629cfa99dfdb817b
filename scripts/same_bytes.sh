#!/usr/bin/env bash
# Shows that two builds compute the same bytes: weights after three epochs of two models, and the
# logits of every shipped checkpoint for every clip of FSDD. Prints one line.
#
#     scripts/same_bytes.sh OLD_DECAVOX NEW_DECAVOX [FSDD]     default: ../shared/data/fsdd
set -euo pipefail
cd "$(dirname "$0")/.."

[ $# -ge 2 ] || {
    echo "usage: $0 OLD_DECAVOX NEW_DECAVOX [FSDD]" >&2
    exit 2
}
old=$(realpath "$1") new=$(realpath "$2") fsdd=${3:-../shared/data/fsdd}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export OMP_NUM_THREADS=1

# What a checkpoint's tensors hold: the file without its header, which names the program.
tensors()
{
    python3 -c 'import sys; f = open(sys.argv[1], "rb"); n = int.from_bytes(f.read(8), "little")
f.read(n); sys.stdout.buffer.write(f.read())' "$1" | sha256sum
}

compared=0
for model in lightweight advanced; do
    for side in old new; do
        "${!side}" train "configs/$model.yaml" --data "$fsdd" --split official --seed 1 --epochs 3 \
            --threads 1 --device cpu --out "$folder/$side-$model" >/dev/null 2>&1
        tensors "$folder/$side-$model/model.safetensors" >"$folder/$side-$model.sum"
    done
    cmp "$folder/old-$model.sum" "$folder/new-$model.sum"
    compared=$((compared + 1))
done
for checkpoint in checkpoints/*.safetensors; do
    for side in old new; do
        # The generator is the program's version; all else has to be the same.
        "${!side}" eval "$checkpoint" --data "$fsdd" --part all --clips --format json 2>/dev/null |
            grep -v '"generator"' >"$folder/$side.json"
        grep -q logits "$folder/$side.json"
    done
    cmp "$folder/old.json" "$folder/new.json"
    compared=$((compared + 1))
done
echo "the same bytes: $compared of $compared (weights of 2 models, logits of $((compared - 2))" \
    "checkpoints for $(grep -c '"logits"' "$folder/new.json") clips)"
