# Installing puts everything in its place, and uninstalling leaves nothing.

setup() {
	export DESTDIR=$BATS_TEST_TMPDIR/root PREFIX=/usr/local
	mkdir "$DESTDIR"
	bin=$BATS_TEST_TMPDIR/build
	mkdir "$bin"
	# The programs themselves do not matter here.
	for program in rekeyfs rekeyctl; do
		printf '#!/bin/sh\necho "%s $*"\n' "$program" > "$bin/$program"
		chmod +x "$bin/$program"
	done
}

place() {
	BUILD=$bin "$TOP/etc/install" "$1"
}

@test "programs, configuration, units, completions and mount's helper are installed" {
	place install
	cd "$DESTDIR"
	[ -x usr/local/bin/rekeyfs ]
	[ -x usr/local/bin/rekeyctl ]
	[ -f etc/rekeyfs/rekeyfs.ini ]
	[ -f usr/local/lib/systemd/system/rekeyfs@.service ]
	[ -f usr/local/lib/systemd/system/rekeyfs-due.timer ]
	[ -f usr/local/share/bash-completion/completions/rekeyctl ]
	[ -x usr/sbin/mount.rekeyfs ]
	! grep -r '@bindir@' .
	grep -q '^ExecStart=/usr/local/bin/rekeyctl run-due' usr/local/lib/systemd/system/rekeyfs-due.service
}

@test "every page of man/ is installed" {
	place install
	for page in "$TOP"/man/*.[1-8]; do
		[ -f "$page" ] || continue
		[ -f "$DESTDIR/usr/local/share/man/man${page##*.}/${page##*/}" ]
	done
}

@test "uninstall leaves nothing, not even a directory" {
	place install
	[ "$(find "$DESTDIR" -type f | wc -l)" -ge 9 ]
	place uninstall
	run find "$DESTDIR" -mindepth 1
	echo "$output"
	[ -z "$output" ]
}

@test "uninstall leaves what is not ours" {
	mkdir -p "$DESTDIR/etc/rekeyfs/mounts" "$DESTDIR/usr/local/bin"
	touch "$DESTDIR/etc/rekeyfs/mounts/a.env" "$DESTDIR/usr/local/bin/other"
	place install
	place uninstall
	run find "$DESTDIR" -type f
	[ "$(sort <<<"$output")" = "$DESTDIR/etc/rekeyfs/mounts/a.env
$DESTDIR/usr/local/bin/other" ]
}

@test "an edited configuration is kept by a second install" {
	place install
	echo '# mine' >> "$DESTDIR/etc/rekeyfs/rekeyfs.ini"
	run place install
	[ "$status" -eq 0 ]
	[[ "$output" == *"kept as it is: $DESTDIR/etc/rekeyfs/rekeyfs.ini"* ]]
	tail -n 1 "$DESTDIR/etc/rekeyfs/rekeyfs.ini" | grep -qx '# mine'
}

@test "another prefix keeps everything below itself" {
	export PREFIX=/opt/rekeyfs
	place install
	run bash -c 'cd "$DESTDIR" && find . -type f -not -path "./opt/rekeyfs/*"'
	[ -z "$output" ]
	[ -f "$DESTDIR/opt/rekeyfs/etc/rekeyfs/rekeyfs.ini" ]
}

# A mount that is made in a namespace of the unit's own is seen by nobody else.
@test "the units use no option that makes a mount namespace" {
	run grep -n -E '^(Protect(System|Home|KernelTunables|KernelModules|KernelLogs|ControlGroups|Proc)|Private[A-Za-z]+|ReadWritePaths|ReadOnlyPaths|InaccessiblePaths|BindPaths|BindReadOnlyPaths|TemporaryFileSystem|RootDirectory|RootImage|MountAPIVFS|DynamicUser|NoNewPrivileges|SystemCallFilter|RestrictNamespaces|LockPersonality|MemoryDenyWriteExecute)=' \
		"$TOP"/etc/systemd/rekeyfs@.service
	echo "$output"
	[ "$status" -eq 1 ]
}

@test "mount's helper hands over what is meant for the file system" {
	sed "s|@bindir@|$bin|g" "$TOP/etc/mount.rekeyfs" > "$bin/mount.rekeyfs"
	helper() { sh "$bin/mount.rekeyfs" "$@"; }
	[ "$(helper /b /m -o rw,nofail,allow_other,x-systemd.automount,idle=10m)" = "rekeyfs mount /b /m -o rw,allow_other,idle=10m" ]
	[ "$(helper /b /m -n -o defaults,_netdev -t fuse.rekeyfs)" = "rekeyfs mount /b /m" ]
	[ "$(helper /b /m)" = "rekeyfs mount /b /m" ]
	[ "$(helper '/b c' /m -o ro -s)" = "rekeyfs mount /b c /m -o ro" ]
	[ -z "$(helper /b /m -f -o ro)" ]
	run helper /b
	[ "$status" -ne 0 ]
}
