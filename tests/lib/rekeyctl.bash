# For .bats files: a keystore with a keyfile, and answers taken apart.  To be sourced; setup() calls keystore_setup.

bats_require_minimum_version 1.5.0
. "$TOP/tests/lib/prerequisites.bash"

keystore_setup() {
	need_program rekeyctl
	export REKEYFS_KEYSTORE=$BATS_TEST_TMPDIR/keystore
	export REKEYFS_CLOCK_FILE=$BATS_TEST_TMPDIR/clock
	"$BUILD/rekeyctl" init >/dev/null 2>&1
}

# ctl ARGUMENT…: runs rekeyctl; $status, $output (standard output alone), $stderr
ctl() {
	run --separate-stderr "$BUILD/rekeyctl" "$@"
	echo "rekeyctl $*: $status" "$output" "$stderr" >&2
}

# ok ARGUMENT…: the same, and it must succeed.
ok() {
	ctl "$@"
	[ "$status" -eq 0 ]
}

# kms_error NAME OPERATION ARGUMENT…: it must end as `aws` does with this exception.
kms_error() {
	local name=$1 operation=$2
	shift 2
	ctl "$@"
	[ "$status" -eq 254 ]
	[ -z "$output" ]
	[[ "$stderr" == "An error occurred ($name) when calling the $operation operation: "* ]]
}

# fails CODE WORDS ARGUMENT…: it must end with the exit code and say the words.
fails() {
	local code=$1 words=$2
	shift 2
	ctl "$@"
	[ "$status" -eq "$code" ]
	[[ "$stderr" == *"$words"* ]]
}

# The text, number or word of a member of the last answer (the first of that name).
member() {
	sed -n -e "s/^ *\"$1\": \"\([^\"]*\)\",\{0,1\}\$/\1/p" -e "s/^ *\"$1\": \([a-z0-9]*\),\{0,1\}\$/\1/p" <<<"$output" | head -n 1
}

# How often a member's name stands in the last answer.
count() {
	grep -c "\"$1\":" <<<"$output"
}

# new_key [OPTION…]: makes a key; $key is its id.
new_key() {
	ok create-key "$@"
	key=$(member KeyId)
	[[ $key =~ ^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$ ]]
}

# Moves the clock by days, from where it was.
days_later() {
	local now
	now=$(cat "$REKEYFS_CLOCK_FILE" 2>/dev/null || echo 0)
	echo $((now + $1 * 86400)) > "$REKEYFS_CLOCK_FILE"
}

state_of() {
	ok describe-key --key-id "$1"
	member KeyState
}

# on_terminal COMMAND: runs it on a terminal of its own, in the background ($pid), its output in ./log;
# what is written to descriptor 9 is typed.
on_terminal() {
	need_command script || return
	mkfifo in
	script -qefc "$1" log < in > /dev/null 2>&1 3>&- &
	pid=$!
	exec 9> in
}

# wait_for WORDS: until they stand in ./log
wait_for() {
	for _ in $(seq 200); do
		grep -q "$1" log 2>/dev/null && return
		sleep 0.1
	done
	cat log
	return 1
}
