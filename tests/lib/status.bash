# What `rekeyfs status --json` says.  To be sourced.

# status_of PATH KEY: a member of the mount's status, "Requests.OPEN" for one inside; 0 where a count is absent.
status_of() {
	rekeyfs status --json "$1" | python3 -c '
import json, sys
value = json.load(sys.stdin)[0]
for key in sys.argv[1].split("."):
	value = value.get(key, 0)
print(value)' "$2"
}
