#!/usr/bin/env bash
# Answers the files of a list on many machines, as a Slurm array. Each task takes a share of them.
#
#     sbatch --array=1-16 examples/scale/slurm.sh lightweight files.txt answers 16
#
# The last argument is the number of shares. Task i writes answers-i.jsonl. A task that is requeued
# by Slurm or submitted again (--array=3) continues where it stopped. When all tasks are done,
# `cat answers-*.jsonl` prints a row for each file.
#SBATCH --job-name=decavox --requeue --open-mode=append --cpus-per-task=4
set -euo pipefail
model=$1 files=$2 answers=$3 shares=$4 task=$SLURM_ARRAY_TASK_ID

exec decavox predict "$model" --input "$files" --output "$answers-$task.jsonl" --resume \
    --shard "$task/$shares" --workers "${SLURM_CPUS_PER_TASK:-0}" \
    --allow_failed 1000000000
