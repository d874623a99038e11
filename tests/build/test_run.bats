# The test run itself: surroundings, left-over mounts, what a missing prerequisite does.

setup() {
	. "$TOP/tests/lib/prerequisites.bash"
	test=$BATS_TEST_TMPDIR/some.t
}

# script LINE…: a test of these lines; the run of it.
script() {
	{ echo '#!/bin/bash'; printf '%s\n' "$@"; } > "$test"
	chmod +x "$test"
}

# As a path from the tree's top, like the real ones.
run_it() {
	run "$TOP/tests/lib/run-test" "$(realpath --relative-to="$TOP" "$test")"
	echo "$output"
}

@test "a test has a directory of its own that is gone afterwards" {
	script 'echo 1..1' 'touch "$TMPDIR/file"; chmod 0 "$TMPDIR/file"' 'echo "$TMPDIR" > '"$BATS_TEST_TMPDIR/where" 'echo ok 1'
	run_it
	[ "$status" -eq 0 ]
	[ ! -e "$(cat "$BATS_TEST_TMPDIR/where")" ]
}

@test "a test sees no keystore or configuration of a person" {
	script 'echo 1..1' 'case $REKEYFS_KEYSTORE$XDG_CONFIG_HOME in $TMPDIR/*$TMPDIR/*) echo ok 1 ;; *) echo not ok 1 ;; esac'
	run_it
	[ "${lines[1]}" = "ok 1" ]
}

@test "a failed test's output is shown, and its status kept" {
	script 'echo 1..1' 'echo not ok 1 - thing' 'exit 3'
	run_it
	[ "$status" -eq 3 ]
	[[ "$output" == *"== "*"some.t"*"not ok 1 - thing"* ]]
}

@test "a mount that is left behind fails the test and is taken away" {
	need_root
	script 'echo 1..1' 'mkdir "$TMPDIR/m"; mount -t tmpfs left-behind "$TMPDIR/m"' 'echo ok 1'
	run_it
	[ "$status" -eq 1 ]
	[[ "$output" == *"# left mounted: "* ]]
	! grep -q left-behind /proc/self/mountinfo
}

@test "a test that hangs is stopped" {
	script 'echo 1..1' 'exec sleep 60'
	TEST_TIMEOUT=1 run_it
	[ "$status" -eq 124 ]
	[[ "$output" == *"# stopped after 1 seconds"* ]]
}

@test "a missing prerequisite skips, and fails where CI=true" {
	script '. "$TOP/tests/lib/prerequisites.bash"' 'need_command bash no-such-command' 'echo 1..1' 'echo ok 1'
	CI= run_it
	[ "$status" -eq 0 ]
	[ "$output" = "1..0 # SKIP needs the command no-such-command" ]
	CI=true run_it
	[ "$status" -eq 1 ]
	[[ "$output" == *"not ok 1 - needs the command no-such-command"* ]]
}

@test "the same in a bats file" {
	test=$BATS_TEST_TMPDIR/some.bats
	printf '@test "%s" {\n. "$TOP/tests/lib/prerequisites.bash"\nneed_command no-such-command\n}\n' thing > "$test"
	CI= run_it
	[ "$status" -eq 0 ]
	[[ "$output" == *"ok 1 thing # skip needs the command no-such-command"* ]]
	CI=true run_it
	[ "$status" -ne 0 ]
	[[ "$output" == *"not ok 1 thing"* ]]
}

@test "a pattern chooses tests, and one that matches none fails" {
	run "$TOP/tests/lib/run-all" -t '^tests/layers$'
	[ "$status" -eq 0 ]
	[ "${lines[-1]}" = "Result: PASS" ]
	[[ "$output" == *"Files=1, Tests=1,"* ]]
	run "$TOP/tests/lib/run-all" -t no-such-test
	[ "$status" -eq 1 ]
	[[ "$output" == *"no test's path matches"* ]]
}

@test "shell scripts of the tree are free of what shellcheck finds" {
	command -v shellcheck >/dev/null || skip "shellcheck is not installed"
	cd "$TOP"
	run shellcheck etc/setup etc/install etc/mount.rekeyfs etc/completion/rekeyfs.bash examples/try \
		tests/lib/run-all tests/lib/run-test tests/layers tests/fuzz/run .ci/run
	echo "$output"
	[ "$status" -eq 0 ]
}
