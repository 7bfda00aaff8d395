#!/bin/sh
# Puts interpreters that the machine's own packages do not have into a folder, none installed.
# Usage: interpreters.sh FOLDER [VERSION...]
#
#   3.13 3.14 3.15  Debian's, from newer suites
#   3.11-dbg        Debian's debug build
#   3.13t           free-threaded, built from Debian's source package, which takes some minutes and
#                   needs a C compiler, make, and the headers of libffi and zlib
#
# All but 3.13 without a VERSION. FOLDER/bin/python3.14 and so on are programs that bring the C library
# they need, and can be preloaded into. FOLDER cannot be moved afterwards. What is there already is
# left alone, so that a second run is quick.
#
# Needs apt and dpkg, but not root. Packages come from the Debian mirror that the machine's apt is
# set up with, or from the one in DEBIAN_MIRROR.
set -eu

[ $# -gt 0 ] || { sed -n '2,15s/^# \{0,1\}//p' "$0" >&2; exit 2; }
mkdir -p "$1"
folder=$(cd "$1" && pwd)
shift
[ $# -gt 0 ] || set -- 3.11-dbg 3.13t 3.14 3.15
case $folder in *[:\ ]*) echo "interpreters.sh: no spaces or colons in the folder, please" >&2; exit 2 ;; esac
export LC_ALL=C DEBIAN_FRONTEND=noninteractive

fail() {
    echo "interpreters.sh: $*" >&2
    exit 1
}

mirror() {
    [ -z "${DEBIAN_MIRROR-}" ] || { echo "$DEBIAN_MIRROR" && return; }
    # shellcheck disable=SC2016 # apt replaces these.
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -m 1 '/debian/*$' ||
        fail "apt knows no mirror of Debian; give one in DEBIAN_MIRROR"
}

# apt SUITE COMMAND...: apt-get that knows nothing but that suite, and nothing installed.
apt() {
    settings=$folder/.apt/$1/apt.conf
    shift
    apt-get -qq -y -c "$settings" "$@"
}

# lists SUITE: fetches the lists of packages, once.
lists() {
    apt=$folder/.apt/$1
    [ ! -e "$apt" ] || return 0
    mkdir -p "$apt/lists/partial" "$apt/archives/partial" "$apt/none"
    : >"$apt/status"
    cat >"$apt/apt.conf" <<END
#clear APT::Update;
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Dir::Cache "$apt";
Dir::Cache::archives "archives";
Dir::Etc::sourcelist "$apt/sources.list";
Dir::Etc::sourceparts "$apt/none";
Dir::Etc::preferences "$apt/none/none";
Dir::Etc::preferencesparts "$apt/none";
Dir::State "$apt";
Dir::State::lists "lists";
Dir::State::status "$apt/status";
END
    keys=/usr/share/keyrings/debian-archive-keyring.gpg
    [ -e "$keys" ] && options="[signed-by=$keys]" || options=
    mirror=$(mirror)
    for type in deb deb-src; do
        echo "$type $options $mirror $1 main"
    done >"$apt/sources.list"
    apt "$1" update
}

# unpack VERSION SUITE PROGRAM PACKAGE...: the packages with all that the first of them depends on,
# as FOLDER/VERSION, and its program in FOLDER/bin.
unpack() {
    version=$1 suite=$2 program=$3
    shift 3
    root=$folder/$version
    part=$root.part
    rm -rf "$part" "$root"
    mkdir -p "$part/debs"
    lists "$suite"
    apt "$suite" --download-only --no-install-recommends install "$1" patchelf
    mv "$folder/.apt/$suite/archives"/*.deb "$part/debs"
    shift
    if [ $# -gt 0 ]; then
        (cd "$part/debs" && apt "$suite" download "$@")
    fi
    for package in "$part/debs"/*.deb; do
        dpkg -x "$package" "$part"
    done
    rm -r "$part/debs"
    # Older suites have them in /lib too.
    libraries=$(cd "$part" && find lib usr/lib -maxdepth 1 -name '*-linux-gnu' 2>/dev/null || :)
    # shellcheck disable=SC2086 # One word for each folder.
    loader=$(cd "$part" && find $libraries -maxdepth 1 -name 'ld-linux-*.so.*' | head -n 1)
    [ -n "$loader" ] || fail "$version: its packages have no ld.so"
    here='' there=''
    for library in $libraries; do
        here=$here$part/$library: there=$there$root/$library:
    done
    cp "$part/usr/bin/$program" "$part/program"
    # DT_RPATH, not DT_RUNPATH, since the former also holds for the libraries of extension modules. The
    # other way round, or both at once, patchelf makes a program that crashes.
    for change in "--force-rpath --set-rpath ${there%:}" "--set-interpreter $root/$loader"; do
        # shellcheck disable=SC2086 # Several words.
        "$part/$loader" --library-path "${here%:}" "$part/usr/bin/patchelf" $change "$part/program"
    done
    mv "$part/program" "$part/usr/bin/$program"
    mv "$part" "$root"
    show "$version" "../$version/usr/bin/$program"
}

# build VERSION SUITE PACKAGE ARGUMENT...: configures and builds the source package as FOLDER/VERSION.
build() {
    version=$1 suite=$2 package=$3
    shift 3
    rm -rf "$folder/$version.part" "$folder/$version"
    mkdir "$folder/$version.part"
    lists "$suite"
    (
        cd "$folder/$version.part"
        apt "$suite" --download-only source "$package"
        mkdir source
        tar -xf ./*.orig.tar.xz -C source --strip-components 1
        cd source
        {
            ./configure -q --prefix="$folder/$version" --with-ensurepip=no --disable-test-modules "$@"
            make -s -j "$(nproc)"
            # No bytecode: that is how to keep it from being compiled three times.
            make -s install COMPILEALL_OPTS=--help
        } >../log 2>&1 || { tail -n 20 ../log >&2 && fail "$version does not build"; }
    )
    rm -r "$folder/$version.part"
    show "$version" "../$version/bin/python$version"
}

# show VERSION TARGET: links a program into FOLDER/bin, and sees whether it runs.
show() {
    mkdir -p "$folder/bin"
    ln -sfn "$2" "$folder/bin/python$1"
    "$folder/bin/python$1" -c 'import ctypes, zlib' || fail "$1 does not run"
}

rm -rf "$folder/.apt"
trap 'rm -rf "$folder/.apt"' EXIT
for version; do
    if "$folder/bin/python$version" -c pass 2>/dev/null; then
        continue
    fi
    case $version in
    3.11-dbg) unpack $version bookworm python3.11-dbg python3.11-dbg ;;
    3.13) unpack $version trixie python3.13 python3.13 libpython3.13-dev ;;
    3.14 | 3.15) unpack "$version" sid "python$version" "python$version" "libpython$version-dev" ;;
    3.13t) build $version trixie python3.13 --disable-gil ;;
    *) fail "there is no $version" ;;
    esac
done
for version; do
    "$folder/bin/python$version" -c 'import sys; print(sys.executable, sys.version)'
done
