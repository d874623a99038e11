#!/usr/bin/env bash
# sqlite3 on a mount: rollback journal and write-ahead log, two connections at once, a killed
# client, a remount, and integrity_check after each.
. "$TOP/tests/lib/bucket.bash"
need_command sqlite3

sound() {
	local text
	text=$(sqlite3 "$1" 'PRAGMA integrity_check;') && [ "$text" = ok ] || { echo "$text"; return 1; }
}

rows() {
	sqlite3 "$1" 'SELECT count(*) FROM t;'
}

# insert DATABASE ROWS: one transaction each.
insert() {
	local i
	for ((i = 0; i < $2; i++)); do
		echo "INSERT INTO t (text) VALUES (hex(randomblob(200)));"
	done | sqlite3 -cmd '.timeout 30000' "$1"
}

two_at_once() {
	local one two status=0
	insert "$1" 100 & one=$!
	insert "$1" 100 & two=$!
	wait "$one" || status=1
	wait "$two" || status=1
	return "$status"
}

killed_client() {
	local pid
	{ yes "INSERT INTO t (text) VALUES (hex(randomblob(2000)));" | head -n 20000 | sqlite3 -cmd '.timeout 30000' "$1"; } > /dev/null 2>&1 &
	pid=$!
	sleep 0.5
	# The shell of the pipe and the client that it started.
	kill -9 $(pgrep -P "$pid") "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	sound "$1"
}

bucket_new
bucket_mount
for mode in delete truncate persist wal; do
	db=$mnt/$mode.db
	check "$mode: create" sqlite3 "$db" "PRAGMA journal_mode=$mode; CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT); CREATE INDEX i ON t(text);"
	check "$mode: 200 transactions of two connections" two_at_once "$db"
	check "$mode: every row is there" test "$(rows "$db")" = 200
	check "$mode: integrity" sound "$db"
	check "$mode: one large transaction, rolled back" sqlite3 "$db" \
		"BEGIN; INSERT INTO t (text) SELECT hex(randomblob(500)) FROM t, t AS u; ROLLBACK;"
	check "$mode: delete, vacuum" sqlite3 "$db" "DELETE FROM t WHERE id % 2; VACUUM;"
	check "$mode: half of the rows" test "$(rows "$db")" = 100
	check "$mode: a client is killed" killed_client "$db"
	check "$mode: integrity" sound "$db"
	sqlite3 "$db" .dump > "$TMPDIR/$mode.before"
done
bucket_remount
drop_caches
for mode in delete truncate persist wal; do
	check "$mode: integrity after a remount" sound "$mnt/$mode.db"
	sqlite3 "$mnt/$mode.db" .dump > "$TMPDIR/$mode.after"
	check "$mode: the same rows after a remount" cmp "$TMPDIR/$mode.before" "$TMPDIR/$mode.after"
done
finish
