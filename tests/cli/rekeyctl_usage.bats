# rekeyctl as a program: help, options, output, configuration, exit codes.

. "$TOP/tests/lib/rekeyctl.bash"

setup() {
	keystore_setup
	cd "$BATS_TEST_TMPDIR"
}

verbs() {
	"$BUILD/rekeyctl" --help | sed -n '/^Verbs:/,/^$/s/^  \([a-z][a-z-]*\) .*/\1/p'
}

@test "every verb has help with an example of itself" {
	[ "$(verbs | wc -l)" -ge 35 ]
	for verb in $(verbs); do
		ok "$verb" --help
		[[ "${lines[0]}" == "Usage: rekeyctl $verb"* ]]
		grep -q "^  rekeyctl $verb" <<<"$output"
		grep -q -e '--keystore' <<<"$output"
		[ -z "$stderr" ]
	done
}

@test "every verb and option of the program is in the manual" {
	text=$(sed -e 's/\\-/-/g' "$TOP/man/rekeyctl.1")
	for verb in $(verbs); do
		grep -q -e "^\.[A-Z]*.*$verb" <<<"$text" || { echo "no $verb"; false; }
	done
	for option in keystore keyfile passfile extpass no-prompt output cli-binary-format shred ignore-external confirm \
		      undo new-passfile new-keyfile new-extpass backup-passfile recovery-code dry-run; do
		grep -q -e "--$option" <<<"$text" || { echo "no --$option"; false; }
	done
}

@test "every verb of the design is there" {
	for verb in init add-protector remove-protector list-protectors change-passphrase backup restore events \
		    create-key describe-key list-keys update-key-description enable-key disable-key \
		    create-alias update-alias delete-alias list-aliases enable-key-rotation disable-key-rotation \
		    get-key-rotation-status rotate-key-on-demand list-key-rotations destroy-key-material \
		    schedule-key-deletion cancel-key-deletion retire-key list-buckets forget-bucket register-replica \
		    get-key-last-usage rotate-root run-due encrypt decrypt re-encrypt generate-data-key \
		    generate-data-key-without-plaintext generate-random; do
		verbs | grep -qx "$verb" || { echo "no $verb"; false; }
	done
}

@test "wrong usage is exit code 2 and says what is wrong" {
	fails 2 'no verb "list-key"' list-key
	fails 2 'Verbs:'
	fails 2 '--key-id is missing' describe-key
	fails 2 '--nothing' list-keys --nothing
	fails 2 'needs an argument' describe-key --key-id
	fails 2 'unexpected' list-keys extra
	fails 2 'whole number' list-keys --limit many
	fails 2 'json, table, text' list-keys --output yaml
	fails 2 'raw-in-base64-out' list-keys --cli-binary-format hex
	fails 2 '--target-key-id is missing' create-alias --alias-name alias/a
	fails 2 'FILE is missing' backup
	ok --version
	[[ "$output" == "rekeyctl "* ]]
}

@test "exit codes: not found, locked, a KMS error" {
	export REKEYFS_KEYSTORE=$BATS_TEST_TMPDIR/none
	fails 3 "none" list-keys
	export REKEYFS_KEYSTORE=$BATS_TEST_TMPDIR/keystore
	fails 3 "/nothing/here" update-key-description --key-id x --description file:///nothing/here
	kms_error NotFoundException DescribeKey describe-key --key-id x
	mv keystore.key away
	fails 5 "keyfile" list-keys --no-prompt
}

@test "global options stand before or after the verb, and win over the environment" {
	ok --keystore other init
	ok list-keys --keystore other
	ok create-key --keystore other
	ok --keystore other --output text list-keys
	[[ "$output" == KEYS$'\t'arn:aws:kms:local:* ]]
	ok list-keys
	[ "$(count KeyId)" -eq 0 ]
	ok --keystore none list-keys --keystore other
	[ "$(count KeyId)" -eq 1 ]
}

@test "the default keystore lies under XDG_DATA_HOME, or for root in /var/lib" {
	unset REKEYFS_KEYSTORE
	if [ "$(id -u)" -eq 0 ]; then
		[ ! -e /var/lib/rekeyfs/keystore ] || skip "this machine has a keystore"
		fails 3 /var/lib/rekeyfs/keystore list-keys
	else
		fails 3 "$XDG_DATA_HOME/rekeyfs/keystore" list-keys
		ok init
		[ -e "$XDG_DATA_HOME/rekeyfs/keystore" ]
	fi
}

@test "the configuration names keystore and secret; options win" {
	export XDG_CONFIG_HOME=$BATS_TEST_TMPDIR/config
	mkdir -p config/rekeyfs
	echo secret > pass
	ok --keystore third init --protector passphrase --passfile pass
	printf '[mount]\nidle = 10m\n[keys]\nkeystore = %s\npassfile = %s\n' "$PWD/third" "$PWD/pass" > config/rekeyfs/rekeyfs.ini
	unset REKEYFS_KEYSTORE
	ok list-protectors
	[ "$(member Kind)" = passphrase ]
	ok list-protectors --keystore keystore
	[ "$(member Kind)" = keyfile ]
	export REKEYFS_KEYSTORE=$BATS_TEST_TMPDIR/keystore
	ok list-protectors
	[ "$(member Kind)" = keyfile ]
	printf '[keys]\nkeystroe = x\n' > config/rekeyfs/rekeyfs.ini
	fails 2 'rekeyfs.ini:2' list-keys
	printf '[keys]\nextpass = echo secret\n' > config/rekeyfs/rekeyfs.ini
	ok --keystore third list-keys
	chmod g+w config/rekeyfs/rekeyfs.ini
	fails 4 'alone to write' --keystore third list-keys
}

@test "json, table and text" {
	new_key --alias-name alias/a
	ok list-aliases --output text
	[ "$(cut -f 1,3 <<<"$output")" = "ALIASES"$'\t'"alias/a" ]
	ok list-aliases --output table
	[[ "${lines[1]}" =~ ^\|\ +ListAliases\ +\|$ ]]
	[[ "$output" == *"AliasName"*"alias/a"* ]]
	ok describe-key --key-id alias/a --output json
	[[ "${lines[1]}" == '    "KeyMetadata": {' ]]
	ok enable-key --key-id "$key" --output table
	[ -z "$output" ]
}

@test "output that cannot be written is an error" {
	[ -w /dev/full ] || skip "needs /dev/full"
	run bash -c '"$BUILD/rekeyctl" list-keys > /dev/full'
	[ "$status" -eq 1 ]
	[[ "$output" == *"standard output"* ]]
}

@test "a moved clock is in the audit log" {
	days_later 3
	ok create-key
	[[ $(member CreationDate) == $(date -u -d '+3 days' +%Y-%m-%d)* ]]
	ok events
	grep -q -i clock <<<"$output"
}
