#!/usr/bin/env bash
# A running mount and the states of its keys: noticed within a second or two, by the timer.
. "$TOP/tests/lib/bucket.bash"
. "$TOP/tests/lib/status.bash"
need_command python3

within() {	# within SECONDS COMMAND…: it comes true
	local end=$((SECONDS + $1))
	shift
	until "$@" 2>/dev/null; do
		[ "$SECONDS" -lt "$end" ] || { echo "not within the time"; return 1; }
		sleep 0.2
	done
}
not() { ! "$@"; }
errno_of() {	# errno_of FILE: opening and reading it
	python3 -c '
import sys
try:
	open(sys.argv[1], "rb").read()
	print(0)
except OSError as e:
	print(e.errno)' "$1"
}
gives() { [ "$(errno_of "$2")" = "$1" ]; }
ENOKEY=126

export REKEYFS_CLOCK_FILE=$TMPDIR/clock
echo 0 > "$REKEYFS_CLOCK_FILE"
bucket_new
key=$(rekeyctl create-key --alias-name alias/second --output json | sed -n 's/.*"KeyId": "\([^"]*\)".*/\1/p')
bucket_mount
mkdir "$mnt/other"
check "a directory under a second key" rekeyfs policy set "$mnt/other" --key alias/second
echo first > "$mnt/first"
echo second > "$mnt/other/second"

# The kernel holds what was written here: it must not be lost by disabling the key.
python3 -c '
import os, sys, time
f = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
os.pwrite(f, b"w" * 500000, 0)
print(flush=True)
time.sleep(600)' "$mnt/other/dirty" > "$TMPDIR/written" & writer=$!
within 10 test -s "$TMPDIR/written" > /dev/null
check "disabling it" rekeyctl disable-key --key-id "$key"
check "is noticed: ENOKEY" within 5 gives $ENOKEY "$mnt/other/second"
check "names and attributes stay" test "$(stat -c %s "$mnt/other/second")" = 7
check "other files are as before" test "$(cat "$mnt/first")" = first
check "and can be made" bash -c "echo more > '$mnt/more'"
check "none is made under it" not touch "$mnt/other/new"
check "what somebody has open gives ENOKEY too" within 5 gives $ENOKEY "$mnt/other/dirty"
kill "$writer"; wait "$writer" 2>/dev/null
check "enabling it" rekeyctl enable-key --key-id "$key"
check "its files can be read again" within 5 gives 0 "$mnt/other/second"
check "with what they held" test "$(cat "$mnt/other/second")" = second
check "what was dirty when it was disabled is there" test "$(tr -d w < "$mnt/other/dirty" | wc -c),$(wc -c < "$mnt/other/dirty")" = 0,500000

rekeyctl enable-key-rotation --key-id "$key" --rotation-period-in-days 90
# rekeyctl would do what is due by itself: the events are read as they lie there.
rotated() { grep -q '"eventName":"RotateKey"' "$REKEYFS_KEYSTORE.events"; }
check "nothing is due yet" not rotated
echo $((91 * 86400)) > "$REKEYFS_CLOCK_FILE"
check "the mount does due work when the clock moves" within 10 rotated
check "and goes on" bash -c "echo after > '$mnt/other/after' && cat '$mnt/other/after'"

root=$(rekeyctl describe-key --key-id alias/rekeyfs --output json | sed -n 's/.*"KeyId": "\([^"]*\)".*/\1/p')
check "disabling the root policy's key" rekeyctl disable-key --key-id "$root"
check "locks the whole bucket" within 5 gives $ENOKEY "$mnt/other/second"
check "and new files" not touch "$mnt/other/newer"
check "enabling it" rekeyctl enable-key --key-id "$root"
check "opens it again" within 5 gives 0 "$mnt/other/second"
check "for writing too" within 5 touch "$mnt/other/newer"
finish
