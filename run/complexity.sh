#!/usr/bin/env bash
# Guiding Through Complexity (arXiv 2410.20533): foundation, then supervision of hard tasks.
#
#   bash run/complexity.sh                    # the bundled pair, on a CPU
#   TASK=numina SOURCE=hub BACKEND=vllm FINETUNING=full WEAK=Qwen/Qwen2.5-Math-1.5B-Instruct \
#     DECOMPOSER=openai:gpt-4o@https://api.openai.com/v1 \
#     PARAPHRASER=openai:gpt-4o@https://api.openai.com/v1 STRONG=meta-llama/Llama-3.1-8B \
#     DIFFICULTY=subject EASY=orca_math OUT=runs/llama3 bash run/complexity.sh
#
# Three questions: hard tasks at a rising error rate against clean subtasks; full tasks with
# subtasks against full tasks with paraphrases; mild against grave errors at one error rate. Every
# set has the same number of rows. Building and training alternate; with BACKEND=vllm the two need
# an environment each: name the commands, for instance W2S=.venv-vllm/bin/w2s-data
# TRAIN=.venv/bin/llamafactory-cli.
set -euo pipefail

task=${TASK:-math} source=${SOURCE:-bundled} backend=${BACKEND:-hf}
weak=$backend:${WEAK:-bundled/weak+bundled/weak_taught} strong_base=${STRONG:-bundled/strong}
weaker=${WEAKER:-} decomposer=${DECOMPOSER:-} paraphraser=${PARAPHRASER:-} judge=${JUDGE:-}
difficulty=${DIFFICULTY:-level} easy=${EASY:-1,2,3}
rates=${RATES:-0 0.25 0.5 0.75 0.9} mixed_rate=${MIXED_RATE:-0.5}
out=${OUT:-runs/complexity}
source "$(dirname "${BASH_SOURCE[0]}")/narrative.sh"
# Rows of each set, samples a task, and the first so many questions of each half.
budget=${BUDGET:-320} samples=${SAMPLES:-4}
limit=${LIMIT-$(bundled 1200)}
finetuning=${FINETUNING:-lora} seeds=${SEEDS:-1 2 3}

# The strong model trained as $1: a whole model after full fine-tuning, else base and adapter.
trained() { [[ $finetuning == full ]] && echo "saves/$1" || echo "$strong_base+saves/$1"; }
# The set $1, and the model trained on it, examined; further arguments go to w2s-data build.
teach() {
    local name=$1
    shift
    build --name "$name" --method complexity --finetuning "$finetuning" \
        --set difficulty="$difficulty" --set easy="$easy" "$@"
    train "$name"
    examine "$name" "$backend:$(trained "$name")"
}
# The foundation goes on with the set $1 of supervision with the further settings.
supervise() {
    teach "$1" --stage sft --weak "$weak" \
        --strong "hf:$(trained foundation)" ${weaker:+--role weaker="$weaker"} \
        ${decomposer:+--role decomposer="$decomposer"} \
        ${paraphraser:+--role paraphraser="$paraphraser"} ${judge:+--role judge="$judge"} \
        --set n="$samples" --set budget="$budget" "${@:2}"
}

for seed in $seeds; do
    mkdir -p "seed-$seed"
    cd "seed-$seed"

    # Stage one: the strong model learns the easy levels from ground truth.
    teach foundation --stage foundation --strong "hf:$strong_base"

    # Question 1 (section 5): hard tasks at a rising error rate, and their clean subtasks.
    for rate in $rates; do
        supervise "full_$rate" --set kind=full --set error_rate="$rate"
    done
    supervise sub_0 --set kind=sub

    # Question 2 (section 7): one budget, half of it subtasks or paraphrases of the other half.
    for kind in sub paraphrase; do
        supervise "full_${mixed_rate}_$kind" --set kind="full+$kind" --set error_rate="$mixed_rate"
    done

    # Question 3 (section 6): the same tasks wrong, with as few or as many wrong steps as sampled.
    for severity in mild grave; do
        supervise "full_${mixed_rate}_$severity" --set severity="$severity" \
            --set error_rate="$mixed_rate"
    done
    cd ..
done

python3 "$root/run/complexity_results.py" . "$easy" foundation $(printf 'full_%s ' $rates) sub_0 \
    "full_${mixed_rate}_sub" "full_${mixed_rate}_paraphrase" "full_${mixed_rate}_mild" \
    "full_${mixed_rate}_grave" | tee table.md
