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

check "what was just written is read from the page cache" test "$(asked READ -- cat "$mnt/big")" = 0
drop_caches
check "a cold read is asked for in pieces of at most 1 MiB, not more often" test "$(asked READ -- cat "$mnt/big")" -le 8
check "a warm read asks for nothing" test "$(asked READ -- cat "$mnt/big")" = 0
check "nor does a read after the file was closed and opened" test "$(asked READ -- sh -c "cat '$mnt/big'; cat '$mnt/big'")" = 0
bucket_remount
check "find -ls opens no file" test "$(asked OPEN READ -- find "$mnt" -ls)" = 0
check "and finds all with READDIRPLUS" test "$(asked LOOKUP -- find "$mnt/tree" -ls)" -le 1
check "again it asks for next to nothing" test "$(asked LOOKUP GETATTR READDIR READDIRPLUS -- find "$mnt/tree" -ls)" -le 2
check "absent names are remembered" test "$(sh -c "test -e '$mnt/absent'"; asked LOOKUP -- sh -c "test -e '$mnt/absent'")" = 0
check "closing costs no request" test "$(asked FLUSH -- cat "$mnt/big")" = 0
one_write() {
	python3 -c '
import os, sys
f = os.open(sys.argv[1], os.O_RDWR)
for i in range(100):
	os.pwrite(f, b"x" * 4096, i * 4096)
os.close(f)' "$mnt/big"
}
check "a hundred small writes ask for no capability a write" test "$(asked GETXATTR -- one_write)" -le 2
check "and go out together" test "$(asked WRITE -- one_write)" -le 4

bucket_remount
check "find -ls opens no lower file" test "$(lower open,openat,openat2 find "$mnt" -ls 2>/dev/null | grep -v O_DIRECTORY | grep -vc O_PATH)" = 0
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
