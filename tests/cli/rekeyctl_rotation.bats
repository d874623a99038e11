# rekeyctl: backing keys, by demand and by the calendar.

. "$TOP/tests/lib/rekeyctl.bash"

setup() {
	keystore_setup
	new_key --alias-name alias/r
}

material() {
	ok describe-key --key-id "$key"
	member CurrentKeyMaterialId
}

@test "a rotation keeps the key and adds a backing key; what is old stays readable" {
	first=$(material)
	ok encrypt --key-id "$key" --plaintext aGVsbG8=
	blob=$(member CiphertextBlob)
	ok rotate-key-on-demand --key-id "$key"
	[ "$(member KeyId)" = "$key" ]
	second=$(material)
	[ "$first" != "$second" ]
	ok decrypt --ciphertext-blob "$blob"
	[ "$(member Plaintext)" = aGVsbG8= ]
	[ "$(member KeyMaterialId)" = "$first" ]
	ok generate-data-key --key-id "$key" --key-spec AES_256
	[ "$(member KeyMaterialId)" = "$second" ]
	ok re-encrypt --ciphertext-blob "$blob" --destination-key-id "$key"
	[ "$(member SourceKeyMaterialId)" = "$first" ]
	[ "$(member DestinationKeyMaterialId)" = "$second" ]
}

@test "list-key-rotations: rotations alone, or the first material too" {
	ok list-key-rotations --key-id "$key"
	[ "$output" = '{
    "Rotations": []
}' ]
	first=$(material)
	ok rotate-key-on-demand --key-id "$key"
	ok list-key-rotations --key-id "$key"
	[ "$(count KeyMaterialId)" -eq 1 ]
	[ "$(member KeyMaterialState)" = CURRENT ]
	[ "$(member RotationType)" = ON_DEMAND ]
	[ "$(member KeyId)" = "$key" ]
	ok list-key-rotations --key-id "$key" --include-key-material ALL_KEY_MATERIAL
	[ "$(count KeyMaterialId)" -eq 2 ]
	[ "$(member KeyMaterialId)" = "$first" ]
	[ "$(member KeyMaterialState)" = NON_CURRENT ]
	[ "$(count RotationDate)" -eq 1 ]
	ok list-key-rotations --key-id "$key" --include-key-material ALL_KEY_MATERIAL --limit 1
	[ "$(member Truncated)" = true ]
	ok list-key-rotations --key-id "$key" --include-key-material ALL_KEY_MATERIAL --marker "$(member NextMarker)"
	[ "$(member KeyMaterialState)" = CURRENT ]
	kms_error ValidationException ListKeyRotations list-key-rotations --key-id "$key" --include-key-material SOME
}

@test "at most 25 rotations on demand" {
	for i in $(seq 25); do "$BUILD/rekeyctl" rotate-key-on-demand --key-id "$key" >/dev/null; done
	kms_error LimitExceededException RotateKeyOnDemand rotate-key-on-demand --key-id "$key"
	ok list-key-rotations --key-id "$key" --include-key-material ALL_KEY_MATERIAL
	[ "$(count KeyMaterialId)" -eq 26 ]
	[ "$(grep -c NON_CURRENT <<<"$output")" -eq 25 ]
}

@test "the period has 90 to 2560 days, 365 unless said" {
	kms_error ValidationException EnableKeyRotation enable-key-rotation --key-id "$key" --rotation-period-in-days 89
	kms_error ValidationException EnableKeyRotation enable-key-rotation --key-id "$key" --rotation-period-in-days 2561
	ok get-key-rotation-status --key-id "$key"
	[ "$output" = "{
    \"KeyRotationEnabled\": false,
    \"KeyId\": \"$key\"
}" ]
	ok enable-key-rotation --key-id "$key"
	[ -z "$output" ]
	ok get-key-rotation-status --key-id "$key"
	[ "$(member RotationPeriodInDays)" = 365 ]
	ok enable-key-rotation --key-id "$key" --rotation-period-in-days 2560
	ok get-key-rotation-status --key-id "$key"
	[ "$(member KeyRotationEnabled)" = true ]
	[ "$(member RotationPeriodInDays)" = 2560 ]
	ok disable-key-rotation --key-id "$key"
	ok get-key-rotation-status --key-id "$key"
	[ "$(member KeyRotationEnabled)" = false ]
}

@test "a rotation happens when its day comes, at the next opening of the keystore" {
	first=$(material)
	ok enable-key-rotation --key-id "$key" --rotation-period-in-days 90
	days_later 89
	[ "$(material)" = "$first" ]
	days_later 2
	second=$(material)
	[ "$second" != "$first" ]
	ok list-key-rotations --key-id "$key"
	[ "$(count KeyMaterialId)" -eq 1 ]
	[ "$(member RotationType)" = AUTOMATIC ]
	[ "$(material)" = "$second" ]
	ok get-key-rotation-status --key-id "$key"
	next=$(date -d "$(member NextRotationDate)" +%s)
	now=$(($(date +%s) + 91 * 86400))
	[ "$next" -gt $((now + 85 * 86400)) ]
	[ "$next" -le $((now + 90 * 86400)) ]
}

@test "run-due rotates and says so" {
	ok enable-key-rotation --key-id "$key" --rotation-period-in-days 90
	ok run-due
	[ "$(member Rotated)" = 0 ]
	days_later 91
	ok run-due
	[ "$(member Rotated)" = 1 ]
	[ "$(member Destroyed)" = 0 ]
	ok run-due
	[ "$(member Rotated)" = 0 ]
}

@test "a rotation on demand leaves the schedule alone, and works without one" {
	ok enable-key-rotation --key-id "$key" --rotation-period-in-days 90
	ok get-key-rotation-status --key-id "$key"
	before=$output
	days_later 10
	ok rotate-key-on-demand --key-id "$key"
	ok get-key-rotation-status --key-id "$key"
	[ "$output" = "$before" ]
}

@test "a disabled key is not rotated while it is" {
	first=$(material)
	ok enable-key-rotation --key-id "$key" --rotation-period-in-days 90
	ok disable-key --key-id "$key"
	days_later 200
	[ "$(material)" = "$first" ]
	ok get-key-rotation-status --key-id "$key"
}
