#!/bin/bash
# A bucket that was written once, with one of everything: it still reads, and tells the same of its keys.
set -u
TOP=${TOP:-$(cd "$(dirname "$0")/../.." && pwd)}
. "$TOP/tests/lib/bucket.bash"
need_root
need_command getfattr

golden=$TMPDIR/golden
mkdir "$golden"
tar -C "$golden" --xattrs --xattrs-include='user.*' -xJf "$TOP/tests/golden/bucket.tar.xz"
chown -R 0:0 "$golden"
bucket=$golden/bucket
export REKEYFS_KEYSTORE=$golden/keystore

keyless() { (unset REKEYFS_KEYSTORE; HOME=$TMPDIR XDG_DATA_HOME=$TMPDIR/none rekeyfs inventory "$bucket" --json); }
key_lines() { grep -c '"KeyMaterialId"' <<< "$(keyless)"; }
three_materials() { [ "$(key_lines)" -eq 3 ] || { keyless; return 1; }; }
same_listing() { diff "$TOP/tests/golden/listing" <("$TOP/tests/golden/list" "$mnt"); }
write_on() { echo more >> "$mnt/groups" && tail -n 1 "$mnt/groups" | grep -qx more; }

check "its keys are told without any key" three_materials
bucket_mount --keyfile "$golden/keystore.key"
check "every entry is as it was" same_listing
check "it can be written" write_on
bucket_remount --keyfile "$golden/keystore.key"
check "and holds what was written" grep -qx more "$mnt/groups"
finish
