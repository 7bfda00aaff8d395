#!/usr/bin/env bash
# Starts a service, records its first seconds and files the profile under its commit; see --help.
set -euo pipefail

usage='usage: after-push.sh [-n SERVICE] [-s SECONDS] [-w SECONDS] [-d FOLDER] [-c COMMIT] -- COMMAND...

Runs COMMAND, the way your service is started, and records it and all its processes for a while after it
has warmed up. The profile is filed when that while is over, as FOLDER/SERVICE/COMMIT-DATE.plop, so that
a later deploy has something to be compared with; the service runs on. Call it where a push has you
start the new version.

  -n SERVICE  the name of the service (the name of the folder of the checkout)
  -s SECONDS  how long it is recorded (30)
  -w SECONDS  how long it may warm up before (0)
  -d FOLDER   where profiles are kept (profiles)
  -c COMMIT   which commit is deployed (what is checked out here)

Signals are passed on to COMMAND, and its exit status is that of the script. PLOP names the command plop,
if it is not on the PATH.'

refuse() {
    printf 'after-push.sh: %s\n\n%s\n' "$1" "$usage" >&2
    exit 2
}

# seconds TEXT: whether this is a number of seconds.
seconds() {
    [[ $1 =~ ^[0-9]+(\.[0-9]+)?$ ]]
}

service='' duration=30 warm_up=0 folder=profiles commit=''
while [[ $# -gt 0 && $1 != -- ]]; do
    case $1 in
    -h | --help) echo "$usage" && exit ;;
    -n | -s | -w | -d | -c) [[ $# -ge 2 && $2 != -- ]] || refuse "$1 needs a value" ;;&
    -n) service=$2 ;;
    -s) duration=$2 ;;
    -w) warm_up=$2 ;;
    -d) folder=$2 ;;
    -c) commit=$2 ;;
    *) refuse "what is $1?" ;;
    esac
    shift 2
done
[[ $# -ge 2 ]] || refuse 'no command after --'
shift
seconds "$duration" || refuse "-s $duration is not a number of seconds"
seconds "$warm_up" || refuse "-w $warm_up is not a number of seconds"

if [[ -z $commit ]]; then
    commit=$(git rev-parse --short=12 HEAD 2>/dev/null) || refuse 'this is no git checkout; name the commit with -c'
    # A tree that was changed by hand is not the commit.
    [[ -z $(git status --porcelain --untracked-files=no) ]] || commit+=-changed
fi
[[ -n $service ]] || service=$(basename "$(git rev-parse --show-toplevel 2>/dev/null || pwd)")
[[ $service != */* && $commit != */* ]] || refuse 'SERVICE and COMMIT become names of files: no slash'

place=$folder/$service
mkdir -p "$place"
options=(--duration "$duration" --label "service=$service" --label "commit=$commit")
[[ $warm_up == 0 ]] || options+=(--delay "$warm_up")
exec "${PLOP:-plop}" record "${options[@]}" -o "$place/$commit-$(date -u +%Y%m%dT%H%M%SZ).plop" -- "$@"
