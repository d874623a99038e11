#!/usr/bin/env bash
# A bucket is files: copied away with rsync -a or tar, and the copy mounted.  To the key manager
# a copy is another instance of the bucket, which must be made known to it.
. "$TOP/tests/lib/bucket.bash"
need_command rsync tar

fill() {
	mkdir -p "$mnt"/tree/{one,two/three} && cp -r "$TOP/base" "$mnt/tree/one" && ln "$mnt/tree/one/base/error.h" "$mnt/tree/two/hard" &&
	ln -s ../one "$mnt/tree/two/link" && truncate -s 10M "$mnt/tree/two/three/sparse" && echo end >> "$mnt/tree/two/three/sparse" &&
	seq 1 100000 > "$mnt/tree/$(printf 'long%.0s' {1..60})" && mkfifo "$mnt/tree/fifo"
}

# mount_copy PATH MOUNT-POINT: registered when the mount asks for it
mount_copy() {
	mkdir -p "$2"
	if ! rekeyfs mount "$1" "$2" > "$TMPDIR/copy.log" 2>&1; then
		grep -q 'rekeyfs register' "$TMPDIR/copy.log" || { cat "$TMPDIR/copy.log"; return 1; }
		rekeyfs register "$1" && rekeyfs mount "$1" "$2"
	fi
}

same() {
	diff -r --no-dereference -x fifo "$mnt/tree" "$1/tree" && [ -p "$1/tree/fifo" ]
}

copied() {	# copied HOW: the copy holds what the bucket does, takes changes, and changes nothing there
	local copy=$TMPDIR/copy-$1 at=$TMPDIR/at-$1 status=0
	mount_copy "$copy" "$at" || return
	if [ "$2" = same ]; then
		same "$at" || status=1
	fi
	echo "only in the copy" > "$at/tree/new" && rm "$at/tree/one/base/error.c" || status=1
	[ ! -e "$mnt/tree/new" ] || status=1
	rekeyfs umount "$at" || status=1
	mount_copy "$copy" "$at" && [ "$(cat "$at/tree/new")" = "only in the copy" ] || status=1
	rekeyfs umount "$at" || status=1
	return "$status"
}

instances() {
	[ "$(rekeyctl list-buckets --output json | grep -c InstanceId)" -ge "$1" ] || { rekeyctl list-buckets --output json; return 1; }
}

bucket_new
bucket_mount
check "filled" fill
bucket_unmount || bail "no unmount"
check "rsync -a" rsync -aH "$bucket/" "$TMPDIR/copy-rsync/"
check "tar" bash -o pipefail -c "mkdir '$TMPDIR/copy-tar' && tar -C '$bucket' -cf - . | tar -C '$TMPDIR/copy-tar' -xpf -"
check "cp -a" cp -a "$bucket" "$TMPDIR/copy-cp"
bucket_mount
for how in rsync tar cp; do
	check "the copy by $how is mounted beside the bucket" copied "$how" same
done
check "the key manager knows four instances" instances 4
bucket_unmount || bail "no unmount"
# An older copy brought up to date again.
check "rsync -a --delete brings the copy back" rsync -aH --delete "$bucket/" "$TMPDIR/copy-rsync/"
bucket_mount
check "and it is mounted" copied rsync same
finish
