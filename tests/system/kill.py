"""kill -9 of agent, collector and both, with a ledger that only acknowledgements write.

The ledger's agents speak the wire themselves (wire.py), so a line is written
only after an ack has been read. In the end every line must be in the store
exactly once with its value, and the store's own count of sweeps must be what
distinct sweeps there are: a sweep stored twice would show. One ledger's series are from
elsewhere, pushed by remote_write. Real agents run
beside them and are killed too: their acknowledged sweeps (FENWATCH_LEDGER)
must all be found.
"""
import os
import random
import re
import time

import wire
from kill_ledger import COLUMNS, Ledger, PushedLedger, stored
from stage import check, main, until

KILLS = int(os.environ.get("FENWATCH_KILLS", "60"))


def test_kill_9_at_random_moments_loses_and_doubles_nothing(lab):
    dice = random.Random(20261122)
    c = lab.collector(extra="").start()
    base_ms = int(time.time() * 1000) - 10 * 86400_000  # room for long runs before now
    ledgers = [Ledger(c, wire.enrolled(c, f"ledger{i}"), base_ms) for i in range(4)]
    agents = list(ledgers)
    ledgers.append(PushedLedger(c, "pushed", base_ms))
    agent = lab.agent(c, env={"FENWATCH_LEDGER": os.path.join(lab.dir, "ledger")}).enrol().start()
    for ledger in ledgers:
        ledger.start()
    for i in range(KILLS):
        time.sleep(dice.uniform(0, 0.8))
        what = i % 3
        if what != 1:
            c.kill()
        if what != 0:
            agent.kill()
        if dice.random() < 0.2 and what != 1:  # and again while it recovers
            c.start(wait=False)
            time.sleep(dice.uniform(0, 0.1))
            c.kill()
        if what != 1:
            c.start()
        if what != 0:
            agent.start()
        fatal = [ledger.fatal for ledger in ledgers if ledger.fatal]
        check(not fatal, f"kill {i}: {fatal}")
    time.sleep(1)
    for ledger in ledgers:
        ledger.ending = True
    for ledger in ledgers:
        ledger.join(20)
    agent.stop()
    total = 0
    for ledger in ledgers:
        found = stored(c, ledger)
        total += ledger.acked
        missing = [n for n in range(1, ledger.acked + 1) if ledger.when(n) not in found]
        check(not missing, f"{ledger.identity.name}: acknowledged and missing: {missing[:20]} of {ledger.acked}")
        wrong = [n for n in range(1, ledger.acked + 1) if found[ledger.when(n)] != ledger.cells(n)[0]]
        check(not wrong, f"{ledger.identity.name}: other values: {wrong[:20]}")
    check(total > KILLS, f"the ledger is worth something: {total} acknowledgements")
    agent_ledger(lab, c)
    distinct = {ledger.identity.name: len(stored(c, ledger)) for ledger in agents}
    c.stop()
    for name, sweeps in distinct.items():
        check(sweeps_on_disk(c, name) == sweeps, f"{name}: {sweeps_on_disk(c, name)} sweeps on disk, {sweeps} distinct")
    print(f"# {KILLS} kills, {total} acknowledged batches")


def sweeps_on_disk(c, name):
    """Of the ledger's schema, as often as they lie there; the store must be without fault."""
    status, text = c.store_check()
    check(status == 0, f"store check: {text}")
    return sum(int(n) for n in re.findall(rf"^host +{name} \(node\): (\d+) sweeps of 20 series$", text, re.M))


def agent_ledger(lab, c):
    """Each sweep that the real agent saw acknowledged is in the store, once."""
    with open(os.path.join(lab.dir, "ledger")) as f:
        times = sorted({int(line.split()[0]) for line in f if line.endswith("\n")})
    result = c.query('node_load1{instance="agent"}[1h]')
    found = [round(t * 1000) for t, _ in result[0]["values"]] if result else []
    missing = sorted(set(times) - set(found))
    check(not missing, f"the agent's acknowledged sweeps that are missing: {missing[:20]} of {len(times)}")
    check(len(found) == len(set(found)), "no sweep twice")
    check(times, "the agent had sweeps acknowledged")


def sent_three_times(c, now):
    """A session in which the first batch comes three times."""
    peer = wire.Peer(c, wire.enrolled(c, "twice"))
    peer.send(wire.SCHEMA, COLUMNS.message(1))
    for _ in range(3):
        peer.send(wire.BATCH, wire.batch(1, 1, now, 50, [Ledger.cells(1)]))
    check(peer.wait_acked(1), "acknowledged")
    return peer


def test_a_sweep_sent_twice_is_stored_once(lab):
    c = lab.collector().start()
    now = int(time.time() * 1000)
    peer = sent_three_times(c, now)
    peer.send(wire.BATCH, wire.batch(2, 1, now + 50, 50, [Ledger.cells(2)], Ledger.cells(1)))
    check(peer.wait_acked(2), "the next one still fits")
    peer.close()
    c.kill()
    c.start()
    values = until(5, "values", lambda: c.query('ledger_value{column="00"}[1m]', now / 1000 + 1))[0]["values"]
    check([float(v) for _, v in values] == [1000.0, 2000.0], f"two sweeps: {values}")
    c.stop()
    check(sweeps_on_disk(c, "twice") == 2, "two sweeps on disk")


def test_control_a_store_that_recognises_nothing_is_found_out(lab):
    c = lab.collector(env={"FENWATCH_FAULT": "recognise:skip"}).start()
    sent_three_times(c, int(time.time() * 1000))
    time.sleep(0.5)
    c.stop()
    check(sweeps_on_disk(c, "twice") == 3, "three sweeps on disk, where readers see one")


main()
