#!/usr/bin/env bash
# Reliability-Aware Alignment (arXiv 2406.19032), from question to table.
#
#   bash run/reliability.sh                               # the bundled pair, on a CPU
#   TASK=mmlu SOURCE=hub WEAK=mistralai/Mistral-7B-Instruct-v0.2 STRONG=meta-llama/Meta-Llama-3-8B \
#     BACKEND=vllm OUT=runs/mmlu bash run/reliability.sh
#   TASK=gsm8k ... PARAPHRASER=openai:MODEL@URL bash run/reliability.sh
#
# Building and training alternate. With BACKEND=vllm the two need an environment each: name the
# commands, for instance W2S=.venv-vllm/bin/w2s-data TRAIN=.venv/bin/llamafactory-cli.
set -euo pipefail

task=${TASK:-math} source=${SOURCE:-bundled} backend=${BACKEND:-hf}
weak_base=${WEAK:-bundled/weak} strong_base=${STRONG:-bundled/strong}
seeds=${SEEDS:-1 2 3}
out=${OUT:-runs/reliability}
source "$(dirname "${BASH_SOURCE[0]}")/narrative.sh"
# The first so many questions; 500 of the bundled ones take half an hour on one core.
limit=${LIMIT-$(bundled 500)}
# true: filter and reweight draw as many rows as there are questions; false: they take all.
sampling=${SAMPLING:-true}
paraphraser=${PARAPHRASER:+--role "paraphraser=$PARAPHRASER"}

# The weak model's answers to every variation: generated once, for all stages.
varied() {
    # shellcheck disable=SC2086
    build --method reliability --weak "$weak" --strong "hf:$strong_base" $paraphraser "$@"
}

for seed in $seeds; do
    mkdir -p "seed-$seed"
    cd "seed-$seed"
    weak=$backend:$weak_base+saves/floor

    # The weak supervisor learns from the ground truth of train_1: the floor.
    build --method baselines --stage floor --name floor --weak "hf:$weak_base"
    train floor
    examine floor "$weak"

    # Naive weak-to-strong: the strong model learns every weak answer to train_2.
    build --method reliability --stage naive --name naive --weak "$weak" --strong "hf:$strong_base"
    train naive
    examine naive "$backend:$strong_base+saves/naive"

    # Uncertainty filtering: the answers to questions on which five variations agree most.
    varied --stage filter --name filter --set do_sampling="$sampling"
    train filter
    examine filter "$backend:$strong_base+saves/filter"

    # Reliability reweighting: every answer, as often as its score says.
    varied --stage reweight --name reweight --set do_sampling="$sampling"
    train reweight
    examine reweight "$backend:$strong_base+saves/reweight"

    # The strong model on the ground truth of train_2: the ceiling.
    build --method baselines --stage ceiling --name ceiling --strong "hf:$strong_base"
    train ceiling
    examine ceiling "$backend:$strong_base+saves/ceiling"

    # What entropy and score know of right and wrong (figures 3 to 6); nothing is trained on it.
    varied --stage calibrate --split train_2 --name answers
    cd ..
done

python3 "$root/run/results.py" . floor naive filter reweight ceiling | tee table.md
python3 "$root/run/reliability_results.py" . answers | tee entropy.md
