# The Makefile: what is built again and when, and that `make clean` is careful.  On a small tree of
# its own, so that nothing here touches the real build.

setup() {
	. "$TOP/tests/lib/prerequisites.bash"
	unset BUILD
	tree=$BATS_TEST_TMPDIR/tree
	mkdir -p "$tree/base" "$tree/etc"
	cp "$TOP/Makefile" "$tree"
	cp -r "$TOP/examples" "$tree"
	cp "$TOP/etc/packages" "$TOP/etc/setup" "$tree/etc"
	cd "$tree"
	printf '#define ANSWER 42\n' > base/answer.h
	printf '#include "base/answer.h"\nint answer(void);\nint answer(void) { return ANSWER; }\n' > base/answer.c
	printf 'int other(void);\nint other(void) { return 0; }\n' > base/other.c
}

# Which sources a `make` compiles.
compiled() {
	make "$@" build/lib/base.a | sed -n 's/^  CC *//p' | sort | tr '\n' ' '
}

@test "a second make does nothing" {
	[ "$(compiled)" = "base/answer.c base/other.c " ]
	[ -z "$(compiled)" ]
}

@test "a changed header builds what includes it" {
	compiled
	sleep 0.01
	touch base/answer.h
	[ "$(compiled)" = "base/answer.c " ]
}

@test "changed flags build everything" {
	compiled
	[ "$(compiled CFLAGS=-DX=1)" = "base/answer.c base/other.c " ]
	[ -z "$(compiled CFLAGS=-DX=1)" ]
	[ "$(compiled)" = "base/answer.c base/other.c " ]
}

@test "a source that is gone leaves the library" {
	compiled
	rm base/other.c
	compiled
	[ "$(ar t build/lib/base.a)" = "answer.o" ]
}

@test "a warning is an error" {
	printf 'int unused_result(void);\nint unused_result(void) { int unused; return 0; }\n' > base/other.c
	run make build/lib/base.a
	[ "$status" -ne 0 ]
	run make WERROR= build/lib/base.a
	[ "$status" -eq 0 ]
}

@test "sanitized objects have a directory of their own" {
	make SANITIZE=1 build-asan/lib/base.a
	[ ! -e build ]
	nm build-asan/obj/base/answer.o | grep -q asan
}

@test "make clean keeps run/ and refuses while something is mounted there" {
	need_root
	compiled
	mkdir -p run/mount run/bucket
	touch run/bucket/file
	mount -t tmpfs none run/mount
	run make clean
	umount run/mount
	echo "$output"
	[ "$status" -ne 0 ]
	[[ "$output" == *"run/mount is mounted: run \`make stop\` first."* ]]
	[ -e build/lib/base.a ]
	make clean
	[ ! -e build ]
	[ -e run/bucket/file ]
}

@test "make clean notices a mount elsewhere that MOUNT names" {
	need_root
	mkdir -p "$BATS_TEST_TMPDIR/a b" build
	mount -t tmpfs none "$BATS_TEST_TMPDIR/a b"
	run make clean MOUNT="$BATS_TEST_TMPDIR/a b"
	umount "$BATS_TEST_TMPDIR/a b"
	[ "$status" -ne 0 ]
	[ -e build ]
}

@test "make help names each target that a person calls" {
	run make help
	for target in all run stop check layers fuzz bench powercut install uninstall clean; do
		[[ "$output" == *"  $target"* || "$output" == *"; $target "* ]]
	done
}
