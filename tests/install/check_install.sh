#!/usr/bin/env bash
# Installs the build to a scratch prefix and uses it as a stranger would. The example at the top of
# decavox.h is compiled unchanged, by pkg-config and by find_package, and run. The header, that
# example and those of examples/ must be C99 and C++17 without a warning.
#
#     check_install.sh BUILD MAKE_TONES [FLAGS...]     FLAGS are the compiler's, for sanitizers
set -euo pipefail

build=$1 make_tones=$2
flags=("${@:3}")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
prefix=$scratch/prefix

fail()
{
    echo "FAILED: $*" >&2
    exit 1
}

cmake --install "$build" --prefix "$prefix" >/dev/null
for file in bin/decavox include/decavox.h \
    share/decavox/configs/quickstart.yaml share/decavox/configs/models/mini.yaml \
    share/decavox/checkpoints/advanced_fine.safetensors share/decavox/checkpoints/advanced_fine.json \
    share/decavox/checkpoints/ensemble_fine.safetensors share/decavox/checkpoints/ensemble_fine.json \
    share/doc/decavox/LICENSE share/man/man1/decavox.1.gz share/man/man1/decavox-train.1.gz \
    share/bash-completion/completions/decavox share/zsh/site-functions/_decavox \
    share/fish/vendor_completions.d/decavox.fish; do
    [ -e "$prefix/$file" ] || fail "$file is not installed"
done
if grep -rlE '"(engine|frontends)/' "$prefix/include"; then
    fail "an installed header includes one of the tree"
fi
mv "$prefix" "$scratch/moved" # an installed tree may be moved
prefix=$scratch/moved
library=$(find "$prefix" -name libdecavox.so)
export LD_LIBRARY_PATH=${library%/*}
export PKG_CONFIG_PATH=$LD_LIBRARY_PATH/pkgconfig

# Only the public API is visible.
symbols=$(nm -D --defined-only "$library" | awk '{print $3}' | sort)
public=$(grep -ohE 'DV_API [^;]*' -r "$prefix/include" | grep -oE '\bdv_[a-z0-9_]+\(' | tr -d '(' | sort -u)
[ -n "$public" ] || fail "no public function found in the headers"
[ "$symbols" = "$public" ] ||
    fail "exported symbols are not the public API: $(diff <(echo "$symbols") <(echo "$public"))"

# The example, cut out of the comment.
sed -n '/^ \*     #include/,/^ \*     }$/s/^ \*\( \{5\}\)\{0,1\}//p' \
    "$prefix/include/decavox.h" >"$scratch/say.c"
# shellcheck disable=SC2046
cc -std=c11 -Wall -Wextra -Wconversion -Werror "${flags[@]}" "$scratch/say.c" -o "$scratch/say" \
    $(pkg-config --cflags --libs decavox)

# Compile header and examples as C99 and C++17.
strict=(-Wall -Wextra -pedantic -Wconversion -Wshadow -Werror "-I$prefix/include")
printf '#include <decavox.h>\n' >"$scratch/header.c"
for source in "$scratch/header.c" "$scratch/say.c" examples/*.c; do
    cc -std=c99 "${strict[@]}" -c "$source" -o "$scratch/object.o" || fail "$source is no C99"
    c++ -std=c++17 -x c++ "${strict[@]}" -c "$source" -o "$scratch/object.o" ||
        fail "$source is no C++17"
done

# Without a checkpoint the example reports an error.
if "$scratch/say" "$scratch/none.safetensors" x.wav 2>"$scratch/error"; then
    fail "a missing checkpoint was accepted"
fi
grep -q none.safetensors "$scratch/error" || fail "no name in: $(cat "$scratch/error")"

# With a checkpoint it agrees with the installed program.
mkdir "$scratch/data"
"$make_tones" "$scratch/data"
"$prefix/bin/decavox" train "$prefix/share/decavox/configs/mini.yaml" --data "$scratch/data" \
    --split random --epochs 5 --batch-size 4 --threads 1 --device cpu --out "$scratch/run" >"$scratch/log" ||
    fail "training: $(tail -5 "$scratch/log")"
model=$scratch/run/model.safetensors tone=$scratch/data/1_ann_7.wav
"$scratch/say" "$model" "$tone" | tee "$scratch/said"
[ "$(wc -l <"$scratch/said")" -eq 2 ] || fail "not one line for each of the two labels"
best=$(sort -k2,2gr "$scratch/said" | head -1)
told=$("$prefix/bin/decavox" predict "$model" "$tone" | awk '{print $(NF-1), $NF}')
[ "$best" = "$told" ] || fail "the library says '$best', the program '$told'"

# The examples agree with the program: files at once, and the same samples as a stream.
for example in recognise stream; do
    # shellcheck disable=SC2046
    cc -std=c99 "${flags[@]}" "examples/$example.c" -o "$scratch/$example" \
        $(pkg-config --cflags --libs decavox)
done
said=$("$scratch/recognise" "$model" "$tone" "$scratch/none.wav" "$tone" 2>"$scratch/error") &&
    fail "recognise: a missing file was accepted"
[ "$(grep -c "^$tone: ${told% *}, " <<<"$said")" -eq 2 ] || fail "recognise says: $said"
grep -q none.wav "$scratch/error" || fail "recognise: no name in: $(cat "$scratch/error")"
tail -c +45 "$tone" | "$scratch/stream" "$model" 8000 >"$scratch/heard"
[ "$(awk '{print $3}' "$scratch/heard" | sort -u)" = "${told% *}" ] ||
    fail "stream hears: $(cat "$scratch/heard")"

# A training by the library resumes after an interruption, and the program agrees with its figures.
# shellcheck disable=SC2046
cc -std=c99 "${flags[@]}" examples/train.c -o "$scratch/train" $(pkg-config --cflags --libs decavox)
mkdir "$scratch/empty"
cd "$scratch/empty"
settings=(data.split=random train.epochs=3 train.batch_size=4)
"$scratch/train" configs/none.yaml "$scratch/data" by_library 2>"$scratch/error" &&
    fail "train: a missing configuration was accepted"
grep -q none.yaml "$scratch/error" || fail "train: no name in: $(cat "$scratch/error")"
OMP_NUM_THREADS=1 "$scratch/train" configs/mini.yaml "$scratch/data" by_library "${settings[@]}" \
    >"$scratch/trained" 2>"$scratch/error" || fail "train: $(cat "$scratch/error")"
[ "$(grep -c '^epoch' "$scratch/trained")" -eq 3 ] || fail "train says: $(cat "$scratch/trained")"
"$scratch/train" configs/mini.yaml "$scratch/data" by_library "${settings[@]}" train.seed=9 \
    >"$scratch/log" 2>"$scratch/error" && fail "train: a run goes on with another seed"
grep -q train.seed "$scratch/error" || fail "train: no name in: $(cat "$scratch/error")"
"$scratch/train" configs/mini.yaml "$scratch/data" by_library "${settings[@]}" train.epochs=4 \
    >"$scratch/trained" 2>"$scratch/error" || fail "train: $(cat "$scratch/error")"
[ "$(grep -c '^epoch 4 of 4' "$scratch/trained")" -eq 1 ] || fail "train: $(cat "$scratch/trained")"
told=$("$prefix/bin/decavox" eval by_library/model.safetensors --device cpu |
    sed -n 's/.*(\([0-9]*\) of \([0-9]*\).*/test: \1 of \2 right/p' | head -1)
[ -n "$told" ] && grep -q "^$told" "$scratch/trained" ||
    fail "the library says '$(tail -1 "$scratch/trained")', the program '$told'"

# From any folder, with an empty home, the program finds its own configurations and models.
own=(env -i "LD_LIBRARY_PATH=$LD_LIBRARY_PATH" "PATH=$PATH" "HOME=$scratch/empty" OMP_NUM_THREADS=1
     "$prefix/bin/decavox")
"${own[@]}" train --model_type mini --data "$scratch/data" --split random --epochs 1 --batch-size 4 \
    --threads 1 --device cpu --out run >"$scratch/log" 2>&1 || fail "$(tail -5 "$scratch/log")"
for command in "predict lightweight $tone" "info lightweight" "predict ensemble_fine $tone" \
    "info ensemble_fine" "compare --seconds 0.01 lightweight" \
    "eval lightweight --data $scratch/data --split random --device cpu"; do
    read -ra words <<<"$command"
    "${own[@]}" "${words[@]}" >"$scratch/log" 2>&1 || fail "$command: $(tail -5 "$scratch/log")"
done
cd - >/dev/null

# Compile the same example through CMake.
mkdir "$scratch/consumer"
cp "$scratch/say.c" "$scratch/consumer"
cp tests/install/consumer/CMakeLists.txt "$scratch/consumer"
cmake -G Ninja -S "$scratch/consumer" -B "$scratch/consumer/build" -DCMAKE_C_FLAGS="${flags[*]}" \
    -DCMAKE_PREFIX_PATH="$prefix" >"$scratch/log" || fail "$(cat "$scratch/log")"
cmake --build "$scratch/consumer/build" >"$scratch/log" || fail "$(cat "$scratch/log")"
"$scratch/consumer/build/say" "$model" "$tone" | diff "$scratch/said" - ||
    fail "find_package's program says something else"
echo "installed, compiled twice, and the same answer three times"
