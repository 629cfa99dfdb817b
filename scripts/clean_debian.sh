# A clean Debian in a temporary folder, for the checks that source this file. They need root and
# mmdebstrap. `suite` is the suite of Debian; `also` is a second suite of the mirror, or empty.

fail()
{
    echo "FAILED: $*" >&2
    exit 1
}

good()
{
    printf 'good: %s\n' "$*"
}

# Makes the temporary folder for the clean system, which is removed at the end.
make_scratch()
{
    scratch=$(mktemp -d)
    trap 'rm -rf --one-file-system "$scratch"' EXIT
    chmod 755 "$scratch"
    root=$scratch/root log=$scratch/log
    here=/check # the folder of the checks, in the clean system
}

# A command in the clean system, without anything of this one's environment.
inside()
{
    unshare --mount --pid --fork --mount-proc="$root/proc" chroot "$root" env -i --chdir="$here" \
        HOME="$here" PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
        DEBIAN_FRONTEND=noninteractive OMP_NUM_THREADS=1 "$@"
}

# The same, whose output is of interest where it fails alone.
quietly()
{
    inside "$@" >"$log" 2>&1 || fail "$*: $(tail -15 "$log")"
}

install_packages()
{
    quietly apt-get install --yes --quiet "$@"
}

make_system()
{
    local mirror
    # shellcheck disable=SC2016
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' \
        'Label: Debian' 'Component: main' | sed -n 1p)
    [ -n "$mirror" ] || fail "no source of Debian's packages is known to apt here"
    mmdebstrap --quiet --variant=apt "$suite" "$root" "$mirror" >"$log" 2>&1 ||
        fail "mmdebstrap $suite: $(tail -5 "$log")"
    if [ -n "$also" ]; then
        sed -n "s/ $suite / $also /p" "$root/etc/apt/sources.list" >"$root/etc/apt/sources.list.d/also.list"
    fi
    mkdir "$root$here"
    inside true
    quietly apt-get update
    good "a clean $suite of $(inside dpkg-query --show | wc -l) packages"
}
