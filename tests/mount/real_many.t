#!/usr/bin/env bash
# 100,000 files in one directory: created, listed, found, removed.
. "$TOP/tests/lib/bucket.bash"
need_command python3
count=${MANY_FILES:-$([ "${SANITIZE:-}" = 1 ] && echo 20000 || echo 100000)}

many() {
	python3 - "$1" "$mnt/many" "$count" <<-'END'
	import os, random, sys
	verb, where, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
	name = lambda i: f"file-{i:06}-{i * 7919 % 1000003}"
	if verb == "create":
	    os.mkdir(where)
	    for i in range(count):
	        os.close(os.open(f"{where}/{name(i)}", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
	elif verb == "list":
	    got = os.listdir(where)
	    assert len(got) == count and set(got) == {name(i) for i in range(count)}, len(got)
	elif verb == "find":
	    for i in random.Random(1).sample(range(count), 2000):
	        assert os.stat(f"{where}/{name(i)}").st_size == 0
	        assert not os.path.exists(f"{where}/{name(i)}x")
	elif verb == "change":		# while a listing is under way
	    seen, removed = [], set()
	    with os.scandir(where) as entries:
	        for n, entry in enumerate(entries):
	            seen.append(entry.name)
	            if n % 1000 == 0:
	                os.unlink(entry.path)
	                removed.add(entry.name)
	    assert len(seen) == len(set(seen)) == count, (len(seen), len(set(seen)))
	    for i in range(count):
	        if name(i) in removed:
	            os.close(os.open(f"{where}/{name(i)}", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
	elif verb == "remove":
	    for i in range(count):
	        os.unlink(f"{where}/{name(i)}")
	    assert os.listdir(where) == []
	    os.rmdir(where)
	END
}

bucket_new
bucket_mount
check "$count files are created" many create
check "all are listed" many list
check "all are listed, none twice, while some are removed" many change
bucket_remount
drop_caches
check "all are listed after a remount" many list
check "found by name" many find
check "removed" many remove
finish
