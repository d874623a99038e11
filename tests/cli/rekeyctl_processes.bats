# rekeyctl: several processes on one keystore.

. "$TOP/tests/lib/rekeyctl.bash"

setup() {
	keystore_setup
	cd "$BATS_TEST_TMPDIR"
}

@test "keys made at once by several processes are all there" {
	for process in 1 2 3 4; do
		(
			exec 3>&-
			for i in 1 2 3 4 5 6; do
				"$BUILD/rekeyctl" create-key --alias-name "alias/$process/$i" >> "out$process" 2>&1 || exit 1
			done
		) &
		pids[process]=$!
	done
	for process in 1 2 3 4; do
		wait "${pids[process]}"
	done
	ok list-aliases
	[ "$(count AliasName)" -eq 24 ]
	[ "$(grep '"TargetKeyId"' <<<"$output" | sort -u | wc -l)" -eq 24 ]
	ok list-keys
	[ "$(count KeyId)" -eq 24 ]
	ok events --verify
}

@test "one alias is made by one of two processes" {
	new_key
	for process in 1 2; do
		(
			exec 3>&-
			code=0
			"$BUILD/rekeyctl" create-alias --alias-name alias/race --target-key-id "$key" 2> "error$process" || code=$?
			echo "$code" > "code$process"
		) &
		pids[process]=$!
	done
	wait "${pids[@]}"
	[ "$(sort -n code1 code2 | tr '\n' ' ')" = '0 254 ' ]
	cat error1 error2 | grep -q AlreadyExistsException
}

@test "due work is done by one of several that open the keystore at once" {
	new_key
	ok enable-key-rotation --key-id "$key" --rotation-period-in-days 90
	days_later 91
	for process in 1 2 3; do
		(
			exec 3>&-
			"$BUILD/rekeyctl" run-due > "out$process" 2>&1
		) &
		pids[process]=$!
	done
	for process in 1 2 3; do
		wait "${pids[process]}"
	done
	[ "$(cat out1 out2 out3 | grep -c '"Rotated": 1')" -eq 1 ]
	ok list-key-rotations --key-id "$key"
	[ "$(count KeyMaterialId)" -eq 1 ]
}

@test "readers see whole answers while others write" {
	new_key
	(
		exec 3>&-
		for i in $(seq 20); do
			"$BUILD/rekeyctl" update-key-description --key-id "$key" --description "text $i" || exit 1
		done
	) &
	writer=$!
	while kill -0 "$writer" 2>/dev/null; do
		ok describe-key --key-id "$key"
		[ "$(member KeyId)" = "$key" ]
	done
	wait "$writer"
	ok describe-key --key-id "$key"
	[ "$(member Description)" = 'text 20' ]
}
