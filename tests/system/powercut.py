"""Power cuts, for real: the collector's disk is frozen at a random instant and started from.

An XFS file system with reflinks holds an image of an ext4 file system, on
which the collector works. `cp --reflink=always` of the image is what the disk
would hold had the power gone at that instant. A collector started from the
copy must have everything that was acknowledged before it, to agents and to one
that pushes series from elsewhere. The control takes fdatasync away
(FENWATCH_FAULT=fdatasync:skip) and must lose something of both: a test
that passes then has no teeth. Meanwhile snapshots are made on the same disk: one that was told to be complete
before the cut is restored from it now and then, and has what was acknowledged before it was begun.
"""
import os
import random
import shutil
import subprocess
import threading
import time

import wire
from kill_ledger import Ledger, PushedLedger, stored
from stage import check, main, skip

CUTS = int(os.environ.get("FENWATCH_CUTS", "20"))
SNAPSHOT_EVERY = max(1, CUTS // 40)  # so many cuts one is restored from


def run(*argv):
    done = subprocess.run(argv, capture_output=True, text=True)
    if done.returncode:
        raise OSError(f"{' '.join(argv)}: {done.stderr.strip()}")


class Disk:
    """The nested file systems, and cuts of the inner one."""

    def __init__(self, lab):
        self.lab, self.cuts = lab, 0
        self.outer, self.inner = os.path.join(lab.dir, "outer"), os.path.join(lab.dir, "inner")
        os.mkdir(self.outer)
        os.mkdir(self.inner)
        try:
            with open(lab.dir + "/outer.img", "wb") as f:
                f.truncate(1200 << 20)
            run("mkfs.xfs", "-q", "-m", "reflink=1", lab.dir + "/outer.img")
            run("mount", "-o", "loop", lab.dir + "/outer.img", self.outer)
            lab.closers.append(lambda: subprocess.run(["umount", "-l", self.outer]))
            with open(self.outer + "/inner.img", "wb") as f:
                f.truncate(400 << 20)
            run("mkfs.ext4", "-q", "-F", self.outer + "/inner.img")
            run("mount", "-o", "loop", self.outer + "/inner.img", self.inner)
            lab.closers.append(lambda: subprocess.run(["umount", "-l", self.inner]))
        except OSError as error:
            skip(f"loop-mounted file systems need root and a kernel with xfs: {error}")

    def cut(self):
        """What the disk holds now, mounted at a place of its own."""
        self.cuts += 1
        image, mount = f"{self.outer}/cut{self.cuts}.img", f"{self.lab.dir}/cut{self.cuts}"
        run("cp", "--reflink=always", self.outer + "/inner.img", image)
        return image, mount

    def mount(self, image, mount):
        os.mkdir(mount)
        run("mount", "-o", "loop", image, mount)

    def drop(self, image, mount):
        subprocess.run(["umount", mount], capture_output=True)
        os.unlink(image)


class Snapshots(threading.Thread):
    """One after the other; `complete` is the newest that was told to be, and what was
    acknowledged to each ledger before it was begun."""

    def __init__(self, collector, ledgers):
        super().__init__(daemon=True)
        self.collector, self.ledgers = collector, ledgers
        self.complete, self.count, self.ending, self.failure = None, 0, False, None

    def run(self):
        while not self.ending:
            acked = [ledger.acked for ledger in self.ledgers]
            name = f"s{self.count}"
            done = self.collector.cli("store", "snapshot", name)
            if done.returncode:
                self.failure = done.stdout + done.stderr
                return
            self.forget_older()
            self.complete, self.count = (name, acked), self.count + 1

    def forget_older(self):
        if self.count >= 2:
            shutil.rmtree(os.path.join(self.collector.data, "snapshots", f"s{self.count - 2}"))


def missing(c, ledger, first, until_number):
    found = stored(c, ledger, until_number, first)
    return sum(1 for n in range(first, until_number + 1) if found.get(ledger.when(n)) != ledger.cells(n)[0])


def lost_in_snapshot(lab, disk, mount, complete, ledgers):
    """Acknowledged to each before the snapshot was begun and not in what is restored from it."""
    name, acked = complete
    c = lab.collector(name=f"copy{disk.cuts}", data=os.path.join(lab.dir, f"copy{disk.cuts}"))
    done = subprocess.run([lab.program("collector"), "store", "restore", "--config", c.config,
                           os.path.join(mount, "data", "snapshots", name)], capture_output=True, text=True)
    if done.returncode:
        print(f"# {name}: {done.stderr.strip()}".replace("\n", "\n# "))
        return acked
    c.start()
    lost = [missing(c, ledger, 1, until_number) for ledger, until_number in zip(ledgers, acked)]
    c.stop()
    shutil.rmtree(c.data)
    return lost


def starts(c):
    """Without its fdatasync a store may be so harmed that nothing of it can be read."""
    try:
        c.start()
        return True
    except AssertionError as error:
        print(f"# {error}".replace("\n", "\n# "))
        return False


def lost_after_cut(lab, disk, ledgers, snapshots):
    """Acknowledged to each before the cut and missing after it, and how many those are in all."""
    acked = [ledger.acked for ledger in ledgers]
    complete = snapshots.complete
    image, mount = disk.cut()
    disk.mount(image, mount)
    c = lab.collector(name=f"cut{disk.cuts}", data=os.path.join(mount, "data"))
    try:
        if not starts(c):
            return acked, sum(acked)
        # All of it now and then; otherwise what is new since the last cuts.
        lost = [missing(c, ledger, 1 if disk.cuts % 50 == 1 else max(1, until_number - 2000), until_number)
                for ledger, until_number in zip(ledgers, acked)]
        c.stop()
        if complete and disk.cuts % SNAPSHOT_EVERY == 0:
            more = lost_in_snapshot(lab, disk, mount, complete, ledgers)
            lost = [a + b for a, b in zip(lost, more)]
        return lost, sum(acked)
    finally:
        c.kill()
        disk.drop(image, mount)


def cuts(lab, count, **env):
    disk = Disk(lab)
    live = lab.collector(data=os.path.join(disk.inner, "data"), env=env).start()
    base_ms = int(time.time() * 1000) - 10 * 86400_000  # room for long runs before now
    ledgers = [Ledger(live, wire.enrolled(live, f"ledger{i}"), base_ms) for i in range(2)]
    ledgers.append(PushedLedger(live, "pushed", base_ms))
    for ledger in ledgers:
        ledger.start()
    snapshots = Snapshots(live, ledgers)
    snapshots.start()
    lost, acked = [0] * len(ledgers), 0
    dice = random.Random(20261122)
    for _ in range(count):
        time.sleep(dice.uniform(0.05, 0.8))
        more, acked = lost_after_cut(lab, disk, ledgers, snapshots)
        lost = [a + b for a, b in zip(lost, more)]
    check(not [ledger.fatal for ledger in ledgers if ledger.fatal], "no ledger was refused")
    for ending in (*ledgers, snapshots):
        ending.ending = True
    for ending in (*ledgers, snapshots):
        ending.join(20)
    live.kill()
    return lost, acked, snapshots


def test_power_cuts_lose_nothing_that_was_acknowledged(lab):
    lost, acked, snapshots = cuts(lab, CUTS)
    check(acked > 20, f"something was acknowledged: {acked}")
    check(not any(lost), f"acknowledged batches that are gone, of each ledger: {lost}")
    check(snapshots.count > 0 and not snapshots.failure, f"snapshots are made meanwhile: {snapshots.failure}")
    print(f"# {CUTS} cuts, {acked} acknowledged batches, {snapshots.count} snapshots")


def test_control_without_fdatasync_the_same_test_fails(lab):
    lost, acked, _ = cuts(lab, 3, FENWATCH_FAULT="fdatasync:skip,fsync:skip")
    check(acked > 20, f"something was acknowledged: {acked}")
    check(all(lost), f"fdatasync was taken out, and of each ledger this was lost: {lost}")


main()
