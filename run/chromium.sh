#!/usr/bin/env bash
# Print the path of a Chromium: the machine's, or Debian's own, unpacked into a folder.
#
#   run/chromium.sh [FOLDER]     (default: .venv-chromium in the checkout)
#
# Nothing is installed and no root is needed: apt names the packages that are missing here, and
# they are unpacked with a small script that starts the browser among them. Where there is neither
# a browser nor apt, it says so and exits with 1.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
folder=$(realpath -m "${1:-$root/.venv-chromium}")

for name in "${CHROMIUM:-}" chromium chromium-browser google-chrome "$folder/run"; do
    [[ -n $name ]] && command -v "$name" && exit 0
done
none() { echo "chromium.sh: $*; the report is not opened in a browser" >&2; exit 1; }
command -v apt-get >/dev/null && command -v dpkg >/dev/null || none "no Chromium and no apt here"

parts=$folder.part
trap 'rm -rf "$parts"' EXIT
rm -rf "$parts" && mkdir -p "$parts"/{lists/partial,archives/partial,files}
apt=(-qq -o Debug::NoLocking=true -o "Dir::Cache=$parts" -o APT::Sandbox::User= -o Acquire::Retries=2 -o Acquire::http::Timeout=20)
if ! apt-cache show chromium >/dev/null 2>&1; then
    apt+=(-o "Dir::State::lists=$parts/lists")
    apt-get "${apt[@]}" update >&2 || none "apt reaches no archive"
fi
missing=$(apt-get "${apt[@]}" --simulate --no-install-recommends install chromium |
    awk '$1 == "Inst" && $2 !~ /^libc6/ {print $2}') || none "apt knows no Chromium"
echo "unpacking Chromium into $folder" >&2
# shellcheck disable=SC2086
(cd "$parts/archives" && apt-get "${apt[@]}" download $missing >&2) || none "apt reaches no archive"
for package in "$parts"/archives/*.deb; do dpkg -x "$package" "$parts/files"; done

libraries=$(cd "$parts/files" && find . -name '*.so*' -printf "$folder/%h\n" | sort -u | paste -sd:)
cat >"$parts/files/run" <<SCRIPT
#!/usr/bin/env bash
export LD_LIBRARY_PATH=$libraries
[[ -d /etc/fonts ]] || export FONTCONFIG_PATH=$folder/etc/fonts XDG_DATA_HOME=$folder/usr/share
exec $folder/usr/lib/chromium/chromium "\$@"
SCRIPT
chmod +x "$parts/files/run"
rm -rf "$folder" && mv "$parts/files" "$folder"
echo "$folder/run"
