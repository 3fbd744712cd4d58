#!/usr/bin/env bash
# EleutherAI's experiments in weak-to-strong generalization, from question to table:
# losses, probes and strong-to-strong rounds on a binary task (https://blog.eleuther.ai/weak-to-strong/).
#
#   bash run/eleuther.sh                        # the bundled pair: is this solution right? On a CPU
#   TASK=sciq SOURCE=hub WEAK=Qwen/Qwen1.5-0.5B STRONG=meta-llama/Meta-Llama-3-8B \
#     OUT=runs/sciq bash run/eleuther.sh
#
# The probes read hidden states, so the strong model runs in this process (hf:). It needs the extras
# hf, train and probe. SYSTEMS and S2S (the number of rounds) choose what is trained.
set -euo pipefail

task=${TASK:-math_right} source=${SOURCE:-bundled}
weak_base=${WEAK:-bundled/weak} strong_base=${STRONG:-bundled/strong}
seeds=${SEEDS:-1 2 3} s2s=${S2S:-2}
systems=${SYSTEMS:-window logconf entropy knn_relabel knn_filter logreg_relabel logreg_filter topo_relabel topo_filter}
out=${OUT:-runs/eleuther}
source "$(dirname "${BASH_SOURCE[0]}")/narrative.sh"
# Questions of train_1 for the weak model, of train_2, and rows trained on in all (copies of them);
# and keys of LLaMA-Factory. The bundled weak model sees so few questions that it errs.
weak_limit=${WEAK_LIMIT-$(bundled 60)} limit=${LIMIT-$(bundled 1000)} copies=${COPIES-$limit}
weak_with=${WEAK_WITH-$(bundled "learning_rate=5e-3 num_train_epochs=12 gradient_accumulation_steps=1")}
strong_with=${STRONG_WITH-$(bundled "learning_rate=5e-3 gradient_accumulation_steps=1")}
python=$(dirname "$w2s")/python

# The bundled weights are bfloat16, in which a CPU trains three times as slowly and learns less: the
# keys for LLaMA-Factory name float32 copies of them.
float32() {
    if [[ $1 == bundled/* ]]; then
        [[ -e float32/$1 ]] || "$python" - "$1" "float32/$1" <<'PYTHON'
import sys
from transformers import AutoModelForCausalLM, AutoTokenizer
from w2s_data.backends.checkpoint import checkpoint

folder = checkpoint(sys.argv[1]).name
AutoModelForCausalLM.from_pretrained(folder, dtype="float32").save_pretrained(sys.argv[2])
AutoTokenizer.from_pretrained(folder).save_pretrained(sys.argv[2])
PYTHON
        echo "model_name_or_path=$PWD/float32/$1"
    fi
}
weak_with+=" $(float32 "$weak_base")" strong_with+=" $(float32 "$strong_base")"

# A set of soft labels by a stage of the method, each question's two rows compiled into copies.
label() {
    build --method eleuther ${copies:+--copies "$copies"} "$@"
}
# Train an adapter of $2 on the set $1 with the keys $3, and weigh the test questions by it.
teach() {
    # shellcheck disable=SC2086
    train "$1" $3
    "$w2s" soft --task "$task" --source "$source" --split test --quiet \
        --store ../responses.sqlite --model "hf:$2+saves/$1" --out "$1.soft.jsonl"
}

for seed in $seeds; do
    mkdir -p "seed-$seed"
    cd "seed-$seed"
    weak=hf:$weak_base+saves/floor
    student=hf:$strong_base+saves/xent

    # The weak model learns from the ground truth of train_1; the strong ceiling from train_2's.
    limit=$weak_limit build --name floor --method baselines --stage floor --weak "hf:$weak_base"
    teach floor "$weak_base" "$weak_with"
    build --name ceiling --method baselines --stage ceiling --strong "hf:$strong_base"
    teach ceiling "$strong_base" "$strong_with"

    # The strong model learns the weak model's soft labels.
    label --name xent --stage xent --weak "$weak" --strong "hf:$strong_base"
    teach xent "$strong_base" "$strong_with"

    # Other losses, the student above standing frozen for the one in training; probes, fitted on
    # weak labels over the base's hidden states.
    for system in $systems; do
        case $system in
        *_relabel | *_filter)
            label --name "$system" --stage probe --set "probe=${system%_*}" \
                --set "use=${system#*_}" --weak "$weak" --strong "hf:$strong_base"
            ;;
        *) label --name "$system" --stage "$system" --weak "$weak" --student "$student" \
            --role "strong=hf:$strong_base" ;;
        esac
        teach "$system" "$strong_base" "$strong_with"
    done

    # Strong to strong: the predictions of one round are the labels of the next.
    for ((round = 1; round <= s2s; round++)); do
        label --name "s2s_$round" --stage s2s --student "$student" --strong "hf:$strong_base"
        teach "s2s_$round" "$strong_base" "$strong_with"
        student=hf:$strong_base+saves/s2s_$round
    done
    cd ..
done

# shellcheck disable=SC2046,SC2086
"$python" "$root/run/eleuther_results.py" . "$task" "$source" floor xent $systems \
    $(for ((round = 1; round <= s2s; round++)); do echo "s2s_$round"; done) ceiling | tee table.md
