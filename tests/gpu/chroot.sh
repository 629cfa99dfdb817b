#!/usr/bin/env bash
# Shows that the pack of scripts/gpu_pack.sh has all that both runs need. They run on the simulated
# device in a Debian that has python3, but no other tool or library with which decavox is built.
#
#     tests/gpu/chroot.sh [--pack FILE] [SUITE ...]      default: bookworm trixie
#
# Each SUITE is installed by debootstrap, from the mirror that apt has here, into a temporary folder
# that is removed afterwards. The tree is that of HEAD. Needs root and debootstrap; takes some
# minutes, which is why the tests do not run it.
#
# The exit status is 0 if both runs passed in each, 1 if one did not, and 2 for wrong use.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$(dirname "$here")")
pack=$root/.gpu/decavox.tar.xz

fail()
{
    echo "chroot.sh: $*" >&2
    exit 1
}

if [ "${1:-}" = --pack ]; then
    [ $# -ge 2 ] || { echo "chroot.sh: --pack needs a value" >&2; exit 2; }
    pack=$(realpath "$2")
    shift 2
fi
[ "$(id -u)" = 0 ] || fail "this needs root"
command -v debootstrap >/dev/null || fail "debootstrap is not there: apt-get install debootstrap"
[ -f "$pack" ] || fail "$pack is not there: scripts/gpu_pack.sh makes it"

mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | head -n 1)
eval "$(apt-config shell http_proxy Acquire::http::Proxy https_proxy Acquire::https::Proxy)"
export http_proxy https_proxy
system=''

clean()
{
    [ -z "$system" ] || umount "$system/proc" 2>/dev/null || true
    [ -z "$system" ] || rm -rf --one-file-system "$system"
    system=''
}
trap clean EXIT

# SUITE RUN: prints one line about the run, from its report.
tell()
{
    python3 - "$system/decavox/.gpu/report/gpu-simulated-device-$2.json" "$1" "$2" <<'PYTHON'
import json
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    report = json.load(file)
lines = [f"{name} {entry['seconds']:.1f}" + f" ({entry['status']})" * (entry["status"] != "passed")
         for name, entry in report["lines"].items()]
print(f"{sys.argv[2]}, {sys.argv[3]} run: {report['seconds']:.0f} s; " + ", ".join(lines))
PYTHON
}

try()
{
    local suite=$1 good=true run
    system=$(mktemp -d)
    debootstrap --variant=minbase --include=python3 "$suite" "$system" "$mirror" \
        >"$system.log" 2>&1 || { tail -n 5 "$system.log"; return 1; }
    rm "$system.log"
    mkdir -p "$system/decavox/.gpu"
    git -C "$root" archive HEAD | tar -x -C "$system/decavox"
    cp "$pack" "$system/decavox/.gpu/"
    mount --bind /proc "$system/proc"
    for run in first second; do
        chroot "$system" env -i PATH=/usr/bin:/bin HOME=/root bash -c \
            "cd /decavox && scripts/gpu_$run.sh --device cudasim --quick --first .gpu/report" \
            >"$system/$run.log" 2>&1 || good=false
        if ! grep -q "^decavox on simulated device, $run run" "$system/$run.log"; then
            echo "$suite: no summary of the $run run:"
            tail -n 20 "$system/$run.log"
            return 1
        fi
        $good || sed -n '/^decavox on/,$p' "$system/$run.log"
        tell "$suite" "$run"
    done
    $good
}

bad=0
[ $# -gt 0 ] || set -- bookworm trixie
for suite in "$@"; do
    echo "$suite: pack of $(stat --format=%s "$pack") bytes"
    if try "$suite"; then
        echo "$suite: both runs came to their summary, and every line passed or was skipped"
    else
        echo "$suite: FAILED"
        bad=1
    fi
    clean
done
exit "$bad"
