#!/usr/bin/env bash
# Follows the README as a new user with nothing but Debian 12: installs from source, trains the worked
# example and asks the model. The commands are those of the page. Prints a line for each step with its
# seconds.
#
#     scripts/check_readme.sh [--tree FOLDER]
#
# FOLDER is a git tree of decavox, whose last commit is taken; the default is this one. The recordings
# are those of ../shared/data or $DECAVOX_DATA. Needs root and mmdebstrap (`scripts/install_packages.sh
# deb`); exits with 77 without them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tree=$PWD suite=bookworm also=""
if [ $# -eq 2 ] && [ "$1" = --tree ]; then
    tree=$2
elif [ $# -gt 0 ]; then
    echo "usage: $0 [--tree FOLDER]" >&2
    exit 2
fi
source scripts/clean_debian.sh
recordings=${DECAVOX_DATA:-../shared/data}/arabic_digits
if [ "$(id -u)" -ne 0 ] || ! command -v mmdebstrap >/dev/null || [ ! -d "$recordings" ]; then
    echo "skipped: needs root, mmdebstrap, and arabic_digits in ../shared/data or \$DECAVOX_DATA"
    exit 77
fi

# Runs a line of the page in the user's shell, in the folder of the tree.
step()
{
    local line=$1 begun=$SECONDS
    inside bash -euc "cd tree; export PATH=\$HOME/decavox/bin:\$PATH; $line" >"$log" 2>&1 ||
        fail "$line: $(tail -15 "$log")"
    good "$((SECONDS - begun)) s: $line"
    tail -2 "$log"
}

# The commands of the first code block behind a line of the page.
block_behind()
{
    awk -v start="$1" 'index($0, start) == 1 { on = 1 }
        on && /^```/ { if (inside) exit; inside = 1; next }
        inside { print }' "$tree/README.md"
}

# The commands of a section that are shown with their output.
commands_of()
{
    awk -v start="## $1" '/^## / { on = $0 == start } on && sub(/^\$ /, "") { print }' "$tree/README.md"
}

make_scratch
make_system
install_packages git ca-certificates
git clone --quiet --no-hardlinks "$tree" "$root$here/tree"
cp -r "$recordings" "$root$here/tree/arabic_digits"
begun=$SECONDS
while read -r line; do
    step "$line"
done < <(block_behind "**From source**")
built=$SECONDS
while read -r line; do
    step "$line"
done < <(commands_of "Train your own words")
good "$((built - begun)) s to install, and $((SECONDS - built)) s from recordings to an answer"
