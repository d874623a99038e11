"""plain: `ranges` on ordinary files, with the classes that the model `groups` has.

Not every operation of the model has a call: a checkpoint becomes an fsync of each file
and of the directory, the re-encryption and the death of the mount are commands (see
`ranges`).
"""
import ctypes
import os
import subprocess

KEEP_SIZE_PUNCH_HOLE = 3
libc = ctypes.CDLL(None, use_errno=True)


def command(name):
    """Run the command of that name in the environment, if there is one."""
    if os.environ.get(name):
        subprocess.run(["sh", "-c", os.environ[name]], check=True, stdin=subprocess.DEVNULL)


class Bucket:
    def __init__(self, directory, write=False):
        self.directory, self.files, self.durable = directory, [], 0

    @staticmethod
    def exists(directory):
        return True

    def checkpoint(self, meanwhile=lambda: None):
        for file in self.files:
            file.sync()
        self.durable += 1
        meanwhile()

    def kill(self):
        command("RANGES_KILL")

    def close(self):
        command("RANGES_REMOUNT")


class File:
    epochs, batch = (1,), ()

    def __init__(self, path, flags, mode=0o600, bucket=None):
        self.fd, self.bucket = os.open(path, flags, mode), bucket
        if bucket and flags & os.O_RDWR:
            bucket.files.append(self)

    @property
    def size(self):
        return os.fstat(self.fd).st_size

    def write(self, offset, data):
        while data:
            done = os.pwrite(self.fd, data, offset)
            offset, data = offset + done, data[done:]

    def bulk(self, group, data, later=False):
        """Many whole blocks at once; sent to the file system now unless `later`."""
        self.write(group * 64 * 4096, data)
        if not later:
            libc.sync_file_range(self.fd, ctypes.c_long(0), ctypes.c_long(0), 7)

    def truncate(self, size):
        os.ftruncate(self.fd, size)

    def punch(self, offset, length):
        if libc.fallocate(self.fd, KEEP_SIZE_PUNCH_HOLE, ctypes.c_long(offset), ctypes.c_long(length)):
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error))

    def read(self, offset, length):
        return os.pread(self.fd, length, offset)

    def sync(self):
        os.fsync(self.fd)

    def reencrypt(self):
        command("RANGES_REENCRYPT")
        yield "begun"

    def old_keys(self):
        return ()

    def end_batch(self):
        """Before the mount is killed: it may hold what nobody synced in memory."""
        self.sync()

    def close(self):
        if self.bucket and self in self.bucket.files:
            self.bucket.files.remove(self)
        os.close(self.fd)
