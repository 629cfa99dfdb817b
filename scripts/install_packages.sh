#!/usr/bin/env bash
# Installs what is missing of the Debian packages that decavox is built, tested or formatted with.
#
#     scripts/install_packages.sh [build|test|clients|format|pack|fuzz]...     default: build
#
# Does nothing where all are there. Needs root or sudo otherwise.
set -euo pipefail

build=(gcc libc6-dev cmake ninja-build pkg-config libsndfile1-dev libyaml-dev libjansson-dev
       libdeflate-dev libdnnl-dev espeak-ng)
test=("${build[@]}" libcmocka-dev git python3 python3-venv)
clients=(chromium chromium-driver python3-onnx)
format=(clang-format clang-tidy)
pack=(flac binutils xz-utils)
fuzz=("${build[@]}" clang-14 libclang-rt-14-dev libomp-14-dev llvm-14)

fail()
{
    echo "install_packages.sh: $*" >&2
    exit 1
}

installed()
{
    [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

wanted=()
for group in "${@:-build}"; do
    case $group in
    build) wanted+=("${build[@]}") ;;
    test) wanted+=("${test[@]}") ;;
    clients) wanted+=("${clients[@]}") ;;
    format) wanted+=("${format[@]}") ;;
    pack) wanted+=("${pack[@]}") ;;
    fuzz) wanted+=("${fuzz[@]}") ;;
    *)
        echo "usage: $0 [build|test|clients|format|pack|fuzz]..." >&2
        exit 2
        ;;
    esac
done

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    fail "this is no Debian system (no dpkg-query or apt-get). Install what corresponds to these" \
         "packages of Debian 12: ${wanted[*]}"
fi

missing=()
for package in "${wanted[@]}"; do
    installed "$package" || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
    exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null ||
        fail "neither root nor sudo; as root: apt-get install ${missing[*]}"
    as_root=(sudo)
fi

apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get --yes --quiet
     --option DPkg::Lock::Timeout=300)
echo "installing: ${missing[*]}"
"${apt[@]}" update || fail "apt-get update failed; missing: ${missing[*]}"
"${apt[@]}" install --no-install-recommends "${missing[@]}" ||
    fail "apt-get install failed; missing: ${missing[*]}"
