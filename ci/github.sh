#!/usr/bin/env bash
# What action.yml runs: compares, and shows the verdict wherever GitHub shows one. All that it is told is in variables.
# shellcheck disable=SC2153  # Their names are alike.
set -Eeuo pipefail
# Exit code 1 is a verdict, so what goes wrong has another.
trap 'exit 2' ERR

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p plop-gate
folder=$(realpath plop-gate)
token=${GATE_TOKEN-}
unset GATE_TOKEN

# fail MESSAGE: ends the comparison, saying why there is none.
fail() {
    printf 'plop gate: %s\n' "$1" >&2
    exit 2
}

# The command plop: the one that is named, or the one of this action's own source, built when it is first needed.
find_plop() {
    local root=$HOME/.cache/plop-gate
    command -v "${PLOP:=plop}" >/dev/null || PLOP=$root/bin/plop
    if ! command -v "$PLOP" >/dev/null; then
        command -v cargo >/dev/null || fail 'there is no plop on the PATH, and no Rust to build it with'
        cargo install --quiet --locked --root "$root" --path "$here/../plop-cli" || fail 'plop could not be built'
    fi
    export PLOP
}

# The commit to compare with.
find_base() {
    local merge
    if [[ -n ${GATE_BASE-} ]]; then
        echo "$GATE_BASE"
    elif [[ -n ${GATE_PULL_BASE-} ]]; then
        # Usually the pull request is checked out as it would be merged: then it is based on the first parent.
        if [[ $(git rev-parse HEAD) == "${GITHUB_SHA-}" ]] && git rev-parse --verify --quiet 'HEAD^2' >/dev/null; then
            git rev-parse 'HEAD^1'
        elif merge=$(git merge-base "$GATE_PULL_BASE" HEAD 2>/dev/null); then
            echo "$merge"
        else
            echo "$GATE_PULL_BASE"
        fi
    elif [[ ${GATE_PUSH_BEFORE-} == *[1-9a-f]* ]]; then
        echo "$GATE_PUSH_BEFORE"
    else
        fail 'this is neither a pull request nor a push to a branch that was there before: name a base'
    fi
}

reports=(-o "$folder/report.md" -o "$folder/report.json" -o "$folder/report.sarif" -o "annotations=$folder/annotations")

# Compares. What the recorded program does is not done with the rights of this script.
compare() (
    unset GITHUB_ENV GITHUB_OUTPUT GITHUB_PATH GITHUB_STEP_SUMMARY
    [[ -n ${GATE_COMMAND-} ]] || fail 'there is no command'
    [[ $GATE_NAME =~ ^[A-Za-z0-9._-]{1,60}$ ]] || fail 'the name may have letters, digits, dots, - and _'
    find_plop
    local options=(-n "$GATE_RUNS" -r "$GATE_RATE" -d "$folder" "${reports[@]}") base
    case $GATE_MODE in
    ab)
        base=$(find_base) || exit
        "$here/gate.sh" "${options[@]}" -b "$base" -s "${GATE_SETUP-}" -- bash -c "$GATE_COMMAND"
        ;;
    baseline)
        [[ -z ${GATE_SETUP-} ]] || bash -euo pipefail -c "$GATE_SETUP" || fail 'the setup failed'
        [[ ${GATE_ACCEPT-} != true ]] || options+=(-a)
        PLOP_COMMIT=${GATE_PULL_HEAD-} \
            "$here/baseline.sh" "${options[@]}" -s "$GATE_NAME" "$GATE_BASELINE" -- bash -c "$GATE_COMMAND"
        ;;
    *) fail 'mode is ab or baseline' ;;
    esac
)

rm -f "$folder"/report.* "$folder/annotations"
# What the program and the report print may look like commands of the runner, and is none.
mark=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
echo "::stop-commands::$mark"
status=0
compare || status=$?
echo "::$mark::"
# No verdict is without a report.
[[ -s $folder/report.md ]] || status=2

case $status in
0) verdict=ok conclusion=success ;;
1) verdict=regressed conclusion=failure ;;
3) verdict=inconclusive conclusion=neutral ;;
*) verdict=error conclusion=failure status=2 ;;
esac
if [[ $verdict == error ]]; then
    rm -f "$folder"/report.* "$folder/annotations"
    echo '⚠️ plop: nothing was compared; the log of the job says why.' >"$folder/report.md"
elif [[ $verdict == inconclusive ]]; then
    printf '\nThe gate is neutral: nothing was found, and that is no verdict.\n' >>"$folder/report.md"
fi
[[ ! -f $folder/annotations ]] || cat "$folder/annotations"
cat "$folder/report.md" >>"$GITHUB_STEP_SUMMARY"
printf '%s\n' "verdict=$verdict" "exit=$status" "folder=$folder" >>"$GITHUB_OUTPUT"

# tell COMMAND...: has github.py write to GitHub; what cannot be written is no reason to fail.
tell() {
    GATE_TOKEN=$token python3 -I "$here/github.py" "$@"
}
if [[ -n ${GATE_PULL-} && $GATE_COMMENT == true ]] && ! why=$(tell comment "$folder/report.md" 2>&1); then
    printf '\nThe pull request has no comment of this: %s.\n' "$why" >>"$GITHUB_STEP_SUMMARY"
    echo "plop gate: no comment: $why" >&2
fi
if [[ $GATE_CHECK == true ]] && ! why=$(tell check "$conclusion" "$folder/report.md" 2>&1); then
    echo "plop gate: no check run: $why" >&2
fi

# A gate that is neutral passes: the job has no other colour for it.
[[ $verdict != inconclusive && ($verdict != regressed || $GATE_FAIL == true) ]] || exit 0
exit "$status"
