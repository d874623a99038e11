#!/usr/bin/env bash
# After kill -9 of the mount's process: the mount point answers ENOTCONN, the next mount recovers by itself.
. "$TOP/tests/lib/bucket.bash"
. "$TOP/tests/lib/status.bash"
need_command python3

bucket_new
mkdir -p "$mnt"

# start TITLE
start() {
	local status=0
	rekeyfs mount --log "$log" --log-level info "$bucket" "$mnt" < /dev/null || status=$?
	report "$status" "$1"
	mount_pid=$(status_of "$mnt" Process)
}

crash() {
	kill -9 "$mount_pid"
	while [ -e "/proc/$mount_pid/stat" ] && ! grep -q '^[0-9]* (.*) Z' "/proc/$mount_pid/stat"; do sleep 0.05; done
	mount_pid=
}

answers_enotconn() {
	stat -f "$mnt" 2>&1 | grep -q 'not connected'
}

start "mounting"
python3 - "$mnt" <<'END'
import os, sys
top = sys.argv[1]
with open(top + "/synced", "wb") as f:
	f.write(b"s" * 300000)
	f.flush()
	os.fsync(f.fileno())
with open(top + "/closed", "wb") as f:
	f.write(b"c" * 5000)
END
exec 5> "$mnt/open"
instance=$(status_of "$mnt" InstanceId)
check "it has a control socket" bash -c "test -S /run/rekeyfs/$instance.sock || test \$(id -u) -ne 0"
crash
check "a killed mount answers ENOTCONN" answers_enotconn
exec 5>&-
start "the next mount recovers by itself"
check "what was synced is there" bash -c "[ \"\$(wc -c < '$mnt/synced')\" = 300000 ] && ! tr -d s < '$mnt/synced' | grep -q ."
check "what was closed is there, or its tail is not" bash -c "! tr -d c < '$mnt/closed' | grep -q ."
check "it is writable" bash -c "echo again > '$mnt/again' && rm '$mnt/again'"
check "one mount alone is in the table" test "$(grep -c " $mnt " /proc/self/mountinfo)" = 1
check "unmounting" rekeyfs umount "$mnt"; mount_pid=

for round in 1 2 3; do
	start "round $round: mounting"
	for i in 1 2 3 4 5 6 7 8 9 10; do
		head -c $((i * 3000)) /dev/zero | tr '\0' "$round" > "$mnt/file-$i"
		[ $((i % 2)) -eq 0 ] || sync "$mnt/file-$i"
	done
	crash
done
check "umount of a dead mount" rekeyfs umount "$mnt"
check "and it is gone" bash -c "! mountpoint -q '$mnt' && ! stat -f '$mnt' 2>&1 | grep -q connected"
start "mounting"
whole() {
	local i
	for i in 1 3 5 7 9; do
		[ "$(wc -c < "$mnt/file-$i")" = $((i * 3000)) ] && [ -z "$(tr -d 3 < "$mnt/file-$i")" ] || { echo "file-$i"; return 1; }
	done
}
check "every synced file is whole" whole
readable() {
	cat "$mnt"/file-* > /dev/null
}
check "every other file can be read" readable
check "unmounting" rekeyfs umount "$mnt"; mount_pid=
check "then the mount is clean again" bash -c ": > '$log'; rekeyfs mount --log '$log' --log-level info '$bucket' '$mnt' && rekeyfs umount '$mnt' && ! grep -qi 'unclean\|did not end' '$log'"
finish
