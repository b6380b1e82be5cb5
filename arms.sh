#!/usr/bin/env bash
# The arms: S3, and the baselines, ablations and controls that it is compared with. Each is a DVC experiment TASK-<arm>.
#
#   ./arms.sh TASK [-S key=value ...]      what follows the task holds for every arm: -S student.seeds=5
#   TRANSFER=PATH ./arms.sh TASK           also the arms that start from seed data of another teacher or project
#   ARMS="goldgen gold" ./arms.sh TASK     only these, and S3, from which the others take their counts
#
# They differ in nothing but the values below, and share every stage that those do not touch. Arms that write as many
# rows as S3 take their counts from its metrics.
set -euo pipefail
cd "$(dirname "$0")"
task=$1
shift
overrides=("$@")
arms=()

arm() {
    local name=$1
    shift
    [[ -z ${ARMS:-} || " s3 $ARMS " == *" $name "* ]] || return 0
    ./experiment.sh "$task-$name" "$task" "${overrides[@]}" "$@"
    arms+=("$task-$name")
}

asked() { # rows that S3 asked the teacher for: seed, or round<q>/extrapolate
    git show "$s3:metrics/$task/$1.json" | python -c 'import json, sys; print(json.load(sys.stdin)["rows"])'
}

arm s3
s3=$(git for-each-ref --format='%(refname)' | grep "^refs/exps/.*/$task-s3$")
seed=$(asked seed)
mined=()
for file in $(git ls-tree -r --name-only "$s3" "metrics/$task/" | grep -o 'round[0-9]*/extrapolate'); do
    mined+=("$(asked "$file")")
done
counts=$(IFS=,; echo "[${mined[*]}]")
all=$((seed + $(IFS=+; echo "${mined[*]}")))
kind=$(python -c 'import sys, yaml; print(yaml.safe_load(open("params.yaml"))["task"][sys.argv[1]]["kind"])' "$task")

# Ablations. Without extrapolation all calls go into seed data.
arm no-extrapolation -S method.mine=nothing -S "task.$task.seed_rows=$all"
if [ "$kind" = classification ]; then # the other kinds have no rationales: the two arms would be S3 and the one above
    arm no-rationales -S method.rationales=false
    arm zerogen -S method.rationales=false -S method.mine=nothing -S "task.$task.seed_rows=$all"
fi

# Other ways to use the gold rows: any of them instead of errors; those that help as examples; themselves.
arm goldgen -S method.mine=gold -S "method.mined=$counts"
if [ "$kind" != span_qa ]; then
    arm progen -S method.rationales=false -S method.mine=helpful -S method.add=feedback -S method.influence=true \
        -S "method.mined=$counts"
fi
arm mined-gold -S method.add=copies
arm gold-and-s3 -S method.learn=both
arm gold -S method.learn=gold \
    -S 'method.tune=[{learning_rate: 0.00002, epochs: 6}, {learning_rate: 0.00005, epochs: 6}, {learning_rate: 0.0001, epochs: 4}]'

# What the labels of synthetic rows are worth: this arm should be at chance.
arm shuffled -S method.learn=shuffled

# Table 5: their seed data alone, with our additions, and with rounds of its own.
if [ -n "${TRANSFER:-}" ]; then
    arm theirs -S "method.transfer.file=$TRANSFER" -S method.mine=nothing
    arm our-additions -S "method.transfer.file=$TRANSFER" -S method.transfer.into=final
    arm own-additions -S "method.transfer.file=$TRANSFER"
fi

python -m stages.compare --task "$task" --out "reports/$task-arms" "${arms[@]}"
