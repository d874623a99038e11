# rekeyctl: what opens a keystore, backups, and the audit log.

. "$TOP/tests/lib/rekeyctl.bash"

setup() {
	need_program rekeyctl
	export REKEYFS_KEYSTORE=$BATS_TEST_TMPDIR/keystore
	cd "$BATS_TEST_TMPDIR"
	echo 'correct horse' > pass
	echo 'battery staple' > pass2
}

# init_by KIND OPTION…
init_by() {
	ok init --protector "$@"
	[ "$(member Keystore)" = "$REKEYFS_KEYSTORE" ]
}

protector_id() {
	ok list-protectors --keyfile "$REKEYFS_KEYSTORE.key"
	grep -B 1 "\"Kind\": \"$1\"" <<<"$output" | sed -n 's/.*"ProtectorId": "\(.*\)",/\1/p'
}

@test "init makes a keyfile that opens it without a question" {
	ok init
	[ "$(member Protector)" = keyfile ]
	[ "$(member Keyfile)" = "$REKEYFS_KEYSTORE.key" ]
	[[ "$stderr" == *"keep a copy"* ]]
	[ "$(stat -c '%a %s' keystore.key)" = '600 32' ]
	[ "$(stat -c %a keystore)" = 600 ]
	ok list-keys
	fails 1 "already" init
	ok list-keys
	mv keystore.key elsewhere
	fails 5 "--keyfile" list-keys
	ok list-keys --keyfile elsewhere
	head -c 32 /dev/urandom > keystore.key
	fails 5 "" list-keys
	fails 5 "does not open" list-keys --keyfile keystore.key
}

@test "init with a keyfile that is there already" {
	head -c 64 /dev/urandom > mine
	ok init --keyfile mine
	[ "$(member Keyfile)" = mine ]
	[ ! -e keystore.key ]
	[ "$(stat -c %s mine)" -eq 64 ]
	ok list-keys
}

@test "a keyfile that others may write is not used by itself" {
	ok init
	chmod g+w keystore.key
	fails 5 "others may write" list-keys
	chmod g-w keystore.key
	ok list-keys
}

@test "a passphrase: its cost is stored, a wrong one is exit code 5" {
	init_by passphrase --passfile pass
	[ "$(member Protector)" = passphrase ]
	[ ! -e keystore.key ]
	fails 5 "--passfile" list-keys --no-prompt
	fails 5 "wrong passphrase" list-keys --passfile pass2
	ok list-keys --passfile pass
	ok list-keys --extpass 'cat pass'
	ok list-protectors --passfile pass
	[ "$(member Kind)" = passphrase ]
	[ "$(member Argon2Memory)" -ge $((256 << 20)) ]
	[ "$(member Argon2Passes)" -ge 3 ]
	: > empty
	fails 1 "empty" list-keys --passfile empty
	fails 5 "failed" list-keys --extpass false
}

@test "a command: is given each time, and never stored" {
	fails 2 "--extpass" init --protector command
	init_by command --extpass 'echo from-a-command-4711'
	fails 5 "--extpass" list-keys --no-prompt
	ok list-keys --extpass 'echo from-a-command-4711'
	fails 5 "" list-keys --extpass 'echo other'
	run ! grep -qaF from-a-command keystore keystore.state keystore.events
	run ! grep -qaF 'echo' keystore keystore.state keystore.events
}

@test "protectors are added by an existing one, and removed, but for the last" {
	ok init
	new_key
	fails 2 "--new-keyfile" add-protector --protector keyfile
	fails 2 "--new-extpass" add-protector --protector command
	fails 2 "no kind of protector" add-protector --protector magic
	fails 2 "--protector is missing" add-protector
	ok add-protector --protector passphrase --new-passfile pass
	ok add-protector --protector keyfile --new-keyfile second
	[ "$(stat -c '%a %s' second)" = '600 32' ]
	ok add-protector --protector command --new-extpass 'echo abc'
	ok list-protectors
	[ "$(count ProtectorId)" -eq 4 ]
	keyfile=$(protector_id keyfile | head -n 1)
	ok remove-protector --protector-id "$keyfile"
	ok list-keys --keyfile second
	[ "$(count KeyId)" -eq 1 ]
	fails 5 "does not open" list-keys --keyfile keystore.key
	ok list-keys --passfile pass
	ok list-keys --extpass 'echo abc'
	fails 3 "no protector" remove-protector --protector-id "$keyfile" --keyfile second
	fails 2 "is no id" remove-protector --protector-id 12 --keyfile second
	for kind in passphrase command; do
		ok list-protectors --keyfile second
		id=$(grep -B 1 "\"Kind\": \"$kind\"" <<<"$output" | sed -n 's/.*"ProtectorId": "\(.*\)",/\1/p')
		ok remove-protector --protector-id "$id" --keyfile second
	done
	ok list-protectors --keyfile second
	[ "$(count ProtectorId)" -eq 1 ]
	fails 4 "last protector" remove-protector --protector-id "$(member ProtectorId)" --keyfile second
	fails 5 "wrong passphrase" list-keys --passfile pass
	ok list-keys --keyfile second
}

@test "nobody adds a protector without an existing one" {
	init_by passphrase --passfile pass
	fails 5 "" add-protector --protector keyfile --new-keyfile k --no-prompt
	fails 5 "wrong passphrase" add-protector --protector keyfile --new-keyfile k --passfile pass2
	[ ! -e k ]
}

@test "change-passphrase" {
	init_by passphrase --passfile pass
	new_key_with_pass() { "$BUILD/rekeyctl" create-key --passfile "$1"; }
	new_key_with_pass pass
	ok change-passphrase --passfile pass --new-passfile pass2
	fails 5 "wrong passphrase" list-keys --passfile pass
	ok list-keys --passfile pass2
	[ "$(count KeyId)" -eq 1 ]
	ok list-protectors --passfile pass2
	[ "$(count ProtectorId)" -eq 1 ]
}

@test "a recovery code is shown once and opens the keystore" {
	ok init --recovery-code
	code=$(member RecoveryCode)
	[[ $code =~ ^([0-9A-Z]{4}-){8}[0-9A-Z]{4}$ ]]
	mv keystore.key away
	echo "$code" > code
	ok list-keys --passfile code
	tr 'A-Z-' 'a-z ' < code > code2
	ok list-keys --passfile code2
	ok list-protectors --passfile code
	[[ "$output" == *recovery-code* && "$output" != *"$code"* ]]
	ok add-protector --protector recovery-code --passfile code
	[ "$(member RecoveryCode)" != "$code" ]
	first=${code:0:1}
	[ "$first" = 0 ] && other=1 || other=0
	echo "$other${code:1}" > code
	fails 5 "" list-keys --passfile code
}

@test "a person is asked on the terminal, without echo" {
	on_terminal "'$BUILD/rekeyctl' init --protector passphrase"
	wait_for 'New passphrase: '
	echo 'typed by hand' >&9
	wait_for 'Once more: '
	echo 'typed by hand' >&9
	wait "$pid"
	exec 9>&-
	run ! grep -q 'typed by hand' log
	echo 'typed by hand' > typed
	ok list-keys --passfile typed
}

@test "rotate-root keeps all keys" {
	ok init
	new_key --alias-name alias/a
	ok encrypt --key-id alias/a --plaintext aGVsbG8=
	blob=$(member CiphertextBlob)
	ok rotate-root
	ok decrypt --ciphertext-blob "$blob"
	[ "$(member Plaintext)" = aGVsbG8= ]
	ok events --verify
}

@test "a backup is one sealed file, and restores every key" {
	ok init
	new_key --alias-name alias/a --description kept
	ok encrypt --key-id alias/a --plaintext aGVsbG8=
	blob=$(member CiphertextBlob)
	fails 2 "FILE is missing" backup
	ok backup copy --backup-passfile pass
	[ "$(stat -c %a copy)" = 600 ]
	fails 1 "" restore copy --backup-passfile pass
	mkdir new
	export REKEYFS_KEYSTORE=$BATS_TEST_TMPDIR/new/keystore
	fails 5 "wrong passphrase" restore copy --backup-passfile pass2
	[ ! -e new/keystore ]
	ok restore copy --backup-passfile pass
	[ "$(member Keyfile)" = "$REKEYFS_KEYSTORE.key" ]
	ok decrypt --ciphertext-blob "$blob" --key-id alias/a
	[ "$(member Plaintext)" = aGVsbG8= ]
	ok describe-key --key-id alias/a
	[ "$(member Description)" = kept ]
	[ "$(member KeyId)" = "$key" ]
	printf x | dd of=copy bs=1 seek=200 conv=notrunc status=none
	export REKEYFS_KEYSTORE=$BATS_TEST_TMPDIR/third
	ctl restore copy --backup-passfile pass
	[ "$status" -ne 0 ]
	[ ! -e third ]
}

@test "the generation before the last change is restored on demand only" {
	ok init
	new_key --alias-name alias/a
	new_key --alias-name alias/b
	mv keystore damaged
	fails 3 "" list-keys
	ok restore keystore.previous --backup-keyfile keystore.key
	ok list-keys
	[ "$(count KeyId)" -ge 1 ]
	ok describe-key --key-id alias/a
}

@test "a keystore that was changed, cut or put back is refused" {
	ok init
	new_key
	cp keystore older
	new_key
	cp keystore good
	printf x | dd of=keystore bs=1 seek=700 conv=notrunc status=none
	ctl list-keys
	[ "$status" -eq 1 ]
	head -c 500 good > keystore
	ctl list-keys
	[ "$status" -eq 1 ]
	cp older keystore
	fails 4 "" list-keys
	cp good keystore
	ok list-keys
	[ "$(count KeyId)" -eq 2 ]
}

@test "events: a line each, and a changed log is noticed" {
	ok init
	new_key --alias-name alias/a
	ok encrypt --key-id alias/a --plaintext aGVsbG8= --encryption-context purpose=test
	ok disable-key --key-id "$key"
	kms_error DisabledException Encrypt encrypt --key-id alias/a --plaintext aGVsbG8=
	ok events
	[ "$(grep -c '"eventName":"CreateKey"' <<<"$output")" -eq 2 ]
	[[ "$output" == *'"phase":"intent"'*'"phase":"outcome"'* ]]
	[[ "$output" == *'"purpose":"test"'* ]]
	[[ "$output" == *'"errorCode":"DisabledException"'* ]]
	ok events --verify
	[[ "$stderr" == *"the chain is whole"* ]]
	ok events --output table
	[[ "$output" == *"CreateAlias"* ]]
	cp keystore.events whole
	sed -i 's/"purpose":"test"/"purpose":"tesT"/' keystore.events
	ctl events --verify
	[ "$status" -eq 1 ]
	sed '3d' whole > keystore.events
	ctl events --verify
	[ "$status" -eq 1 ]
	head -n -2 whole > keystore.events
	ctl events --verify
	[ "$status" -ne 0 ]
	cp whole keystore.events
	ok events --verify
}
