#!/usr/bin/env bash
# The power is cut under a mounted bucket, a few times with fixed seeds: what was fsynced is
# there, and nothing is ever garbage.  `make powercut` makes many cuts.
. "$TOP/tests/lib/prerequisites.bash"
need_loop; need_fuse; need_command python3 mkfs.ext4; need_program rekeyfs rekeyctl tests/powercut/powerdisk
here=$TOP/tests/powercut over="'$TOP/tests/powercut/over' rekeyfs"
number=0

# cuts TITLE WORKLOAD CHECK OPTION…
cuts() {
	local title=$1 work=$2 check=$3 out status=0
	shift 3
	out=$("$here/powercut" run --workload "$over $work" --check "$over $check" "$@" 2>&1) || status=$?
	number=$((number + 1))
	if [ "$status" -eq 0 ] && [[ $out == *" points, 0 lost"* ]]; then
		echo "ok $number - $title"
	else
		echo "not ok $number - $title"
		printf '%s\n' "$out" | sed 's/^/# /'
	fi
}

echo 1..5
cuts "overwrite, replace, append" "'$here/blocks' work --seed 3 --rounds 40" "'$here/blocks' check" --points 10
cuts "overwrite, replace, append, with torn sectors" "'$here/blocks' work --seed 4 --rounds 40" "'$here/blocks' check" --points 10 --tear 512
cuts "overwrite, replace, append, in order" "'$here/blocks' work --seed 5 --rounds 40" "'$here/blocks' check" --points 6 --mode prefix
for part in shrink all; do
	cuts "ranges: $part" "'$here/ranges' work --mount --part $part --seed 21 --rounds 30" "'$here/ranges' check --mount" --points 8
done
