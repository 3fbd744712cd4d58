#!/usr/bin/env bash
# Install what the tests need into .venv (and vLLM into .venv-vllm), then lint, type-check, test.
#
#   bash run/test.sh               # everything
#   bash run/test.sh -k store      # further arguments go to pytest
#   VLLM=no bash run/test.sh       # without the vLLM environment: its tests are reported as skipped
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
bash run/install.sh hf train probe report dev
if [[ ${VLLM:-yes} == yes ]]; then
    bash run/install_vllm.sh .venv-vllm
    export W2S_VLLM_PYTHON=$root/.venv-vllm/bin/python
fi
CHROMIUM=$(bash run/chromium.sh) || true # without one, the report's page is not opened
export CHROMIUM PATH="${VENV:-$root/.venv}/bin:$PATH" OMP_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false
ruff check .
ruff format --check .
mypy
pytest -n 2 --dist worksteal "$@"
