# rekeyctl: keys and aliases, their states and limits.

. "$TOP/tests/lib/rekeyctl.bash"

setup() {
	keystore_setup
}

@test "create-key answers the metadata as aws prints it" {
	ok create-key --description 'für alle'
	local id=$(member KeyId)
	expected="{
    \"KeyMetadata\": {
        \"AWSAccountId\": \"000000000000\",
        \"KeyId\": \"$id\",
        \"Arn\": \"arn:aws:kms:local:000000000000:key/$id\",
        \"CreationDate\": \"$(member CreationDate)\",
        \"Enabled\": true,
        \"Description\": \"für alle\",
        \"KeyUsage\": \"ENCRYPT_DECRYPT\",
        \"KeyState\": \"Enabled\",
        \"Origin\": \"AWS_KMS\",
        \"KeyManager\": \"CUSTOMER\",
        \"CustomerMasterKeySpec\": \"SYMMETRIC_DEFAULT\",
        \"KeySpec\": \"SYMMETRIC_DEFAULT\",
        \"EncryptionAlgorithms\": [
            \"SYMMETRIC_DEFAULT\"
        ],
        \"MultiRegion\": false,
        \"CurrentKeyMaterialId\": \"$(member CurrentKeyMaterialId)\"
    }
}"
	[ "$output" = "$expected" ]
	[[ $(member CreationDate) =~ ^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\+00:00$ ]]
	[[ $(member CurrentKeyMaterialId) =~ ^[0-9a-f]{64}$ ]]
}

@test "describe-key takes id, ARN, alias and alias ARN" {
	new_key --alias-name alias/a
	for name in "$key" "arn:aws:kms:local:000000000000:key/$key" alias/a arn:aws:kms:local:000000000000:alias/a; do
		ok describe-key --key-id "$name"
		[ "$(member KeyId)" = "$key" ]
	done
	kms_error NotFoundException DescribeKey describe-key --key-id alias/b
	kms_error NotFoundException DescribeKey describe-key --key-id 00000000-0000-4000-8000-000000000000
	kms_error InvalidArnException DescribeKey describe-key --key-id arn:aws:kms:x
}

@test "what changes a key takes its id or ARN alone" {
	new_key --alias-name alias/a
	for verb in "enable-key EnableKey" "disable-key DisableKey" "rotate-key-on-demand RotateKeyOnDemand" \
		    "enable-key-rotation EnableKeyRotation" "disable-key-rotation DisableKeyRotation" \
		    "get-key-rotation-status GetKeyRotationStatus" "list-key-rotations ListKeyRotations" \
		    "schedule-key-deletion ScheduleKeyDeletion" "cancel-key-deletion CancelKeyDeletion"; do
		set -- $verb
		kms_error InvalidArnException "$2" "$1" --key-id alias/a
	done
	ok disable-key --key-id "arn:aws:kms:local:000000000000:key/$key"
	[ "$(state_of "$key")" = Disabled ]
}

@test "list-keys: all of them in order, or a page" {
	ok list-keys
	[ "$output" = '{
    "Keys": []
}' ]
	local ids=()
	for i in 1 2 3; do
		new_key
		ids+=("$key")
	done
	ok list-keys
	[ "$(count KeyId)" -eq 3 ]
	[ "$(count Truncated)" -eq 0 ]
	[ "$(member KeyArn)" = "arn:aws:kms:local:000000000000:key/${ids[0]}" ]
	ok list-keys --limit 2
	[ "$(count KeyId)" -eq 2 ]
	[ "$(member Truncated)" = true ]
	ok list-keys --limit 2 --marker "$(member NextMarker)"
	[ "$(member KeyId)" = "${ids[2]}" ]
	[ "$(count KeyId)" -eq 1 ]
	[ "$(member Truncated)" = false ]
	kms_error InvalidMarkerException ListKeys list-keys --marker nonsense
	kms_error ValidationException ListKeys list-keys --limit 0
	kms_error ValidationException ListKeys list-keys --limit 1001
}

@test "more keys than a page are all listed" {
	for i in $(seq 103); do "$BUILD/rekeyctl" create-key >/dev/null; done
	ok list-keys
	[ "$(count KeyId)" -eq 103 ]
	[ "$(grep '"KeyId"' <<<"$output" | sort -u | wc -l)" -eq 103 ]
}

@test "update-key-description" {
	new_key --description before
	ok update-key-description --key-id "$key" --description after
	[ -z "$output" ]
	ok describe-key --key-id "$key"
	[ "$(member Description)" = after ]
	head -c 8192 /dev/zero | tr '\0' x > "$BATS_TEST_TMPDIR/long"
	ok update-key-description --key-id "$key" --description "file://$BATS_TEST_TMPDIR/long"
	printf x >> "$BATS_TEST_TMPDIR/long"
	kms_error ValidationException UpdateKeyDescription \
		update-key-description --key-id "$key" --description "file://$BATS_TEST_TMPDIR/long"
	ok update-key-description --key-id "$key" --description ''
}

@test "a disabled key is refused for every use and can be enabled" {
	new_key
	ok encrypt --key-id "$key" --plaintext aGVsbG8=
	blob=$(member CiphertextBlob)
	ok disable-key --key-id "$key"
	[ -z "$output" ]
	[ "$(state_of "$key")" = Disabled ]
	ok describe-key --key-id "$key"
	[ "$(member Enabled)" = false ]
	kms_error DisabledException Encrypt encrypt --key-id "$key" --plaintext aGVsbG8=
	kms_error DisabledException Decrypt decrypt --ciphertext-blob "$blob"
	kms_error DisabledException ReEncrypt re-encrypt --ciphertext-blob "$blob" --destination-key-id "$key"
	kms_error DisabledException GenerateDataKey generate-data-key --key-id "$key" --key-spec AES_256
	kms_error DisabledException GenerateDataKeyWithoutPlaintext \
		generate-data-key-without-plaintext --key-id "$key" --key-spec AES_256
	kms_error DisabledException RotateKeyOnDemand rotate-key-on-demand --key-id "$key"
	kms_error DisabledException EnableKeyRotation enable-key-rotation --key-id "$key"
	kms_error DisabledException DisableKeyRotation disable-key-rotation --key-id "$key"
	ok update-key-description --key-id "$key" --description x
	ok create-alias --alias-name alias/off --target-key-id "$key"
	ok disable-key --key-id "$key"
	ok enable-key --key-id "$key"
	ok decrypt --ciphertext-blob "$blob"
	[ "$(member Plaintext)" = aGVsbG8= ]
}

@test "what a key cannot be is UnsupportedOperation" {
	kms_error UnsupportedOperationException CreateKey create-key --key-spec RSA_2048
	kms_error UnsupportedOperationException CreateKey create-key --key-usage SIGN_VERIFY
	kms_error UnsupportedOperationException CreateKey create-key --origin EXTERNAL
	kms_error UnsupportedOperationException CreateKey create-key --multi-region
	ok create-key --no-multi-region --key-spec SYMMETRIC_DEFAULT --key-usage ENCRYPT_DECRYPT --origin AWS_KMS
}

@test "aliases are made, moved, listed and deleted" {
	new_key
	a=$key
	new_key
	b=$key
	ok create-alias --alias-name alias/app --target-key-id "$a"
	[ -z "$output" ]
	ok create-alias --alias-name alias/b/c:d_e-F9 --target-key-id "$a"
	kms_error AlreadyExistsException CreateAlias create-alias --alias-name alias/app --target-key-id "$b"
	ok list-aliases
	[ "$(count AliasName)" -eq 2 ]
	[ "$(member AliasName)" = alias/app ]
	[ "$(member AliasArn)" = arn:aws:kms:local:000000000000:alias/app ]
	[ "$(member TargetKeyId)" = "$a" ]
	ok update-alias --alias-name alias/app --target-key-id "arn:aws:kms:local:000000000000:key/$b"
	ok list-aliases --key-id "$a"
	[ "$(count AliasName)" -eq 1 ]
	[ "$(member AliasName)" = alias/b/c:d_e-F9 ]
	ok list-aliases --limit 1
	ok list-aliases --marker "$(member NextMarker)"
	[ "$(member AliasName)" = alias/b/c:d_e-F9 ]
	ok describe-key --key-id alias/app
	[ "$(member KeyId)" = "$b" ]
	ok delete-alias --alias-name alias/app
	kms_error NotFoundException DescribeKey describe-key --key-id alias/app
	kms_error NotFoundException DeleteAlias delete-alias --alias-name alias/app
	kms_error NotFoundException UpdateAlias update-alias --alias-name alias/app --target-key-id "$a"
	kms_error NotFoundException CreateAlias \
		create-alias --alias-name alias/n --target-key-id 00000000-0000-4000-8000-000000000000
}

@test "names of aliases" {
	new_key
	for name in app /app alias/ 'alias/a b' alias/ä 'alias/a.b' alias/aws/s3; do
		kms_error InvalidAliasNameException CreateAlias create-alias --alias-name "$name" --target-key-id "$key"
	done
	long=alias/$(head -c 250 /dev/zero | tr '\0' x)
	ok create-alias --alias-name "$long" --target-key-id "$key"
	kms_error ValidationException CreateAlias create-alias --alias-name "${long}x" --target-key-id "$key"
	kms_error InvalidAliasNameException CreateAlias create-key --alias-name 'alias/a b'
	kms_error AlreadyExistsException CreateAlias create-key --alias-name "$long"
	ok list-keys
	[ "$(count KeyId)" -eq 1 ]
}

@test "a key has at most 50 aliases" {
	new_key
	for i in $(seq 50); do "$BUILD/rekeyctl" create-alias --alias-name "alias/$i" --target-key-id "$key"; done
	kms_error LimitExceededException CreateAlias create-alias --alias-name alias/51 --target-key-id "$key"
	first=$key
	new_key --alias-name alias/other
	kms_error LimitExceededException UpdateAlias update-alias --alias-name alias/other --target-key-id "$first"
	ok list-aliases
	[ "$(count AliasName)" -eq 51 ]
	ok delete-alias --alias-name alias/7
	ok update-alias --alias-name alias/other --target-key-id "$first"
}
