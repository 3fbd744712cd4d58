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
# Rows of each set, samples a task, and the first so many questions of each half.
budget=${BUDGET:-320} samples=${SAMPLES:-4}
limit=${LIMIT-$([[ $source == bundled ]] && echo 1200)}
finetuning=${FINETUNING:-lora} seeds=${SEEDS:-1 2 3}
out=${OUT:-runs/complexity}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
w2s=$(realpath "$(command -v "${W2S:-w2s-data}")")
llamafactory=$(realpath "$(command -v "${TRAIN:-llamafactory-cli}")")
mkdir -p "$out"
cd "$out"

# The strong model trained as $1: a whole model after full fine-tuning, else base and adapter.
trained() { [[ $finetuning == full ]] && echo "saves/$1" || echo "$strong_base+saves/$1"; }
build() {
    "$w2s" build --method complexity --task "$task" --source "$source" --seed "$seed" \
        ${limit:+--limit "$limit"} \
        --finetuning "$finetuning" --store ../responses.sqlite \
        --set difficulty="$difficulty" --set easy="$easy" "$@"
}
train() {
    echo "training $1"
    "$llamafactory" train "factory_configs/$1.yaml" "seed=$seed" ${EPOCHS:+"num_train_epochs=$EPOCHS"} \
        >"$1.log" 2>&1 || { tail -n 20 "$1.log"; exit 1; }
}
examine() {
    "$w2s" sample --task "$task" --source "$source" --split test ${TEST:+--limit "$TEST"} \
        --store ../responses.sqlite --model "$backend:$(trained "$1")" --out "$1.test.jsonl" --quiet
    "$w2s" score "$1.test.jsonl" --task "$task" --source "$source" --json \
        --out "$1.verdicts.jsonl" >"$1.score.json"
}
# The set $1 with the further settings, and the foundation trained on it.
supervise() {
    local name=$1
    shift
    build --stage sft --name "$name" --weak "$weak" \
        --strong "hf:$(trained foundation)" ${weaker:+--role weaker="$weaker"} \
        ${decomposer:+--role decomposer="$decomposer"} \
        ${paraphraser:+--role paraphraser="$paraphraser"} ${judge:+--role judge="$judge"} \
        --set n="$samples" --set budget="$budget" "$@"
    train "$name"
    examine "$name"
}

for seed in $seeds; do
    mkdir -p "seed-$seed"
    cd "seed-$seed"

    # Stage one: the strong model learns the easy levels from ground truth.
    build --stage foundation --name foundation --strong "hf:$strong_base"
    train foundation
    examine foundation

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
