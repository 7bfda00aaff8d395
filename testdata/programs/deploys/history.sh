#!/bin/sh
# Makes a git repository of the shop: `main` is before.py, and each branch is one commit on it. Dates and authors are
# fixed, so the commits have the same names wherever it is made.
# Usage: testdata/programs/deploys/history.sh FOLDER
set -eu

[ $# = 1 ] || { echo "usage: $0 FOLDER" >&2 && exit 2; }
programs=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
cd "$1"
[ -z "$(ls -A)" ] || { echo "$0: $1 is not empty" >&2 && exit 2; }

# Nothing of the user's own git counts.
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
export GIT_AUTHOR_NAME=Ann GIT_AUTHOR_EMAIL=ann@shop.example GIT_COMMITTER_NAME=Ann GIT_COMMITTER_EMAIL=ann@shop.example
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE

# deploy PROGRAM DAY SUBJECT: commits the program as shop.py.
deploy() {
    cp "$programs/$1.py" shop.py
    git add shop.py
    GIT_AUTHOR_DATE="2026-10-$2T12:00:00Z" GIT_COMMITTER_DATE="2026-10-$2T12:00:00Z" git commit -q -m "$3"
}

git -c init.defaultBranch=main init -q
cp "$programs/bench.py" .
git add bench.py
deploy before 01 'A shop with search, cart and pages'
git switch -q -c refactored
deploy refactored 02 'Functions in another order, variables with other names'
git switch -q -c slower main
deploy slower 03 'Discounts in finer steps'
