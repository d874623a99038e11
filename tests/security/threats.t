#!/usr/bin/env bash
# What docs/THREATS.md says of one who reads the bucket, and of one who writes to it.
. "$TOP/tests/lib/bucket.bash"
need_root
need_command python3 setfattr getfattr

GROUP=$((72 * 4096)) HOME_SLOT=$((8 * 4096)) PLAIN=$((64 * 4096))

# lower PLAIN-PATH: the bucket's file of a file of the mount, which may be unmounted afterwards
lower() {
	find "$bucket" -inum "$(stat -c %i "$mnt/$1")" ! -name 'rekeyfs.*' | head -n 1
}

# page FILE OFFSET: saves 4 KiB to $TMPDIR/page; put FILE OFFSET FROM-FILE FROM-OFFSET COUNT-OF-PAGES
put() {
	dd if="$3" of="$1" bs=4096 skip=$(($4 / 4096)) seek=$(($2 / 4096)) count="${5:-1}" conv=notrunc status=none
}

swap() {	# swap FILE OFFSET FILE OFFSET [PAGES]
	dd if="$1" of="$TMPDIR/one" bs=4096 skip=$(($2 / 4096)) count="${5:-1}" status=none
	dd if="$3" of="$TMPDIR/two" bs=4096 skip=$(($4 / 4096)) count="${5:-1}" status=none
	put "$1" "$2" "$TMPDIR/two" 0 "${5:-1}" && put "$3" "$4" "$TMPDIR/one" 0 "${5:-1}"
}

# is_eio FILE OFFSET: reading the 4 KiB there fails with EIO
is_eio() {
	python3 - "$1" "$2" <<-'END'
	import errno, os, sys
	try:
	    fd = os.open(sys.argv[1], os.O_RDONLY)
	    got = os.pread(fd, 4096, int(sys.argv[2]))
	except OSError as e:
	    sys.exit(0 if e.errno == errno.EIO else f"{e}")
	sys.exit(f"{len(got)} bytes were read")
	END
}

reads_well() {	# reads_well FILE OFFSET: and the bytes are those that were written
	cmp -n 4096 -i "$2" "$mnt/$1" "$TMPDIR/plain-$1"
}

bucket_new
bucket_mount
needle=needle-in-the-haystack
for name in a b; do
	head -c $((3 * PLAIN + 5000)) /dev/urandom > "$TMPDIR/plain-$name"
	cp "$TMPDIR/plain-$name" "$mnt/$name"
done
mkdir "$mnt/$needle-dir" "$mnt/other"
yes "$needle content" | head -c 100000 > "$mnt/$needle-dir/$needle-file"
ln -s "$needle-target" "$mnt/$needle-dir/$needle-link"
setfattr -n "user.$needle" -v "$needle-value" "$mnt/$needle-dir/$needle-file"
touch "$mnt/other/$needle-file" "$mnt/$(printf "$needle%.0s" {1..10})"
head -c 8192 /dev/zero > "$mnt/zeros"; head -c 8192 /dev/zero > "$mnt/more-zeros"
sync -f "$mnt"

no_needle() {
	! grep -r -a -l -e needle -e "$(printf needle | base64 | head -c 8)" "$bucket" &&
	! find "$bucket" | grep needle && ! find "$bucket" -type l -printf '%l\n' | grep needle && ! getfattr -R -d -m - "$bucket" 2>/dev/null | grep needle
}
check "contents, names, link targets and attributes' names and values are nowhere in the bucket" no_needle

equal_blocks() {
	local one two
	one=$(lower zeros) two=$(lower more-zeros)
	[ "$({ for at in 8 9; do dd if="$one" bs=4096 skip=$at count=1 status=none | sha256sum; dd if="$two" bs=4096 skip=$at count=1 status=none | sha256sum; done; } | sort -u | wc -l)" = 4 ]
}
check "equal blocks look different" equal_blocks
equal_names() {
	[ "$(basename "$(lower "$needle-dir/$needle-file")")" != "$(basename "$(lower "other/$needle-file")")" ]
}
check "equal names in two directories look different" equal_names
check "mounts are nosuid and nodev unless asked" bash -c "findmnt -no OPTIONS '$mnt' | grep nosuid | grep nodev"
refuse "another user cannot enter a mount" "ermission denied" setpriv --reuid=65534 --regid=65534 --clear-groups ls "$mnt"

a=$(lower a) b=$(lower b)
bucket_unmount || bail "no unmount"
cp -a "$bucket" "$TMPDIR/saved"
restore() {
	bucket_unmount || bail "no unmount"
	rsync -aHAX --delete --inplace "$TMPDIR/saved/" "$bucket/" 2>/dev/null || { find "$bucket" -mindepth 1 -delete; cp -a "$TMPDIR/saved/." "$bucket/"; }
}

# tamper TITLE FILE OFFSET COMMAND…: change the bucket, then that block of the file is EIO
tamper() {
	local title=$1 file=$2 offset=$3
	shift 3
	"$@"
	bucket_mount
	check "$title" is_eio "$mnt/$file" "$offset"
}

flip() {
	python3 -c 'import sys; f = open(sys.argv[1], "r+b"); f.seek(int(sys.argv[2])); c = f.read(1)[0]; f.seek(-1, 1); f.write(bytes([c ^ 1]))' "$1" "$2"
}
tamper "a changed block is EIO" a 8192 flip "$a" $((HOME_SLOT + 2 * 4096 + 77))
check "and only that block" reads_well a 4096
restore
tamper "blocks exchanged within a file are EIO" a 4096 swap "$a" $((HOME_SLOT + 4096)) "$a" $((HOME_SLOT + 2 * 4096))
restore
tamper "blocks exchanged between files are EIO" b 4096 swap "$a" $((HOME_SLOT + 4096)) "$b" $((HOME_SLOT + 4096))
restore
tamper "a group put in another's place is EIO" a "$PLAIN" swap "$a" "$GROUP" "$a" $((2 * GROUP)) 72
restore
tamper "a file cut short is EIO" a 0 truncate -s $((GROUP * 2 + HOME_SLOT + 4096)) "$a"
restore
tamper "garbage in both tag pages is EIO" a 0 bash -c "head -c 32768 /dev/urandom | dd of='$a' conv=notrunc status=none"
restore

# Another file's header in front of these blocks.
tamper "another file's tag pages are EIO" a "$PLAIN" put "$a" 0 "$b" 0 8
restore

listing() {
	LC_ALL=C ls -A "$1" | sort
}
bucket_mount
before=$(listing "$mnt")
dir=$(find "$bucket" -inum "$(stat -c %i "$mnt/$needle-dir")" | head -n 1) other=$(find "$bucket" -inum "$(stat -c %i "$mnt/other")" | head -n 1)
link=$(find "$dir" -inum "$(stat -c %i "$mnt/$needle-dir/$needle-link")" | head -n 1)
bucket_unmount || bail "no unmount"
touch "$bucket/$(head -c 42 /dev/urandom | base64 -w0 | tr '+/' '-_')"
bucket_mount
check "an invented name is not shown" test "$(listing "$mnt")" = "$before"
bucket_unmount || bail "no unmount"
cp -a "$link" "$other/"
bucket_mount
check "a name of another directory is not shown" test "$(listing "$mnt/other")" = "$needle-file"
restore

# In the place of a file and of a directory: a link out of the bucket.
bucket_unmount || bail "no unmount"
echo "outside" > "$TMPDIR/outside"
rm "$a" && ln -s "$TMPDIR/outside" "$a"
rm -r "$other" && ln -s "$TMPDIR" "$other"
bucket_mount
leads_nowhere() {
	! grep -s outside "$mnt/a" && ! echo x 2>/dev/null > "$mnt/a" && [ "$(cat "$TMPDIR/outside")" = outside ] &&
	! touch "$mnt/other/x" 2>/dev/null && ! ls "$mnt/other/" 2>/dev/null | grep -q outside
}
check "a hostile symbolic link leads nowhere" leads_nowhere
restore

# What he can do: the documents say so.
mv "$a" "$TMPDIR/x" && mv "$b" "$a" && mv "$TMPDIR/x" "$b"
bucket_mount
check "whole files exchanged are not noticed" bash -c "cmp '$mnt/a' '$TMPDIR/plain-b' && cmp '$mnt/b' '$TMPDIR/plain-a'"
restore

# The keystore has seen a later checkpoint than this copy has.
bucket_mount
echo later > "$mnt/later"
restore
mkdir -p "$XDG_CONFIG_HOME/rekeyfs"
printf '[mount]\nrollback = refuse\n' > "$XDG_CONFIG_HOME/rekeyfs/rekeyfs.ini"
refuse "an older bucket put back is noticed" "older" timeout 20 rekeyfs mount -f "$bucket" "$mnt"
rm "$XDG_CONFIG_HOME/rekeyfs/rekeyfs.ini"

rekeyctl --keystore "$TMPDIR/another/keystore" init > "$TMPDIR/another.log" 2>&1
refuse "a bucket that the key manager does not know is refused" "register" timeout 20 rekeyfs mount -f --keystore "$TMPDIR/another/keystore" "$bucket" "$mnt"
quiet_log() {
	[ -s "$log" ] && ! grep -e needle "$log"
}
check "the mount's log shows none of them" quiet_log
finish
