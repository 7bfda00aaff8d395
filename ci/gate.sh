#!/usr/bin/env bash
# Records two commits of a repository in turns and compares them; see --help.
set -Eeuo pipefail
# Exit code 1 is a verdict, so what goes wrong has another.
trap 'exit 2' ERR

usage='usage: gate.sh [-b BASE] [-n RUNS] [-r HZ] [-s SETUP] [-d FOLDER] [-o [FORMAT=]FILE]... -- COMMAND...

Says whether the commit that is checked out is slower than BASE. Both are checked out beside each other, and
COMMAND is recorded in each of them in turns, so that whatever else the machine does meets both. COMMAND does a
fixed piece of work with your Python program, such as a number of requests, and ends by itself with status 0.

  -b BASE     the commit, branch or tag to compare with (origin/HEAD); one that is not here is taken from what is known
              of origin, or else fetched from there
  -n RUNS     runs of each commit (8); five are the least with which nothing need be assumed
  -r HZ       samples a second, of each thread (250)
  -s SETUP    a line for the shell that makes a checkout ready, run once in each before the runs
  -d FOLDER   where profiles and what COMMAND prints are left (plop-gate)
  -o FILE     a report, as for plop diff -o; as often as reports are wanted

What else the comparison should know stands in plop.toml or in variables PLOP_DIFF_...; PLOP names the command
plop, if it is not on the PATH. Exit codes: 0 fine, 1 slower, 2 it could not be compared, 3 no verdict.'

# fail MESSAGE...: ends, saying why it could not be compared.
fail() {
    printf 'gate.sh: %s\n' "$@" >&2
    exit 2
}

# misused MESSAGE: ends, saying how it is used.
misused() {
    fail "$1" '' "$usage"
}

base=origin/HEAD runs=8 rate=250 setup='' folder=plop-gate reports=()
while [[ $# -gt 0 && $1 != -- ]]; do
    case $1 in
    -h | --help) echo "$usage" && exit ;;
    -b | -n | -r | -s | -d | -o) [[ $# -ge 2 ]] || misused "$1 needs a value" ;;&
    -b) base=$2 ;;
    -n) runs=$2 ;;
    -r) rate=$2 ;;
    -s) setup=$2 ;;
    -d) folder=$2 ;;
    -o) reports+=(-o "$2") ;;
    *) misused "what is $1?" ;;
    esac
    shift 2
done
[[ $# -ge 2 ]] || misused 'no command after --'
shift
[[ $runs =~ ^[1-9][0-9]?$ ]] || misused "-n $runs is not a number of runs, 1 to 99"
[[ $rate =~ ^[1-9][0-9]*$ ]] || misused "-r $rate is not a number of samples a second"
plop=$(command -v "${PLOP:-plop}") || fail "there is no ${PLOP:-plop}: put plop on the PATH, or name it in PLOP"
plop=$(realpath "$plop")

# commit REVISION: the commit that it names, if it is here.
commit() {
    git rev-parse --verify --quiet --end-of-options "$1^{commit}"
}

head=$(commit HEAD) || fail 'this is no checkout of a git repository'
if ! before=$(commit "$base") && ! before=$(commit "refs/remotes/origin/$base"); then
    # One commit is enough, but asking for one alone would cut off the history of a clone that is complete.
    depth=()
    [[ $(git rev-parse --is-shallow-repository) != true ]] || depth=(--depth=1)
    git fetch --quiet --no-tags "${depth[@]}" origin -- "$base" ||
        fail "there is no commit $base here or at origin: name another with -b, or fetch it before"
    before=$(commit FETCH_HEAD)
fi
[[ $before != "$head" ]] || fail "$base is the commit that is checked out: there is nothing to compare"
[[ -z $(git status --porcelain --untracked-files=no) ]] ||
    echo 'gate.sh: changes that are not committed are not measured' >&2

mkdir -p "$folder"
folder=$(realpath "$folder")
work=$(mktemp -d)
# What was checked out here goes, and no other worktree, though it may not be where it was.
trap '
    for side in base head; do
        [[ ! -e $work/$side ]] || git worktree remove --force "$work/$side" || true
    done
    rm -rf "$work" || true
' EXIT

# inside SIDE WHAT COMMAND...: runs a command in the checkout of a side, WHAT being its name for people. What it prints
# goes into the side's log.
inside() {
    local side=$1 what=$2
    shift 2
    (cd "$work/$side" && "$@") >>"$folder/$side.log" 2>&1 </dev/null || {
        local status=$?
        tail -n 20 "$folder/$side.log" >&2
        fail "in the checkout of $side this ended with $status: $what" "all that it printed is in $folder/$side.log"
    }
}

for side in base head; do
    sha=$head
    [[ $side == head ]] || sha=$before
    git -c core.hooksPath=/dev/null worktree add --quiet --detach "$work/$side" "$sha"
    : >"$folder/$side.log"
    [[ -z $setup ]] || inside "$side" "$setup" bash -euo pipefail -c "$setup"
done

# record SIDE COMMIT RUN COMMAND...: one run of a side, filed as SIDE-RUN.plop.
record() {
    local side=$1 sha=$2 file=$folder/$1-$3.plop
    shift 3
    rm -f "$file"
    inside "$side" "$*" env PLOP_COMMIT="$sha" "$plop" record -r "$rate" -o "$file" -- "$@"
    [[ -s $file ]] || {
        tail -n 20 "$folder/$side.log" >&2
        fail "in the checkout of $side this ran, and nothing was recorded: $*" \
            'it has to start Python itself and keep it busy; what a server does that runs already is not recorded' \
            "try it alone: plop record --show -- $*"
    }
}

befores=() afters=()
for ((run = 1; run <= runs; run++)); do
    echo "run $run of $runs" >&2
    # Base, head, head, base: neither is always the first of a pair.
    ((run % 2 == 0)) || record base "$before" "$run" "$@"
    record head "$head" "$run" "$@"
    ((run % 2 == 1)) || record base "$before" "$run" "$@"
    befores+=("$folder/base-$run.plop")
    afters+=("$folder/head-$run.plop")
done

status=0
"$plop" diff "${reports[@]}" "${befores[@]}" --vs "${afters[@]}" || status=$?
exit "$status"
