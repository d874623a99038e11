# rekeyctl: encrypt, decrypt, re-encrypt, data keys.

. "$TOP/tests/lib/rekeyctl.bash"

setup() {
	keystore_setup
	new_key --alias-name alias/c
	printf hello > "$BATS_TEST_TMPDIR/plain"
}

@test "bytes of a file, there and back" {
	head -c 4096 /dev/urandom > "$BATS_TEST_TMPDIR/plain"
	ok encrypt --key-id alias/c --plaintext "fileb://$BATS_TEST_TMPDIR/plain" --encryption-context a=1,b=2
	[ "$(member KeyId)" = "arn:aws:kms:local:000000000000:key/$key" ]
	[ "$(member EncryptionAlgorithm)" = SYMMETRIC_DEFAULT ]
	[ "$(count KeyMaterialId)" -eq 0 ]
	member CiphertextBlob | base64 -d > "$BATS_TEST_TMPDIR/cipher"
	member CiphertextBlob > "$BATS_TEST_TMPDIR/cipher.base64"
	[ "$(stat -c %s "$BATS_TEST_TMPDIR/cipher")" -le 6144 ]
	for blob in "fileb://$BATS_TEST_TMPDIR/cipher" "file://$BATS_TEST_TMPDIR/cipher.base64" "$(cat "$BATS_TEST_TMPDIR/cipher.base64")"; do
		ok decrypt --ciphertext-blob "$blob" --encryption-context '{"b": "2", "a": "1"}'
		cmp "$BATS_TEST_TMPDIR/plain" <(member Plaintext | base64 -d)
	done
	[[ $(member KeyMaterialId) =~ ^[0-9a-f]{64}$ ]]
}

@test "text on the command line is base64 unless said otherwise" {
	ok encrypt --key-id alias/c --plaintext aGVsbG8=
	ok decrypt --ciphertext-blob "$(member CiphertextBlob)"
	[ "$(member Plaintext | base64 -d)" = hello ]
	ok encrypt --key-id alias/c --plaintext 'hello, you' --cli-binary-format raw-in-base64-out
	ok decrypt --ciphertext-blob "$(member CiphertextBlob)"
	[ "$(member Plaintext | base64 -d)" = 'hello, you' ]
	fails 2 'not base64' encrypt --key-id alias/c --plaintext 'hello, you'
}

@test "1 to 4096 bytes" {
	head -c 4097 /dev/zero > "$BATS_TEST_TMPDIR/plain"
	kms_error ValidationException Encrypt encrypt --key-id alias/c --plaintext "fileb://$BATS_TEST_TMPDIR/plain"
	: > "$BATS_TEST_TMPDIR/plain"
	kms_error ValidationException Encrypt encrypt --key-id alias/c --plaintext "fileb://$BATS_TEST_TMPDIR/plain"
}

@test "the encryption context is matched exactly" {
	ok encrypt --key-id alias/c --plaintext aGVsbG8= --encryption-context purpose=test,dir=/p
	blob=$(member CiphertextBlob)
	ok decrypt --ciphertext-blob "$blob" --encryption-context dir=/p,purpose=test
	for context in purpose=test purpose=test,dir=/P 'purpose=test,dir=/p,x=' 'Purpose=test,dir=/p'; do
		kms_error InvalidCiphertextException Decrypt decrypt --ciphertext-blob "$blob" --encryption-context "$context"
	done
	kms_error InvalidCiphertextException Decrypt decrypt --ciphertext-blob "$blob"
	fails 2 'name=value' encrypt --key-id alias/c --plaintext aGVsbG8= --encryption-context purpose
}

@test "a damaged ciphertext is refused" {
	ok encrypt --key-id alias/c --plaintext "fileb://$BATS_TEST_TMPDIR/plain"
	member CiphertextBlob | base64 -d > "$BATS_TEST_TMPDIR/cipher"
	size=$(stat -c %s "$BATS_TEST_TMPDIR/cipher")
	for at in 0 1 60 $((size - 1)); do
		cp "$BATS_TEST_TMPDIR/cipher" "$BATS_TEST_TMPDIR/bad"
		byte=$(od -An -tu1 -j "$at" -N 1 "$BATS_TEST_TMPDIR/cipher" | tr -d ' ')
		printf "\\x$(printf %x $((byte ^ 1)))" | dd of="$BATS_TEST_TMPDIR/bad" bs=1 seek="$at" conv=notrunc status=none
		kms_error InvalidCiphertextException Decrypt decrypt --ciphertext-blob "fileb://$BATS_TEST_TMPDIR/bad"
	done
	head -c $((size - 1)) "$BATS_TEST_TMPDIR/cipher" > "$BATS_TEST_TMPDIR/bad"
	kms_error InvalidCiphertextException Decrypt decrypt --ciphertext-blob "fileb://$BATS_TEST_TMPDIR/bad"
}

@test "decrypt with a key-id takes only what is under it" {
	ok encrypt --key-id alias/c --plaintext aGVsbG8=
	blob=$(member CiphertextBlob)
	ok decrypt --ciphertext-blob "$blob" --key-id alias/c
	new_key --alias-name alias/other
	kms_error IncorrectKeyException Decrypt decrypt --ciphertext-blob "$blob" --key-id alias/other
	kms_error IncorrectKeyException ReEncrypt \
		re-encrypt --ciphertext-blob "$blob" --source-key-id alias/other --destination-key-id alias/c
}

@test "re-encrypt brings it under another key and context" {
	ok encrypt --key-id alias/c --plaintext aGVsbG8= --encryption-context a=1
	blob=$(member CiphertextBlob)
	from=$key
	new_key --alias-name alias/next
	ok re-encrypt --ciphertext-blob "$blob" --source-encryption-context a=1 --destination-key-id alias/next \
		--destination-encryption-context b=2
	[ "$(member SourceKeyId)" = "arn:aws:kms:local:000000000000:key/$from" ]
	[ "$(member KeyId)" = "arn:aws:kms:local:000000000000:key/$key" ]
	[ "$(count Plaintext)" -eq 0 ]
	moved=$(member CiphertextBlob)
	ok decrypt --ciphertext-blob "$moved" --encryption-context b=2 --key-id alias/next
	[ "$(member Plaintext)" = aGVsbG8= ]
	ok disable-key --key-id "$from"
	ok decrypt --ciphertext-blob "$moved" --encryption-context b=2
}

@test "data keys: specs and sizes" {
	for size in '--key-spec AES_256:32' '--key-spec AES_128:16' '--number-of-bytes 1:1' '--number-of-bytes 1024:1024'; do
		ok generate-data-key --key-id alias/c ${size%:*} --encryption-context a=1
		plain=$(member Plaintext)
		[ "$(base64 -d <<<"$plain" | wc -c)" -eq "${size#*:}" ]
		ok decrypt --ciphertext-blob "$(member CiphertextBlob)" --encryption-context a=1
		[ "$(member Plaintext)" = "$plain" ]
	done
	kms_error ValidationException GenerateDataKey generate-data-key --key-id alias/c
	kms_error ValidationException GenerateDataKey generate-data-key --key-id alias/c --key-spec AES_256 --number-of-bytes 32
	kms_error ValidationException GenerateDataKey generate-data-key --key-id alias/c --number-of-bytes 0
	kms_error ValidationException GenerateDataKey generate-data-key --key-id alias/c --number-of-bytes 1025
	kms_error ValidationException GenerateDataKey generate-data-key --key-id alias/c --key-spec AES_512
	ok generate-data-key-without-plaintext --key-id alias/c --key-spec AES_256
	[ "$(count Plaintext)" -eq 0 ]
	ok decrypt --ciphertext-blob "$(member CiphertextBlob)"
	[ "$(member Plaintext | base64 -d | wc -c)" -eq 32 ]
}

@test "random bytes" {
	ok generate-random --number-of-bytes 1024
	one=$(member Plaintext)
	[ "$(base64 -d <<<"$one" | wc -c)" -eq 1024 ]
	ok generate-random --number-of-bytes 1024
	[ "$(member Plaintext)" != "$one" ]
	kms_error ValidationException GenerateRandom generate-random --number-of-bytes 1025
	fails 2 -- generate-random
}

@test "a dry run that would succeed is DryRunOperation" {
	kms_error DryRunOperationException Encrypt encrypt --key-id alias/c --plaintext aGVsbG8= --dry-run
	kms_error DryRunOperationException GenerateDataKey generate-data-key --key-id alias/c --key-spec AES_256 --dry-run
	ok encrypt --key-id alias/c --plaintext aGVsbG8= --no-dry-run
	blob=$(member CiphertextBlob)
	kms_error DryRunOperationException Decrypt decrypt --ciphertext-blob "$blob" --dry-run
	kms_error DryRunOperationException ReEncrypt re-encrypt --ciphertext-blob "$blob" --destination-key-id alias/c --dry-run
	kms_error InvalidCiphertextException Decrypt decrypt --ciphertext-blob "$blob" --encryption-context a=b --dry-run
	ok disable-key --key-id "$key"
	kms_error DisabledException Encrypt encrypt --key-id alias/c --plaintext aGVsbG8= --dry-run
}

@test "get-key-last-usage" {
	ok get-key-last-usage --key-id "$key"
	[ "$(member KeyId)" = "$key" ]
	[ "$(count Operation)" -eq 0 ]
	[ -n "$(member TrackingStartDate)" ]
	ok encrypt --key-id "$key" --plaintext aGVsbG8=
	ok get-key-last-usage --key-id "$key"
	[ "$(member Operation)" = Encrypt ]
	[[ $(member Timestamp) == 20*+00:00 ]]
}

@test "neither key nor plaintext is in the audit log or the keystore" {
	ok encrypt --key-id alias/c --plaintext "fileb://$BATS_TEST_TMPDIR/plain"
	ok generate-data-key --key-id alias/c --key-spec AES_256
	plain=$(member Plaintext)
	for file in "$REKEYFS_KEYSTORE" "$REKEYFS_KEYSTORE".events "$REKEYFS_KEYSTORE".state; do
		run ! grep -qaF -e "$plain" -e aGVsbG8 -e hello "$file"
	done
}
