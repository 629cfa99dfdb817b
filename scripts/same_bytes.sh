#!/usr/bin/env bash
# Shows that two builds compute the same bytes: weights after three epochs of two models, and the
# logits of every shipped checkpoint for every clip of FSDD. If the processor has BF16, the same is
# compared in BF16 with one checkpoint. If both builds have the simulated device, weights after a
# few of its steps and logits are compared in FP32, FP16 and BF16. Prints one line.
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

# compare_training MODEL EPOCHS PRECISION DEVICE OPTION...
trained=0
compare_training()
{
    local side model=$1 epochs=$2 precision=$3 device=$4
    shift 4
    for side in old new; do
        rm -rf "${folder:?}/run"
        "${!side}" train "configs/$model.yaml" --data "$fsdd" --split official --seed 1 \
            --epochs "$epochs" --threads 1 --device "$device" \
            --set "train.mixed_precision=$precision" --out "$folder/run" "$@" \
            >"$folder/$side.log" 2>&1 || { cat "$folder/$side.log" >&2; return 1; }
        tensors "$folder/run/model.safetensors" >"$folder/$side.sum"
    done
    cmp "$folder/old.sum" "$folder/new.sum"
    trained=$((trained + 1))
}

# compare_logits CHECKPOINT DATA OPTION...
evaluated=0
compare_logits()
{
    local side checkpoint=$1 data=$2
    shift 2
    for side in old new; do
        # The generator is the program's version; all else has to be the same.
        "${!side}" eval "$checkpoint" --data "$data" --clips --format json "$@" 2>/dev/null |
            grep -v '"generator"' >"$folder/$side.json"
        grep -q logits "$folder/$side.json"
    done
    cmp "$folder/old.json" "$folder/new.json"
    evaluated=$((evaluated + 1))
}

for model in lightweight advanced; do
    compare_training "$model" 3 false cpu
done
for checkpoint in checkpoints/*.safetensors; do
    compare_logits "$checkpoint" "$fsdd" --part all
done
clips=$(grep -c '"logits"' "$folder/new.json") also=""

if grep -q avx512_bf16 /proc/cpuinfo; then
    for model in lightweight advanced; do
        compare_training "$model" 2 bf16 cpu
    done
    compare_logits checkpoints/advanced_fine.safetensors "$fsdd" --part all --precision bf16
    also=", BF16 too"
fi
if [ -e "$(dirname "$old")/libdecavox_cudasim.so" ] && [ -e "$(dirname "$new")/libdecavox_cudasim.so" ]; then
    mkdir "$folder/few"
    cp "$fsdd"/*_jackson_0.wav "$folder/few"
    for precision in false fp16 bf16; do
        for model in lightweight advanced; do
            compare_training "$model" 1 "$precision" cudasim \
                --set train.max_steps=3 --set train.batch_size=4
        done
    done
    for precision in fp32 fp16 bf16; do
        compare_logits checkpoints/lightweight.safetensors "$folder/few" --part all \
            --device cudasim --precision "$precision"
    done
    also="$also, and the simulated device in FP32, FP16 and BF16"
fi
echo "the same bytes: $((trained + evaluated)) of $((trained + evaluated)) (weights of $trained" \
    "trainings, logits of $evaluated evaluations of up to $clips clips$also)"
