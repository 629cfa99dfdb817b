#!/usr/bin/env bash
# Checks that no room's library needs a symbol of a later room in the list of scripts/rooms.sh.
# Prints each library that does.
#
#     scripts/check_links.sh BUILD               checks the libraries of a build folder
#     scripts/check_links.sh BUILD --self-test   plants an object that calls the command line in base
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/rooms.sh

# "NUMBER ROOM SYMBOL D|U" of all symbols that the rooms' libraries define and need. `planted` is an
# object that counts as part of engine/base, or nothing.
list_symbols()
{
    local build=$1 planted=$2 i room libraries
    for i in "${!rooms[@]}"; do
        room=${rooms[i]}
        [[ $room == kernels* ]] && continue
        libraries=("$build/$room/libdv_${room##*/}.a")
        [ -e "${libraries[0]}" ] || {
            echo "$i $room - MISSING"
            continue
        }
        [[ -n $planted && $room == engine/base ]] && libraries+=("$planted")
        nm --format=posix --extern-only "${libraries[@]}" | awk -v number="$i" -v room="$room" \
            'NF >= 2 { print number, room, $1, ($2 == "U" ? "U" : "D") }'
    done
}

# Prints each symbol that a room needs of a later one; fails where there is one.
check()
{
    list_symbols "$1" "$2" | awk '
        $4 == "MISSING" { print $2 " has no library in this build"; bad = 1 }
        $4 == "D" { if (!($3 in number)) { number[$3] = $1; home[$3] = $2 } }
        $4 == "U" { needs[++count] = $0 }
        END {
            if (count == 0) { print "no symbols found"; exit 1 }
            for (i = 1; i <= count; i++) {
                split(needs[i], need)
                if (need[3] in number && number[need[3]] > need[1]) {
                    print need[2] " needs " need[3] " of " home[need[3]]
                    bad = 1
                }
            }
            exit bad
        }'
}

[ $# -ge 1 ] && [ -d "$1" ] || {
    echo "usage: $0 BUILD [--self-test]" >&2
    exit 2
}
case ${2:-} in
'') check "$1" "" ;;
--self-test)
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    printf 'void dv_command_fail(void);\nvoid planted(void) { dv_command_fail(); }\n' >"$folder/a.c"
    "${CC:-cc}" -c "$folder/a.c" -o "$folder/a.o"
    found=$(check "$1" "$folder/a.o") && found=nothing
    if [ "$found" != "engine/base needs dv_command_fail of runner/cli" ]; then
        echo "self-test: a call of the command line in engine/base was judged: $found" >&2
        exit 1
    fi
    echo "the planted call was found"
    ;;
*)
    echo "usage: $0 BUILD [--self-test]" >&2
    exit 2
    ;;
esac
