#!/usr/bin/env bash
# Random calls on a mount, each answer compared with a mirror in memory; now and then the caches
# are dropped, the bucket is mounted anew, or its process killed.  Fixed seeds; OPERATIONS=N
# makes N calls a seed, SEEDS="1 2 …" chooses them.
. "$TOP/tests/lib/bucket.bash"
need_root
need_command python3

export OVER_LOWER=$bucket OVER_MNT=$mnt OVER_LOG=$log
over=$TOP/tests/powercut/over-rekeyfs
trap '"$over" end >/dev/null 2>&1; bucket_end' EXIT

operations() {
	python3 "$TOP/tests/mount/operations" "$mnt/$1" --seed "$1" --count "${OPERATIONS:-900}" \
		--remount "'$over' remount" --drop 'echo 3 > /proc/sys/vm/drop_caches' --kill "'$over' kill"
}

ranges() {
	mkdir "$mnt/$1" && RANGES_KILL="'$over' kill" RANGES_REMOUNT="'$over' remount" RANGES_REENCRYPT="'$over' reencrypt" \
		python3 "$TOP/tests/powercut/fuzz" --mount "$mnt/$1" "$1" 5 40
}

bucket_new
mkdir -p "$mnt"
"$over" start || bail "rekeyfs mount failed"
for seed in ${SEEDS:-1 2 3 4}; do
	check "seed $seed" operations "$seed"
done
for part in tail shrink bulk point key all; do
	check "ranges: $part" ranges "$part"
done
check "the bucket is unmounted at the end" "$over" stop
finish
