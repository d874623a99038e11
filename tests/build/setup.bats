# etc/setup: root installs what is missing, anybody else is told.  With stand-ins for dpkg-query,
# apt-get and id, so that no package is touched.

setup() {
	stand_ins=$BATS_TEST_TMPDIR/bin
	mkdir "$stand_ins"
	export CALLS=$BATS_TEST_TMPDIR/calls
	touch "$CALLS"
	PATH=$stand_ins:$PATH
}

# stand_in NAME SCRIPT
stand_in() {
	printf '#!/bin/sh\n%s\n' "$2" > "$stand_ins/$1"
	chmod +x "$stand_ins/$1"
}

user() {
	stand_in id "echo $1"
}

# All packages are there but these.
missing() {
	stand_in dpkg-query "for last; do :; done
	case \" $* \" in *\" \$last \"*) exit 1 ;; esac
	echo 'install ok installed'"
}

@test "nothing is done where nothing is missing" {
	user 0
	missing
	stand_in apt-get 'echo "$*" >> "$CALLS"'
	run "$TOP/etc/setup" build run test
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	[ ! -s "$CALLS" ]
}

@test "an ordinary user is told what to install" {
	user 1000
	missing bats libsodium-dev
	stand_in apt-get 'echo "$*" >> "$CALLS"'
	run "$TOP/etc/setup" build test
	[ "$status" -eq 1 ]
	[[ "$output" == *"sudo apt-get install libsodium-dev bats" ]]
	[ ! -s "$CALLS" ]
}

@test "root installs it" {
	user 0
	missing libsodium-dev
	stand_in apt-get 'echo "$*" >> "$CALLS"'
	run "$TOP/etc/setup" build
	[ "$status" -eq 0 ]
	[ "$(cat "$CALLS")" = "install -y --no-install-recommends libsodium-dev" ]
}

@test "root fetches the lists where they are too old" {
	user 0
	missing gcc
	stand_in apt-get 'echo "$1" >> "$CALLS"
	[ "$1" = update ] && touch "$CALLS.fresh"
	[ -e "$CALLS.fresh" ]'
	run "$TOP/etc/setup" build
	[ "$status" -eq 0 ]
	[ "$(tr '\n' ' ' < "$CALLS")" = "install update install " ]
}

@test "what cannot be installed is an error that shows why" {
	user 0
	missing gcc
	stand_in apt-get 'echo "no network"; exit 100'
	run "$TOP/etc/setup" build
	[ "$status" -eq 1 ]
	[[ "$output" == *"no network"*"could not install: gcc"* ]]
}

@test "an unknown word is refused" {
	run "$TOP/etc/setup" nothing
	[ "$status" -eq 2 ]
}
