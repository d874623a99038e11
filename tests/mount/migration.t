#!/usr/bin/env bash
# Migration jobs on a mount and in a bucket that is not mounted; proofs; a key that goes.
. "$TOP/tests/lib/bucket.bash"
need_command jq
export REKEYFS_CLOCK_FILE=$TMPDIR/clock
echo 0 > "$REKEYFS_CLOCK_FILE"

key() {	# key ALIAS: its id
	rekeyctl --output json describe-key --key-id "$1" | jq -r .KeyMetadata.KeyId
}
is() {
	[ "$1" = "$2" ] || { echo "\"$1\", not \"$2\""; return 1; }
}
exits() {	# exits CODE COMMAND…
	local wanted=$1 code=0
	shift
	"$@" || code=$?
	[ "$code" -eq "$wanted" ] || { echo "exit code $code, wanted $wanted"; return 1; }
}
files() {	# files KEY: how many are under it
	rekeyfs inventory "${2:-$mnt}" --json | jq "[.Keys[] | select(.KeyId == \"$1\") | .Files] | add // 0"
}
soon() {
	local i
	for i in $(seq 300); do
		if "$@" > "$TMPDIR/soon" 2>&1; then
			return
		fi
		sleep 0.1
	done
	cat "$TMPDIR/soon"
	return 1
}
status_is() {	# status_is JOB STATUS
	is "$(rekeyfs migrate status "$1" --json | jq -r .Status)" "$2"
}
last() {	# the newest job's id
	rekeyfs migrate list "$mnt" --json | jq -r .[0].JobId
}
destroyed() {
	rekeyctl describe-key --key-id "$1" 2>&1 | grep -q NotFoundException
}

bucket_new
rekeyctl create-key --alias-name alias/two > /dev/null
one=$(key alias/rekeyfs) two=$(key alias/two)
bucket_mount
mkdir "$mnt/tree"
for i in $(seq 200); do head -c $((i * 137)) /dev/urandom > "$mnt/tree/$i"; done
head -c 3000000 /dev/urandom > "$mnt/large"
touch -d '2001-02-03 04:05:06.789' "$mnt/large"
find "$mnt" -type f -exec sha256sum {} + | sort > "$TMPDIR/sums"
same() {
	find "$mnt" -type f -exec sha256sum {} + | sort | cmp - "$TMPDIR/sums"
}

# --- jobs --------------------------------------------------------------------------------------
check "a dry run counts" is "$(rekeyfs migrate start "$mnt" --to alias/two --dry-run --json | jq -c '[.Files, .Bytes]')" "[201,$((3000000 + 137 * 200 * 201 / 2))]"
check "and moves nothing" is "$(files "$one")" 201
check "a job runs to its end" rekeyfs migrate start "$mnt" --to alias/two --wait --report "$TMPDIR/report.csv"
check "every file is under the other key" is "$(files "$two")" 201
check "with the same contents" same
check "and the same time" is "$(stat -c %y "$mnt/large" | cut -c1-23)" "2001-02-03 04:05:06.789"
check "the report has a row a file" is "$(grep -c '^/.*,succeeded,' "$TMPDIR/report.csv")" 201
check "the list shows it" bash -c "rekeyfs migrate list '$mnt' | grep -q 'Complete  manual   reencrypt *201 *201  /'"
check "all mounts' list too" bash -c "rekeyfs migrate list | grep -q 'Complete .* $mnt/'"
check "as JSON, with AWS's names" is "$(rekeyfs migrate list "$mnt" --json | jq -c '.[0] | [.Status, .Progress.Files, .Progress.FilesTotal]')" '["Complete",201,201]'
check "a directory alone" rekeyfs migrate start "$mnt/tree" --to alias/rekeyfs --mode rewrap --wait
check "only it was moved" is "$(files "$one")" 200
check "a file alone" rekeyfs migrate start "$mnt/large" --to alias/rekeyfs --wait
check "it was" is "$(files "$one")" 201
refuse "a target that cannot encrypt" "is Disabled" bash -c "
	rekeyctl disable-key --key-id $two; rekeyfs migrate start '$mnt' --to alias/two; code=\$?; rekeyctl enable-key --key-id $two; exit \$code"
check "a key that is not there: exit code 3" exits 3 rekeyfs migrate start "$mnt" --from alias/none
check "a mode that is none: exit code 2" exits 2 rekeyfs migrate start "$mnt" --mode sideways
check "a job that is not there: exit code 3" exits 3 rekeyfs migrate status 00000000

# --- held back ------------------------------------------------------------------------------------
rekeyfs migrate start "$mnt" --to alias/two --bwlimit 300K > /dev/null
job=$(last)
check "with a bandwidth limit it takes its time" soon status_is "$job" Active
check "paused" rekeyfs migrate pause "$job"
check "it stays so" soon status_is "$job" Paused
check "paused again: exit code 4" exits 4 rekeyfs migrate pause "$job"
bucket_kill
bucket_mount
check "it is still paused" status_is "$job" Paused
check "it goes on" rekeyfs migrate resume "$job"
check "for a while" soon status_is "$job" Active
bucket_kill
bucket_mount
check "killed, it goes on by itself" bash -c "rekeyfs migrate status $job --json | jq -r .Status | grep -q 'Active\|Ready'"
check "cancelled" rekeyfs migrate cancel "$job"
check "it ends" soon status_is "$job" Cancelled
check "by its first digits" rekeyfs migrate status "${job:0:13}"
check "nothing is lost" same
check "the rest moves with the next" rekeyfs migrate start "$mnt" --to alias/two --wait
check "all of it" is "$(files "$two")" 201
check "and nothing is lost" same

# --- a deletion ------------------------------------------------------------------------------------
rekeyctl schedule-key-deletion --key-id "$two" --pending-window-in-days 7 > /dev/null 2>&1
check "a key that is pending deletion is left by itself" soon bash -c "[ \"\$(rekeyfs inventory '$mnt' --json | jq '[.Keys[] | select(.KeyId == \"$two\")] | length')\" = 0 ]"
check "status says what goes" bash -c "rekeyfs status '$mnt' | grep -q 'key $two is to be deleted'"
check "contents stay" same
soon status_is "$(last)" Complete
check "a proof is signed" rekeyfs prove-unused "$two" -o "$TMPDIR/proof"
check "anybody can check it" env REKEYFS_KEYSTORE=/nonexistent rekeyfs verify-proof "$TMPDIR/proof"
check "with the public key that he expects" rekeyfs verify-proof "$TMPDIR/proof" --public-key "$(jq -r .PublicKey "$TMPDIR/proof")"
refuse "another's is refused" "was signed by" rekeyfs verify-proof "$TMPDIR/proof" --public-key "$(head -c 32 /dev/zero | base64)"
sed 's/"Files": 2/"Files": 1/' "$TMPDIR/proof" > "$TMPDIR/forged"
refuse "a changed one is found out" "was changed" rekeyfs verify-proof "$TMPDIR/forged"
check "a key in use is not proved: exit code 4" exits 4 rekeyfs prove-unused "$one"
echo 700000 > "$REKEYFS_CLOCK_FILE"
check "at the end of the window it goes" soon destroyed "$two"
check "and nothing is lost" same

# --- a policy in the way, and no mount -----------------------------------------------------------------
rekeyctl create-key --alias-name alias/three > /dev/null
three=$(key alias/three)
rekeyfs policy set "$mnt/tree" --key alias/three > /dev/null
echo three > "$mnt/tree/three"
rekeyctl schedule-key-deletion --key-id "$three" --pending-window-in-days 7 > /dev/null 2>&1
check "a policy that names the key holds its job back" soon bash -c "rekeyfs migrate list '$mnt' | grep -q 'Paused    deletion'"
check "and it says what to do" bash -c "rekeyfs migrate list '$mnt' | grep -q 'policy of /tree names alias/three.*rekeyfs policy set.*retire-key'"
refuse "new files wait for another key" "Required key not available" bash -c "echo x > '$mnt/tree/x'"
bucket_unmount
check "a run without a mount says so too: exit code 4" exits 4 rekeyfs migrate run "$bucket"
check "there the policy is changed" rekeyfs policy set "$bucket/$(basename "$(find "$bucket" -mindepth 1 -maxdepth 1 -type d ! -name 'rekeyfs.*')")" --key alias/rekeyfs
check "and the run does the rest" rekeyfs migrate run "$bucket"
check "nothing is under the key" is "$(files "$three" "$bucket")" 0
check "jobs are listed there as well" bash -c "rekeyfs migrate list '$bucket' | grep -q 'Complete  deletion'"
echo 1400000 > "$REKEYFS_CLOCK_FILE"
check "once its window is over, a run lets the key go" rekeyfs migrate run "$bucket"
check "it is gone" destroyed "$three"
check "a job of one's own runs to its end there" rekeyfs migrate start "$bucket" --from alias/rekeyfs --mode reencrypt --json
bucket_mount
check "what was written under it reads" is "$(cat "$mnt/tree/three")" three
finish
