# bash completion of rekeyfs and rekeyctl.  Verbs and options are what the programs' own --help
# lists, so that a new one completes by itself.  Nothing here opens a keystore.

# The words that fit what is typed so far.
_rekeyfs_offer() {
	mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2")
}

_rekeyfs_verbs() {
	"$1" --help 2>/dev/null | sed -n '/^Verbs:/,/^$/s/^  \([a-z][a-z-]*\) .*/\1/p'
}

_rekeyfs_options() {
	"$1" "$2" --help 2>/dev/null | grep -o -e '^ \+\(-[a-zA-Z], \)\?--[a-z-]*' | grep -o -e '--[a-z-]*'
}

# Values of options that take one of a few words.
_rekeyfs_values() {
	case $1 in
	--suite) echo "AES-256-GCM XChaCha20-Poly1305" ;;
	--mode) echo "reencrypt rewrap" ;;
	--output) echo "json table text" ;;
	--enforce) echo "deny warn" ;;
	--on-rename) echo "migrate keep" ;;
	--after-rotation) echo "none rewrap reencrypt" ;;
	--key-spec) echo "AES_256 AES_128" ;;
	*) return 1 ;;
	esac
}

_rekeyfs() {
	local program=$1 current=$2 previous=$3 verb='' position word values
	COMPREPLY=()
	for ((position = 1; position < COMP_CWORD; position++)); do
		word=${COMP_WORDS[position]}
		case $word in
		--keystore | --endpoint | --output) ((position++)) ;;
		-*) ;;
		*) verb=$word; break ;;
		esac
	done

	if values=$(_rekeyfs_values "$previous"); then
		_rekeyfs_offer "$values" "$current"
	elif [ -z "$verb" ] && [[ $current == -* ]]; then
		_rekeyfs_offer "--help --version" "$current"
	elif [ -z "$verb" ]; then
		case $previous in
		--keystore | --endpoint) ;;
		*) _rekeyfs_offer "$(_rekeyfs_verbs "$program")" "$current" ;;
		esac
	elif [[ $current == -* ]]; then
		_rekeyfs_offer "$(_rekeyfs_options "$program" "$verb")" "$current"
	elif [ "$position" -eq $((COMP_CWORD - 1)) ]; then
		case ${program##*/}:$verb in
		rekeyfs:policy) _rekeyfs_offer "get set unset" "$current" ;;
		rekeyfs:migrate) _rekeyfs_offer "start list status pause resume cancel run" "$current" ;;
		esac
	fi
	# With nothing to offer, names of files (`-o default` below).
}

complete -o default -F _rekeyfs rekeyfs rekeyctl
