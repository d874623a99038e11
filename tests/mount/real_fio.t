#!/usr/bin/env bash
# fio with verification on a mount: random 4 KiB through mmap and psync, two jobs, verified at
# once and again by another fio after a remount.
. "$TOP/tests/lib/bucket.bash"
need_command fio

# job NAME ENGINE OPTION…
job() {
	local name=$1 engine=$2
	shift 2
	fio --name="$name" --directory="$mnt" --ioengine="$engine" --rw=randwrite --bs=4k --size=12m --numjobs=2 --thread \
		--verify=crc32c --verify_fatal=1 --verify_state_save=0 --randseed=7 --fallocate=none --group_reporting --output-format=terse "$@"
}

bucket_new
bucket_mount
for engine in psync mmap; do
	check "$engine: written and verified" job "$engine" "$engine" --do_verify=1
done
check "psync with fsync now and then" job synced psync --do_verify=1 --fsync=32 --io_size=2m
check "odd block sizes" job odd psync --do_verify=1 --bsrange=512-20k --blockalign=512
bucket_remount
drop_caches
for engine in psync mmap; do
	check "$engine: verified after a remount" job "$engine" "$engine" --verify_only=1
done
check "odd block sizes: verified after a remount" job odd psync --verify_only=1 --bsrange=512-20k --blockalign=512
finish
