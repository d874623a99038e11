#!/usr/bin/env bash
# A keystore with a passphrase: asked for on the terminal, by the mount that goes to the background too; or read from a file or command.
. "$TOP/tests/lib/bucket.bash"
need_command python3
mkdir -p "$mnt"
printf 'correct horse\n' > "$TMPDIR/pass"
printf 'wrong\n' > "$TMPDIR/wrong"
chmod 600 "$TMPDIR/pass" "$TMPDIR/wrong"

# typed LINES COMMAND…: the command on a terminal of its own; each line is typed at a prompt.  Fails as the command does.
cat > "$TMPDIR/typed.py" <<'END'
import os, pty, select, sys, time
lines = sys.argv[1].split("|")
pid, fd = pty.fork()
if pid == 0:
	os.execvp(sys.argv[2], sys.argv[2:])
said, seen = b"", 0
until = time.time() + 60
while time.time() < until:
	if select.select([fd], [], [], 0.1)[0]:
		try:
			got = os.read(fd, 4096)
		except OSError:
			break
		if not got:
			break
		said += got
	if lines and said[seen:].rstrip(b" ").endswith(b":"):
		seen = len(said)
		time.sleep(0.1)
		os.write(fd, lines.pop(0).encode() + b"\n")
if time.time() >= until:
	os.kill(pid, 15)
_, status = os.waitpid(pid, 0)
print(said.decode(errors="replace"))
sys.exit(os.waitstatus_to_exitcode(status))
END
typed() { python3 "$TMPDIR/typed.py" "$@"; }
fails_with() {	# fails_with CODE COMMAND…
	local wanted=$1 code=0
	shift
	"$@" || code=$?
	[ "$code" -eq "$wanted" ]
}
mounted() { mountpoint -q "$mnt"; }
not() { ! "$@"; }

check "init asks for a new passphrase twice, and opens the keystore with it" typed 'correct horse|correct horse|correct horse' rekeyfs init --protector passphrase "$bucket"
check "no keyfile was made" not test -e "$REKEYFS_KEYSTORE.key"
check "mount asks, and goes to the background" typed 'correct horse' rekeyfs mount "$bucket" "$mnt"
check "it is mounted after its terminal is gone" mounted
check "and works" bash -c "echo hello > '$mnt/file' && cat '$mnt/file'"
check "umount asks nothing" rekeyfs umount "$mnt"
check "without a terminal it says so and exits with 5" fails_with 5 rekeyfs mount --no-prompt "$bucket" "$mnt"
check "a passphrase in a file" rekeyfs mount --passfile "$TMPDIR/pass" "$bucket" "$mnt"
check "opens it" test "$(cat "$mnt/file")" = hello
check "umount" rekeyfs umount "$mnt"
check "a wrong one exits with 5" fails_with 5 rekeyfs mount --passfile "$TMPDIR/wrong" "$bucket" "$mnt"
check "and mounts nothing" not mounted
check "a command that prints it" rekeyfs mount --extpass "cat '$TMPDIR/pass'" "$bucket" "$mnt"
check "opens it too" test "$(cat "$mnt/file")" = hello
check "umount again" rekeyfs umount "$mnt"
check "the options of fstab name it" rekeyfs "$bucket" "$mnt" -o "rw,passfile=$TMPDIR/pass"
check "and open it" test "$(cat "$mnt/file")" = hello
check "no process has it on its command line or in its environment" bash -c "! grep -sl 'correct horse' /proc/[0-9]*/cmdline /proc/[0-9]*/environ"
check "umount at the end" rekeyfs umount "$mnt"
code=$(rekeyfs init --passfile "$TMPDIR/pass" --recovery-code "$TMPDIR/other" | sed -n 's/^Recovery code: //p')
check "a recovery code" test "${#code}" -eq 44
printf '%s\n' "$code" > "$TMPDIR/code"
check "opens the keystore in place of the passphrase" rekeyfs mount --passfile "$TMPDIR/code" "$bucket" "$mnt"
check "umount of that" rekeyfs umount "$mnt"
finish
