"""Machines set back, copies restored, clocks stepped, collectors away: nothing is dropped silently."""
import os
import shutil
import time

import wire
from stage import check, clock_file, main, set_clock, until


def copy(source, target):
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, symlinks=True)


def times(c, instance="agent", window="1h", at=None):
    result = c.query('node_load1{instance="%s"}[%s]' % (instance, window), at)
    return [round(t * 1000) for t, _ in result[0]["values"]] if result else []


def gaps(c):
    """What the collector says of gaps: numbers that will never come, with their reasons."""
    return [line for line in c.log().splitlines() if "are missing" in line]


def test_a_machine_set_back_to_a_snapshot_goes_on(lab):
    c, a = lab.pair()
    until(10, "sweeps", lambda: len(times(c)) >= 3)
    a.stop()
    copy(a.data, a.data + ".snapshot")
    a.start()
    until(10, "more sweeps", lambda: len(times(c)) >= 8)
    a.kill()
    c.kill()  # while nobody listens the machine of the snapshot makes backlog of its own
    copy(a.data + ".snapshot", a.data)
    back = time.time() * 1000
    a.start()
    time.sleep(6)
    before = time.time() * 1000
    c.start()
    until(30, "sweeps of the machine that was set back", lambda: times(c)[-1] > before)
    until(30, "its backlog", lambda: len([t for t in times(c) if back < t < before]) >= 2)


def test_a_deleted_spool_makes_a_new_stream(lab):
    c, a = lab.pair()
    until(10, "sweeps", lambda: len(times(c)) >= 3)
    a.kill()
    removed = 0
    for name in os.listdir(a.data):
        if "spool" in name:
            path = os.path.join(a.data, name)
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
            removed += 1
    check(removed, f"there was a spool: {os.listdir(a.data)}")
    now = time.time() * 1000
    a.start()
    until(20, "sweeps of the new stream", lambda: times(c)[-1] > now)


def test_a_collector_restored_from_an_old_copy_counts_the_gap(lab):
    c, a = lab.pair()
    until(10, "sweeps", lambda: len(times(c)) >= 3)
    c.stop()
    copy(c.data, c.data + ".yesterday")
    c.start()
    until(20, "more sweeps", lambda: len(times(c)) >= 10)
    c.kill()
    copy(c.data + ".yesterday", c.data)
    c.start()
    now = time.time() * 1000
    until(20, "sweeps again", lambda: times(c)[-1] > now)
    until(5, "the gap is told", lambda: gaps(c))


def test_a_collector_away_loses_nothing(lab):
    c, a = lab.pair(extra="")
    until(10, "sweeps", lambda: len(times(c)) >= 3)
    c.kill()
    down = time.time() * 1000
    time.sleep(8)
    up = time.time() * 1000
    c.start()

    def whole():
        """A sweep that a busy machine made late carries the time it was taken."""
        away = [at for at in times(c) if down < at < up]
        return len(away) >= 4 and all(b - a < 6000 for a, b in zip([down, *away], [*away, up]))
    until(30, "no hole where the collector was away", whole)
    check(not gaps(c), f"no number is missing: {gaps(c)}")


def test_a_day_away_comes_back_whole(lab):
    """Every second an hour goes by on both clocks, and the collector is away for all of them."""
    shift = clock_file(lab)
    c = lab.collector(env={"FENWATCH_CLOCK_FILE": shift}).start()
    lab.agent(c, env={"FENWATCH_CLOCK_FILE": shift}).enrol().start()
    until(20, "sweeps", lambda: len(times(c)) >= 3)
    c.kill()
    first = time.time()
    for hour in range(1, 25):
        set_clock(shift, hour * 3600_000)
        for _ in range(3):  # a machine that stands still for a while has no sweep in it
            begun = time.monotonic()
            time.sleep(1.2)
            if time.monotonic() - begun < 1.5:
                break
    c.start()
    now = lambda: time.time() + 86400
    until(30, "sweeps of now", lambda: times(c, window="10s", at=now() + 1))
    hours = lambda: {int((t / 1000 - first) // 3600) for t in times(c, window="26h", at=now() + 1)}
    until(30, "a sweep of nearly every hour", lambda: len(hours() & set(range(24))) >= 22)
    check(not gaps(c), f"no number is missing: {gaps(c)}")
    check(c.metrics()["fenwatch_store_refused_total"] == 0, "nothing was refused")


def test_an_agent_killed_offline_keeps_what_it_spooled(lab):
    c, a = lab.pair()
    until(10, "sweeps", lambda: len(times(c)) >= 3)
    c.kill()
    away = time.time() * 1000
    time.sleep(4)
    a.stop()   # a clean stop writes what is still in memory
    stopped = time.time() * 1000
    a.start()
    time.sleep(2)
    c.start()
    until(30, "what was sampled before the stop",
          lambda: [t for t in times(c) if away < t < stopped])


def test_clocks_stepped_by_hours_both_ways(lab):
    shift = clock_file(lab)
    c, a = lab.collector(env={"FENWATCH_CLOCK_FILE": shift}), None
    c.start()
    a = lab.agent(c, env={"FENWATCH_CLOCK_FILE": shift}).enrol().start()
    until(20, "sweeps", lambda: c.query("node_load1"))
    for hours in (12, -12, 0):
        set_clock(shift, hours * 3600_000)
        at = lambda h=hours: time.time() + h * 3600
        until(25, f"a sweep at {hours} h", lambda: times(c, at=at() + 1, window="10s"))
    check(a.alive() and c.alive(), "both run")
    firing = [x for x in c.alerts(state="firing") if "ilent" in str(x)]
    check(not firing, f"no false alarm: {firing}")


def test_an_agent_whose_own_clock_is_a_day_ahead_is_stored_and_said(lab):
    shift = clock_file(lab, 86400_000)
    c = lab.collector().start()
    # Its certificate is from today, and so valid; its sweeps claim tomorrow.
    identity = wire.enrolled(c, "ahead")
    peer = wire.Peer(c, identity)
    peer.send(wire.SCHEMA, wire.Schema([("ahead_value", {})]).message(1))
    peer.send(wire.BATCH, wire.batch(1, 1, int(time.time() * 1000) + 86400_000, 1000, [[7]]))
    check(peer.wait_acked(1), "acknowledged")
    until(5, "stored at the time of receipt", lambda: c.query("ahead_value"))
    check(os.path.exists(shift), "clock file")


def test_a_gap_within_a_session_asks_for_a_key_and_stores_nothing(lab):
    c = lab.collector().start()
    peer = wire.Peer(c, wire.enrolled(c, "skipper"))
    peer.send(wire.SCHEMA, wire.Schema([("skip_value", {})]).message(1))
    now = int(time.time() * 1000)
    peer.send(wire.BATCH, wire.batch(1, 1, now, 50, [[1]]))
    check(peer.wait_acked(1), "first")
    peer.send(wire.BATCH, wire.batch(3, 1, now + 100, 50, [[9]], [1]))
    until(5, "answer", lambda: peer.read(1)[0] in (wire.ACK, wire.GOODBYE, None))
    check(peer.acked_live == 1, "the skipped number is not acknowledged")


main()
