"""A new certificate authority takes the old one's place while everybody is connected.

FENWATCH_ROLLOVER is how many simulated agents there are. The collector is
killed in each state between the old one and the new one: whoever could not
believe it any more would stay away. The control are agents that must.
"""
import os
import time

from fleets import Fleet, nothing_lost_or_doubled
from stage import check, clock_file, main, set_clock, until

AGENTS = int(os.environ.get("FENWATCH_ROLLOVER", "100"))
LARGE = AGENTS > 500
AWAY = 60  # seconds that nobody may be away for
DAY_MS = 86_400_000


def ca(collector, *words):
    done = collector.cli("ca", *words)
    check(done.returncode == 0, f"ca {' '.join(words)}: {done.stderr}")
    return done.stdout


def left(collector):
    return collector.get("/api/fenwatch/v1/ca")["left"]


def renew(fleet, count):
    fleet.ask("mark")
    fleet.ask(f"renew {count}")
    until(60, f"{count} have renewed", lambda: fleet.stat()["renewals"] == count)
    stat = fleet.stat()
    check(stat["lost"] == 0 and stat["connected"] == fleet.count, f"and nobody was disconnected: {stat}")


def storm(collector, fleet, when):
    """The collector is killed; all come back, with new handshakes."""
    start = time.monotonic()
    collector.kill()
    collector.start()
    fleet.ask("mark")
    until(AWAY, f"all are back, {when}", fleet.connected)
    print(f"# {time.monotonic() - start:.1f} s until {fleet.count} were back, {when}", flush=True)


def test_all_move_and_nobody_is_away_for_long(lab):
    c = lab.collector(store="{raw: 64MiB}").start()
    fleet = Fleet(lab, c, AGENTS, interval=1000, series=20, spread=AGENTS * 3, pause=100 if LARGE else 25).begin()
    fleet.all_connected(60)
    void = c.join_token()
    check("new one" not in ca(c, "show"), "there is one authority")
    ca(c, "rollover")
    check(len(left(c)) == AGENTS, "nobody has moved yet")
    check("already" in c.cli("ca", "rollover").stderr, "one at a time")
    storm(c, fleet, "before anybody had moved")
    renew(fleet, AGENTS // 2)
    check(len(left(c)) == AGENTS - AGENTS // 2, "half have moved")
    refusal = c.cli("ca", "retire")
    check(refusal.returncode and f"of {AGENTS} agents have not moved" in refusal.stderr, f"refused: {refusal.stderr}")
    storm(c, fleet, "half of them moved")
    renew(fleet, AGENTS)
    check(left(c) == [], "all have moved")
    storm(c, fleet, "all of them moved")
    fleet.ask("mark")
    ca(c, "retire")
    c.logged("the old certificate authority is retired")
    check(fleet.stat()["lost"] == 0, "nobody is disconnected when the old one is retired")
    storm(c, fleet, "the old one retired")
    renew(fleet, AGENTS)
    storm(c, fleet, "the old one forgotten")
    fleet.settle()
    print(f"# {nothing_lost_or_doubled(c, fleet)} sweeps acknowledged, all stored once", flush=True)
    lab.agent(c, name="newcomer").enrol()
    try:
        lab.agent(c, name="latecomer").enrol(token=void)
    except AssertionError as error:
        check("fingerprint" in str(error), f"a token of the old one says why it is void: {error}")
    else:
        check(False, "a token of the old one opens nothing")


def newest(collector, agent, shift_ms=0):
    """The time of the last sweep of an agent, on its clock."""
    at = time.time() + shift_ms / 1000
    rows = collector.query(f'node_time_seconds{{instance="{agent.host}"}}[5m]', at=at + 5)
    return float(rows[0]["values"][-1][0]) if rows else 0


def sends(collector, agent, shift_ms=0, seconds=60):
    since = time.time() + shift_ms / 1000
    until(seconds, f"{agent.name} sends", lambda: newest(collector, agent, shift_ms) > since)


def certificates(path):
    with open(path) as f:
        return f.read().count("BEGIN CERTIFICATE")


def test_the_real_agent_moves_as_it_renews(lab):
    shift = clock_file(lab)
    env = {"FENWATCH_CLOCK_FILE": shift}
    c = lab.collector(env=env).start()
    a = lab.agent(c, env=env).enrol().start()
    sends(c, a)
    ca(c, "rollover")
    later = 4 * DAY_MS + DAY_MS // 2
    set_clock(shift, later)
    until(60, "it has moved", lambda: left(c) == [])
    until(10, "and trusts both", lambda: certificates(a.data + "/ca.pem") == 2)
    ca(c, "retire")
    for process in (c, a):
        process.kill()
        process.start()
    sends(c, a, later)
    set_clock(shift, 2 * later)
    until(60, "from its next renewal on it trusts the new one alone", lambda: certificates(a.data + "/ca.pem") == 1)
    a.kill()
    a.start()
    sends(c, a, 2 * later)


def test_control_who_is_left_behind_stays_out_and_comes_back_by_enrolling(lab):
    c = lab.collector().start()
    a = lab.agent(c, name="away").enrol().start()
    sends(c, a)
    a.stop()
    ca(c, "rollover")
    check(left(c) == ["away"], "it is named")
    check("away" in c.cli("ca", "retire").stderr, "and in the way")
    ca(c, "retire", "--force")
    gone = newest(c, a)
    a.start()
    a.logged("refused", 30)
    began = time.time()
    time.sleep(5)
    ended = time.time()
    check(newest(c, a) == gone, "nothing comes of it")
    a.stop()
    a.enrol().start()
    sends(c, a)
    kept = c.query(f'node_load1{{instance="{a.host}"}}[5m]', at=time.time() + 5)[0]["values"]
    check([t for t, _ in kept if began < float(t) < ended], "what it measured meanwhile comes as well")


def test_when_everything_has_expired_two_commands_and_a_token_bring_it_back(lab):
    shift, later = clock_file(lab), 11 * 365 * DAY_MS
    env = {"FENWATCH_CLOCK_FILE": shift}
    c = lab.collector(env=env).start()
    agents = [lab.agent(c, name=f"agent{number}", env=env).enrol().start() for number in range(3)]
    for agent in agents:
        sends(c, agent)
        agent.stop()
    c.stop()
    set_clock(shift, later)
    c.start()
    for agent in agents:
        agent.start()
        agent.logged("expired", 30)
        agent.stop()
    ca(c, "rollover")
    ca(c, "retire", "--force")
    token = c.join_token("--uses", "3")
    for agent in agents:
        agent.enrol(token=token).start()
    for agent in agents:
        sends(c, agent, later)


main()
