#!/usr/bin/env bash
# Checks the direction of the #includes: runner -> frontends -> engine -> kernels, and inside the
# engine io, train -> layers -> ops -> core. Prints each one that breaks a rule.
#
#     scripts/check_includes.sh               this tree
#     scripts/check_includes.sh --self-test   plants an include against each rule
set -euo pipefail
cd "$(dirname "$0")/.."

# What a room may include, as patterns of paths from the root; itself and the C library always.
# The core knows no operation, but it has the list of them, the updates of the collated buffers,
# and the tables that the backends' device layers are.
may_include()
{
    case $1 in
    kernels/*) echo '^kernels/' ;;
    engine/decavox.h) echo '^$' ;;
    engine/core/backend_*.c)
        echo '^(kernels/|engine/decavox\.h|engine/core/|engine/ops/(ops\.def|ref\.h|cpu\.h|cuda\.h)$)'
        ;;
    engine/core/*)
        echo '^(kernels/|engine/decavox\.h|engine/core/|engine/ops/(ops\.def|features/features\.h|optimizer/optimizer\.h)$)'
        ;;
    engine/ops/*) echo '^(kernels/|engine/decavox\.h|engine/(core|ops)/)' ;;
    engine/layers/*) echo '^(kernels/|engine/decavox\.h|engine/(core|ops|layers)/)' ;;
    engine/train/*) echo '^(kernels/|engine/decavox\.h|engine/(core|ops|layers|train)/)' ;;
    engine/io/*) echo '^(kernels/|engine/decavox\.h|engine/(core|io)/)' ;;
    frontends/*) echo '^(kernels|engine|frontends)/' ;;
    runner/*) echo '^(kernels|engine|frontends|runner)/' ;;
    *) echo '^$' ;;
    esac
}

# Headers of libraries and the only files that may know the library; empty for all others.
may_know()
{
    case $1 in
    dnnl*.h) echo '^engine/(.*/)?(cpu[^/]*|[^/]*_cpu)\.[ch]$' ;;
    sndfile.h | soxr.h) echo '^frontends/audio\.c$' ;;
    yaml.h) echo '^engine/io/yaml\.c$' ;;
    jansson.h) echo '^(engine/io/safetensors[^/]*|frontends/dataset/json_lines|runner/[^/]*)\.[ch]$' ;;
    libdeflate.h) echo '^engine/io/safetensors_format\.c$' ;;
    cuda*.h | cudnn*.h | cublas*.h | cufft*.h) echo '^(kernels/|engine/(.*/)?[^/]*cuda)' ;;
    esac
}

# FILE LINE FORM TARGET of each include below the present folder; FORM is " or <.
list_includes()
{
    find engine frontends kernels runner -name '*.[ch]' -o -name '*.cu' -o -name '*.cuh' \
        -o -name '*.def' 2>/dev/null | sort |
        xargs -r awk 'match($0, /^[ \t]*#[ \t]*include[ \t]*["<][^">]*/) {
            target = substr($0, RSTART, RLENGTH)
            sub(/^[ \t]*#[ \t]*include[ \t]*/, "", target)
            print FILENAME, FNR, substr(target, 1, 1), substr(target, 2)
        }'
}

# Prints each include that breaks a rule; fails where there is one.
check()
{
    local bad=0 file line form target pattern
    while read -r file line form target; do
        if [ "$form" = '"' ]; then
            if [ ! -e "$target" ]; then
                echo "$file:$line: \"$target\" is no path from the root of the tree"
                bad=1
            elif ! [[ $target =~ $(may_include "$file") ]]; then
                echo "$file:$line: includes \"$target\" against the direction of the rooms"
                bad=1
            fi
        else
            pattern=$(may_know "$target")
            if [ -n "$pattern" ] && ! [[ $file =~ $pattern ]]; then
                echo "$file:$line: includes <$target>, which only $pattern may know"
                bad=1
            fi
        fi
    done < <(list_includes)
    return $bad
}

# A tree with the same rooms and one include; whether it is refused as it should be.
expect()
{
    local verdict=$1 file=$2 include=$3 found
    rm -rf "${planted:?}"/*
    mkdir -p "$planted/$(dirname "$file")"
    if [[ $include == \"* ]]; then
        local target=${include//\"/}
        mkdir -p "$planted/$(dirname "$target")"
        : >"$planted/$target"
    fi
    printf '#include <stdio.h>\n#  include %s\n' "$include" >"$planted/$file"
    found=$(cd "$planted" && check) && found=good
    if [[ $verdict == good && $found != good ]] ||
        [[ $verdict == bad && $found != "$file:2: "* ]]; then
        echo "self-test: $file with #include $include should be $verdict: $found" >&2
        return 1
    fi
}

self_test()
{
    planted=$(mktemp -d)
    trap 'rm -rf "$planted"' EXIT
    expect good kernels/a.cu '"kernels/scalar_math.h"'
    expect bad kernels/a.cu '"engine/core/op.h"'
    expect bad engine/decavox.h '"engine/core/status.h"'
    expect good engine/core/op.h '"engine/ops/ops.def"'
    expect good engine/core/backend_cpu.c '"engine/ops/cpu.h"'
    expect bad engine/core/plan.c '"engine/ops/cpu.h"'
    expect bad engine/core/plan.c '"engine/ops/conv2d/conv2d.h"'
    expect bad engine/core/plan.c '"engine/layers/model.h"'
    expect bad engine/core/field.c '"engine/io/yaml.h"'
    expect good engine/ops/add/cpu.c '"engine/core/plan.h"'
    expect bad engine/ops/add/add.c '"engine/layers/layer.h"'
    expect bad engine/ops/add/add.c '"engine/train/trainer.h"'
    expect bad engine/layers/model.c '"engine/train/trainer.h"'
    expect bad engine/layers/model.c '"engine/io/yaml.h"'
    expect bad engine/train/trainer.c '"engine/io/checkpoint.h"'
    expect bad engine/io/checkpoint.c '"engine/train/trainer.h"'
    expect bad engine/core/log.c '"frontends/audio.h"'
    expect good frontends/source.c '"engine/train/trainer.h"'
    expect bad frontends/source.c '"runner/report.h"'
    expect good runner/report.c '"frontends/audio.h"'
    expect bad runner/report.c '"tests/scratch.h"'
    expect good engine/ops/conv2d/cpu.c '<dnnl.h>'
    expect good engine/core/cpu_device.h '<dnnl.h>'
    expect good engine/core/backend_cpu.c '<dnnl_version.h>'
    expect bad engine/ops/conv2d/ref.c '<dnnl.h>'
    expect bad frontends/dataset/load.c '<sndfile.h>'
    expect bad frontends/batch.c '<soxr.h>'
    expect good engine/io/yaml.c '<yaml.h>'
    expect bad engine/core/tree.c '<yaml.h>'
    expect good engine/io/safetensors_read.c '<jansson.h>'
    expect good frontends/dataset/json_lines.c '<jansson.h>'
    expect bad frontends/dataset/manifest.c '<jansson.h>'
    expect bad engine/io/checkpoint.c '<jansson.h>'
    rm -rf "${planted:?}"/*
    mkdir "$planted/runner"
    printf '#include "../engine/decavox.h"\n' >"$planted/runner/a.c"
    if (cd "$planted" && check >/dev/null); then
        echo "self-test: an include that is not written from the root passed" >&2
        return 1
    fi
    echo "every planted include was judged right"
}

case ${1:-} in
--self-test) self_test ;;
'')
    if [ -z "$(list_includes)" ]; then
        echo "no includes found" >&2
        exit 1
    fi
    check
    ;;
*)
    echo "usage: $0 [--self-test]" >&2
    exit 2
    ;;
esac
