# tests/layers finds each kind of breach, and nothing in a tree that keeps the rules.

setup() {
	tree=$BATS_TEST_TMPDIR
	mkdir -p "$tree"/{base,keymgr/{core,ctl},fs/{format,names,keys,bucket,content,tree,check,mount,cli}}
}

# includes FILE HEADER…: FILE includes them, each as it is written.
includes() {
	local file=$tree/$1
	shift
	printf '#include %s\n' "$@" > "$file"
}

layers() {
	run "$TOP/tests/layers" "$tree"
}

refused() {
	layers
	echo "$output"
	[ "$status" -eq 1 ]
	[[ "$output" == *"not ok 1"* && "$output" == *"$1"* ]]
}

@test "a tree that keeps the rules passes" {
	includes base/aead.c '<sodium.h>' '<openssl/evp.h>' '"base/aead.h"'
	includes keymgr/core/cmk.c '<sodium.h>' '"keymgr/core/cmk.h"' '"keymgr/keymgr.h"'
	includes keymgr/ctl/main.c '"keymgr/core/cmk.h"' '"base/json.h"'
	includes fs/keys/key_ring.c '"keymgr/keymgr.h"' '"fs/format/key_slot.h"'
	includes fs/content/block.c '"fs/bucket/bucket.h"' '<stdio.h>'
	includes fs/check/proof.c '"keymgr/keymgr.h"' '"fs/tree/node.h"'
	includes fs/mount/session.c '<fuse_lowlevel.h>' '"fs/tree/node.h"'
	layers
	[ "$status" -eq 0 ]
	[ "${lines[1]}" = "ok 1 - includes keep to the layers" ]
}

@test "base includes nothing above it" {
	includes base/log.c '"fs/format/layout.h"'
	refused "base/log.c:1: base may not include fs/format/layout.h"
}

@test "a lower layer does not include a higher one" {
	includes fs/bucket/bucket.c '"base/log.h"' '"fs/content/block.h"'
	refused "fs/bucket/bucket.c:2: fs/bucket may not include fs/content/block.h"
}

@test "names does not know the key manager" {
	includes fs/names/names.c '"keymgr/keymgr.h"'
	refused "fs/names may not include keymgr/keymgr.h"
}

@test "fs/keys sees the key manager's interface only" {
	includes fs/keys/key_ring.c '"keymgr/core/cmk.h"'
	refused "fs/keys may not include keymgr/core/cmk.h"
}

@test "the key manager does not know the file system" {
	includes keymgr/core/cmk.c '"fs/format/layout.h"'
	refused "keymgr/core may not include fs/format/layout.h"
}

@test "FUSE is included in fs/mount alone" {
	includes fs/tree/node.c '<fuse_lowlevel.h>'
	refused "only fs/mount may include fuse_lowlevel.h"
	includes fs/tree/node.c '<fuse3/fuse.h>'
	refused "only fs/mount may include fuse3/fuse.h"
}

@test "crypto libraries are included where keys are kept alone" {
	includes fs/content/block.c '<sodium.h>'
	refused "fs/content may not include sodium.h"
	includes fs/content/block.c '<openssl/evp.h>'
	refused "fs/content may not include openssl/evp.h"
	includes keymgr/ctl/main.c '<sodium/crypto_box.h>'
	refused "keymgr/ctl may not include sodium/crypto_box.h"
}

@test "headers are named from the root" {
	includes fs/tree/node.c '"node.h"'
	refused 'is not written from the root'
	includes fs/tree/node.c '"fs/tree/../mount/session.h"'
	refused 'is not written from the root'
	includes fs/tree/node.c '<fs/tree/node.h>'
	refused 'belongs in quotes'
}

@test "a new directory must be given its place" {
	mkdir "$tree/fs/extra"
	includes fs/extra/a.c '<stdio.h>'
	refused "fs/extra is no layer"
}
