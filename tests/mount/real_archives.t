#!/usr/bin/env bash
# tar and rsync into a mount and out of it: modes, owners, times, ACLs, extended attributes,
# hard links, symbolic links, special files, all as they were.
. "$TOP/tests/lib/bucket.bash"
need_root
need_command tar rsync setfacl getfacl setfattr getfattr

source_tree() {
	mkdir -p "$1"/{a/b/c,empty,"name with spaces"} && cd "$1" || return
	seq 1 20000 > a/numbers
	head -c 300000 /dev/urandom > a/b/random
	ln a/numbers a/b/hard
	ln a/numbers "name with spaces/hard too"
	ln -s numbers a/link
	ln -s /nowhere/at/all a/dangling
	ln -s "$(printf 'x%.0s' {1..200})" a/long-link
	mkfifo a/fifo
	mknod a/null c 1 3
	python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("a/socket")'
	: > empty/file
	chmod 0640 a/numbers; chmod 4755 a/b/random; chmod 1777 empty; chmod 0000 empty/file
	chown 1234:5678 a/b/random; chown -h 1234:5678 a/link
	touch -d '2001-02-03 04:05:06.123456789' a/b/random; touch -h -d '1999-12-31 23:59:59.5' a/link
	setfattr -n user.comment -v 'a few words' a/b/random; setfattr -n user.binary -v 0x00ff0a a/b/random
	setfattr -n trusted.of-root -v secret a/b; setfattr -n user.on-a-directory -v yes a
	setfattr -n user.long -v "$(head -c 2000 /dev/zero | tr '\0' v)" a/numbers
	setfacl -m u:1234:r--,g:5678:rw- a/b/random; setfacl -d -m u:1234:rwx a/b/c
	touch -d '2005-06-07 08:09:10' a/b a/b/c empty a
	cd - > /dev/null
}

# Everything that a copy must keep, as text: `find` for what stat tells, then ACLs and attributes.
# tar leaves sockets out.
facts() {
	(
		cd "$1" || exit
		find . -type s -prune -o \( -type d -printf '%P %y %m %U:%G %T@\n' \) -o -printf '%P %y %m %U:%G %T@ %n %l %s\n' | sort
		find . ! -type l ! -type s -print0 | sort -z | xargs -0 getfacl -n -p
		find . \( -type f -o -type d \) -print0 | sort -z | xargs -0 getfattr -d -m '^(user|trusted)\.' -e hex 2>&1
		find . -type f -print0 | sort -z | xargs -0 sha256sum
	)
}

same() {
	facts "$1" > "$TMPDIR/facts.one" && facts "$2" > "$TMPDIR/facts.two" && diff "$TMPDIR/facts.one" "$TMPDIR/facts.two"
}

hard_links() {
	[ "$(stat -c %i "$1/a/numbers")" = "$(stat -c %i "$1/a/b/hard")" ] &&
	[ "$(stat -c %i "$1/a/numbers")" = "$(stat -c %i "$1/name with spaces/hard too")" ] && [ "$(stat -c %h "$1/a/numbers")" = 3 ]
}

tar_copy() {
	mkdir -p "$2" && tar -C "$1" --xattrs --xattrs-include='*' --acls -cf - . | tar -C "$2" --xattrs --xattrs-include='*' --acls -xpf -
}

in=$TMPDIR/in
source_tree "$in" || bail "no source tree"
bucket_new
bucket_mount -o dev,suid

check "rsync -aHAX in" rsync -aHAX "$in/" "$mnt/rsync/"
check "rsync in: everything is as it was" same "$in" "$mnt/rsync"
check "rsync in: the socket" test -S "$mnt/rsync/a/socket"
check "rsync in: hard links" hard_links "$mnt/rsync"
check "rsync -c finds nothing to do" bash -c "[ -z \"\$(rsync -aHAXci '$in/' '$mnt/rsync/')\" ]"
check "tar in" tar_copy "$in" "$mnt/tar"
check "tar in: everything is as it was" same "$in" "$mnt/tar"
check "tar in: hard links" hard_links "$mnt/tar"

bucket_remount -o dev,suid
drop_caches
check "after a remount: everything is as it was" same "$in" "$mnt/rsync"
check "after a remount: hard links" hard_links "$mnt/rsync"
check "rsync -aHAX out" rsync -aHAX "$mnt/rsync/" "$TMPDIR/out-rsync/"
check "rsync out: everything is as it was" same "$in" "$TMPDIR/out-rsync"
check "tar out" tar_copy "$mnt/tar" "$TMPDIR/out-tar"
check "tar out: everything is as it was" same "$in" "$TMPDIR/out-tar"
check "rsync within the mount" rsync -aHAX "$mnt/rsync/" "$mnt/again/"
check "within: everything is as it was" same "$in" "$mnt/again"
check "rsync --delete" bash -c "rm -r '$in/a/b' && touch -d '2007-08-09 10:11:12' '$in/a' && rsync -aHAX --delete '$in/' '$mnt/rsync/' && [ ! -e '$mnt/rsync/a/b' ]"
check "after --delete: everything is as it was" same "$in" "$mnt/rsync"
finish
