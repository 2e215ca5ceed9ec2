"""Slow and stuck peers on the agents' port: the pool of who has said nothing is bounded, and never closed.

FENWATCH_SLOW is how many of each kind there are, FENWATCH_SLOW_SECONDS for how long.
"""
import os
import resource
import socket
import time

from fleets import Fleet, memory_mib, nothing_lost_or_doubled
from stage import check, main, until

CROWD = int(os.environ.get("FENWATCH_SLOW", "1500"))
SECONDS = int(os.environ.get("FENWATCH_SLOW_SECONDS", "15"))
LARGE = CROWD > 2000
POOL = 1200
CUT_MS = 10000
ADDRESS = 1536  # connections to the API from one address
ASKING = ADDRESS + 164
QUEUE_MS = 2 * CROWD * 5000 // POOL  # a full pool lets in whom it has room for in 5 s
SLACK_MS = 1500 if LARGE else 3000


def connections(collector):
    return int(collector.metrics()["fenwatch_ingest_connections"])


def besieged(lab, crowd):
    """`crowd` (a list of keys of fleets) comes; who is connected and who comes then must not notice."""
    c = lab.collector(store="{raw: 64MiB}").start()
    good = Fleet(lab, c, 20, name="good", interval=250, series=50, **{"from": "127.9.0.1"}).begin()
    good.all_connected(30)
    good.ask("mark")
    time.sleep(3)
    calm = good.stat()["ack_p99_ms"]
    memory = memory_mib(c)
    late = Fleet(lab, c, 20, name="late", interval=500, series=50, **{"from": "127.9.1.1"})
    attackers = [Fleet(lab, c, keys.pop("agents", CROWD), name=f"crowd{i}", **keys).begin()
                 for i, keys in enumerate(crowd)]
    good.ask("mark")
    most, end = 0, time.monotonic() + SECONDS
    held = memory
    began = None
    while time.monotonic() < end:
        most = max(most, connections(c))
        held = max(held, memory_mib(c))
        if began is None and time.monotonic() > end - SECONDS + 6:
            began = time.monotonic()
            late.begin()
        time.sleep(0.2)
    late.all_connected(30)
    stat = good.stat()
    print(f"# {most} connections at most, {held - memory:.0f} MiB more; acknowledgements p99 {calm} ms before, "
          f"{stat['ack_p99_ms']} ms in the siege", flush=True)
    check(stat["lost"] == 0, f"who is connected stays so: {stat}")
    check(stat["ack_p99_ms"] <= 2 * calm + (100 if LARGE else 2000), f"and is served: {stat}, before {calm} ms")
    for attacker in attackers:
        held_ms = attacker.stat()["held_ms"]
        # From its dial on; for a part of that it waited in the kernel's queue.
        check(0 < held_ms <= CUT_MS + QUEUE_MS + SLACK_MS, f"a silent peer was there for {held_ms} ms")
    for fleet in (good, late):
        fleet.settle()
        nothing_lost_or_doubled(c, fleet)
    if LARGE:
        check(held - memory <= 64, f"{held - memory:.0f} MiB more")
    return c, most


def test_handshakes_that_never_end_from_everywhere(lab):
    c, most = besieged(lab, [{"conduct": "stuck", "from": "127.1.0.1"}, {"conduct": "stuck", "from": "127.2.0.1"}])
    check(most <= POOL + 700 + 60, f"descriptors are bounded: {most}")
    check(most >= min(POOL, 2 * CROWD) * 0.9, f"the pool was full when the others came: {most}")
    check("others are waiting" in c.log(), "it is said why they are cut")


def test_one_address_and_a_byte_every_ten_seconds(lab):
    c, most = besieged(lab, [{"conduct": "stuck", "from": "127.1.0.1", "addresses": 1},
                             {"conduct": "trickle", "from": "127.2.0.1", "agents": CROWD // 5}])
    check(most <= POOL / 2 + CROWD // 5 + 60, f"one address has no more than its share: {most}")
    check("too many from one address" in c.log(), "it is said why it is turned away")


def hung_up(s):
    """Whether the other side has ended a connection."""
    try:
        return s.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def tickle(s):
    """One byte more."""
    try:
        s.send(b"x")
    except OSError:
        pass  # it was cut in between


def test_questions_that_never_end_hold_no_other_up(lab):
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    c = lab.collector().start()
    slow = []
    start = time.monotonic()
    for _ in range(ASKING):
        s = socket.create_connection(("127.0.0.1", c.api), 5, source_address=("127.8.0.1", 0))
        s.setblocking(False)
        s.send(b"GET /api/v1/query?query=up HTTP/1.1\r\nX: ")
        slow.append(s)
    until(5, "one address has its share, and no more", lambda: sum(map(hung_up, slow)) == ASKING - ADDRESS)
    while not all(map(hung_up, slow)) and time.monotonic() - start < 30:
        check(c.request("/api/v1/query?query=up")[0] == 200, "others are answered")
        for s in slow:
            if not hung_up(s):
                tickle(s)
        time.sleep(1)
    took = time.monotonic() - start
    check(all(map(hung_up, slow)), f"who never ends is cut: {sum(map(hung_up, slow))} of {ASKING} after {took:.0f} s")
    print(f"# {took:.0f} s until {ASKING} slow questions were cut", flush=True)
    for s in slow:
        s.close()


def test_agents_that_read_nothing_hold_nobody_up(lab):
    c = lab.collector(store="{raw: 64MiB}").start()
    good = Fleet(lab, c, 20, name="good", interval=250, series=50, **{"from": "127.9.0.1"}).begin()
    deaf = Fleet(lab, c, 20, name="deaf", conduct="deaf", interval=20, series=200, **{"from": "127.1.0.1"}).begin()
    good.all_connected(30)
    deaf.all_connected(30)
    until(120, "who does not read is cut", lambda: deaf.stat()["lost"] >= 20)
    stat = good.stat()
    check(stat["lost"] == 0 and stat["connected"] == 20, f"others stay: {stat}")
    good.settle()
    nothing_lost_or_doubled(c, good)


main()
