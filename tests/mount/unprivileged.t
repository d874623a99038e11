#!/usr/bin/env bash
# A mount by an ordinary user, through fusermount3.  Where /dev/fuse is not open to all, a node that is lies over it in a
# mount namespace of this test's own.
. "$TOP/tests/lib/prerequisites.bash"
need_root; need_fuse; need_program rekeyfs; need_command setpriv unshare fusermount3

if [ "${1:-}" != inside ]; then
	exec unshare -m --propagation private "$0" inside
fi

user=54321
chmod 755 "$TMPDIR"
if [ "$(stat -c %a /dev/fuse)" != 666 ]; then
	mount -t tmpfs -o mode=755 none "$TMPDIR/" && mkdir -p "$TMPDIR/runtime" && mknod -m 666 "$TMPDIR/fuse" c 10 229 && mount --bind "$TMPDIR/fuse" /dev/fuse ||
		{ echo "1..0 # SKIP cannot make a device node that is open to all"; exit 0; }
fi
# fusermount3 wants to know the user's name.
cp /etc/passwd "$TMPDIR/passwd" && echo "scratch:x:$user:$user::/nonexistent:/bin/false" >> "$TMPDIR/passwd" && mount --bind "$TMPDIR/passwd" /etc/passwd
home=$TMPDIR/home bucket=$TMPDIR/home/bucket mnt=$TMPDIR/home/mnt
mkdir -p "$home" "$mnt" "$home/run"
chown -R $user:$user "$home"
chmod 700 "$home/run"

tests=0 failures=0
report() {
	tests=$((tests + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $tests - $2"
	else
		failures=$((failures + 1))
		echo "not ok $tests - $2"
		sed 's/^/# /' <<< "${3:-}"
	fi
}
as() {
	setpriv --reuid $user --regid $user --clear-groups env -u REKEYFS_KEYSTORE -u XDG_DATA_HOME -u XDG_CONFIG_HOME HOME="$home" XDG_RUNTIME_DIR="$home/run" "$@"
}
check() {
	local title=$1 output status=0
	shift
	output=$("$@" 2>&1 < /dev/null) || status=$?
	report $status "$title" "$output"
}
not() { ! "$@"; }
end() { mountpoint -q "$mnt" && umount -l "$mnt"; }
trap end EXIT

check "init" as rekeyfs init "$bucket"
check "the keystore is the user's" test "$(stat -c %u:%a "$home/.local/share/rekeyfs/keystore.key")" = $user:600
check "mount" as rekeyfs mount "$bucket" "$mnt"
check "the table says whose it is" grep -q " $mnt .* - fuse.rekeyfs .*user_id=$user" /proc/self/mountinfo
check "writing" as sh -c "echo hello > '$mnt/file' && mkdir '$mnt/dir' && ln -s file '$mnt/link' && cp -a /etc/services '$mnt/dir/'"
check "reading" as sh -c "[ \"\$(cat '$mnt/link')\" = hello ] && cmp /etc/services '$mnt/dir/services'"
check "a mode that forbids reading" as sh -c "chmod 000 '$mnt/file' && ! cat '$mnt/file' 2>/dev/null"
check "and allows it again" as sh -c "chmod 600 '$mnt/file' && cat '$mnt/file'"
check "a file without write permission can be made and written" as sh -c "umask 377; echo once > '$mnt/once' && [ \"\$(cat '$mnt/once')\" = once ]"
check "root stays out" not ls "$mnt"
check "status" as sh -c "rekeyfs status '$mnt' | grep -qF '$mnt'"
check "the socket is in the user's runtime directory" test "$(stat -c %a "$home/run/rekeyfs")" = 700
check "a busy mount names who" as sh -c "cd '$mnt/dir' && sleep 20 & sleep 0.5; rekeyfs umount '$mnt' 2>&1 | grep -q 'process.*current directory'; code=\$?; kill \$!; exit \$code"
check "umount" as rekeyfs umount "$mnt"
check "it is gone" not mountpoint -q "$mnt"
check "mount again" as rekeyfs mount "$bucket" "$mnt"
check "everything is there" as sh -c "[ \"\$(cat '$mnt/file' '$mnt/once')\" = 'hello
once' ]"
pid=$(as rekeyfs status --json "$mnt" | sed -n 's/.*"Process": \([0-9]*\).*/\1/p')
check "SIGTERM unmounts" bash -c "kill $pid; for i in \$(seq 100); do kill -0 $pid 2>/dev/null || exit 0; sleep 0.1; done; exit 1"
check "properly" not mountpoint -q "$mnt"
check "mount for a crash" as rekeyfs mount "$bucket" "$mnt"
pid=$(as rekeyfs status --json "$mnt" | sed -n 's/.*"Process": \([0-9]*\).*/\1/p')
kill -9 "$pid"
sleep 0.3
check "a dead mount is detached by the next" as rekeyfs mount "$bucket" "$mnt"
check "which works" as test -e "$mnt/file"
check "umount at the end" as rekeyfs umount "$mnt"
check "without a runtime directory the socket is in /tmp" as env -u XDG_RUNTIME_DIR sh -c "rekeyfs mount '$bucket' '$mnt' && test -S /tmp/rekeyfs-$user/*.sock && rekeyfs umount '$mnt'"
rmdir "/tmp/rekeyfs-$user" 2>/dev/null
refused=$(as rekeyfs mount -o allow_other "$bucket" "$mnt" 2>&1)
if grep -q '^user_allow_other' /etc/fuse.conf 2>/dev/null; then
	as rekeyfs umount "$mnt"
	report 0 "allow_other # SKIP /etc/fuse.conf allows it here"
else
	grep -q allow_other <<< "$refused"
	report $? "a refused allow_other says why" "$refused"
fi
echo "1..$tests"
exit $((failures > 0))
