#!/usr/bin/env bash
# What the kernel asks the mount for, and what the mount asks the lower file system for: counted, not timed.
. "$TOP/tests/lib/bucket.bash"
. "$TOP/tests/lib/status.bash"
need_root; need_command python3 strace

bucket_new
bucket_mount

# asked KIND… COMMAND after --: how many requests of these kinds the command causes.
asked() {
	local kinds=() before=0 after=0 kind
	while [ "$1" != -- ]; do
		kinds+=("$1")
		shift
	done
	shift
	for kind in "${kinds[@]}"; do before=$((before + $(status_of "$mnt" "Requests.$kind"))); done
	"$@" > /dev/null
	for kind in "${kinds[@]}"; do after=$((after + $(status_of "$mnt" "Requests.$kind"))); done
	echo $((after - before))
}

# lower CALLS COMMAND…: the mount's system calls of these kinds meanwhile, one a line.
lower() {
	local calls=$1 tracer
	shift
	strace -f -qq -e trace="$calls" -e signal=none -o "$TMPDIR/trace" -p "$mount_pid" &
	tracer=$!
	while ! grep -q '^TracerPid:[[:space:]]*[1-9]' "/proc/$mount_pid/status"; do sleep 0.05; done
	sleep 0.3
	"$@"
	sleep 0.5
	kill "$tracer"
	wait "$tracer" 2>/dev/null
	grep -v -e 'keystore' -e 'rekeyfs.state' "$TMPDIR/trace" | grep '('
}

head -c 3000000 /dev/urandom > "$mnt/big"
mkdir "$mnt/tree"
for i in $(seq 50); do echo "$i" > "$mnt/tree/$i"; done

# at_most N KIND… -- COMMAND
at_most() {
	local most=$1 count
	shift
	count=$(asked "$@")
	[ "$count" -le "$most" ] || { echo "$count requests"; return 1; }
}

# The same where other tests may drop the kernel's caches meanwhile: it is enough that it holds once.
warm() {
	local i
	for i in 1 2 3 4 5; do
		at_most "$@" && return
	done
	return 1
}

written_then_read() {
	local i
	for i in 1 2 3 4 5; do
		head -c 3000000 /dev/urandom > "$mnt/big"
		at_most 0 READ -- cat "$mnt/big" && return
	done
	return 1
}
check "what was just written is read from the page cache" written_then_read
drop_caches
check "a cold read is asked for in pieces of at most 1 MiB, not more often" at_most 8 READ -- cat "$mnt/big"
check "a warm read asks for nothing" warm 0 READ -- cat "$mnt/big"
check "nor does a read after the file was closed and opened" warm 0 READ -- sh -c "cat '$mnt/big'; cat '$mnt/big'"
bucket_remount
check "find -ls opens no file" at_most 0 OPEN READ -- find "$mnt" -ls
check "and finds all with READDIRPLUS" at_most 1 LOOKUP -- find "$mnt/tree" -ls
check "again it asks for no name and no listing" warm 0 LOOKUP READDIR READDIRPLUS -- find "$mnt/tree" -ls
test -e "$mnt/absent"
check "absent names are remembered" warm 0 LOOKUP -- sh -c "! test -e '$mnt/absent'"
cat "$mnt/big" > /dev/null	# the first close asks whether it needs to
check "closing costs no request" at_most 0 FLUSH -- cat "$mnt/big"
one_write() {
	python3 -c '
import os, sys
f = os.open(sys.argv[1], os.O_RDWR)
for i in range(100):
	os.pwrite(f, b"x" * 4096, i * 4096)
os.close(f)' "$mnt/big"
}
check "a hundred small writes ask for no capability a write" at_most 2 GETXATTR -- one_write
check "and go out together" at_most 4 WRITE -- one_write

bucket_remount
lower open,openat,openat2 find "$mnt" -ls > "$TMPDIR/calls"
opens_directories_alone() { ! grep open "$TMPDIR/calls" | grep -v -e O_DIRECTORY -e O_PATH; }
check "find -ls opens no lower file" opens_directories_alone
printf x > "$mnt/first"	# the bucket key is made, libraries are loaded
small() { printf %1024s x > "$mnt/small"; }
lower open,openat,openat2,pwrite64,pwritev,pwritev2,write small > "$TMPDIR/calls"
check "a small file is one lower open" test "$(grep -c open "$TMPDIR/calls")" = 1
check "and one write" test "$(grep -c write "$TMPDIR/calls")" = 1
check "of tag page and data" grep -q 'write.*= 5120' "$TMPDIR/calls"
sed 's/^/# /' "$TMPDIR/calls"
overwrite() { printf %1024s y | dd of="$mnt/small" conv=notrunc,fsync status=none; }
sync "$mnt/small"
lower fsync,fdatasync,sync_file_range overwrite > "$TMPDIR/calls"
check "an overwritten block and its fsync are one lower sync" test "$(grep -c sync "$TMPDIR/calls")" = 1
finish
