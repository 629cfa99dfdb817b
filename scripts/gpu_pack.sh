#!/usr/bin/env bash
# Makes .gpu/decavox.tar.xz, at most 30 MiB: a pack with which a machine that has an NVIDIA GPU, but
# no compilers, packages or network, can run scripts/gpu_first.sh and scripts/gpu_second.sh.
#
#     scripts/gpu_pack.sh [--data DIR] [--build DIR]
#
# The machine needs this tree beside the pack. The pack contains decavox, decavox_bench, the CUDA
# module, the simulated device, the device test programs, their libraries except those of the base
# system, and recordings as FLAC. NVIDIA's libraries must be on the machine, from Python packages or
# a CUDA toolkit.
#
#     --data DIR              recordings; default: ../shared/data/fsdd
#     --build DIR             pack this build as it is; default: build/gpu, built now
#     --architectures LIST    architectures of the CUDA module in CMake's form; default: 90-real
#                             (Hopper)
#     --out DIR               folder of the pack; default: .gpu
#
# Exit status: 0 if packed, 1 if something is missing or the pack is too large, 2 for wrong usage.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")
most_bytes=$((30 * 1024 * 1024))
system='linux-vdso|ld-linux.*|lib(c|m|dl|rt|pthread|gcc_s|stdc\+\+)'
nvidia='lib(cuda|cudart|cublas|cublasLt|cufft|cudnn|nvrtc|nvJitLink)'
left_out="^($system|$nvidia)\.so"

data='' build='' architectures=90-real out=''

usage()
{
    sed -n '2,/^set /s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" | sed '$d'
}

fail()
{
    echo "gpu_pack.sh: $*" >&2
    exit 1
}

wrong_use()
{
    echo "gpu_pack.sh: $*" >&2
    exit 2
}

while [ $# -gt 0 ]; do
    case $1 in
    --help | -h)
        usage
        exit 0
        ;;
    --data | --build | --architectures | --out) [ $# -ge 2 ] || wrong_use "$1 needs a value" ;;
    *) wrong_use "no option '$1'; --help lists them" ;;
    esac
    case $1 in
    --data) data=$(realpath -m "$2") ;;
    --build) build=$(realpath -m "$2") ;;
    --architectures) architectures=$2 ;;
    --out) out=$(realpath -m "$2") ;;
    esac
    shift 2
done
cd "$root"
data=${data:-$root/../shared/data/fsdd}
out=${out:-$root/.gpu}
[ -d "$data" ] || fail "there are no recordings in $data: give --data DIR"
git rev-parse --verify --quiet HEAD >/dev/null || fail "$root is no git checkout"
"$here/install_packages.sh" pack
content=$(mktemp -d)
trap 'rm -rf "$content"' EXIT

build_all()
{
    "$here/install_packages.sh" test
    local launcher=() name
    if command -v ccache >/dev/null; then
        for name in C CXX CUDA; do
            launcher+=("-DCMAKE_${name}_COMPILER_LAUNCHER=ccache")
        done
    fi
    cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DDV_TESTS=ON -DDV_BENCHMARKS=ON \
        -DDV_CUDA=ON "-DCMAKE_CUDA_ARCHITECTURES=$architectures" "${launcher[@]}"
    cmake --build "$build" --target decavox decavox_bench dv_cuda dv_cuda_simulated device_tests
}

# The same folders as in a build, so that both can be run.
copy_programs()
{
    local file files=(runner/decavox runner/libdecavox_cuda.so runner/libdecavox_cudasim.so
                      benchmarks/decavox_bench tests/device_tests.txt)
    while read -r file; do
        files+=("tests/$file")
    done <"$build/tests/device_tests.txt"
    for file in "${files[@]}"; do
        [ -f "$build/$file" ] || fail "$build/$file is not there: has all been built?"
        mkdir -p "$content/$(dirname "$file")"
        cp "$build/$file" "$content/$file"
    done
    find "$content" -type f ! -name '*.txt' -exec strip --strip-unneeded {} +
}

copy_libraries()
{
    local name path
    mkdir "$content/lib"
    find "$content" -type f ! -name '*.txt' -exec ldd {} + >"$content/ldd.txt"
    while read -r name path; do
        if [[ $name =~ $left_out ]]; then
            continue
        fi
        [ "$path" != not ] || fail "the library $name is not on this machine"
        cp -L "$path" "$content/lib/$name"
        strip --strip-unneeded "$content/lib/$name"
    done < <(sed -n 's/^\t\([^ ]*\) => \([^ ]*\).*/\1 \2/p' "$content/ldd.txt" | sort -u)
    rm "$content/ldd.txt"
}

copy_recordings()
{
    mkdir -p "$content/data"
    find "$data" -maxdepth 1 -name '*.flac' -exec cp -t "$content/data" {} +
    find "$data" -maxdepth 1 -name '*.wav' -print0 |
        xargs -0 -r flac --silent --best --output-prefix "$content/data/"
    [ -n "$(ls "$content/data")" ] || fail "$data holds neither WAV nor FLAC files"
}

# commit.txt: what was built. tree.txt: the files it was built from, as git hashes them, so that the
# runs can tell whether the tree beside the pack is the same without git.
describe()
{
    local built wanted
    built=$("$build/runner/decavox" info | sed -n '1s/.*commit //p')
    wanted=$(git rev-parse --short=12 HEAD)
    [[ $built == "$wanted"* ]] || fail "$build is of commit $built, not of $wanted: build it anew"
    echo "$built" >"$content/commit.txt"
    git ls-files -- ':!*.md' ':!benchmarks/results' >"$content/names.txt"
    git hash-object --stdin-paths <"$content/names.txt" | paste -d ' ' - "$content/names.txt" \
        >"$content/tree.txt"
    rm "$content/names.txt"
}

if [ -z "$build" ]; then
    build=$root/build/gpu
    build_all
fi
copy_programs
copy_libraries
copy_recordings
describe
mkdir -p "$out"
rm -f "$out/decavox.tar.xz"
tar -C "$content" --sort=name --owner=0 --group=0 -cf - . | xz -9 -T0 >"$out/decavox.tar.xz.new"
bytes=$(stat --format=%s "$out/decavox.tar.xz.new")
if [ "$bytes" -gt "$most_bytes" ]; then
    rm "$out/decavox.tar.xz.new"
    fail "THE PACK IS TOO LARGE: $bytes bytes, at most $most_bytes"
fi
mv "$out/decavox.tar.xz.new" "$out/decavox.tar.xz"
printf '%s: %d bytes of at most %d, commit %s, %d s\n' "$out/decavox.tar.xz" "$bytes" \
    "$most_bytes" "$(cat "$content/commit.txt")" "$SECONDS"
