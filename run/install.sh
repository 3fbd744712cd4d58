#!/usr/bin/env bash
# Install w2s_data into a virtual environment:  run/install.sh [EXTRA...]   (default: hf)
#
#   run/install.sh                 to build sets with local models
#   run/install.sh hf train dev    also llamafactory-cli, and what the tests need
#   VENV=~/envs/w2s run/install.sh       an environment elsewhere (default: .venv in the checkout)
#   PYTHON=python3.12 run/install.sh     the interpreter that makes it (default: python3)
#
# constraints.txt holds the versions the tests ran with. vLLM pins another torch than LLaMA-Factory
# accepts, so `vllm` is installed without them and into an environment of its own.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=${VENV:-$root/.venv}
[[ $venv = /* ]] || venv=$PWD/$venv
extras=${*:-hf}
extras=${extras//[ ,]/,}
python=$venv/bin/python
constraints=(-c "$root/constraints.txt")

die() { echo "install.sh: $*" >&2; exit 2; }
has() { [[ ,$extras, == *,$1,* ]]; }

if has vllm; then
    has train && die "train and vllm need different versions of torch; give each its own VENV"
    constraints=()
fi

done_mark=$venv/.w2s_data-${extras//,/-}
inputs=$(cat "$root"/{setup.cfg,pyproject.toml,constraints.txt,run/install.sh} | cksum; echo "$root")
if [[ -x $python && -f $done_mark && $(<"$done_mark") == "$inputs" ]]; then
    echo "w2s_data[$extras] is up to date in $venv"
    exit 0
fi

if ! "$python" -m pip --version >/dev/null 2>&1; then
    base=${PYTHON:-python3}
    command -v "$base" >/dev/null || die "no $base here; install Python 3.11 or newer, or set PYTHON"
    "$base" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        die "w2s_data needs Python 3.11 or newer, $base is $("$base" -V 2>&1); set PYTHON=python3.12 or the like"
    "$base" -m venv "$venv"
fi
install() { "$python" -m pip install --quiet --disable-pip-version-check "$@"; }

# LLaMA-Factory asks for torchvision and torchaudio, whose usual builds need CUDA's libraries and
# crash beside a CPU-only torch. Text training uses neither: there, two empty packages stand in.
stand_ins() {
    local folder
    folder=$(mktemp -d)
    "$python" - "$folder" <<'PYTHON'
import sys, zipfile

def wheel(name, version, modules):
    info = f"{name}-{version}.dist-info"
    files = modules | {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        "Summary: Stands in for the real package on a CPU-only torch; made by run/install.sh\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: w2s_data\n"
        "Root-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(f"{sys.argv[1]}/{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in (files | {f"{info}/RECORD": record}).items():
            archive.writestr(path, text)

wheel("torchvision", "99.0+cpu.standin", {})  # no module: transformers takes it as absent
wheel("torchaudio", "99.0+cpu.standin", {"torchaudio/__init__.py": ""})  # imported at top level
PYTHON
    install --no-deps --no-index --force-reinstall --find-links "$folder" torchvision torchaudio
    rm -r "$folder"
}

echo "installing w2s_data[$extras] into $venv (minutes the first time)"
if has train; then
    install "${constraints[@]}" torch
    if "$python" -W ignore -c 'import sys, torch; sys.exit(torch.version.cuda is not None)'; then
        "$python" -c 'import torchaudio' 2>/dev/null || stand_ins
    elif [[ $("$python" -m pip show torchaudio 2>/dev/null) == *standin* ]]; then
        "$python" -m pip uninstall --quiet --yes torchvision torchaudio
    fi
fi
install "${constraints[@]+"${constraints[@]}"}" --editable "$root[$extras]"

echo "$inputs" >"$done_mark"
echo "done; now run:  source $venv/bin/activate"
