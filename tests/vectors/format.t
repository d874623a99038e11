#!/usr/bin/env bash
# tests/vectors/bucket.py still gives the values that the unit tests and fs/FORMAT.md hold.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/prerequisites.bash
need_command python3

squeezed() {
	tr -d ' \t\n"\\' < "$1"
}

tests=$(for file in tests/unit/{names,policy,keys,bucket}/test_*.c; do squeezed "$file"; done)
format=$(squeezed fs/FORMAT.md)
values=$(PYTHONDONTWRITEBYTECODE=1 tests/vectors/bucket.py) || { echo "Bail out! bucket.py failed"; exit 1; }

echo "1..$(wc -l <<<"$values")"
number=0
while read -r name value; do
	number=$((number + 1))
	where=
	[[ $tests == *"$value"* ]] || where="the unit tests"
	case $name in
	name_a | name_16 | name_161 | directory | symlink | xattr_lower | xattr_file | policy_* | slot_* | state_head | state_mac)
		[[ $format == *"$value"* ]] || where="$where fs/FORMAT.md" ;;
	esac
	if [ -z "$where" ]; then
		echo "ok $number - $name"
	else
		echo "not ok $number - $name is not in $where"
	fi
done <<<"$values"
