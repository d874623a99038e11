# examples/try, behind `make run` and `make stop`: with stand-ins for the programs, so that each
# step can be seen; the programs themselves are tried in tests/mount.

setup() {
	. "$TOP/tests/lib/prerequisites.bash"
	need_root
	export CALLS=$BATS_TEST_TMPDIR/calls
	cd "$BATS_TEST_TMPDIR"
	mkdir -p tree/examples tree/build
	cp "$TOP/examples/try" tree/examples
	cat > tree/build/rekeyfs <<-'END'
		#!/bin/bash
		echo "rekeyfs $*" >> "$CALLS"
		case $1 in
		init) mkdir -p "$2"; touch "$2/rekeyfs.bucket" ;;
		mount) mount -t tmpfs none "$3" ;;
		umount) umount "$2" ;;
		esac
	END
	printf '#!/bin/bash\necho "rekeyctl $*" >> "$CALLS"\n' > tree/build/rekeyctl
	chmod +x tree/build/*
	unset BUILD BUCKET MOUNT KEYSTORE PROTECTOR
	cd tree
}

teardown() {
	umount "$BATS_TEST_TMPDIR/tree/run/mount" 2>/dev/null || true
	umount "$BATS_TEST_TMPDIR/my mount" 2>/dev/null || true
}

calls() {
	cat "$CALLS"
	: > "$CALLS"
}

@test "the first start makes everything, the next ones nothing" {
	run examples/try start
	echo "$output"
	[ "$status" -eq 0 ]
	[[ "$output" == *"run/bucket is mounted on run/mount"*"make stop"* ]]
	[ "$(calls)" = "rekeyfs init run/bucket --keystore run/keystore
rekeyfs mount run/bucket run/mount --keystore run/keystore" ]
	run examples/try start
	[ "$status" -eq 0 ]
	[[ "$output" == *"run/mount is mounted already."*"make stop"* ]]
	[ -z "$(calls)" ]
}

@test "stop unmounts, and is harmless when nothing is mounted" {
	examples/try start
	calls
	examples/try stop
	[ "$(calls)" = "rekeyfs umount run/mount" ]
	run examples/try stop
	[ "$status" -eq 0 ]
	[ "$output" = "run/mount is not mounted." ]
	examples/try start
	[ "$(calls)" = "rekeyfs mount run/bucket run/mount --keystore run/keystore" ]
}

@test "names with blanks" {
	export BUCKET="$BATS_TEST_TMPDIR/my bucket" MOUNT="$BATS_TEST_TMPDIR/my mount" KEYSTORE="$BATS_TEST_TMPDIR/my keys"
	examples/try start
	run examples/try start
	[[ "$output" == *"mounted already"* ]]
	run examples/try idle
	[ "$status" -eq 1 ]
	examples/try stop
	examples/try idle
	[ -e "$BUCKET/rekeyfs.bucket" ]
}

@test "PROTECTOR=passphrase makes a keystore that asks" {
	PROTECTOR=passphrase examples/try start
	[ "$(calls | head -n 1 | cut -d' ' -f1-4)" = "rekeyctl --keystore run/keystore init" ]
	examples/try stop
	rm -r run
	run env PROTECTOR=other examples/try start
	[ "$status" -eq 2 ]
	[[ "$output" == *"PROTECTOR=other is not known"* ]]
}

@test "a failing init ends the start" {
	printf '#!/bin/sh\necho "no room" >&2\nexit 1\n' > build/rekeyfs
	run examples/try start
	[ "$status" -eq 1 ]
	[ "$output" = "no room" ]
}
