#!/usr/bin/env bash
# Two processes write one file at once: blocks of their own, records that they append, a record
# under a lock, pages that both have mapped.
. "$TOP/tests/lib/bucket.bash"
need_command python3

writers() {
	python3 - "$1" "$mnt/$1" <<-'END'
	import fcntl, mmap, os, random, struct, sys
	verb, path = sys.argv[1:]
	RECORD, COUNT = 700, 1500

	def blocks(who):
	    """Each its own half of every 1,000 bytes."""
	    fd, rng = os.open(path, os.O_RDWR), random.Random(who)
	    for turn in range(4000):
	        slot = rng.randrange(1000)
	        os.pwrite(fd, bytes([65 + who]) * 500, slot * 1000 + who * 500)
	        if turn % 500 == 0:
	            os.fsync(fd)

	def append(who):
	    fd = os.open(path, os.O_WRONLY | os.O_APPEND)
	    for i in range(COUNT):
	        assert os.write(fd, (f"{who} {i:06} ".encode() * 100)[:RECORD - 1] + b"\n") == RECORD

	def locked(who):
	    fd = os.open(path, os.O_RDWR)
	    for i in range(1000):
	        fcntl.lockf(fd, fcntl.LOCK_EX, 8, 0, os.SEEK_SET)
	        number, = struct.unpack("<Q", os.pread(fd, 8, 0))
	        os.pwrite(fd, struct.pack("<Q", number + 1), 0)
	        fcntl.lockf(fd, fcntl.LOCK_UN, 8, 0, os.SEEK_SET)

	def mapped(who):
	    with open(path, "r+b") as f, mmap.mmap(f.fileno(), 0) as memory:
	        for i in range(who, len(memory), 2):
	            memory[i] = 65 + who
	        memory.flush()

	def whole(got):
	    match verb:
	        case "blocks":
	            for slot in range(1000):
	                for who in (0, 1):
	                    part = got[slot * 1000 + who * 500:][:500]
	                    assert part in (bytes([65 + who]) * 500, bytes(500)), (slot, who)
	        case "append":
	            assert len(got) == 2 * COUNT * RECORD, len(got)
	            lines = got.splitlines(keepends=True)
	            for who in (0, 1):
	                mine = [line for line in lines if line.startswith(b"%d " % who)]
	                assert mine == [(f"{who} {i:06} ".encode() * 100)[:RECORD - 1] + b"\n" for i in range(COUNT)], who
	        case "locked":
	            assert struct.unpack("<Q", got[:8]) == (2000,), got[:8]
	        case "mapped":
	            assert got == b"AB" * (len(got) // 2)

	with open(path, "wb") as f:
	    f.truncate({"blocks": 1_000_000, "append": 0, "locked": 8, "mapped": 600_000}[verb])
	children = []
	for who in (0, 1):
	    children.append(os.fork())
	    if not children[-1]:
	        globals()[verb](who)
	        os._exit(0)
	for child in children:
	    assert os.waitpid(child, 0)[1] == 0
	with open(path, "rb") as f:
	    whole(f.read())
	END
}

bucket_new
bucket_mount
for verb in blocks append locked mapped; do
	check "$verb" writers "$verb"
done
# The kernel writes the times of an inode that nobody has open and no directory names.
removed() {
	python3 -c '
import os, sys
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
os.write(fd, b"x" * 5000)
os.unlink(sys.argv[1])
os.pwrite(fd, b"y" * 5000, 3000)
assert os.pread(fd, 9000, 0) == b"x" * 3000 + b"y" * 5000 and os.fstat(fd).st_nlink == 0
os.fsync(fd)
os.pwrite(fd, b"z", 0)
os.close(fd)' "$mnt/removed" && sync -f "$mnt"
}
check "one is removed while it is written" removed
sums=$(cd "$mnt" && sha256sum blocks append locked mapped)
bucket_remount
drop_caches
check "the same after a remount" bash -c "cd '$mnt' && sha256sum -c --quiet <<< '$sums'"
finish
