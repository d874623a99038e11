#!/usr/bin/env bash
# git on a mount: clone of a local repository, commit, fsck, gc, all of it again after a remount.
. "$TOP/tests/lib/bucket.bash"
need_command git
export HOME=$TMPDIR GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=t GIT_AUTHOR_EMAIL=t@localhost GIT_COMMITTER_NAME=t GIT_COMMITTER_EMAIL=t@localhost

# The project's own history where this is a clone of it, else some commits over its sources.
origin=$TMPDIR/origin
if ! git clone -q --no-local "$TOP" "$origin" 2>/dev/null; then
	mkdir "$origin" && cp -r "$TOP"/{Makefile,base,fs,keymgr} "$origin"
	git -C "$origin" init -q && git -C "$origin" add . && git -C "$origin" commit -q -m sources
fi

bucket_new
bucket_mount
work=$mnt/clone

check "clone" git clone -q --no-local "$origin" "$work"
check "the clone has the files of its origin" diff -r --exclude=.git "$origin" "$work"

commits() {
	local i
	for i in 1 2 3 4 5 6 7 8; do
		seq "$i" 5000 > "$work/numbers" && git -C "$work" add numbers && git -C "$work" commit -q -m "numbers $i" || return
	done
}
check "commits" commits
check "nothing is left to commit" test -z "$(git -C "$work" status --porcelain)"
check "branch, merge" bash -c "cd '$work' && git checkout -q -b side HEAD~3 && echo side > side && git add side && git commit -q -m side &&
	git checkout -q - && git merge -q -m merge side"
check "fsck" git -C "$work" fsck --full --strict
check "gc" git -C "$work" gc -q --prune=now
check "fsck after gc" git -C "$work" fsck --full --strict
head=$(git -C "$work" rev-parse HEAD)

bucket_remount
drop_caches
check "fsck after a remount" git -C "$work" fsck --full --strict
check "the same commit after a remount" test "$(git -C "$work" rev-parse HEAD)" = "$head"
check "a clean work tree after a remount" test -z "$(git -C "$work" status --porcelain)"
check "clone out of the mount" git clone -q --no-local "$work" "$TMPDIR/back"
check "push into the mount" bash -c "cd '$TMPDIR/back' && echo back > back && git add back && git commit -q -m back && git push -q origin HEAD:refs/heads/back"
check "the pushed commit is whole" git -C "$work" fsck --full
check "remove the clone" rm -rf "$work"
finish
