#!/usr/bin/env bash
# From mount to unmount: the background, what is refused, status, signals, read-only, idle.
. "$TOP/tests/lib/bucket.bash"
. "$TOP/tests/lib/status.bash"
need_command python3
export -f status_of

bucket_new
mkdir -p "$mnt"

# start TITLE [OPTION…]: the mount in the background, as people use it; its process is in $mount_pid.
start() {
	local title=$1 status=0
	shift
	rekeyfs mount "$@" "$bucket" "$mnt" > "$TMPDIR/out" 2>&1 < /dev/null || status=$?
	[ ! -s "$TMPDIR/out" ] || status=1
	report "$status" "$title" "$(cat "$TMPDIR/out")"
	mount_pid=$(status_of "$mnt" Process)
}

# Nobody may have taken note of its end yet.
running() {
	[ -e "/proc/$mount_pid/stat" ] && ! grep -q '^[0-9]* (.*) Z' "/proc/$mount_pid/stat"
}

stop() {
	rekeyfs umount "$mnt" && ! running
}

gone() {	# the process ends by itself
	local i=0
	while running; do
		i=$((i + 1))
		[ "$i" -lt 200 ] || { echo "process $mount_pid is still there"; return 1; }
		sleep 0.1
	done
	! mountpoint -q "$mnt"
}

ends_on() {	# ends_on SIGNAL
	kill "-$1" "$mount_pid" && gone
}

exits() {	# exits CODE COMMAND…
	local wanted=$1 code=0
	shift
	"$@" || code=$?
	[ "$code" -eq "$wanted" ] || { echo "exit code $code, wanted $wanted"; return 1; }
}

# --- the background -----------------------------------------------------------------------
start "mount returns when the mount answers"
check "and says nothing" test ! -s "$TMPDIR/out"
check "its process is not ours to wait for" test "$(ps -o ppid= -p "$mount_pid" | tr -d ' ')" != $$
check "it has no terminal and no directory of ours" test "$(readlink "/proc/$mount_pid/cwd")$(readlink "/proc/$mount_pid/fd/0")" = "//dev/null"
check "the kernel's table names the bucket and the type" test "$(findmnt -n -o SOURCE,FSTYPE "$mnt" | tr -s ' ')" = "$bucket fuse.rekeyfs"
check "it is mounted nosuid and nodev" bash -c "findmnt -n -o OPTIONS '$mnt' | grep -q nosuid.*nodev"
echo hello > "$mnt/hello"

# --- status ----------------------------------------------------------------------------------
check "status knows where" test "$(status_of "$mnt" MountPoint),$(status_of "$mnt" Bucket)" = "$mnt,$bucket"
check "status of the bucket" bash -c "rekeyfs status '$bucket' | grep -qF '$bucket on $mnt'"
check "status of all" bash -c "rekeyfs status | grep -qF '$bucket on $mnt'"
check "status of a directory inside" bash -c "mkdir '$mnt/inside' && rekeyfs status '$mnt/inside' | grep -qF '$mnt'"
check "status counts open files" bash -c "exec 5< '$mnt/hello'; [ \"\$(status_of '$mnt' OpenFiles)\" = 1 ]"
refuse "status of what is no bucket" "lies in no mounted bucket" rekeyfs status "$TMPDIR"
check "the control socket is closed to others" bash -c "[ \"\$(stat -c %a /run/rekeyfs 2>/dev/null || stat -c %a '$XDG_RUNTIME_DIR/rekeyfs')\" = 700 ]"

# --- refused ---------------------------------------------------------------------------------
mkdir -p "$TMPDIR/empty" "$TMPDIR/full" "$bucket.other"
touch "$TMPDIR/full/file" "$TMPDIR/file"
refuse "a second mount names the process" "$mount_pid" rekeyfs mount "$bucket" "$TMPDIR/empty"
refuse "and the mount point" "$mnt" rekeyfs mount "$bucket" "$TMPDIR/empty"
check "with exit code 6" exits 6 rekeyfs mount "$bucket" "$TMPDIR/empty"
refuse "a mount point in use" "mounted at $mnt already" rekeyfs mount "$bucket" "$mnt"
check "unmounting" stop
refuse "a mount point that does not exist" "does not exist" rekeyfs mount "$bucket" "$TMPDIR/absent"
refuse "a mount point that is a file" "is not a directory" rekeyfs mount "$bucket" "$TMPDIR/file"
refuse "a mount point that is not empty" "is not empty" rekeyfs mount "$bucket" "$TMPDIR/full"
refuse "a mount point inside the bucket" "inside the bucket" rekeyfs mount "$bucket" "$bucket/rekeyfs.jobs"
refuse "the bucket itself" "inside the bucket" rekeyfs mount "$bucket" "$bucket"
refuse "a mount point that holds the bucket" "inside the mount point" rekeyfs mount "$bucket" "$TMPDIR"
refuse "what is no bucket" "is no bucket" rekeyfs mount "$TMPDIR/full" "$TMPDIR/empty"
refuse "an unknown option" "no such mount option" rekeyfs mount -o nonsense "$bucket" "$mnt"
check "with exit code 2" exits 2 rekeyfs mount -o nonsense "$bucket" "$mnt"
refuse "a keystore that is not there" "there is no keystore" rekeyfs mount --keystore "$TMPDIR/none" "$bucket" "$mnt"
refuse "unmounting what is not mounted" "is not mounted" rekeyfs umount "$mnt"
refuse "unmounting another file system" "not of a bucket" rekeyfs umount /proc
check "nothing is mounted after all that" bash -c "! mountpoint -q '$mnt' && ! mountpoint -q '$TMPDIR/empty'"

# --- the configuration --------------------------------------------------------------------------
mkdir -p "$XDG_CONFIG_HOME/rekeyfs"
echo '[mount]
nonsense = 1' > "$XDG_CONFIG_HOME/rekeyfs/rekeyfs.ini"
refuse "an unknown key names its line" "rekeyfs.ini:2" rekeyfs mount "$bucket" "$mnt"
echo '[mount]
options = ro' > "$XDG_CONFIG_HOME/rekeyfs/rekeyfs.ini"
start "options of the configuration hold"
check "read-only" bash -c "! touch '$mnt/new' 2>/dev/null && [ \"\$(cat '$mnt/hello')\" = hello ]"
check "unmounting a read-only mount" stop
start "the command line wins" -o rw
check "read-write" touch "$mnt/new"
check "unmounting that" stop
rm "$XDG_CONFIG_HOME/rekeyfs/rekeyfs.ini"

# --- read-only beside the one that writes ----------------------------------------------------------
start "mounting"
check "a read-only mount beside it" rekeyfs mount -r "$bucket" "$TMPDIR/empty"
echo later > "$mnt/later"; sync "$mnt/later"
follows() {
	local i
	for i in 1 2 3 4 5 6 7 8 9 10; do
		[ "$(cat "$TMPDIR/empty/later" 2>/dev/null)" != later ] || return 0
		sleep 0.5
	done
	return 1
}
check "sees what is written" follows
check "each has its own status" test "$(status_of "$TMPDIR/empty" ReadOnly),$(status_of "$mnt" ReadOnly)" = True,False
check "unmounting the read-only one alone" bash -c "rekeyfs umount '$TMPDIR/empty' && mountpoint -q '$mnt'"

# --- in use --------------------------------------------------------------------------------------------
sleep 100 < "$mnt/hello" & reader=$!
(cd "$mnt/inside" && exec sleep 100) & inside=$!
sleep 0.3
said=$(rekeyfs umount "$mnt" 2>&1); code=$?
check "a busy mount stays" mountpoint -q "$mnt"
check "with exit code 6" test "$code" -eq 6
names() { grep -q "$1" <<< "$said" || { echo "$said"; return 1; }; }
check "who has a file open is named" names "process $reader (sleep) has a file open: $mnt/hello"
check "who has a directory there is named" names "process $inside (sleep) has its current directory"
kill "$reader" "$inside"; wait "$reader" "$inside" 2>/dev/null
check "then it unmounts" stop

start "mounting for a lazy unmount"
exec 5<> "$mnt/hello"
check "a lazy unmount returns at once" bash -c "rekeyfs umount --lazy '$mnt' && ! mountpoint -q '$mnt'"
check "what is open can still be written" bash -c 'echo longer >&5'
exec 5>&-
check "and then it ends" gone
check "nothing is lost" bash -c "rekeyfs mount '$bucket' '$mnt' && [ \"\$(cat '$mnt/hello')\" = longer ] && rekeyfs umount '$mnt'"

# --- signals ----------------------------------------------------------------------------------------------
for signal in TERM INT HUP; do
	start "mounting to be ended by SIG$signal"
	echo "$signal" > "$mnt/$signal"
	check "SIG$signal unmounts" ends_on "$signal"
done
start "mounting to be ended in use"
exec 5> "$mnt/open"
echo kept >&5
check "SIGTERM ends a mount in use" ends_on TERM
check "who has it open is told" bash -c '! sync /dev/fd/5'
exec 5>&-
start "mounting again"
check "what was written before is there" test "$(cat "$mnt/TERM" "$mnt/INT" "$mnt/HUP" "$mnt/open" | tr '\n' ' ')" = "TERM INT HUP kept "
check "umount(8) works as well" umount "$mnt"
check "and the process ends" gone

# --- idle, and the form of mount(8) ----------------------------------------------------------------------------
start "mounting with --idle" --idle 2
check "it unmounts itself" gone
check "the form of mount(8)" bash -c "rekeyfs '$bucket' '$mnt' -o rw,noatime,x-systemd.automount,user && touch '$mnt/form' && rekeyfs umount '$mnt'"
check "a log file" bash -c "rekeyfs mount --log '$TMPDIR/log' --log-level info '$bucket' '$mnt' && rekeyfs umount '$mnt' && grep -q 'ended cleanly' '$TMPDIR/log'"
check "no plaintext name is in it" bash -c "! grep -e hello -e inside '$TMPDIR/log'"
check "a clean end is noted" bash -c "! grep -qi unclean '$TMPDIR/log'"
mount_pid=
finish
