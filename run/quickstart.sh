#!/usr/bin/env bash
# Install into .venv and build a DPO set: the bundled questions, answered by the bundled models.
#
# 1,000 of the 3,000 questions take about two minutes; further arguments go to build. One thread,
# because two beside another busy process are many times slower.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
bash "$root/run/install.sh" hf
export PATH="${VENV:-$root/.venv}/bin:$PATH" OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
w2s-data build --stage dpo --task math --limit 1000 "$@"
echo "The first rows of data/math_reasoning_dpo.jsonl:"
head -n 3 data/math_reasoning_dpo.jsonl
echo "To train on it: bash run/install.sh hf train, then the command above."
