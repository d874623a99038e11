#!/usr/bin/env python3
"""Tests of powercut. The replay needs nothing; the rig needs root, /dev/fuse and a loop device."""
import importlib.machinery
import importlib.util
import os
import random
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
import tap  # noqa: E402


def load(name):
    loader = importlib.machinery.SourceFileLoader(name, os.path.join(HERE, name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


powercut = load("powercut")


def W(off, data):
    return powercut.Record("W", off, len(data), data)


F = powercut.Record("F", 0, 0, b"")
LOG = [W(0, b"a" * 4096), F, W(4096, b"b" * 4096), W(0, b"c" * 4096)]


def written(path, records):
    with open(path, "wb") as f:
        for r in records:
            f.write(powercut.HEADER.pack(ord(r.kind), 0, r.off, r.len) + r.data)


class Replay(unittest.TestCase):
    def setUp(self):
        tmp = tempfile.TemporaryDirectory()
        self.addCleanup(tmp.cleanup)
        self.base, self.out, self.log = (os.path.join(tmp.name, n) for n in ("base", "out", "log"))
        with open(self.base, "wb") as f:
            f.truncate(8192)

    def image(self, records):
        powercut.build(self.base, self.out, records)
        with open(self.out, "rb") as f:
            return f.read()

    def test_log_survives_a_round_trip(self):
        records = LOG + [powercut.Record("N", 7, 5, b"start"), powercut.Record("Z", 0, 4096, b"")]
        written(self.log, records)
        self.assertEqual(list(powercut.read_log(self.log)), records)

    def test_log_cut_off_in_its_last_record_ends_before_it(self):
        written(self.log, LOG)
        os.truncate(self.log, os.path.getsize(self.log) - 1)
        self.assertEqual(list(powercut.read_log(self.log)), LOG[:-1])

    def test_prefix_is_every_write_in_order(self):
        rng = random.Random(1)
        self.assertEqual(self.image(powercut.survivors(LOG[:3], "prefix", rng, 4096)), b"a" * 4096 + b"b" * 4096)
        self.assertEqual(self.image(powercut.survivors(LOG, "prefix", rng, 4096)), b"c" * 4096 + b"b" * 4096)

    def test_zeroed_range_reads_as_zeros(self):
        self.assertEqual(self.image(LOG + [powercut.Record("Z", 0, 4096, b"")]), bytes(4096) + b"b" * 4096)

    def test_volatile_cache_keeps_what_was_flushed_and_any_of_the_rest(self):
        seen = set()
        for seed in range(200):
            kept = powercut.survivors(LOG, "volatile", random.Random(seed), 0)
            self.assertEqual(kept[:2], LOG[:2])
            seen.add(tuple(LOG.index(r) for r in kept[2:]))
        self.assertEqual(seen, {(), (2,), (3,), (2, 3)})

    def test_same_seed_gives_the_same_cut(self):
        cuts = [powercut.survivors(LOG, "volatile", random.Random("1/4"), 512) for _ in range(2)]
        self.assertEqual(*cuts)

    def test_torn_write_lands_in_whole_units_where_it_belongs(self):
        data = bytes(i // 512 for i in range(4096))
        for seed in range(50):
            for part in powercut.tear(W(8192, data), random.Random(seed), 512):
                self.assertEqual((part.off % 512, part.len), (0, 512))
                self.assertEqual(part.data, data[part.off - 8192:][:512])

    def test_window_lies_between_the_notes(self):
        note = [powercut.Record("N", 0, len(t), t) for t in (b"start\n", b"end\n")]
        self.assertEqual(powercut.window([F, note[0], F, F, note[1], F]), (2, 5))


@unittest.skipUnless(os.geteuid() == 0 and os.path.exists("/dev/fuse") and os.path.exists("/dev/loop-control"),
                     "needs root, FUSE and loop devices")
class Rig(unittest.TestCase):
    def rig(self, workload, *more, check=f"{HERE}/blocks check"):
        p = subprocess.run([f"{HERE}/powercut", "run", "--points", "10", "--workload", f"{HERE}/{workload}",
                            "--check", check, *more], capture_output=True, text=True)
        return p.returncode, p.stdout + p.stderr

    def test_ext4_keeps_its_promises(self):
        for mode in ("prefix", "volatile"):
            status, out = self.rig("blocks work", "--mode", mode)
            self.assertEqual(status, 0, out)
            self.assertIn("10 points, 0 lost, blocks_lost=0", out)

    def test_a_promise_without_fsync_is_found_out(self):
        status, out = self.rig("blocks work --liar")
        self.assertEqual(status, 1, out)
        self.assertNotIn(" 0 lost", out)

    def test_an_ext4_without_barriers_is_found_out(self):
        status, out = self.rig("blocks work", "--mount", "nobarrier", "--points", "40")
        self.assertEqual(status, 1, out)

    def test_ranges_on_ext4(self):
        status, out = self.rig("ranges work --mount --rounds 30 --part tail",
                               check=f"{HERE}/ranges check --mount --zeroed-tail")
        self.assertEqual(status, 0, out)
        self.assertIn("10 points, 0 lost", out)

    def test_ranges_finds_a_promise_that_was_not_kept(self):
        status, out = self.rig("ranges work --mount --rounds 30 --part tail", "--mount", "nobarrier",
                               "--points", "40", check=f"{HERE}/ranges check --mount --zeroed-tail")
        self.assertEqual(status, 1, out)

    def test_a_failing_workload_ends_the_run(self):
        p = subprocess.run([f"{HERE}/powercut", "run", "--workload", "false", "--check", "true"],
                           capture_output=True, text=True)
        self.assertEqual(p.returncode, 1)
        self.assertIn("failed", p.stderr)


if __name__ == "__main__":
    tap.main()
