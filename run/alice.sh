#!/usr/bin/env bash
# Alice, from question to table: a weak teacher, the original weak-to-strong baselines, and a
# student that learns what it answers with the teacher's answers and doubts before it.
#
#   bash run/alice.sh                                     # the bundled pair, on a CPU
#   TASK=gsm8k SOURCE=hub TEACHER=Qwen/Qwen2.5-1.5B STUDENT=Qwen/Qwen2.5-7B SAMPLES=100 \
#     SUMMARIZER=openai:llama-3-70b@http://localhost:8000/v1 BACKEND=vllm OUT=runs/qwen \
#     bash run/alice.sh
#
# PART=1/5 takes that share of train_2 (the paper's for HotpotQA and TriviaQA). TRAIN=no builds the
# sets that need no trained model and stops there. With BACKEND=vllm building and training need an
# environment each: W2S=.venv-vllm/bin/w2s-data TRAIN=.venv/bin/llamafactory-cli.
# run/alice_cascade.sh adds a cascade to the same table.
set -euo pipefail

task=${TASK:-math} source=${SOURCE:-bundled} backend=${BACKEND:-hf}
teacher_base=${TEACHER:-bundled/weak} student_base=${STUDENT:-bundled/strong}
seeds=${SEEDS:-1 2 3}
out=${OUT:-runs/alice}
source "$(dirname "${BASH_SOURCE[0]}")/narrative.sh"
# The first so many questions and samples of each: the paper's 100 samples take hours on one core.
limit=${LIMIT-$(bundled 500)}
samples=${SAMPLES:-20}
half() { build ${PART:+--part "$PART"} "$@"; } # a set from train_2, or from $PART of it

for seed in $seeds; do
    mkdir -p "seed-$seed"
    cd "seed-$seed"
    teacher=$backend:$teacher_base+saves/floor
    teacher_qa=$backend:$teacher_base+saves/teacher_qa

    # The teacher learns from train_1: by chains of thought that reach the ground truth (the floor),
    # and by the bare answers.
    build --method alice --stage cot --name floor --role "teacher=$backend:$teacher_base"
    build --method alice --stage cot --set form=qa --name teacher_qa \
        --role "teacher=$backend:$teacher_base"
    if [[ ${TRAIN:-} == no ]]; then
        echo "train on these two, then run this again with TRAIN=llamafactory-cli"
        cd ..
        continue
    fi
    train floor
    train teacher_qa
    examine floor "$teacher"

    # Original weak-to-strong: the student learns one sample of the teacher for each question.
    half --method alice --stage original --name w2s_qa --role "teacher=$teacher_qa" \
        --student "hf:$student_base"
    train w2s_qa
    examine w2s_qa "$backend:$student_base+saves/w2s_qa"
    half --method alice --stage original --name w2s_cot --role "teacher=$teacher" \
        --student "hf:$student_base"
    train w2s_cot
    examine w2s_cot "$backend:$student_base+saves/w2s_cot"

    # Alice: the teacher's sure answers, and the student's own where the teacher wavers.
    half --method alice --stage sft --set n="$samples" --name alice --role "teacher=$teacher" \
        --student "$backend:$student_base" ${SUMMARIZER:+--role "summarizer=$SUMMARIZER"}
    train alice
    examine alice "$backend:$student_base+saves/alice"

    # Beyond the paper: DPO goes on from there with the answers that the student refuted.
    half --method alice --stage dpo --set n="$samples" --name alice_dpo --role "teacher=$teacher" \
        --student "$backend:$student_base" ${SUMMARIZER:+--role "summarizer=$SUMMARIZER"} \
        --strong "hf:$student_base+saves/alice"
    train alice_dpo
    examine alice_dpo "$backend:$student_base+saves/alice_dpo"

    # The student on the ground truth of train_2: the ceiling.
    half --method baselines --stage ceiling --name ceiling --strong "hf:$student_base"
    train ceiling
    examine ceiling "$backend:$student_base+saves/ceiling"
    cd ..
done

[[ ${TRAIN:-} == no ]] ||
    python3 "$root/run/results.py" . floor w2s_qa w2s_cot alice alice_dpo ceiling | tee table.md
