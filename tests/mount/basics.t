#!/usr/bin/env bash
# POSIX through everyday tools, each with what the same does on the file system below.
. "$TOP/tests/lib/bucket.bash"
need_root; need_command python3 setfattr getfattr flock

bucket_new
bucket_mount
plain=$TMPDIR/plain
mkdir "$plain"

# same TITLE SCRIPT: run in a directory of the mount and in one of the lower file system: the same output and exit code.
number=0
same() {
	local title=$1 script=$2 one two status=0
	number=$((number + 1))
	mkdir "$mnt/$number" "$plain/$number"
	one=$(cd "$mnt/$number" && bash -c "$script" 2>&1 < /dev/null; echo "exit $?")
	two=$(cd "$plain/$number" && bash -c "$script" 2>&1 < /dev/null; echo "exit $?")
	[ "$one" = "$two" ] || status=1
	report "$status" "$title" "$(printf 'on the mount:\n%s\nelsewhere:\n%s' "$one" "$two")"
}

same "files" 'echo a > f; cat f; echo b >> f; cat f; : > f; stat -c %s f; rm f; ls; rm f'
same "directories" 'mkdir a; mkdir a/b; mkdir a; rmdir a; rmdir a/b a; ls; rmdir a; mkdir -p x/y/z; find | sort; rm -r x; ls'
same "links" 'echo a > f; ln f g; stat -c %h f g; rm f; cat g; stat -c %h g; ln . d; ln absent h; ln g g'
same "symlinks" 'ln -s target l; readlink l; cat l; stat -c %F,%s l; ln -s l m; readlink m; ln -s "$(printf %4000s x)" long; readlink long | wc -c; rm l m long; ls'
same "special files" 'mkfifo p; mknod c c 1 3; mknod b b 7 99; python3 -c "import socket; socket.socket(socket.AF_UNIX).bind(\"s\")"; stat -c "%n %F %t %T" p c b s'
same "a fifo carries data" 'mkfifo p; (echo through > p &) ; cat p'
same "rename" 'echo a > a; echo b > b; mv a b; cat b; mkdir d e; mv b d; cat d/b; mv d e; ls e/d; mkdir f; touch f/x; mv -T e f; mv -T d absent/x; ls'
same "rename over an open file" 'echo old > a; exec 3< a; echo new > b; mv b a; cat <&3; cat a'
same "rename flags" 'python3 - <<END
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def rename(a, b, flags):
	r = libc.renameat2(-100, a.encode(), -100, b.encode(), flags)
	return r or 0, ctypes.get_errno() if r else 0
open("a", "w").write("a"); open("b", "w").write("b"); os.mkdir("d")
print(rename("a", "b", 1), rename("a", "c", 1), rename("c", "b", 2), open("c").read(), open("b").read(), rename("d", "b", 2), os.path.isdir("b"), rename("b", "absent", 2))
END'
same "removed while open" 'echo a > f; exec 3<> f; rm f; ls; echo b >&3; cat /proc/self/fd/3; stat -L -c %h,%s /proc/self/fd/3'
same "directory removed while in it" 'mkdir d; cd d; rmdir ../d; touch x; ls; cd ..; ls'
same "modes" 'umask 027; touch f; mkdir d; stat -c %a f d; chmod 4751 f; chmod 1770 d; stat -c %a f d; chmod u+x,g-w f; stat -c %a f'
same "owners" 'touch f; chown 12:34 f; stat -c %u:%g f; chgrp 56 f; stat -c %u:%g f; ln -s f l; chown -h 78 l; stat -c %u l f'
same "times" 'touch -d "2001-02-03 04:05:06.123456789" f; stat -c "%y %x" f; touch -a -d 1999-01-01 f; stat -c "%y %x" f; touch -h -d 1980-01-01 -r f f; echo x >> f; [ "$(stat -c %Y f)" -gt 1600000000 ] && echo newer'
same "times far away" 'touch -d 1960-01-01 f; stat -c %Y f; touch -d 2400-01-01 f; stat -c %Y f'
same "extended attributes" 'touch f; setfattr -n user.one -v 1 f; setfattr -n user.two -v "$(printf %1000s x)" f; getfattr -d f; setfattr -x user.one f; getfattr f; getfattr -n user.one f; mkdir d; setfattr -n user.dir -v d d; getfattr -d d; setfattr -n trusted.t -v t f; getfattr -n trusted.t f'
same "truncate" 'printf abcdef > f; truncate -s 3 f; cat f; truncate -s 10 f; od -c f; truncate -s 5000 f; wc -c f; truncate -s 0 f; wc -c f'
same "fallocate" 'fallocate -l 100000 f; stat -c %s f; printf abc | dd of=f conv=notrunc status=none; fallocate -n -l 300000 f; stat -c %s f; fallocate -p -o 0 -l 4096 f; head -c 3 f | od -c; fallocate -z -o 90000 -l 50000 f; stat -c %s f; fallocate -d f; cksum f'
same "O_APPEND by two" 'for i in 1 2 3 4; do (for j in $(seq 200); do echo "$i-$j" >> f; done) & done; wait; sort f | uniq | wc -l; wc -l < f; sort -o f f'
same "locks" 'touch f; exec 3< f; flock -n 3 && echo mine; flock -n f true || echo taken; exec 3<&-; flock -n f echo free; python3 - <<END
import fcntl, os
a = os.open("f", os.O_RDWR)
fcntl.lockf(a, fcntl.LOCK_EX, 10)
if os.fork() == 0:
	b = os.open("f", os.O_RDWR)
	try:
		fcntl.lockf(b, fcntl.LOCK_EX | fcntl.LOCK_NB, 10)
		print("both")
	except OSError as e:
		print(e.errno, flush=True)
	os._exit(0)
os.wait()
END'
same "mmap" 'python3 - <<END
import mmap, os
f = os.open("f", os.O_RDWR | os.O_CREAT)
os.ftruncate(f, 10000)
m = mmap.mmap(f, 10000)
m[5000:5005] = b"hello"
print(os.pread(f, 5, 5000))
os.pwrite(f, b"HELLO", 4998)
print(m[4996:5008])
m.flush(); m.close(); os.close(f)
print(open("f", "rb").read().count(0))
END'
same "O_DIRECT" 'dd if=/dev/zero bs=4096 count=20 status=none | tr "\0" a > f; dd if=f of=g bs=8192 iflag=direct oflag=direct status=none; cmp f g; printf b | dd of=g conv=notrunc status=none; dd if=g bs=4096 count=1 iflag=direct status=none | head -c 2'
same "copy_file_range" 'head -c 300000 /dev/zero | tr "\0" x > f; python3 - <<END
import os
a = os.open("f", os.O_RDONLY); b = os.open("g", os.O_RDWR | os.O_CREAT); n = 0
while n < 300000:
	n += os.copy_file_range(a, b, 300000 - n)
END
cmp f g'
same "names" 'touch "$(printf "a\nb")" "$(printf %255s x | tr " " y)" "ä" "-x" "*"; ls | wc -l; touch "$(printf %256s x | tr " " y)" 2>&1 | tail -c 20; rm -- *; ls'
same "not a directory, and loops" 'touch f; ls f/x; mkdir f/x; ln -s l l; cat l; mkdir d; cat d; echo > d; rm d; rmdir f'
same "statfs" 'stat -f -c "%l" .; df . > /dev/null && echo df'
same "sparse files" 'truncate -s 10M f; printf x | dd of=f bs=1 seek=5000000 conv=notrunc status=none; [ "$(stat -c %b f)" -lt 1000 ] && echo sparse; cp --sparse=always f g; cmp f g'

# With the writeback cache the mount does not know yet what the kernel has.
cat > "$TMPDIR/holes.py" <<'END'
import os, sys
f = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT | os.O_TRUNC)
os.ftruncate(f, 256 * 4096)
for at in (0, 100 * 4096, 200 * 4096):
	os.pwrite(f, b"x" * 4096, at)
	assert os.lseek(f, at, os.SEEK_DATA) == at, at
at = os.lseek(f, 4096, os.SEEK_DATA)
assert 4096 <= at <= 100 * 4096, at
try:
	at = os.lseek(f, 256 * 4096, os.SEEK_DATA)
	assert False, at
except OSError as e:
	assert e.errno == 6, e
END
holes() { python3 "$TMPDIR/holes.py" "$mnt/holes"; }
check "what is written and not yet handed over is no hole" holes
copies() {
	rm -f "$mnt/source" "$mnt/copy"
	(python3 -c '
import os, sys, time
f = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
os.pwrite(f, b"d" * 2000000, 3000000)
print(flush=True)
time.sleep(5)' "$mnt/source" & echo $!; wait) | { read -r pid; read -r; cp --sparse=auto "$mnt/source" "$mnt/copy"; kill "$pid"; }
	cmp "$mnt/source" "$mnt/copy" && [ "$(tr -d '\0' < "$mnt/copy" | wc -c)" = 2000000 ]
}
check "cp of a file that somebody is writing loses nothing" copies

# Everything is still there afterwards.
tree() { (cd "$1" && find . ! -name s -printf '%p %y %m %U %G %n %s %l\n' | grep -v '^\. ' | awk '$2 == "d" { $6 = $7 = "" } { print }' | sort); }
tree "$plain" > "$TMPDIR/want"
rm -f "$mnt/holes" "$mnt/source" "$mnt/copy"
bucket_remount
check "after a remount all is as on the other file system" bash -c "$(declare -f tree); tree '$mnt' | diff - '$TMPDIR/want'"
contents() { (cd "$1" && find . -type f -print0 | sort -z | xargs -0 cksum); }
check "and every file has the same bytes" bash -c "$(declare -f contents); diff <(contents '$mnt') <(contents '$plain')"
finish
