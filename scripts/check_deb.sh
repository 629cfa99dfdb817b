#!/usr/bin/env bash
# Installs the .deb in a clean Debian, uses it as a stranger would, and removes it. It uses the
# program, the example at the top of decavox.h and examples/recognise.c; nothing may be left behind.
# Or installs a wheel there, in a virtual environment, and runs a Python program with a spoken word.
# Prints a line for each check.
#
#     scripts/check_deb.sh [--also SUITE] DEB|BUILD [SUITE]
#     scripts/check_deb.sh --wheel FILE [--python FILE] [SUITE]
#
# BUILD is a build folder, which makes the package first. SUITE is another suite of the mirror; the
# default is bookworm, Debian 12. --also adds packages of a second suite: on trixie, Debian 13,
# libdnnl2 must come from bookworm.
#
# Needs root and the packages of `scripts/install_packages.sh deb`; exits with 77 without them. The
# clean Debian is a temporary folder, which is removed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage="usage: $0 [--also SUITE] DEB|BUILD [SUITE]
       $0 --wheel FILE [--python FILE] [SUITE]"
also="" wheel="" python="" operands=()
while [ $# -gt 0 ]; do
    case $1 in
    --also | --wheel | --python)
        [ $# -ge 2 ] || { echo "$usage" >&2; exit 2; }
        declare "${1#--}=$2"
        shift 2
        ;;
    -*)
        echo "$usage" >&2
        exit 2
        ;;
    *)
        operands+=("$1")
        shift
        ;;
    esac
done
subject=$wheel
if [ -z "$wheel" ]; then
    subject=${operands[0]:-}
    operands=("${operands[@]:1}")
fi
suite=${operands[0]:-bookworm}
if [ -z "$subject" ] || [ ${#operands[@]} -gt 1 ]; then
    echo "$usage" >&2
    exit 2
fi

source scripts/clean_debian.sh

if [ "$(id -u)" -ne 0 ] || ! command -v mmdebstrap >/dev/null || ! command -v lintian >/dev/null; then
    echo "skipped: needs root, mmdebstrap and lintian (scripts/install_packages.sh deb)"
    exit 77
fi

make_scratch

# ---- The package ----

# Whatever is in the system but for what packages are kept and logged in.
list_files()
{
    (cd "$root" && find . -xdev \( -path ./proc -o -path ./sys -o -path ./dev -o -path ./tmp \
        -o -path ./run -o -path ".$here" -o -path ./var/cache -o -path ./var/log \
        -o -path ./var/lib/apt -o -path ./var/lib/dpkg \) -prune -o -print | sort)
}

check_file()
{
    local file found
    lintian --fail-on error --allow-root "$deb" >"$log" 2>&1 || fail "lintian: $(cat "$log")"
    good "lintian: no errors, $(grep -c '^W:' "$log" || true) warnings"
    [ ! -s "$log" ] || cat "$log"
    mkdir "$scratch/control" "$scratch/files"
    dpkg-deb --control "$deb" "$scratch/control"
    found=$(find "$scratch/control" -name 'pre*' -o -name 'post*' -o -name config)
    [ -z "$found" ] || fail "the package has scripts of a maintainer: $found"
    grep -qx 'activate-noawait ldconfig' "$scratch/control/triggers" || fail "no trigger of ldconfig"
    grep -q '^libdecavox ' "$scratch/control/shlibs" || fail "no libdecavox in shlibs"
    dpkg-deb --extract "$deb" "$scratch/files"
    while read -r file; do
        if readelf --dynamic "$file" 2>/dev/null | grep -E 'RPATH|RUNPATH'; then
            fail "${file#"$scratch/files"} names folders"
        fi
        ! readelf --section-headers "$file" | grep -q '\.symtab' || fail "$file is not stripped"
    done < <(find "$scratch/files/usr/bin" "$scratch/files/usr/lib" -type f \( -name '*.so*' -o -path '*/bin/*' \))
    found=$(find "$scratch/files" ! -user root -o ! -group root -o -type d ! -perm 755 \
        -o -type f ! -perm 644 ! -path '*/bin/*')
    [ -z "$found" ] || fail "owners or permissions: $found"
    good "no scripts, no RPATH, stripped, permissions"
}

check_program()
{
    local right
    inside decavox --version >"$log" || fail "--version"
    good "$(cat "$log")"
    quietly decavox info
    grep -q '^backend cpu' "$log" || fail "info: $(cat "$log")"
    ! grep -aq /usr/local "$root/usr/bin/decavox" || fail "the program names /usr/local"
    good "info: $(grep '^backend cpu' "$log")"
    quietly decavox synth --out voices --voices 6
    good "synth, with the espeak-ng that came along: $(find "$root$here/voices" -name '*.wav' | wc -l) clips"
    sound=$(cd "$root$here" && find voices -name '3_*.wav' | sort | sed -n 1p)
    for model in lightweight ensemble_fine; do
        inside sh -c "decavox predict $model voices/*.wav" >"$log" 2>&1 || fail "$(tail -5 "$log")"
        right=$(awk '{ sub(/.*\//, "", $1); right += substr($1, 1, 1) == $2 } END { print right }' "$log")
        [ "$right" -ge 50 ] || fail "predict $model: $right of 60 are right"
        good "predict $model: $right of 60 are right"
    done
    quietly decavox train configs/mini.yaml --data voices --split random --epochs 1 --out run
    quietly decavox predict run/model.safetensors "$sound"
    good "train configs/mini.yaml, and predict with what it made"
}

# The C programs say what the program says.
check_library()
{
    local told flags="\$(pkg-config --cflags --libs decavox)"
    local model=/usr/share/decavox/checkpoints/lightweight.safetensors
    told=$(inside decavox predict lightweight "$sound" | awk '{ print $2 }')
    sed -n '/^ \*     #include/,/^ \*     }$/s/^ \*\( \{5\}\)\{0,1\}//p' \
        "$root/usr/include/decavox.h" >"$root$here/say.c"
    cp examples/recognise.c "$root$here"
    for program in say recognise; do
        quietly sh -c "cc -Wall -Werror $program.c -o $program $flags"
        quietly "./$program" "$model" "$sound"
        sort -k2,2gr "$log" | sed -n 1p | grep -qE "(^|: )${told}[ ,]" ||
            fail "$program says $(cat "$log"), the program $told"
        good "$program.c by pkg-config: $(sort -k2,2gr "$log" | sed -n 1p)"
    done
    cp tests/install/consumer/CMakeLists.txt "$root$here"
    quietly cmake -S . -B build
    quietly cmake --build build
    quietly build/say "$model" "$sound"
    good "say.c by find_package"
}

check_deb()
{
    if [ -d "$subject" ]; then
        rm -f "$subject"/decavox_*.deb
        cmake --build "$subject" --target package >"$log" 2>&1 || fail "package: $(tail -15 "$log")"
        subject=$(find "$subject" -maxdepth 1 -name 'decavox_*.deb')
    fi
    deb=$(realpath "$subject")
    [ "$(dpkg-deb --field "$deb" Architecture)" = "$(dpkg --print-architecture)" ] ||
        fail "$deb is of another architecture"
    check_file
    make_system
    cp "$deb" "$root$here/decavox.deb"
    install_packages ./decavox.deb
    good "installed, with what it depends on: $(dpkg-deb --field "$deb" Depends)"
    check_program
    # Once more beside compilers, since these bring libraries along.
    quietly dpkg --purge decavox
    found=$(list_files | grep decavox) && fail "left behind: $found"
    install_packages --no-install-recommends gcc libc6-dev pkg-config cmake make
    list_files >"$scratch/before"
    install_packages ./decavox.deb
    check_library
    quietly dpkg --purge decavox
    list_files >"$scratch/after"
    diff "$scratch/before" "$scratch/after" || fail "the files are not those of before"
    ! inside ldconfig --print-cache | grep decavox || fail "the loader still knows libdecavox"
    good "purged: the same $(wc -l <"$scratch/after") files as before"
}

# ---- The wheel ----

check_wheel()
{
    make_system
    install_packages python3-venv ca-certificates espeak-ng
    cp "$wheel" "$root$here"
    quietly python3 -m venv environment
    # What the wheel needs is fetched from here: this machine knows the way to it.
    local version
    version=$(inside environment/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    python3 -m pip download --quiet --disable-pip-version-check --only-binary :all: \
        --python-version "$version" --dest "$root$here/needed" numpy
    quietly environment/bin/pip install --disable-pip-version-check --no-index \
        --find-links needed "./$(basename "$wheel")"
    quietly environment/bin/python -c "import decavox"
    good "$(basename "$wheel"): installed by pip, and imported"
    if [ -n "$python" ]; then
        cp "$python" "$root$here/program.py"
        quietly espeak-ng -w seven.wav seven
        quietly environment/bin/python program.py seven.wav
        good "$python with a spoken seven: $(tail -1 "$log")"
    fi
}

if [ -n "$wheel" ]; then
    check_wheel
else
    check_deb
fi
