# shellcheck shell=bash
# What the narratives share. One sets task, source, limit, backend and out, sources this file, and
# is in $out from then on; for each of its seeds it sets seed and works in a folder seed-$seed.
# W2S and TRAIN name the two commands where they are not on the path.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
w2s=$(realpath "$(command -v "${W2S:-w2s-data}")")
[[ ${TRAIN:-} == no ]] || llamafactory=$(realpath "$(command -v "${TRAIN:-llamafactory-cli}")")
mkdir -p "$out"
cd "$out"

# A set from the first $limit questions; arguments go to w2s-data build.
build() {
    "$w2s" build --task "$task" --source "$source" ${limit:+--limit "$limit"} --seed "$seed" \
        --store ../responses.sqlite "$@"
}
# Train on the set $1; further arguments are keys of LLaMA-Factory.
train() {
    local name=$1
    shift
    echo "seed $seed: training $name"
    "$llamafactory" train "factory_configs/$name.yaml" "seed=$seed" \
        ${EPOCHS:+"num_train_epochs=$EPOCHS"} "$@" >"$name.log" 2>&1 ||
        { tail -n 20 "$name.log"; exit 1; }
}
# How well the model $2 does on the first $TEST or $limit questions of test, under the name $1.
examine() {
    local first=${TEST:-$limit}
    "$w2s" sample --task "$task" --source "$source" --split test ${first:+--limit "$first"} \
        --store ../responses.sqlite --model "$2" --out "$1.test.jsonl" --quiet
    "$w2s" score "$1.test.jsonl" --task "$task" --source "$source" --json \
        --out "$1.verdicts.jsonl" >"$1.score.json"
}
