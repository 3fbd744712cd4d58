# shellcheck shell=bash
# What the narratives share. One sets task, source, backend and out, sources this file, and is in
# $out from then on; it sets limit, and for each of its seeds seed, to work in a folder seed-$seed.
# W2S and TRAIN name the two commands where they are not on the path.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
w2s=$(realpath "$(command -v "${W2S:-w2s-data}")")
[[ ${TRAIN:-} == no ]] || llamafactory=$(realpath "$(command -v "${TRAIN:-llamafactory-cli}")")
mkdir -p "$out"
cd "$out"

# $1 for the bundled questions, nothing for others.
bundled() { if [[ $source == bundled ]]; then echo "$1"; fi; }
# A set from the first $limit questions; arguments go to w2s-data build.
build() {
    "$w2s" build --task "$task" --source "$source" ${limit:+--limit "$limit"} --seed "$seed" \
        --store ../responses.sqlite "$@"
}
# Train on the set $1; further arguments are keys of LLaMA-Factory. What was trained before with the
# same recipe, rows, keys and adapter to start from is not trained again.
train() {
    local name=$1 recipe=factory_configs/$1.yaml keys start sum
    keys=("seed=$seed" ${EPOCHS:+"num_train_epochs=$EPOCHS"} "${@:2}")
    start=$(sed -nE 's/^(adapter|model)_name_or_path: (saves.*)/\2/p' "$recipe")
    # shellcheck disable=SC2086
    sum=$({ cat "$recipe" "data/$name.jsonl" ${start:+$start/*.safetensors} && echo "${keys[@]}"; } |
        cksum)
    [[ -e $name.trained && $(<"$name.trained") == "$sum" ]] && return
    echo "seed $seed: training $name"
    "$llamafactory" train "$recipe" "${keys[@]}" >"$name.log" 2>&1 ||
        { tail -n 20 "$name.log"; exit 1; }
    echo "$sum" >"$name.trained"
}
# How well the model $2 does on the first $TEST or $limit questions of test, under the name $1.
examine() {
    local first=${TEST:-$limit}
    "$w2s" sample --task "$task" --source "$source" --split test ${first:+--limit "$first"} \
        --store ../responses.sqlite --model "$2" --out "$1.test.jsonl" --quiet
    "$w2s" score "$1.test.jsonl" --task "$task" --source "$source" --json \
        --out "$1.verdicts.jsonl" >"$1.score.json"
}
