#!/usr/bin/env bash
# Cascade Alice: each model supervises the next larger one on its own part of train_2.
#
#   bash run/alice_cascade.sh                     # three bundled sizes, after run/alice.sh or alone
#   MODELS="Qwen/Qwen2.5-1.5B Qwen/Qwen2.5-3B Qwen/Qwen2.5-7B" TASK=gsm8k SOURCE=hub SAMPLES=100 \
#     BACKEND=vllm OUT=runs/qwen bash run/alice_cascade.sh
#
# Any number of MODELS, the weakest first. Floor and ceiling are those of run/alice.sh, not trained
# again where it has left them in OUT. Variables and TRAIN=no are those of run/alice.sh.
set -euo pipefail

task=${TASK:-math} source=${SOURCE:-bundled} backend=${BACKEND:-hf}
read -ra models <<<"${MODELS:-bundled/weak bundled/middle bundled/strong}"
seeds=${SEEDS:-1 2 3}
out=${OUT:-runs/alice}
source "$(dirname "${BASH_SOURCE[0]}")/narrative.sh"
limit=${LIMIT-$(bundled 500)}
samples=${SAMPLES:-20}
levels=$((${#models[@]} - 1))

for seed in $seeds; do
    mkdir -p "seed-$seed"
    cd "seed-$seed"

    # The weakest model learns from train_1: the floor.
    teacher=$backend:${models[0]}+saves/floor
    build --method alice --stage cot --name floor --role "teacher=$backend:${models[0]}"
    if [[ ${TRAIN:-} == no ]]; then
        echo "train on this one, then run this again with TRAIN=llamafactory-cli"
        cd ..
        continue
    fi
    train floor
    examine floor "$teacher"

    # Level k: model k, taught before, supervises model k + 1 on the k-th part of train_2.
    for ((k = 1; k <= levels; k++)); do
        name=cascade_$k
        build --method alice --stage sft --part "$k/$levels" --set n="$samples" --name "$name" \
            --role "teacher=$teacher" --student "$backend:${models[k]}" \
            ${SUMMARIZER:+--role "summarizer=$SUMMARIZER"}
        train "$name"
        teacher=$backend:${models[k]}+saves/$name
        examine "$name" "$teacher"
    done

    # The strongest model on the ground truth of train_2: the ceiling.
    build --method baselines --stage ceiling --name ceiling --strong "hf:${models[levels]}"
    train ceiling
    examine ceiling "$backend:${models[levels]}+saves/ceiling"
    cd ..
done

[[ ${TRAIN:-} == no ]] && exit
names=(floor)
for name in w2s_qa w2s_cot alice alice_dpo; do
    for seed in seed-*; do
        [[ -e $seed/$name.score.json ]] || continue 2
    done
    names+=("$name")
done
for ((k = 1; k <= levels; k++)); do names+=("cascade_$k"); done
python3 "$root/run/results.py" . "${names[@]}" ceiling | tee table.md
