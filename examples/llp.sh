#!/usr/bin/env bash
# From LLP's files to the tables of RLLD's paper: docs/llp.md says where the files come from and how long it takes.
#
#   examples/llp.sh ANNOTATIONS FEATURES OUT [OPTIONS OF rlld benchmark]
#
# ANNOTATIONS and FEATURES are the folders of docs/datasets/llp.md; OUT is made, or gone on with. TEACHERS=DIR in the
# environment names the segment labels of CLIP and CLAP, which VALOR needs; LIMIT=N takes the first N training videos;
# ROWS="rlld rlld+cl" makes these rows only, SYSTEMS="cpsp" only these parsers, LABELS="weak rlld" only on these labels.
set -euo pipefail
usage="usage: examples/llp.sh ANNOTATIONS FEATURES OUT [OPTIONS OF rlld benchmark]"
annotations=${1:?$usage} features=${2:?$usage} out=${3:?$usage}
shift 3
limit=(${LIMIT:+--limit "$LIMIT"})
teachers=(${TEACHERS:+--teacher "$TEACHERS"})
store=$out/llp.h5
mkdir -p "$out"

if [ ! -f "$store" ]; then
    rlld data import --annotations "$annotations" --features "$features" ${limit[@]+"${limit[@]}"} ${teachers[@]+"${teachers[@]}"} --out "$store"
fi
rlld data check "$store"

# Table 1 and 2: one command for each row; the folder's tables grow row by row, and what is done is not done again.
all="label_smoothing ma jomold-as-published jomold-as-published+cl jomold+cl no_visual_speech paper paper+cl
    paper-no-initialized-labels paper-no-soft-inter-reward rlld rlld+cl joint joint+cl"
rows=()
for row in ${ROWS:-$all}; do
    rows+=("$row")
    if [ -f "$out/denoisers/config.json" ]; then
        rlld benchmark --resume "$out/denoisers" --methods "${rows[@]}" "$@"
    else
        rlld benchmark --data "$store" --methods "${rows[@]}" "$@" --out "$out/denoisers"
    fi
done

# Its last rows: other parsers, on the weak labels and on those that RLLD leaves.
systems=(${SYSTEMS:-han cpsp ${TEACHERS:+valor valor-rlld}})
if [ -f "$out/systems/config.json" ]; then
    rlld benchmark --resume "$out/systems" "$@"
else
    rlld benchmark --preset systems --data "$store" --systems "${systems[@]}" \
        --label-sets ${LABELS:-weak rlld joint} "$@" --out "$out/systems"
fi
