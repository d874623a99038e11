#!/usr/bin/env bash
# info, policy and inventory, on a mount and in the bucket.
. "$TOP/tests/lib/bucket.bash"
need_command jq

key() {	# key ALIAS: its id
	rekeyctl --output json describe-key --key-id "$1" | jq -r .KeyMetadata.KeyId
}
of() {	# of PATH MEMBER
	rekeyfs info --json "$1" | jq -r ".[0].$2"
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
soon() {
	local i
	for i in $(seq 100); do
		! "$@" > "$TMPDIR/soon" 2>&1 || return 0
		sleep 0.1
	done
	cat "$TMPDIR/soon"
	return 1
}
files() {	# files KEY PATH: how many are under it
	rekeyfs inventory "$2" --json | jq "[.Keys[] | select(.KeyId == \"$1\") | .Files] | add // 0"
}

bucket_new
rekeyctl create-key --alias-name alias/two > /dev/null
rekeyctl create-key --alias-name alias/three > /dev/null
one=$(key alias/rekeyfs) two=$(key alias/two) three=$(key alias/three)
bucket_mount
mkdir -p "$mnt/d/e"
echo hello > "$mnt/f"
head -c 300000 /dev/urandom > "$mnt/d/g"
ln "$mnt/f" "$mnt/d/f"
ln -s f "$mnt/link"
mkfifo "$mnt/fifo"

# --- info ------------------------------------------------------------------------------------
check "info names the key of a file" is "$(of "$mnt/f" KeyId)" "$one"
check "its alias" is "$(of "$mnt/f" Alias)" alias/rekeyfs
check "its state" is "$(of "$mnt/f" KeyState)" Enabled
check "its key material" is "$(of "$mnt/f" KeyMaterialId)" \
	"$(rekeyctl --output json describe-key --key-id "$one" | jq -r .KeyMetadata.CurrentKeyMaterialId)"
check "which one of the key's that is" is "$(of "$mnt/f" KeyMaterialOrdinal)" 1
check "the size, right after a write" is "$(of "$mnt/d/g" Size)" 300000
check "the path as it was given" is "$(of "$mnt/f" Path)" "$mnt/f"
check "many paths at once" is "$(rekeyfs info --json "$mnt/f" "$mnt/d/g" "$mnt" | jq length)" 3
check "text is for people" bash -c "rekeyfs info '$mnt/f' | grep -q 'alias/rekeyfs  Enabled'"
check "a relative path from within" bash -c "cd '$mnt/d' && rekeyfs info ../f | grep -q '$one'"
check "a symlink is no file" bash -c "rekeyfs info '$mnt/link' | grep -q 'symbolic link'"
check "nor is a FIFO opened" bash -c "timeout 5 rekeyfs info '$mnt/fifo' | grep -q FIFO"
check "a name that is not UTF-8" bash -c "n=\$(printf '$mnt/\\377\\376'); echo x > \"\$n\" && rekeyfs info \"\$n\" | grep -q '$one'"
rm "$mnt"/$'\377\376'
check "a path that is not there: exit code 3" exits 3 rekeyfs info "$mnt/absent"
check "a path on no bucket: exit code 3" exits 3 rekeyfs info /proc/self/status
check "one bad path of several is told, the others are shown" bash -c "
	out=\$(rekeyfs info '$mnt/absent' '$mnt/f' 2>/dev/null); [ \$? -eq 3 ] && [[ \$out == *$one* ]]"

# --- policies ----------------------------------------------------------------------------------
check "the root's policy is the bucket's default" bash -c "rekeyfs policy get '$mnt' | grep -q 'alias/rekeyfs'"
check "a directory gets its own" rekeyfs policy set "$mnt/d" --key alias/two
echo new > "$mnt/d/new"
echo new > "$mnt/d/e/deeper"
check "new files below it are under its key" is "$(of "$mnt/d/new" KeyId)" "$two"
check "however deep" is "$(of "$mnt/d/e/deeper" KeyId)" "$two"
check "old ones stay" is "$(of "$mnt/d/g" KeyId)" "$one"
check "written over as a whole, an old one takes the new key" bash -c "echo short > '$mnt/d/g' && [ \"\$(rekeyfs info --json '$mnt/d/g' | jq -r .[0].KeyId)\" = '$two' ]"
check "appended to, it does not" bash -c "echo more >> '$mnt/f' && [ \"\$(rekeyfs info --json '$mnt/f' | jq -r .[0].KeyId)\" = '$one' ]"
check "a policy below says that it stands above" is "$(rekeyfs policy get "$mnt/d/e" --json | jq .Own)" false
refuse "a key that is not there" "no key alias/none" rekeyfs policy set "$mnt/d" --key alias/none
check "the alias is resolved at each write" bash -c "
	rekeyctl update-alias --alias-name alias/two --target-key-id $three && sleep 1.5 && echo x > '$mnt/d/third' &&
	[ \"\$(rekeyfs info --json '$mnt/d/third' | jq -r .[0].KeyId)\" = '$three' ]"
rekeyctl update-alias --alias-name alias/two --target-key-id "$two"
rekeyctl disable-key --key-id "$three"
check "a disabled key is warned of" bash -c "rekeyfs policy set '$mnt/d/e' --key $three 2>&1 | grep -q 'warning: .*rekeyctl enable-key'"
refuse "and new files there wait for it" "Required key not available" bash -c "echo x > '$mnt/d/e/x'"
rekeyctl enable-key --key-id "$three"
check "unset: the one above governs" bash -c "rekeyfs policy unset '$mnt/d/e' | grep -q alias/two"
check "twice: exit code 3" exits 3 rekeyfs policy unset "$mnt/d/e"
check "the root keeps its: exit code 4" exits 4 rekeyfs policy unset "$mnt"
refuse "a file has none" "only a directory" rekeyfs policy set "$mnt/f" --key alias/two
check "flags stay when the key changes" bash -c "
	rekeyfs policy set '$mnt/d' --enforce deny && rekeyfs policy set '$mnt/d' --key $two &&
	[ \"\$(rekeyfs policy get '$mnt/d' --json | jq -r .Enforce)\" = deny ]"
rekeyfs policy set "$mnt/d" --on-rename keep > /dev/null
refuse "deny keeps a file under another key out" "Operation not permitted" mv "$mnt/f" "$mnt/d/moved"
rekeyfs policy set "$mnt/d" --enforce no --on-rename migrate > /dev/null
echo moving > "$mnt/moving"
mv "$mnt/moving" "$mnt/d/moved"
check "else a renamed file comes under the new directory's key" soon bash -c "rekeyfs info --json '$mnt/d/moved' | grep -q $two"

# --- inventory -------------------------------------------------------------------------------
check "hard links count once" is "$(rekeyfs inventory "$mnt" --json | jq .Files)" "$(find "$mnt" -type f -printf '%i\n' | sort -u | wc -l)"
check "bytes are plain bytes" is "$(rekeyfs inventory "$mnt" --json | jq .Bytes)" \
	"$(find "$mnt" -type f -printf '%i %s\n' | sort -u | awk '{ n += $2 } END { print n }')"
check "files by key" is "$(files "$two" "$mnt")" 4
check "below a directory" is "$(files "$three" "$mnt/d")" 1
check "of one key" is "$(rekeyfs inventory "$mnt" --key alias/two --json | jq '[.Keys[].KeyId] | unique | length')" 1
check "as a table" bash -c "rekeyfs inventory '$mnt' | grep -q '^$two  alias/two '"
check "as CSV" bash -c "rekeyfs inventory '$mnt' --csv | grep -q '^$two,alias/two,Enabled,.*,CURRENT,'"
rekeyctl rotate-key-on-demand --key-id "$two" > /dev/null
check "files under older key material" is "$(rekeyfs inventory "$mnt" --not-current --json | jq -r .Keys[].KeyMaterialState)" NON_CURRENT

# --- without a mount ------------------------------------------------------------------------------
lower=$(find "$bucket" -inum "$(stat -c %i "$mnt/f")" | head -n 1)
before=$(rekeyfs inventory "$mnt" --json | jq -c '[.Keys[] | [.KeyId, .KeyMaterialId, .Files, .Bytes]]')
bucket_unmount
check "the same inventory from the bucket alone" is \
	"$(REKEYFS_KEYSTORE=/nonexistent rekeyfs inventory "$bucket" --json | jq -c '[.Keys[] | [.KeyId, .KeyMaterialId, .Files, .Bytes]]')" "$before"
check "info on a file of the bucket needs no key" is "$(REKEYFS_KEYSTORE=/nonexistent rekeyfs info --json "$lower" | jq -r .[0].KeyId)" "$one"
check "nor for the size" is "$(REKEYFS_KEYSTORE=/nonexistent rekeyfs info --json "$lower" | jq -r .[0].Size)" 11
check "a policy can be changed there" bash -c "rekeyfs policy set '$bucket' --key alias/three && rekeyfs policy get '$bucket' | grep -q '$three'"
dd if=/dev/urandom of="$lower" bs=4096 count=8 conv=notrunc status=none
check "a file whose header is damaged is told" is "$(rekeyfs inventory "$bucket" --json | jq -r '.Unreadable | length')" 1
refuse "by info too" "no copy of the file's header is whole" rekeyfs info "$lower"
bucket_mount
check "and on the mount by its plain path" bash -c "rekeyfs inventory '$mnt' --json | jq -r '.Unreadable[0]' | grep -q '^\(d/\)\?f$'"
echo x > "$mnt/last"
check "the changed policy holds" is "$(of "$mnt/last" KeyId)" "$three"
finish
