#!/usr/bin/env bash
# Installs the missing Debian packages for building, testing or formatting decavox.
#
#     scripts/install_packages.sh [build|test|clients|deb|arm64|format|pack|fuzz]...     default: build
#
# Does nothing if all are installed; else it needs root or sudo. arm64 adds that architecture to
# dpkg, whose libraries are installed beside those of this machine.
set -euo pipefail

build=(gcc libc6-dev cmake ninja-build pkg-config libsndfile1-dev libyaml-dev libjansson-dev
       libdeflate-dev libdnnl-dev espeak-ng)
test=("${build[@]}" libcmocka-dev git python3 python3-venv man-db groff-base fish zsh)
clients=(chromium chromium-driver openjdk-17-jre-headless python3-onnx)
deb=(dpkg-dev file lintian mmdebstrap)
arm64=("${test[@]}" crossbuild-essential-arm64 qemu-user libcmocka-dev:arm64 libdeflate-dev:arm64
       libdnnl2:arm64 libgomp1:arm64 libjansson-dev:arm64 libsndfile1-dev:arm64 libyaml-dev:arm64)
format=(clang-format clang-tidy)
pack=(flac binutils xz-utils)
fuzz=("${build[@]}" clang-14 libclang-rt-14-dev libomp-14-dev llvm-14)

fail()
{
    echo "install_packages.sh: $*" >&2
    exit 1
}

# A package of this architecture, or of none, unless its name has another one.
installed()
{
    local name=$1
    [[ $name == *:* ]] || name=$1:$(dpkg --print-architecture)
    dpkg-query --show --showformat='${Architecture} ${db:Status-Status}\n' "${1%:*}" 2>/dev/null |
        grep -qxE "(all|${name#*:}) installed"
}

wanted=()
for group in "${@:-build}"; do
    case $group in
    build) wanted+=("${build[@]}") ;;
    test) wanted+=("${test[@]}") ;;
    clients) wanted+=("${clients[@]}") ;;
    deb) wanted+=("${deb[@]}") ;;
    arm64) wanted+=("${arm64[@]}") ;;
    format) wanted+=("${format[@]}") ;;
    pack) wanted+=("${pack[@]}") ;;
    fuzz) wanted+=("${fuzz[@]}") ;;
    *)
        echo "usage: $0 [build|test|clients|deb|arm64|format|pack|fuzz]..." >&2
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
if [[ ${missing[*]} == *:arm64* ]]; then
    "${as_root[@]}" dpkg --add-architecture arm64
fi
"${apt[@]}" update || fail "apt-get update failed; missing: ${missing[*]}"
"${apt[@]}" install --no-install-recommends "${missing[@]}" ||
    fail "apt-get install failed; missing: ${missing[*]}"
