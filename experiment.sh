#!/usr/bin/env bash
# One DVC experiment, in a folder of its own: the workspace stays as it is.
#
#   ./experiment.sh NAME TASK [-S key=value ...]
#
# An experiment of that name is replaced. Stages that ran before with the same inputs are taken from the run-cache.
set -euo pipefail
name=$1 task=$2
shift 2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
began=$SECONDS
dvc exp remove --quiet "$name" 2>/dev/null || true
if ! dvc exp run --temp --name "$name" --set-param "tasks=[$task]" "$@" >"$log" 2>&1; then
    cat "$log" >&2
    echo "error: experiment $name failed, see above" >&2
    exit 1
fi
ran=$(grep -c "^Running stage" "$log" || true)
shared=$(grep -cE "^Stage '.*' (is cached|didn't change)" "$log" || true)
echo "$name: $ran stages ran, $shared were skipped, $((SECONDS - began)) s"
