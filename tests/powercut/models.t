#!/usr/bin/env bash
# The models of the commit order lose nothing, and the rig finds a rule that is broken: a few
# cuts with fixed seeds.  `make powercut` makes many.
. "$TOP/tests/lib/prerequisites.bash"
need_loop; need_fuse; need_command python3 mkfs.ext4
here=$TOP/tests/powercut
number=0

# cuts TITLE EXPECTED-STATUS WORKLOAD CHECK OPTION…
cuts() {
	local title=$1 expected=$2 work=$3 check=$4 out status=0
	shift 4
	out=$("$here/powercut" run --workload "$work" --check "$check" "$@" 2>&1) || status=$?
	number=$((number + 1))
	if [ "$status" -eq "$expected" ] && [[ $out == *" points, "* ]]; then
		echo "ok $number - $title"
	else
		echo "not ok $number - $title"
		printf '%s\n' "$out" | sed 's/^/# /'
	fi
}

# model TITLE PART OPTION…
model() {
	local title=$1 part=$2
	shift 2
	cuts "$title" 0 "'$here/ranges' work --part $part --rounds 40 --seed 21" "'$here/ranges' check" "$@"
}

echo 1..9
cuts "overwrite, replace, append, with torn sectors" 0 "'$here/groups' work --seed 3 --rounds 40" "'$here/groups' check" \
	--points 12 --tear 512
cuts "every overwrite in place is found out" 1 "'$here/groups' work --seed 3 --rounds 40 --no-spares" \
	"'$here/groups' check --no-spares" --points 40 --tear 512
for part in tail shrink key bulk point; do
	model "part $part" "$part" --points 8
done
cuts "directories whose header is a link are whole" 0 "'$here/headers' work" "'$here/headers' check" --points 8
cuts "directories whose header is a file are not" 1 "'$here/headers' work --file" "'$here/headers' check --file" --points 8
