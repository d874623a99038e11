#!/usr/bin/env bash
# examples/key-story: the life of a bucket and its keys.  Each of its claims is a test.
. "$TOP/tests/lib/prerequisites.bash"
need_fuse; need_command sqlite3 tar; need_program rekeyfs rekeyctl

status=0
"$TOP/examples/key-story" > "$TMPDIR/story" 2> "$TMPDIR/errors" || status=$?
number=0
while read -r line; do
	case $line in
	'=='*) echo "# $line" ;;
	'' | 'key '?' is '*) ;;
	*) number=$((number + 1)); echo "ok $number - $line" ;;
	esac
done < "$TMPDIR/story"
number=$((number + 1))
if [ "$status" -eq 0 ] && grep -q '^All of it holds' "$TMPDIR/story"; then
	echo "ok $number - to the end"
else
	echo "not ok $number - to the end (exit status $status)"
	sed 's/^/# /' "$TMPDIR/errors"
fi
echo "1..$number"
