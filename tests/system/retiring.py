"""A host is retired while the collector is killed at each write of its state: done whole, or not at all."""
import json
import contextlib
import os
import shutil
import sqlite3

from stage import check, main, until

RULE = "FilesystemAlmostFull"
RULES = (f"builtin_rules: {{{RULE}: {{threshold: 100%, recovery: 101%, hold: 0s}}, HostSilent: {{enabled: false}}}}\n")
STRIDE = int(os.environ.get("FENWATCH_STRIDE", "3"))


class Scene:
    """A collector that knows one host, whose agent has gone, and what lies on its disk then."""

    def __init__(self, lab):
        self.hook = lab.webhook()
        feed = {"name": "desk", "type": "webhook", "url": self.hook.url, "live": True}
        self.c, agent = lab.pair(extra=RULES + f"feeds: {json.dumps([feed])}\n")
        until(30, "it fires", lambda: self.hook.notices("firing", RULE))
        agent.stop()
        until(30, "all is told", lambda: self.c.get("/api/fenwatch/v1/feeds")[0]["waiting"] == 0)
        self.c.stop()
        self.before = self.c.data + "-before"
        shutil.copytree(self.c.data, self.before)

    def start_anew(self, **env):
        """From there, until it is ready or killed."""
        shutil.rmtree(self.c.data)
        shutil.copytree(self.before, self.c.data)
        self.hook.got.clear()
        self.c.start(wait=False, **env)
        try:
            self.c.wait_ready()
        except AssertionError:
            check(not self.c.alive(), "it starts, or is killed")

    def on_disk(self):
        """How far it came: (written down, done, revoked, alerts that are open)."""
        with contextlib.closing(sqlite3.connect(f"file:{self.c.data}/state.db?mode=ro", uri=True, timeout=60)) as db:
            row = db.execute("SELECT is_done FROM retired").fetchone()
            revoked = db.execute("SELECT count(*) FROM agent WHERE revoked_ms <> 0").fetchone()[0]
            alerts = db.execute("SELECT count(*) FROM episode WHERE ends_ms = 0 AND instance = 'agent'").fetchone()[0]
        return row is not None, bool(row and row[0]), bool(revoked), alerts


FINISHED = (True, True, True, 0)


def cut_at(scene, nth):
    """What lies on the disk once the collector was killed at this write, while it retires the host; None: before."""
    scene.start_anew(FENWATCH_FAULT=f"kill:write:{nth}")
    if not scene.c.alive():
        return None, None
    done = scene.c.cli("retire", "agent", "--reason", "sold")
    scene.c.kill()
    return scene.on_disk(), done.returncode == 0


def test_a_retirement_is_finished_whenever_it_is_cut(lab):
    scene, met, said = Scene(lab), set(), False
    for nth in range(1, 1000, STRIDE):
        at, said = cut_at(scene, nth)
        if at is None:
            continue
        met.add(at)
        check(not said or at == FINISHED, f"said to be done: {at}")
        scene.c.start()
        check(scene.on_disk() == (FINISHED if at[0] else at), f"from {at} to {scene.on_disk()}")
        if at[0]:
            until(20, "its alerts' ends are told", lambda: scene.hook.notices("resolved", RULE))
        scene.c.kill()
        if said:
            break
    check(said, f"it is killed at every write: {met}")
    # Or nothing would have been tried.
    check((True, False, True, 0) in met or len([at for at in met if at[0] and not at[1]]) >= 2, f"cut between its steps: {met}")


def test_control_one_that_nobody_finishes_is_found_out(lab):
    """What is written down as done is not gone on with."""
    scene = Scene(lab)
    for nth in range(1, 1000):
        at, _ = cut_at(scene, nth)
        if at and at[0]:
            break
    check(not at[1] and at[3], f"it was cut: {at}")
    with sqlite3.connect(os.path.join(scene.c.data, "state.db")) as db:
        db.execute("UPDATE retired SET is_done = 1")
    scene.c.start()
    check(scene.on_disk() != FINISHED, "it is left as it was")


main()
