#!/usr/bin/env bash
# The project builds itself on its own mount, and what it builds runs from there.
. "$TOP/tests/lib/bucket.bash"
need_command make cc tar

bucket_new
bucket_mount
mkdir "$mnt/tree"
check "copy the sources" bash -o pipefail -c "tar -C '$TOP' -cf - Makefile base keymgr fs etc/packages | tar -C '$mnt/tree' -xf -"
check "build" env -u BUILD make -C "$mnt/tree" -j2 OPTIMIZE=-O0 all
check "rekeyfs runs from the mount" "$mnt/tree/build/rekeyfs" --help
check "rekeyctl runs from the mount" "$mnt/tree/build/rekeyctl" --help
# make goes by times: they must be what was set, also after the kernel has forgotten them.
again() {
	local made
	made=$(env -u BUILD make -C "$mnt/tree" OPTIMIZE=-O0 all | grep -E '^  (CC|AR|LINK)') || return 0
	printf '%s\n' "$made"
	return 1
}
drop_caches
check "a second build does nothing" again
bucket_remount
check "nor does one after a remount" again
check "the sources are as they were" diff -r "$TOP/base" "$mnt/tree/base"
finish
