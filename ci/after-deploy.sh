#!/usr/bin/env bash
# Judges a deploy by the profile of its first seconds, and rolls a bad one back; see --help.
set -Eeuo pipefail
# Exit code 1 is a verdict, so what goes wrong has another.
trap 'exit 2' ERR

usage='usage: after-deploy.sh [-n SERVICE] [-d FOLDER] [-c COMMIT] [-k DEPLOYS] [-w SECONDS] [-r COMMAND]

Waits for the profile that after-push.sh files of a deploy, FOLDER/SERVICE/COMMIT-DATE.plop, and compares it with the
last good deploys of the service. The report is kept as FOLDER/reports/SERVICE/COMMIT.md. Where the deploy is slower,
COMMAND is run, which is to bring the one before back, and then it is dropped from what later ones are compared with:
the commit, or this start alone where there are profiles of earlier starts of the commit.

  -n SERVICE  the name of the service (the name of the folder of the checkout)
  -d FOLDER   where profiles are kept (profiles)
  -c COMMIT   which commit is deployed (what is checked out here)
  -k DEPLOYS  how many earlier deploys it is compared with (8)
  -w SECONDS  how long the profile may take to come, and how long ago its recording may have begun (300)
  -r COMMAND  a line for the shell; it finds the commit in PLOP_COMMIT and the report in PLOP_REPORT

PLOP names the command plop, if it is not on the PATH. Exit codes: 0 fine, 1 slower, 2 it could not be compared, or
COMMAND failed, 3 no verdict, as of the first deploy. That it could not be dropped, or the report not be kept, is said.'

# fail MESSAGE: ends, saying why it could not be compared.
fail() {
    printf 'after-deploy.sh: %s\n' "$@" >&2
    exit 2
}

# misused MESSAGE: ends, saying how it is used.
misused() {
    fail "$1" '' "$usage"
}

service='' folder=profiles commit='' deploys=8 patience=300 roll_back=''
while [[ $# -gt 0 ]]; do
    case $1 in
    -h | --help) echo "$usage" && exit ;;
    -n | -d | -c | -k | -w | -r) [[ $# -ge 2 ]] || misused "$1 needs a value" ;;&
    -n) service=$2 ;;
    -d) folder=$2 ;;
    -c) commit=$2 ;;
    -k) deploys=$2 ;;
    -w) patience=$2 ;;
    -r) roll_back=$2 ;;
    *) misused "what is $1?" ;;
    esac
    shift 2
done
[[ $deploys =~ ^[1-9][0-9]*$ ]] || misused "-k $deploys is not a number of deploys"
[[ $patience =~ ^[0-9]+$ ]] || misused "-w $patience is not a number of seconds"
plop=$(command -v "${PLOP:-plop}") || fail "there is no ${PLOP:-plop}: put plop on the PATH, or name it in PLOP"
if [[ -z $commit ]]; then
    commit=$(git rev-parse --short=12 HEAD 2>/dev/null) || fail 'this is no git checkout; name the commit with -c'
    [[ -z $(git status --porcelain --untracked-files=no) ]] || commit+=-changed
fi
[[ -n $service ]] || service=$(basename "$(git rev-parse --show-toplevel 2>/dev/null || pwd)")
[[ $service != */* && $commit != */* ]] || fail 'SERVICE and COMMIT become names of files: no slash'

# starts: the profiles of all starts of the commit, the newest at the end; their names end in when they began.
starts() {
    local file
    for file in "$folder/$service/$commit"-*.plop; do
        [[ ! ${file#"$folder/$service/$commit-"} =~ ^[0-9]{8}T[0-9]{6}Z\.plop$ ]] || echo "$file"
    done
}

# newest: the newest of them, if it is not of an earlier start.
since=$(date -u -d "-$patience seconds" +%Y%m%dT%H%M%SZ)
newest() {
    local file
    file=$(starts | tail -n 1)
    [[ $file < $folder/$service/$commit-$since ]] || echo "$file"
}

profile=$(newest)
for ((waited = 0; waited < patience; waited++)); do
    [[ -z $profile ]] || break
    sleep 1
    profile=$(newest)
done
[[ -n $profile ]] || fail "no $folder/$service/$commit-DATE.plop has come in $patience seconds"

# A report that cannot be kept is no reason to leave a slow deploy where it is.
report=$folder/reports/$service/$commit.md
if ! mkdir -p "${report%/*}" || [[ ! -w ${report%/*} ]]; then
    report=$(mktemp --suffix=.md)
    echo "after-deploy.sh: the report cannot be kept beside the profiles, it is $report" >&2
fi
status=0
"$plop" diff --baseline "$folder/$service" --last "$deploys" -o "$report" "$profile" || status=$?
if [[ $status == 1 ]]; then
    rolled_back=0
    [[ -z $roll_back ]] || PLOP_COMMIT=$commit PLOP_REPORT=$report bash -euo pipefail -c "$roll_back" || rolled_back=$?
    # Later starts of a bad commit are as bad. One that was good before still is: what is bad is this start, with what
    # processes of it are filed by themselves.
    bad=("$commit")
    all=$(starts)
    [[ ${all%%$'\n'*} == "$profile" ]] || bad=("${profile%.plop}"*.plop)
    "$plop" baseline drop "$folder/$service" "${bad[@]}" --reason "slower than the deploys before it: $report" ||
        echo "after-deploy.sh: it could not be dropped, so later deploys are compared with it too: ${bad[*]}" >&2
    [[ $rolled_back == 0 ]] || fail "the deploy is slower, and rolling it back ended with $rolled_back: $roll_back"
fi
exit "$status"
