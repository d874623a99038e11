#!/usr/bin/env bash
# Several users: root's mount is open to others, the kernel checks owners, modes and ACLs; -o private keeps others out.
. "$TOP/tests/lib/bucket.bash"
need_root; need_command setpriv setfacl getfacl setcap

one=54321 two=54322
as() {	# as UID COMMAND…
	local id=$1
	shift
	setpriv --reuid "$id" --regid "$id" --clear-groups "$@"
}
denied() {	# denied UID COMMAND…: fails for want of permission
	local output
	! output=$(LC_ALL=C as "$@" 2>&1) && grep -qi 'denied\|not permitted' <<< "$output"
}

chmod 755 "$TMPDIR"
bucket_new
bucket_mount
chmod 1777 "$mnt"

check "a user makes a file" as $one sh -c "umask 077; echo secret > '$mnt/file'"
check "it is his" test "$(stat -c %u:%g:%a "$mnt/file")" = $one:$one:600
check "he reads it" as $one cat "$mnt/file"
check "another does not" denied $two cat "$mnt/file"
check "nor removes it from a sticky directory" denied $two rm -f "$mnt/file"
check "nor changes its mode" denied $two chmod 777 "$mnt/file"
check "root reads it" cat "$mnt/file"
check "he opens it to all" as $one chmod 644 "$mnt/file"
check "then the other reads it" as $two cat "$mnt/file"
check "but does not write it" denied $two sh -c "echo no > '$mnt/file'"
check "he may not give it away" denied $one chown $two "$mnt/file"
check "root may" chown $two:$two "$mnt/file"
check "then the other writes it" as $two sh -c "echo yes > '$mnt/file'"
check "a directory of one" as $one mkdir -m 700 "$mnt/private"
check "the other does not enter it" denied $two ls "$mnt/private"

check "an ACL lets the other in" as $one setfacl -m u:$two:rwx "$mnt/private"
check "he enters" as $two ls "$mnt/private"
check "and makes a file there" as $two touch "$mnt/private/his"
check "a third does not" denied 54323 ls "$mnt/private"
check "a default ACL" as $one setfacl -d -m u:$two:rw "$mnt/private"
check "is inherited, in place of the umask" as $one sh -c "umask 077; echo shared > '$mnt/private/shared'"
check "so the other reads the new file" as $two cat "$mnt/private/shared"
check "ACLs stay over a remount" bash -c "getfacl -n -p '$mnt/private' '$mnt/private/shared' > '$TMPDIR/acl'"
bucket_remount
check "as they were" bash -c "getfacl -n -p '$mnt/private' '$mnt/private/shared' | diff - '$TMPDIR/acl'"

check "a setgid directory gives its group" bash -c "mkdir '$mnt/group' && chgrp $two '$mnt/group' && chmod 2777 '$mnt/group'"
check "to what is made in it" as $one touch "$mnt/group/file"
check "as ext4 does" test "$(stat -c %u:%g "$mnt/group/file")" = $one:$two
check "and to directories with the bit" bash -c "setpriv --reuid $one --regid $one --clear-groups mkdir '$mnt/group/below' && [ \"\$(stat -c %g:%a '$mnt/group/below')\" = $two:2755 ]"

cp /bin/true "$mnt/program"
check "a write by its owner clears the set-id bits" bash -c "chown $one:$one '$mnt/program' && chmod 6755 '$mnt/program' && setpriv --reuid $one --regid $one --clear-groups sh -c 'echo x >> $mnt/program' && [ \"\$(stat -c %a '$mnt/program')\" = 755 ]"
check "so does truncation" bash -c "chmod 6755 '$mnt/program' && setpriv --reuid $one --regid $one --clear-groups truncate -s 10 '$mnt/program' && [ \"\$(stat -c %a '$mnt/program')\" = 755 ]"
check "so does opening with O_TRUNC" bash -c "chmod 6755 '$mnt/program' && setpriv --reuid $one --regid $one --clear-groups sh -c ': > $mnt/program' && [ \"\$(stat -c %a '$mnt/program')\" = 755 ]"
check "so does chown, by root too" bash -c "chmod 6755 '$mnt/program' && chown $two '$mnt/program' && [ \"\$(stat -c %a '$mnt/program')\" = 755 ]"
check "root's write leaves them" bash -c "chmod 6755 '$mnt/program' && echo x >> '$mnt/program' && [ \"\$(stat -c %a '$mnt/program')\" = 6755 ]"
check "a write takes file capabilities away" bash -c "cp /bin/true '$mnt/able' && setcap cap_net_raw+ep '$mnt/able' && getcap '$mnt/able' | grep -q cap_net_raw && echo x >> '$mnt/able' && [ -z \"\$(getcap '$mnt/able')\" ]"

bucket_remount -o private
check "a private mount keeps others out" denied $one ls "$mnt"
check "but not its own user" ls "$mnt"
finish
