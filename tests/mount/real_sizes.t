#!/usr/bin/env bash
# Files of all the sizes at which something begins or ends, sparse files, holes.
. "$TOP/tests/lib/bucket.bash"
need_command python3 fallocate
sizes="0 1 2 15 16 17 4095 4096 4097 8191 8192 8193 $((63 * 4096)) $((64 * 4096 - 1)) $((64 * 4096)) $((64 * 4096 + 1)) $((65 * 4096)) $((128 * 4096 + 1)) 1048575 5000001"

data() {	# data SIZE: the same bytes each time
	openssl enc -aes-128-ctr -K 00000000000000000000000000000000 -iv 00000000000000000000000000000000 -in /dev/zero 2>/dev/null | head -c "$1"
}

write_all() {
	local size
	for size in $sizes; do
		data "$size" > "$mnt/size-$size" || return
	done
}

read_all() {
	local size
	for size in $sizes; do
		[ "$(stat -c %s "$mnt/size-$size")" = "$size" ] || { echo "size-$size has $(stat -c %s "$mnt/size-$size") bytes"; return 1; }
		data "$size" | cmp - "$mnt/size-$size" || return
	done
}

# Cut to each size from the largest, and grow from nothing: what is behind the end is zeros.
resize_all() {
	local size
	for size in $sizes; do
		data 5000001 > "$mnt/cut" && truncate -s "$size" "$mnt/cut" && data "$size" | cmp - "$mnt/cut" || return
		truncate -s 5000001 "$mnt/cut" && { data "$size"; head -c $((5000001 - size)) /dev/zero; } | cmp - "$mnt/cut" || return
		rm -f "$mnt/grown"
		truncate -s "$size" "$mnt/grown" && head -c "$size" /dev/zero | cmp - "$mnt/grown" || return
	done
	rm "$mnt/cut" "$mnt/grown"
}

append_all() {
	local size
	: > "$mnt/appended"; : > "$TMPDIR/appended"
	for size in $sizes; do
		data "$size" | head -c 70000 >> "$mnt/appended" && data "$size" | head -c 70000 >> "$TMPDIR/appended" || return
	done
	cmp "$TMPDIR/appended" "$mnt/appended"
}

# usage FILE BELOW: fewer than BELOW KiB are used
usage() {
	local used
	used=$(du -k "$1" | cut -f1)
	[ "$used" -lt "$2" ] || { echo "$used KiB are used"; return 1; }
}

sparse_copy() {
	truncate -s 40M "$TMPDIR/sparse" && data 10000 | dd of="$TMPDIR/sparse" bs=1 seek=5000000 conv=notrunc status=none &&
	data 300000 | dd of="$TMPDIR/sparse" bs=4096 seek=5000 conv=notrunc status=none &&
	cp --sparse=always "$TMPDIR/sparse" "$mnt/sparse" && cmp "$TMPDIR/sparse" "$mnt/sparse" && usage "$mnt/sparse" 4000 &&
	cp --sparse=always "$mnt/sparse" "$mnt/sparse.2" && cmp "$TMPDIR/sparse" "$mnt/sparse.2" && usage "$mnt/sparse.2" 4000 &&
	cp --sparse=auto "$mnt/sparse" "$TMPDIR/back" && cmp "$TMPDIR/sparse" "$TMPDIR/back" && usage "$TMPDIR/back" 4000
}

tebibyte() {
	python3 - "$mnt/tebibyte" <<-'END'
	import os, sys
	size, at = 1 << 40, (0, 12345, 5 << 30, (1 << 39) + 4095, (1 << 40) - 5000)
	fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o644)
	os.ftruncate(fd, size)
	for offset in at:
	    os.pwrite(fd, b"here is %d" % offset + bytes(3000), offset)
	os.fsync(fd)
	assert os.fstat(fd).st_size == size, os.fstat(fd).st_size
	for offset in at:
	    text = b"here is %d" % offset
	    assert os.pread(fd, len(text), offset) == text, offset
	for offset in (70000, 1 << 30, 3 << 38, size - 100000):
	    assert os.pread(fd, 5000, offset) == bytes(5000), offset
	assert os.pread(fd, 10, size) == b""
	# The holes are found without reading a tebibyte.
	found, offset = [], 0
	while True:
	    try:
	        offset = os.lseek(fd, offset, os.SEEK_DATA)
	    except OSError:
	        break
	    end = os.lseek(fd, offset, os.SEEK_HOLE)
	    found.append((offset, end))
	    offset = end
	    assert len(found) < 20, found
	for offset in at:
	    assert any(a <= offset < b for a, b in found), (offset, found)
	assert sum(b - a for a, b in found) < 16 << 20, found
	END
}

tebibyte_again() {
	[ "$(stat -c %s "$mnt/tebibyte")" = $((1 << 40)) ] && [ "$(tail -c 5000 "$mnt/tebibyte" | head -c 7)" = "here is" ] && usage "$mnt/tebibyte" 4000
}

punch() {
	python3 - "$mnt/punched" <<-'END'
	import ctypes, os, random, sys
	libc = ctypes.CDLL(None, use_errno=True)
	libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_long]
	rng, size = random.Random(5), 3_000_000
	mirror = bytearray(rng.randbytes(size))
	fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
	os.pwrite(fd, bytes(mirror), 0)
	for turn in range(150):
	    offset, length = rng.randrange(size), rng.choice((1, 100, 4096, 8192, 300000, rng.randrange(1, 70000)))
	    length = min(length, len(mirror) - offset)
	    if turn % 3:
	        assert libc.fallocate(fd, 3, offset, length) == 0, os.strerror(ctypes.get_errno())
	        mirror[offset:offset + length] = bytes(length)
	    else:
	        data = rng.randbytes(length)
	        os.pwrite(fd, data, offset)
	        mirror[offset:offset + length] = data
	    if turn % 20 == 0:
	        os.fsync(fd)
	    if turn % 10 == 0:
	        got = os.pread(fd, size + 1, 0)
	        assert got == mirror, (turn, next(i for i in range(size) if got[i] != mirror[i]))
	os.pwrite(fd, rng.randbytes(size), 0)
	os.fsync(fd)
	full = os.fstat(fd).st_blocks
	libc.fallocate(fd, 3, 0, size)
	os.fsync(fd)
	assert os.fstat(fd).st_size == size and os.pread(fd, size, 0) == bytes(size)
	assert os.fstat(fd).st_blocks < full // 4, (full, os.fstat(fd).st_blocks)
	END
}

allocate() {
	rm -f "$mnt/allocated"
	fallocate -l 3M "$mnt/allocated" && [ "$(stat -c %s "$mnt/allocated")" = 3145728 ] && head -c 3145728 /dev/zero | cmp - "$mnt/allocated" &&
	data 100000 | dd of="$mnt/allocated" conv=notrunc status=none && fallocate -n -l 10M "$mnt/allocated" &&
	[ "$(stat -c %s "$mnt/allocated")" = 3145728 ] && data 100000 | cmp -n 100000 - "$mnt/allocated" &&
	fallocate -d "$mnt/allocated" && data 100000 | cmp -n 100000 - "$mnt/allocated"
}

bucket_new
bucket_mount
check "sizes: written" write_all
check "sizes: read" read_all
check "sizes: cut and grown" resize_all
check "sizes: appended" append_all
check "cp --sparse" sparse_copy
check "a sparse file of 1 TiB" tebibyte
check "holes are punched" punch
check "fallocate" allocate
bucket_remount
drop_caches
check "sizes: read after a remount" read_all
check "appended: read after a remount" cmp "$TMPDIR/appended" "$mnt/appended"
check "sparse: read after a remount" cmp "$TMPDIR/sparse" "$mnt/sparse"
check "1 TiB: after a remount" tebibyte_again
check "the 1 TiB file is removed" rm "$mnt/tebibyte"
finish
