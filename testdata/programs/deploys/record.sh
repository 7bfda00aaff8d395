#!/bin/sh
# Records the three deploys of the shop into testdata/deploys, one after the other, a minute each.
# Needs Linux, root (it makes a mount namespace), and in PLOP and PYTHON a release build of plop and CPython 3.11.
# Usage: PLOP=… PYTHON=… testdata/programs/deploys/record.sh [SECONDS]
set -eu

programs=$(cd "$(dirname "$0")" && pwd)
if [ "${1-}" != inside ]; then
    exec unshare --mount --uts sh "$0" inside "$@"
fi
shift
seconds=${1:-60}
out=$(cd "$programs/../../deploys" && pwd)
prefix=$("$PYTHON" -c 'import sys; print(sys.base_prefix)')
plop=$(readlink -f "${PLOP:?}")

# So that no path of this machine is in the recordings.
hostname shop
mount -t tmpfs none /srv
mkdir /srv/python3.11 /srv/shop
mount --bind "$prefix" /srv/python3.11
cd /srv/shop
for deploy in before refactored slower; do
    cp "$programs/$deploy.py" shop.py
    PLOP_COMMIT=$deploy XDG_CACHE_HOME=/srv/cache PYTHONHOME=/srv/python3.11 \
        "$plop" record -q --mode cpu -r 250 -o "$deploy.plop" -- /srv/python3.11/bin/python3.11 -B shop.py "$seconds"
    cp "$deploy.plop" "$out"
done
