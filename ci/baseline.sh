#!/usr/bin/env bash
# Records the commit that is checked out and compares it with earlier ones in a folder; see --help.
set -Eeuo pipefail
# Exit code 1 is a verdict, so what goes wrong has another.
trap 'exit 2' ERR

usage='usage: baseline.sh [-a] [-n RUNS] [-r HZ] [-s SERVICE] [-d FOLDER] [-o [FORMAT=]FILE]... BASELINE -- COMMAND...

Says whether the commit that is checked out is slower than the last ones whose profiles are in the folder BASELINE.
COMMAND does a fixed piece of work with your Python program, such as a number of requests, and ends by itself with
status 0.

  -a          files this commit in BASELINE, so that later ones are compared with it, unless it is slower; where it
              cannot be filed, as one that was dropped, that is said, and the exit code is that of the verdict
  -n RUNS     runs of COMMAND (1)
  -r HZ       samples a second, of each thread (250)
  -s SERVICE  the name of the program (the name of the folder of the checkout)
  -d FOLDER   where profiles and what COMMAND prints are left (plop-gate)
  -o FILE     a report, as for plop diff -o; as often as reports are wanted

PLOP_COMMIT names the commit, if it is not the one that is checked out; PLOP the command plop, if it is not on the
PATH. Exit codes: 0 fine, 1 slower, 2 it could not be compared, 3 no verdict, as when BASELINE is empty.'

# fail MESSAGE...: ends, saying why it could not be compared.
fail() {
    printf 'baseline.sh: %s\n' "$@" >&2
    exit 2
}

# misused MESSAGE: ends, saying how it is used.
misused() {
    fail "$1" '' "$usage"
}

accept=no runs=1 rate=250 service='' folder=plop-gate reports=()
while [[ $# -gt 0 && $1 == -* && $1 != -- ]]; do
    case $1 in
    -h | --help) echo "$usage" && exit ;;
    -a) accept=yes && shift && continue ;;
    -n | -r | -s | -d | -o) [[ $# -ge 2 ]] || misused "$1 needs a value" ;;&
    -n) runs=$2 ;;
    -r) rate=$2 ;;
    -s) service=$2 ;;
    -d) folder=$2 ;;
    -o) reports+=(-o "$2") ;;
    *) misused "what is $1?" ;;
    esac
    shift 2
done
[[ $# -ge 3 && $2 == -- ]] || misused 'there has to be BASELINE -- COMMAND'
baseline=$1
shift 2
[[ $runs =~ ^[1-9][0-9]?$ ]] || misused "-n $runs is not a number of runs, 1 to 99"
[[ $rate =~ ^[1-9][0-9]*$ ]] || misused "-r $rate is not a number of samples a second"
plop=$(command -v "${PLOP:-plop}") || fail "there is no ${PLOP:-plop}: put plop on the PATH, or name it in PLOP"
commit=${PLOP_COMMIT:-$(git rev-parse --verify --quiet HEAD)} || fail 'this is no git checkout; name the commit in PLOP_COMMIT'
[[ -n $service ]] || service=$(basename "$(git rev-parse --show-toplevel 2>/dev/null || pwd)")
[[ $commit != */* ]] || fail 'the commit becomes the name of a file: no slash'

mkdir -p "$folder" "$baseline"
: >"$folder/head.log"
files=()
for ((run = 1; run <= runs; run++)); do
    echo "run $run of $runs" >&2
    file=$folder/$commit-$run.plop
    rm -f "$file"
    PLOP_COMMIT=$commit "$plop" record -r "$rate" -o "$file" --label "service=$service" --label "commit=$commit" \
        -- "$@" >>"$folder/head.log" 2>&1 </dev/null || {
        status=$?
        tail -n 20 "$folder/head.log" >&2
        fail "this ended with $status: $*" "all that it printed is in $folder/head.log"
    }
    [[ -s $file ]] || {
        tail -n 20 "$folder/head.log" >&2
        fail "this ran, and nothing was recorded: $*" \
            'it has to start Python itself and keep it busy; what a server does that runs already is not recorded' \
            "try it alone: plop record --show -- $*"
    }
    files+=("$file")
done

status=0
"$plop" diff "${reports[@]}" --baseline "$baseline" "${files[@]}" || status=$?
# The first commit of all has nothing to be compared with, and is what the next one is compared with.
if [[ $accept == yes && ($status == 0 || $status == 3) ]]; then
    "$plop" baseline accept "$baseline" "${files[@]}" ||
        echo "baseline.sh: this commit is not filed in $baseline, so later ones are not compared with it" >&2
fi
exit "$status"
