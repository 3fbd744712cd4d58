#!/usr/bin/env bash
# Install into .venv and build a DPO set: the bundled questions, answered by the bundled models.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
bash "$root/run/install.sh" hf
export PATH="${VENV:-$root/.venv}/bin:$PATH"
w2s-data build --stage dpo --task math "$@"
echo "The first rows of data/math_reasoning_dpo.jsonl:"
head -n 3 data/math_reasoning_dpo.jsonl
