# What a test cannot do without.  To be sourced by .t scripts (of bash) and by .bats files:
#
#	. "$TOP/tests/lib/prerequisites.bash"
#	need_root; need_fuse
#
# A .t script calls these before its plan, a .bats file in setup or in a test.  Where
# something is missing, the test is skipped and says why; with CI=true it fails instead.

in_bats() {
	[ "$(type -t skip)" = function ]
}

lacking() {
	if [ "${CI:-}" = true ]; then
		if in_bats; then
			echo "needs $1"
			return 1
		fi
		printf '1..1\nnot ok 1 - needs %s\n' "$1"
		exit 1
	fi
	if in_bats; then
		skip "needs $1"
	fi
	printf '1..0 # SKIP needs %s\n' "$1"
	exit 0
}

need_root() {
	[ "$(id -u)" -eq 0 ] || lacking "root"
}

# One that this user can open.
need_fuse() {
	{ : <> /dev/fuse; } 2>/dev/null || lacking "/dev/fuse"
}

need_loop() {
	need_root || return 1
	losetup -f >/dev/null 2>&1 || lacking "a free loop device"
}

# need_command NAME…
need_command() {
	for name; do
		command -v "$name" >/dev/null 2>&1 || { lacking "the command $name"; return; }
	done
}

# need_program NAME…: built programs (rekeyfs, rekeyctl)
need_program() {
	for name; do
		[ -x "$BUILD/$name" ] || { lacking "$BUILD/$name"; return; }
	done
}
