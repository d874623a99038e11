#!/usr/bin/env bash
# Names: every byte but / and NUL, 1 to 255 bytes, UTF-8, names that mean something to the
# bucket; created, listed, found, renamed, linked, removed, after a remount too.
. "$TOP/tests/lib/bucket.bash"
need_command python3

names() {
	python3 - "$@" <<-'END'
	import os, sys
	verb, where = sys.argv[1], os.fsencode(sys.argv[2])
	names = [bytes([b]) for b in range(1, 256) if b not in b"/."]		# each byte alone
	names += [b"pair-" + bytes([b, b]) + b"-" for b in range(1, 256) if b != 47]
	names += [bytes([65 + n % 26]) * n for n in range(2, 256)]			# each length
	names += [bytes([b]) * 255 for b in (1, 0xff, 0x80, 0x0a)]
	names += [bytes(b for b in range(1, 256) if b != 47)]			# all of them at once
	names += [t.encode() for t in ("Grüße", "日本語のファイル名", "é" * 127, "𝄞" * 63, "e\u0301", "\u00e9", "имя файла", "مرحبا")]
	names += [b"...", b".hidden", b" ", b"  lead", b"trail ", b"-rf", b"*", b"a\nb", b"CON", b"x.name", b"~", b"..a"]
	names += [b"rekeyfs.bucket", b"rekeyfs.dir", b"rekeyfs.state", b"rekeyfs.jobs", b"rekeyfs.", b"rekeyfs"]
	names = list(dict.fromkeys(names))

	def content(name):
	    return b"this is " + name

	def path(name):
	    return os.path.join(where, name)

	def same(got, want):
	    if got != want:
	        sys.exit(f"{len(got)} bytes or names, wanted {len(want)}; {list(got)[:1]} {list(want)[:1]}")

	def check_all(change=lambda n: n):
	    same(set(os.listdir(where)), set(map(change, names)))
	    for n in names:
	        with open(path(change(n)), "rb") as f:
	            same(f.read(), content(n))

	if verb == "create":
	    os.mkdir(where)
	    for n in names:
	        with open(path(n), "xb") as f:
	            f.write(content(n))
	    check_all()
	elif verb == "check":
	    check_all()
	elif verb == "exists":
	    for n in names:
	        try:
	            os.close(os.open(path(n), os.O_CREAT | os.O_EXCL | os.O_WRONLY))
	            sys.exit(f"{n} twice")
	        except FileExistsError:
	            pass
	elif verb == "rename":		# to names of the same length, and back
	    turned = lambda n: bytes(b ^ 1 if b not in (1, 46, 47) else b for b in n) + (b"" if len(n) == 255 else b"+")
	    other = where + b".turned"
	    os.mkdir(other)
	    for n in names:
	        os.rename(path(n), os.path.join(other, turned(n)))
	    same(set(os.listdir(where)), set())
	    same(set(os.listdir(other)), set(map(turned, names)))
	    for n in names:
	        os.rename(os.path.join(other, turned(n)), path(n))
	    os.rmdir(other)
	    check_all()
	elif verb == "directories":
	    os.mkdir(where)
	    for n in names:
	        os.mkdir(path(n))
	        os.symlink(n, os.path.join(path(n), n))
	        if os.readlink(os.path.join(path(n), n)) != n:
	            sys.exit(f"the link {n} reads wrong")
	    same(set(os.listdir(where)), set(names))
	elif verb == "links":
	    os.mkdir(where + b".links")
	    for n in names:
	        os.link(path(n), os.path.join(where + b".links", n))
	        if os.stat(path(n)).st_nlink != 2:
	            sys.exit("not two links")
	    same(set(os.listdir(where + b".links")), set(names))
	elif verb == "remove":
	    for d in (where, where + b".links"):
	        for n in names:
	            os.unlink(os.path.join(d, n))
	        same(set(os.listdir(d)), set())
	        os.rmdir(d)
	END
}

# No plaintext name (four As alone come up by chance, once in a hundred runs), and no name too long for the lower filesystem's other users.
no_plain_names() {
	! find "$bucket" -mindepth 1 -printf '%f\n' | grep -a -e 'pair-' -e Grüße -e AAAAAAAA -e hidden
}

bucket_new
bucket_mount
check "created and read" names create "$mnt/n"
check "each exists" names exists "$mnt/n"
check "renamed and back" names rename "$mnt/n"
check "as directories with links of the same name" names directories "$mnt/d"
check "hard links" names links "$mnt/n"
check "no plaintext name in the bucket" no_plain_names
bucket_remount
drop_caches
check "read after a remount" names check "$mnt/n"
refuse "256 bytes are too many" "too long" touch "$mnt/$(printf 'x%.0s' {1..256})"
check "removed" names remove "$mnt/n"
check "the directories removed" rm -r "$mnt/d"
# Long names have a second lower entry: none may stay behind.
left() {
	[ -z "$(find "$bucket" -mindepth 1 ! -name 'rekeyfs.*' ! -path "$bucket/rekeyfs.*")" ] || { find "$bucket"; return 1; }
}
check "nothing is left in the bucket" left
finish
