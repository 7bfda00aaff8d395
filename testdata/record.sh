#!/bin/sh
# Records every fixture of this directory again, then counts them.
#
# Needs Linux, root (it makes a mount namespace), pip for Python 3.11, and these
# interpreters, given by variables when they are not on the path:
#   PYTHON311  python3.11
#   PYTHON27   python2.7
#   PYTHON312  python3.12, only for the perf fixture
# The perf fixture also needs perf and inferno-collapse-perf (PERF, INFERNO), and
# the differential one inferno-diff-folded (INFERNO_DIFF); each is left as it is
# when what it needs is missing.
#
# Everything runs in a mount namespace with an empty /srv: the programs are in
# /srv/app, the interpreters and tools beside it. So the recordings name neutral
# paths, no recording is edited, and nothing of it remains on the machine.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
PYTHON311=${PYTHON311:-python3.11}
PYTHON27=${PYTHON27:-python2.7}
PYTHON312=${PYTHON312:-python3.12}
PERF=${PERF:-perf}
INFERNO=${INFERNO:-inferno-collapse-perf}
INFERNO_DIFF=${INFERNO_DIFF:-inferno-diff-folded}
export PYTHONDONTWRITEBYTECODE=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

if [ "${1-}" != inside ]; then
    case $here/ in /srv/*) echo "record.sh: move the checkout out of /srv" >&2; exit 1 ;; esac
    exec unshare --mount sh "$0" inside
fi

have() { command -v "$1" >/dev/null; }

# mount_python NAME INTERPRETER: shows the interpreter's prefix as /srv/NAME.
mount_python() {
    prefix=$("$2" -c 'import sys; print(getattr(sys, "base_prefix", sys.prefix))')
    mkdir "/srv/$1"
    mount --bind "$prefix" "/srv/$1"
}

mount -t tmpfs none /srv
mount_python python3.11 "$PYTHON311"
mount_python python2.7 "$PYTHON27"
cp -R "$here/programs" /srv/app
cd /srv/app

python311=/srv/venv/bin/python
python27=/srv/python2.7/bin/python2.7
/srv/python3.11/bin/python3.11 -m venv --without-pip /srv/venv

# install DIRECTORY PACKAGE...
install() {
    directory=$1
    shift
    /srv/python3.11/bin/python3.11 -m pip install --quiet --no-deps --no-compile \
        --target "$directory" "$@"
}
site=/srv/venv/lib/python3.11/site-packages
install $site plop==0.4.0 six==1.17.0
install /srv/plop-0.4.0 plop==0.4.0 six==1.17.0
install /srv/plop-0.3.0 plop==0.3.0 six==1.17.0
install /srv/tools py-spy==0.4.3 austin-dist==3.7.0

# plop OUTPUT PYTHON PLOP_DIRECTORY ARGUMENT...
plop() {
    output=$here/$1 python=$2 directory=$3
    shift 3
    rm -rf profiles
    PYTHONPATH=$directory "$python" -m plop.collector "$@"
    mv profiles/* "$output"
}

mkdir -p "$here/plop" "$here/plop-flame" "$here/folded" "$here/folded-diff" \
    "$here/folded-columns" "$here/austin"

plop plop/work-py311.plop        $python311 $site           -m work 4
plop plop/work-script-py311.plop $python311 $site           work.py 4
plop plop/many-py311.plop        $python311 $site           -m many 8
plop plop/names-py311.plop       $python311 $site           -m names 2 all
plop plop/names-py27.plop        $python27  /srv/plop-0.4.0 -m names 2 all
plop plop/work-0.3.0-py27.plop   $python27  /srv/plop-0.3.0 -m work 4
$python311 fast.py plop "$here/plop/empty.plop"

plop plop-flame/work-py311.flame  $python311 $site -f flamegraph -m work 0.5
plop plop-flame/names-py311.flame $python311 $site -f flamegraph -m names 2
$python311 fast.py flamegraph "$here/plop-flame/empty.flame"

# py_spy OUTPUT OPTION... PROGRAM ARGUMENT...
py_spy() {
    case $1 in /*) output=$1 ;; *) output=$here/$1 ;; esac
    shift
    /srv/tools/bin/py-spy record --format raw --output "$output" "$@"
}
py_spy folded/work.folded                                  -- $python311 work.py 2
py_spy folded/work-threads.folded     --threads            -- $python311 work.py 2
py_spy folded/work-nolineno.folded    --nolineno           -- $python311 work.py 2
py_spy folded/work-native.folded      --native             -- $python311 work.py 2
py_spy folded/spawn-subprocesses.folded --subprocesses --idle -- $python311 spawn.py 2
py_spy folded/names.folded                                 -- $python311 names.py 3

# The dialect of pprofutils: the same stacks with the time that each count stands for.
awk 'BEGIN { print "samples/count cpu/nanoseconds" }
     { n = $NF; sub(/ [0-9]+$/, ""); print $0, n, n * 10000000 }' \
    "$here/folded/work.folded" | head -n 12 >"$here/folded-columns/work.columns.folded"

if have "$INFERNO_DIFF"; then
    py_spy /srv/before.folded -- $python311 work.py 1
    py_spy /srv/after.folded  -- $python311 work.py 1
    "$INFERNO_DIFF" /srv/before.folded /srv/after.folded | LC_ALL=C sort \
        >"$here/folded-diff/work.diff.folded"
else
    echo "record.sh: folded-diff/work.diff.folded is left as it is" >&2
fi

austin() {
    /srv/tools/bin/austin "$@" >/dev/null
}
austin        --interval 20ms --output "$here/austin/work-wall.austin" $python311 work.py 0.7
austin --full --interval 20ms --output "$here/austin/work-full.austin" $python311 work.py 0.7

if have "$PYTHON312" && have "$PERF" && have "$INFERNO"; then
    mount_python python3.12 "$PYTHON312"
    "$PERF" record --quiet --event cpu-clock --freq 99 --call-graph dwarf,16384 \
        --output /srv/perf.data \
        sh -c 'echo $$ >/srv/pid; exec /srv/python3.12/bin/python3.12 -X perf kernel.py 2'
    "$PERF" script --input /srv/perf.data >/srv/perf.script
    "$INFERNO" --all /srv/perf.script >"$here/folded/perf-kernel.folded"
    rm -f "/tmp/perf-$(cat /srv/pid).map"
else
    echo "record.sh: folded/perf-kernel.folded is left as it is" >&2
fi

"$python311" "$here/count.py"
