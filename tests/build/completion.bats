# bash completion, over a program whose --help has the form that base/command_line.c prints.

setup() {
	cd "$BATS_TEST_TMPDIR"
	cat > rekeyfs <<-'END'
		#!/bin/sh
		case "$*" in
		--help) printf 'Usage: rekeyfs VERB [OPTION…] [ARGUMENT…]\nAbout.\n\nVerbs:\n'
			printf '  %-30s%s\n' mount 'mount a bucket' migrate 'move files' policy 'default keys'
			printf '\n`rekeyfs VERB --help` lists.\n' ;;
		"mount --help") printf 'Usage: …\n\nOptions:\n'
			printf '  -o, --options OPTIONS         see --help of mount\n      --idle TIME               unmount\n' ;;
		esac
	END
	chmod +x rekeyfs
	cp rekeyfs rekeyctl
	PATH=$PWD:$PATH
	. "$TOP/etc/completion/rekeyfs.bash"
}

# completes WORD…: what is offered for the last word.
completes() {
	COMP_WORDS=("$@")
	COMP_CWORD=$(($# - 1))
	local previous=${COMP_WORDS[COMP_CWORD - 1]}
	_rekeyfs "$1" "${!#}" "$previous"
	echo "${COMPREPLY[*]}"
}

@test "verbs" {
	[ "$(completes rekeyfs '')" = "mount migrate policy" ]
	[ "$(completes rekeyfs m)" = "mount migrate" ]
	[ "$(completes rekeyctl --keystore k p)" = "policy" ]
	[ -z "$(completes rekeyctl --keystore '')" ]
	[ "$(completes rekeyfs --)" = "--help --version" ]
}

@test "a verb's options" {
	[ "$(completes rekeyfs mount -)" = "--options --idle" ]
	[ "$(completes rekeyfs mount bucket --i)" = "--idle" ]
}

@test "verbs of verbs, and words that options take" {
	[ "$(completes rekeyfs policy s)" = "set" ]
	[ "$(completes rekeyfs migrate p)" = "pause" ]
	[ -z "$(completes rekeyfs migrate start s)" ]
	[ "$(completes rekeyfs migrate start --mode r)" = "reencrypt rewrap" ]
	[ "$(completes rekeyctl --output t)" = "table text" ]
}
