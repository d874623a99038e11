# rekeyctl: the end of keys, by the calendar and the proof that nothing needs them.

. "$TOP/tests/lib/rekeyctl.bash"

setup() {
	keystore_setup
	new_key
}

teardown() {
	[ -z "${mounted:-}" ] || "$BUILD/rekeyfs" umount "$mounted"
}

# blob: something encrypted under $key; the key is then needed by what nobody can count.
encrypted() {
	ok encrypt --key-id "$key" --plaintext aGVsbG8=
	blob=$(member CiphertextBlob)
}

# replica: a bucket's copy that cannot be scanned; $instance
replica() {
	ok register-replica --bucket-id 11111111-1111-4111-8111-111111111111 --path tape-17
	instance=$(member InstanceId)
}

@test "the window has 7 to 30 days, 30 unless said" {
	for days in 0 6 31 -7; do
		kms_error ValidationException ScheduleKeyDeletion \
			schedule-key-deletion --key-id "$key" --pending-window-in-days "$days"
	done
	[ "$(state_of "$key")" = Enabled ]
	ok schedule-key-deletion --key-id "$key"
	[ "$(member KeyId)" = "arn:aws:kms:local:000000000000:key/$key" ]
	[ "$(member KeyState)" = PendingDeletion ]
	[ "$(member PendingWindowInDays)" = 30 ]
	date=$(date -d "$(member DeletionDate)" +%s)
	[ $((date - $(date +%s))) -gt $((30 * 86400 - 120)) ]
	[ $((date - $(date +%s))) -le $((30 * 86400)) ]
	ok cancel-key-deletion --key-id "$key"
	ok schedule-key-deletion --key-id "$key" --pending-window-in-days 7
	[ "$(member PendingWindowInDays)" = 7 ]
}

@test "what a pending key still does, and what not" {
	encrypted
	ok create-alias --alias-name alias/p --target-key-id "$key"
	ok schedule-key-deletion --key-id "$key"
	pending=$key
	kms_error KMSInvalidStateException Encrypt encrypt --key-id "$key" --plaintext aGVsbG8=
	kms_error KMSInvalidStateException Decrypt decrypt --ciphertext-blob "$blob"
	kms_error KMSInvalidStateException ReEncrypt re-encrypt --ciphertext-blob "$blob" --destination-key-id "$key"
	kms_error KMSInvalidStateException GenerateDataKey generate-data-key --key-id "$key" --key-spec AES_256
	kms_error KMSInvalidStateException GenerateDataKeyWithoutPlaintext \
		generate-data-key-without-plaintext --key-id "$key" --key-spec AES_256
	kms_error KMSInvalidStateException EnableKey enable-key --key-id "$key"
	kms_error KMSInvalidStateException DisableKey disable-key --key-id "$key"
	kms_error KMSInvalidStateException EnableKeyRotation enable-key-rotation --key-id "$key"
	kms_error KMSInvalidStateException DisableKeyRotation disable-key-rotation --key-id "$key"
	kms_error KMSInvalidStateException RotateKeyOnDemand rotate-key-on-demand --key-id "$key"
	kms_error KMSInvalidStateException ScheduleKeyDeletion schedule-key-deletion --key-id "$key"
	kms_error KMSInvalidStateException CreateAlias create-alias --alias-name alias/q --target-key-id "$key"
	kms_error KMSInvalidStateException UpdateKeyDescription update-key-description --key-id "$key" --description x
	ok describe-key --key-id "$key"
	[ "$(member KeyState)" = PendingDeletion ]
	[ "$(member Enabled)" = false ]
	[ -n "$(member DeletionDate)" ]
	ok list-key-rotations --key-id "$key" --include-key-material ALL_KEY_MATERIAL
	new_key
	ok create-alias --alias-name alias/o --target-key-id "$key"
	kms_error KMSInvalidStateException UpdateAlias update-alias --alias-name alias/o --target-key-id "$pending"
	ok update-alias --alias-name alias/p --target-key-id "$key"
	ok delete-alias --alias-name alias/p
}

@test "a cancelled deletion leaves the key disabled, and all as it was" {
	encrypted
	kms_error KMSInvalidStateException CancelKeyDeletion cancel-key-deletion --key-id "$key"
	ok schedule-key-deletion --key-id "$key"
	ok cancel-key-deletion --key-id "$key"
	[ "$(member KeyId)" = "arn:aws:kms:local:000000000000:key/$key" ]
	[[ "$stderr" == *"rekeyctl enable-key --key-id $key"* ]]
	[ "$(state_of "$key")" = Disabled ]
	kms_error DisabledException Decrypt decrypt --ciphertext-blob "$blob"
	ok enable-key --key-id "$key"
	ok decrypt --ciphertext-blob "$blob"
	days_later 40
	[ "$(state_of "$key")" = Enabled ]
}

@test "at the end of the window the key and its aliases are gone" {
	ok create-alias --alias-name alias/gone --target-key-id "$key"
	ok schedule-key-deletion --key-id "$key" --pending-window-in-days 7
	days_later 6
	[ "$(state_of "$key")" = PendingDeletion ]
	days_later 2
	ok run-due
	[ "$(member Destroyed)" = 1 ]
	[ "$(member Waiting)" = 0 ]
	kms_error NotFoundException DescribeKey describe-key --key-id "$key"
	kms_error NotFoundException DescribeKey describe-key --key-id alias/gone
	kms_error NotFoundException CancelKeyDeletion cancel-key-deletion --key-id "$key"
	ok list-keys
	[ "$(count KeyId)" -eq 0 ]
	ok list-aliases
	[ "$(count AliasName)" -eq 0 ]
}

@test "any opening of the keystore does what is due" {
	ok schedule-key-deletion --key-id "$key" --pending-window-in-days 7
	days_later 8
	ok list-keys
	[ "$(count KeyId)" -eq 0 ]
}

@test "aliases, policies and what to do are named" {
	ok create-alias --alias-name alias/app --target-key-id "$key"
	ok create-alias --alias-name alias/db --target-key-id "$key"
	ok schedule-key-deletion --key-id "$key"
	[[ "$stderr" == *"rekeyctl update-alias --alias-name alias/app --target-key-id KEY"* ]]
	[[ "$stderr" == *"rekeyctl update-alias --alias-name alias/db --target-key-id KEY"* ]]
	[[ "$stderr" == *"rekeyctl retire-key --key-id $key --to KEY"* ]]
	[[ "$stderr" == *"rekeyfs policy set DIRECTORY --key KEY"* ]]
	kms_error KMSInvalidStateException Encrypt encrypt --key-id alias/app --plaintext aGVsbG8=
}

@test "the deletion waits for what was made outside buckets" {
	encrypted
	ok schedule-key-deletion --key-id "$key" --pending-window-in-days 7
	days_later 8
	ok run-due
	[ "$(member Waiting)" = 1 ]
	[ "$(member Destroyed)" = 0 ]
	[[ "$stderr" == *"$key waits:"*"outside buckets"*"--ignore-external"* ]]
	[ "$(state_of "$key")" = PendingDeletion ]
	ok cancel-key-deletion --key-id "$key"
	fails 2 "--confirm $key" schedule-key-deletion --key-id "$key" --ignore-external --pending-window-in-days 7
	fails 1 "nothing was done" schedule-key-deletion --key-id "$key" --ignore-external --confirm other
	[ "$(state_of "$key")" = Disabled ]
	ok schedule-key-deletion --key-id "$key" --ignore-external --confirm "$key" --pending-window-in-days 7
	days_later 8
	ok run-due
	[ "$(member Destroyed)" = 1 ]
	kms_error NotFoundException Decrypt decrypt --ciphertext-blob "$blob"
}

@test "the deletion waits for a replica until it is forgotten" {
	replica
	ok list-buckets
	[ "$(member InstanceId)" = "$instance" ]
	[ "$(member BucketId)" = 11111111-1111-4111-8111-111111111111 ]
	[ "$(member Path)" = tape-17 ]
	[ "$(member Replica)" = true ]
	ok schedule-key-deletion --key-id "$key" --pending-window-in-days 7
	[[ "$stderr" == *"tape-17"*"forget-bucket $instance"* ]]
	days_later 8
	ok run-due
	[ "$(member Waiting)" = 1 ]
	[[ "$stderr" == *"replica at tape-17"* ]]
	fails 2 "--confirm $instance" forget-bucket "$instance"
	fails 1 "nothing was done" forget-bucket "$instance" --confirm "$key"
	fails 3 "" forget-bucket 00000000-0000-4000-8000-000000000000 --confirm 00000000-0000-4000-8000-000000000000
	ok forget-bucket "$instance" --confirm "$instance"
	ok list-buckets
	[ "$(count InstanceId)" -eq 0 ]
	ok run-due
	kms_error NotFoundException DescribeKey describe-key --key-id "$key"
}

@test "shredding needs the id typed again, keeps the window, and asks for no proof" {
	encrypted
	replica
	fails 2 "--confirm $key" schedule-key-deletion --key-id "$key" --shred
	fails 1 "nothing was done" schedule-key-deletion --key-id "$key" --shred --confirm alias/x
	kms_error ValidationException ScheduleKeyDeletion \
		schedule-key-deletion --key-id "$key" --shred --confirm "$key" --pending-window-in-days 1
	[ "$(state_of "$key")" = Enabled ]
	ok schedule-key-deletion --key-id "$key" --shred --confirm "$key" --pending-window-in-days 7
	[ "$(member KeyState)" = PendingDeletion ]
	[[ "$stderr" == *"lost for good"* ]]
	days_later 6
	[ "$(state_of "$key")" = PendingDeletion ]
	days_later 2
	ok run-due
	[ "$(member Destroyed)" = 1 ]
	kms_error NotFoundException Decrypt decrypt --ciphertext-blob "$blob"
	ok events
	[[ "$output" == *'"shred":true'* ]]
}

@test "on a terminal the id is asked for" {
	cd "$BATS_TEST_TMPDIR"
	on_terminal "'$BUILD/rekeyctl' schedule-key-deletion --key-id $key --shred"
	wait_for "Type $key to go on"
	echo yes >&9
	code=0
	wait "$pid" || code=$?
	exec 9>&-
	[ "$code" -eq 1 ]
	[ "$(state_of "$key")" = Enabled ]
	rm in log
	on_terminal "'$BUILD/rekeyctl' schedule-key-deletion --key-id $key --shred"
	wait_for "Type $key to go on"
	echo "$key" >&9
	wait "$pid"
	exec 9>&-
	[ "$(state_of "$key")" = PendingDeletion ]
}

@test "describe-key says why a key is still there" {
	replica
	ok schedule-key-deletion --key-id "$key" --pending-window-in-days 7
	ok describe-key --key-id "$key"
	[ -z "$stderr" ]
	days_later 8
	ok describe-key --key-id "$key"
	[ "$(member KeyState)" = PendingDeletion ]
	[[ "$stderr" == *"waits:"*"tape-17"* ]]
}

@test "retire-key puts another key in its place" {
	old=$key
	ok create-alias --alias-name alias/app --target-key-id "$old"
	ok create-alias --alias-name alias/db --target-key-id "$old"
	new_key --alias-name alias/next
	fails 2 "--to KEY" retire-key --key-id "$old"
	fails 2 "the key itself" retire-key --key-id "$old" --to alias/app
	fails 3 "" retire-key --key-id "$old" --to alias/nothing
	fails 2 "is an alias" retire-key --key-id alias/app --to alias/next
	[ "$(state_of "$old")" = Enabled ]
	ok retire-key --key-id "$old" --to alias/next --pending-window-in-days 7
	[ "$(member KeyState)" = PendingDeletion ]
	[ "$(member KeyId)" = "arn:aws:kms:local:000000000000:key/$old" ]
	[[ "$stderr" == *"rekeyfs policy set DIRECTORY --key $key"* ]]
	[[ "$stderr" != *"update-alias"* ]]
	for alias in alias/app alias/db; do
		ok describe-key --key-id "$alias"
		[ "$(member KeyId)" = "$key" ]
	done
	ok list-aliases --key-id "$old"
	[ "$(count AliasName)" -eq 0 ]
	# Again: nothing changes.
	ok retire-key --key-id "$old" --to alias/next
	[ "$(member PendingWindowInDays)" = 7 ]
	days_later 8
	ok run-due
	kms_error NotFoundException DescribeKey describe-key --key-id "$old"
}

@test "a retired key encrypts nothing more, even enabled, until that is undone" {
	encrypted
	old=$key
	new_key
	ok retire-key --key-id "$old" --to "$key"
	fails 4 "cannot take" retire-key --key-id "$key" --to "$old"
	ok cancel-key-deletion --key-id "$old"
	ok enable-key --key-id "$old"
	ctl encrypt --key-id "$old" --plaintext aGVsbG8=
	[ "$status" -eq 254 ]
	ok decrypt --ciphertext-blob "$blob"
	ok retire-key --key-id "$old" --undo
	ok encrypt --key-id "$old" --plaintext aGVsbG8=
}

@test "a key that is pending can still be retired" {
	old=$key
	ok create-alias --alias-name alias/app --target-key-id "$old"
	ok schedule-key-deletion --key-id "$old" --pending-window-in-days 9
	new_key
	ok retire-key --key-id "$old" --to "$key"
	[ "$(member PendingWindowInDays)" = 9 ]
	ok encrypt --key-id alias/app --plaintext aGVsbG8=
}

@test "a bucket's path and the command that moves its files are printed" {
	need_program rekeyfs
	mkdir "$BATS_TEST_TMPDIR/it's one"
	"$BUILD/rekeyfs" init "$BATS_TEST_TMPDIR/it's one" --key "$key"
	ok list-buckets
	[ "$(member Path)" = "$BATS_TEST_TMPDIR/it's one" ]
	ok schedule-key-deletion --key-id "$key" --pending-window-in-days 7
	[[ "$stderr" == *"rekeyfs migrate run '$BATS_TEST_TMPDIR/it'\\''s one'"* ]]
	days_later 8
	ok run-due
	[ "$(member Waiting)" = 1 ]
	[ "$(state_of "$key")" = PendingDeletion ]
}

@test "of a mounted bucket it is said that the mount moves the files" {
	need_program rekeyfs
	need_fuse
	mkdir "$BATS_TEST_TMPDIR/bucket" "$BATS_TEST_TMPDIR/plain"
	"$BUILD/rekeyfs" init "$BATS_TEST_TMPDIR/bucket" --key "$key"
	"$BUILD/rekeyfs" mount "$BATS_TEST_TMPDIR/bucket" "$BATS_TEST_TMPDIR/plain" 3>&-
	mounted=$BATS_TEST_TMPDIR/plain
	ok schedule-key-deletion --key-id "$key" --pending-window-in-days 7
	[[ "$stderr" == *"moved by the mount itself"*"$BATS_TEST_TMPDIR/bucket"* ]]
	[[ "$stderr" != *"migrate run"* ]]
}

@test "destroy-key-material: not the current one, not what is needed" {
	ok describe-key --key-id "$key"
	first=$(member CurrentKeyMaterialId)
	fails 4 "current" destroy-key-material --key-id "$key" --key-material-id "$first"
	encrypted
	ok rotate-key-on-demand --key-id "$key"
	fails 4 "outside buckets" destroy-key-material --key-id "$key" --key-material-id "$first"
	fails 2 "64 digits" destroy-key-material --key-id "$key" --key-material-id 12
	fails 3 "no such key material" destroy-key-material --key-id "$key" --key-material-id "${first//?/0}"
	fails 3 "" destroy-key-material --key-id 00000000-0000-4000-8000-000000000000 --key-material-id "$first"
	fails 2 "--confirm $key" destroy-key-material --key-id "$key" --key-material-id "$first" --ignore-external
	ok decrypt --ciphertext-blob "$blob"
	ok destroy-key-material --key-id "$key" --key-material-id "$first" --ignore-external --confirm "$key"
	[ -z "$output" ]
	kms_error NotFoundException Decrypt decrypt --ciphertext-blob "$blob"
	ok list-key-rotations --key-id "$key" --include-key-material ALL_KEY_MATERIAL
	[[ "$output" != *"$first"* ]]
	fails 4 "destroyed already" destroy-key-material --key-id "$key" --key-material-id "$first"
}

@test "destroy-key-material: one that was never used needs no proof" {
	replica
	ok rotate-key-on-demand --key-id "$key"
	ok describe-key --key-id "$key"
	middle=$(member CurrentKeyMaterialId)
	ok rotate-key-on-demand --key-id "$key"
	ok destroy-key-material --key-id "$key" --key-material-id "$middle"
	ok encrypt --key-id "$key" --plaintext aGVsbG8=
}
