# A keystore, a bucket and its mount, for test scripts (bash) that speak TAP:
#
#	. "$TOP/tests/lib/bucket.bash"
#	bucket_new; bucket_mount
#	check "title" command…
#	finish
#
# Everything lies under $TMPDIR: $bucket, $mnt, $REKEYFS_KEYSTORE, $log (what the mount says).
# The mount is this script's own child, $mount_pid; leaving the script in any way ends it.

. "$TOP/tests/lib/prerequisites.bash"
need_fuse
need_program rekeyfs rekeyctl

bucket=$TMPDIR/bucket mnt=$TMPDIR/mnt log=$TMPDIR/mount.log mount_pid=
export REKEYFS_KEYSTORE=$TMPDIR/keystore/keystore
tests=0 failures=0

# check TITLE COMMAND…: one test.  What a failing command printed is shown.
check() {
	local title=$1 output status=0
	shift
	output=$("$@" 2>&1 < /dev/null) || status=$?
	report "$status" "$title" "$(printf 'exit status %s\n%s' "$status" "$output")"
}

# refuse TITLE TEXT COMMAND…: the command must fail and its output contain TEXT.
refuse() {
	local title=$1 text=$2 output status=0
	shift 2
	output=$("$@" 2>&1 < /dev/null) || status=$?
	if [ "$status" -ne 0 ] && [[ $output == *"$text"* ]]; then
		report 0 "$title"
	else
		report 1 "$title" "$(printf 'exit status %s, wanted a failure that says "%s"\n%s' "$status" "$text" "$output")"
	fi
}

# report STATUS TITLE [DIAGNOSIS]
report() {
	tests=$((tests + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $tests - $2"
	else
		failures=$((failures + 1))
		echo "not ok $tests - $2"
		[ -z "${3:-}" ] || tail -n 30 <<< "$3" | sed 's/^/# /'
	fi
}

# The plan, and what the mount had to say if something failed.
finish() {
	bucket_unmount || report 1 "the bucket is unmounted at the end"
	echo "1..$tests"
	[ "$failures" -eq 0 ] || { [ ! -e "$log" ] || tail -n 20 "$log" | sed 's/^/# mount: /'; }
	exit "$((failures > 0))"
}

bail() {
	echo "Bail out! $1"
	[ ! -e "$log" ] || tail -n 20 "$log" | sed 's/^/# mount: /'
	exit 1
}

# bucket_new [OPTION…]: a keystore with a keyfile, where there is none, and an empty bucket in it.
bucket_new() {
	rekeyfs init "$bucket" "$@" > "$TMPDIR/init.log" 2>&1 || { sed 's/^/# /' "$TMPDIR/init.log"; bail "rekeyfs init failed"; }
}

# bucket_mount [OPTION…]
bucket_mount() {
	mkdir -p "$mnt"
	rekeyfs mount -f "$@" "$bucket" "$mnt" >> "$log" 2>&1 < /dev/null &
	mount_pid=$!
	local i=0
	until mountpoint -q "$mnt"; do
		i=$((i + 1))
		if [ "$i" -gt 200 ] || ! kill -0 "$mount_pid" 2>/dev/null; then
			bail "rekeyfs mount failed"
		fi
		sleep 0.05
	done
}

# Properly, and waits until everything is written.
bucket_unmount() {
	[ -n "$mount_pid" ] || return 0
	local i status=0
	for i in 1 2 3 4 5 6 7 8 9 10; do
		rekeyfs umount "$mnt" >> "$log" 2>&1 && break
		mountpoint -q "$mnt" || break
		sleep 0.2
	done
	if mountpoint -q "$mnt"; then
		return 1
	fi
	wait "$mount_pid" || status=$?
	mount_pid=
	return "$status"
}

bucket_remount() {
	bucket_unmount || bail "rekeyfs umount failed"
	bucket_mount "$@"
}

# As a crash of the process would.
bucket_kill() {
	kill -9 "$mount_pid"
	wait "$mount_pid" 2>/dev/null
	fusermount3 -u -z "$mnt" 2>/dev/null || umount -l "$mnt"
	mount_pid=
}

# What the kernel keeps of files and directories (root).
drop_caches() {
	sync -f "$mnt"
	[ "$(id -u)" -ne 0 ] || echo 3 > /proc/sys/vm/drop_caches
}

bucket_end() {
	if [ -n "$mount_pid" ] && kill -0 "$mount_pid" 2>/dev/null; then
		fusermount3 -u -z "$mnt" 2>/dev/null || umount -l "$mnt" 2>/dev/null
		local i=0
		while kill -0 "$mount_pid" 2>/dev/null && [ "$i" -lt 100 ]; do
			i=$((i + 1))
			sleep 0.1
		done
		kill -9 "$mount_pid" 2>/dev/null
	fi
}
trap bucket_end EXIT
trap 'exit 1' INT TERM HUP
