#!/usr/bin/env bash
# Checks the direction of the #includes: a file may include its own room and those before it in the
# list of scripts/rooms.sh. Prints each include that breaks a rule.
#
#     scripts/check_includes.sh               checks this tree
#     scripts/check_includes.sh --self-test   plants an include against each rule
set -euo pipefail
cd "$(dirname "$0")/.."

source scripts/rooms.sh

# Sets `room` to the number of the room of the file $1, or to nothing if it is in no room.
find_room()
{
    local i
    room=
    for i in "${!rooms[@]}"; do
        if [[ $1 == "${rooms[i]}"/* ]]; then
            room=$i
            return
        fi
    done
}

# Whether the file $1 may include the file $2: from its own room or one before it. The kernels'
# headers are for files of CUDA alone; the formulas and the public header are for all.
may_include()
{
    local from
    [[ $2 == include/decavox.h ]] && return
    find_room "$1"
    from=$room
    find_room "$2"
    [[ -n $from && -n $room ]] && ((room <= from)) &&
        [[ ${rooms[room]} != kernels || $1 == kernels/* || $1 == */*cuda* ]]
}

# Prints the pattern of the files that may include the library header $1; nothing for other headers.
may_know()
{
    case $1 in
    dnnl*.h) echo '^engine/(.*/)?(cpu[^/]*|[^/]*_cpu)\.[ch]$' ;;
    sndfile.h) echo '^frontends/audio/audio\.c$' ;;
    yaml.h) echo '^engine/base/yaml\.c$' ;;
    jansson.h) echo '^(engine/base/json[^/]*|frontends/model/safetensors[^/]*|runner/.*)\.[ch]$' ;;
    libdeflate.h) echo '^(frontends/model/safetensors_format|runner/export/zip)\.c$' ;;
    cuda*.h | cudnn*.h | cublas*.h | cufft*.h) echo '^(kernels/|(engine|frontends)/(.*/)?[^/]*cuda)' ;;
    esac
}

# Prints FILE LINE FORM TARGET of each include below the working folder; FORM is " or <.
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

# Prints each include that breaks a rule, and fails if there is one.
check()
{
    local bad=0 file line form target pattern
    while read -r file line form target; do
        if [ "$form" = '"' ]; then
            if [ ! -e "$target" ]; then
                echo "$file:$line: \"$target\" is no path from the root of the tree"
                bad=1
            elif ! may_include "$file" "$target"; then
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
    expect good kernels/a.cu '"kernels/formulas/scalar_math.h"'
    expect bad kernels/formulas/a.h '"kernels/pool.h"'
    expect bad kernels/a.cu '"engine/core/op.h"'
    expect good engine/ops/add/cuda.c '"kernels/pool.h"'
    expect bad engine/ops/add/cpu.c '"kernels/pool.h"'
    expect bad engine/base/field.c '"engine/core/graph.h"'
    expect bad engine/core/op.h '"engine/ops/ops.def"'
    expect bad engine/core/plan.c '"engine/device/threads.h"'
    expect bad engine/gemm/cpu_packed.c '"engine/ops/activation/activation.h"'
    expect good engine/backends/backend_cpu.c '"engine/ops/cpu.h"'
    expect good engine/ops/add/cpu.c '"engine/core/plan.h"'
    expect bad engine/ops/add/add.c '"engine/layers/layer.h"'
    expect bad engine/layers/model.c '"engine/train/trainer.h"'
    expect good engine/layers/model.c '"engine/base/yaml.h"'
    expect bad engine/train/trainer.c '"frontends/model/checkpoint.h"'
    expect bad engine/base/log.c '"frontends/audio/audio.h"'
    expect good frontends/batch/source.c '"engine/train/trainer.h"'
    expect bad frontends/noise/noise.c '"frontends/dataset/dataset.h"'
    expect bad frontends/batch/source.c '"runner/evaluate/report.h"'
    expect good runner/evaluate/report.c '"frontends/audio/audio.h"'
    expect bad runner/crossval/crossval_run.c '"runner/cli/command.h"'
    expect bad runner/evaluate/report.c '"tests/support/scratch.h"'
    expect good engine/ops/conv2d/cpu.c '<dnnl.h>'
    expect good engine/device/cpu_device.h '<dnnl.h>'
    expect good engine/backends/backend_cpu.c '<dnnl_version.h>'
    expect bad engine/ops/conv2d/ref.c '<dnnl.h>'
    expect bad frontends/dataset/load.c '<sndfile.h>'
    expect good engine/base/yaml.c '<yaml.h>'
    expect bad engine/base/tree.c '<yaml.h>'
    expect good frontends/model/safetensors_read.c '<jansson.h>'
    expect good engine/base/json_lines.c '<jansson.h>'
    expect bad frontends/dataset/manifest.c '<jansson.h>'
    expect bad frontends/model/checkpoint.c '<jansson.h>'
    rm -rf "${planted:?}"/*
    mkdir "$planted/runner"
    printf '#include "../include/decavox.h"\n' >"$planted/runner/a.c"
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
