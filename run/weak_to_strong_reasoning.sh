#!/usr/bin/env bash
# Weak-to-Strong Reasoning (arXiv 2407.13647), from question to table.
#
#   bash run/weak_to_strong_reasoning.sh                  # the bundled pair, on a CPU
#   TASK=gsm8k SOURCE=hub WEAK=meta-llama/Llama-2-7b-hf STRONG=meta-llama/Llama-2-70b-hf \
#     BACKEND=vllm OUT=runs/llama2 bash run/weak_to_strong_reasoning.sh
#
# Building and training alternate. With BACKEND=vllm the two need an environment each: name the
# commands, for instance W2S=.venv-vllm/bin/w2s-data TRAIN=.venv/bin/llamafactory-cli.
set -euo pipefail

task=${TASK:-math} source=${SOURCE:-bundled} backend=${BACKEND:-hf}
weak_base=${WEAK:-bundled/weak} strong_base=${STRONG:-bundled/strong}
seeds=${SEEDS:-1 2 3}
out=${OUT:-runs/weak_to_strong_reasoning}
source "$(dirname "${BASH_SOURCE[0]}")/narrative.sh"
# The first so many questions; 1,000 of the bundled ones take an hour on one core.
limit=${LIMIT-$(bundled 1000)}

for seed in $seeds; do
    mkdir -p "seed-$seed"
    cd "seed-$seed"
    weak=$backend:$weak_base+saves/floor
    student=$backend:$strong_base+saves/stage1

    # The weak model learns from the ground truth of train_1: the floor.
    build --method baselines --stage floor --name floor --weak "hf:$weak_base"
    train floor
    examine floor "$weak"

    # Naive weak-to-strong: the strong model learns every weak answer to train_2.
    build --stage sft --set side=naive --name naive --weak "$weak" --strong "$backend:$strong_base"
    train naive
    examine naive "$backend:$strong_base+saves/naive"

    # Stage I: it learns where the weak model and its own few-shot answers agree.
    build --stage sft --name stage1 --weak "$weak" --strong "$backend:$strong_base"
    train stage1
    examine stage1 "$student"

    # Stage I again, the student in place of the few-shot base.
    build --stage sft --set shots=0 --name stage1_again --weak "$weak" --strong "$student"
    train stage1_again
    examine stage1_again "$backend:$strong_base+saves/stage1_again"

    # Stage II: the student's confident majorities against the weak answers, by DPO and by ORPO.
    for stage in dpo orpo; do
        build --stage "$stage" --name "$stage" --set max_pairs="${MAX_PAIRS:-1}" \
            --weak "$weak" --student "$student"
        train "$stage"
        examine "$stage" "$backend:$strong_base+saves/$stage"
    done

    # The strong model on the ground truth of train_2: the ceiling.
    build --method baselines --stage ceiling --name ceiling --strong "hf:$strong_base"
    train ceiling
    examine ceiling "$backend:$strong_base+saves/ceiling"
    cd ..
done

python3 "$root/run/results.py" . floor naive stage1 stage1_again dpo orpo ceiling | tee table.md
