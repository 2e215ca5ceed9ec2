"""A site that was cut off for a day: what it kept is small, and comes back while live data goes on.

The day is made up by the agent's own packer and spool (tests/bench/away.c):
60 series every 30 s. The bounds of time are measured and printed; what
decides is that nothing is missing.
"""
import json
import os
import subprocess
import time

from stage import check, main, until

SWEEPS, COLUMNS, INTERVAL = 2880, 60, 30
BYTES = 2 << 20


def be_away(lab, agent, columns=COLUMNS):
    program = os.path.join(lab.build, "tests", "bench", "bench_away")
    done = subprocess.run([program, agent.data, str(SWEEPS), str(columns), str(INTERVAL)], capture_output=True, text=True)
    check(done.returncode == 0, f"a day away: {done.stderr}")
    return json.loads(done.stdout)


def on_disk(agent):
    folder = os.path.join(agent.data, "spool")
    return sum(os.stat(os.path.join(folder, name)).st_blocks * 512 for name in os.listdir(folder))


def ticks(collector, agent):
    rows = collector.query(f'away_tick{{instance="{agent.host}"}}[25h]', at=time.time() + 1)
    return [(round(float(t)), int(float(v))) for row in rows for t, v in row["values"]]


def lag(collector, agent):
    """How old the newest live sweep is."""
    rows = collector.query(f'node_load1{{instance="{agent.host}"}}[1m]', at=time.time() + 1)
    return time.time() - float(rows[0]["values"][-1][0]) if rows else None


def drain(collector, agent):
    """(seconds until nothing waits, how old live data was meanwhile)"""
    start, lags = time.monotonic(), []

    def all_there():
        if (seen := lag(collector, agent)) is not None:
            lags.append(seen)
        depth = collector.query(f'fenwatch_spool_depth{{instance="{agent.host}"}}')
        return lags and depth and float(depth[0]["value"][1]) == 0 and ticks(collector, agent)
    until(180, "the spool is drained", all_there)
    return time.monotonic() - start, sorted(lags)


def sites(lab):
    c = lab.collector(store="{raw: 64MiB}").start()
    return c, lab.agent(c, name="whole").enrol(), lab.agent(c, name="torn").enrol()


def test_a_day_offline_is_small_and_comes_back_whole(lab):
    c, whole, torn = sites(lab)
    for agent in (whole, torn):
        kept = be_away(lab, agent)
        check(kept["sweeps"] == SWEEPS, f"the whole day waits: {kept}")
        check(max(kept["bytes"], on_disk(agent)) <= BYTES, f"in at most 2 MiB: {kept}, {on_disk(agent)} on disk")
    size = on_disk(whole)
    damage(torn)
    whole.start()
    took, lags = drain(c, whole)
    print(f"# {SWEEPS * COLUMNS} samples of a day took {size / 1024:.0f} KiB, {took:.1f} s to come back; "
          f"live data p99 {lags[int(len(lags) * 0.99)]:.1f} s old meanwhile", flush=True)
    check([v for _, v in ticks(c, whole)] == list(range(SWEEPS)), "every sweep is there once, in order")
    check(all(b - a == INTERVAL for (a, _), (b, _) in zip(ticks(c, whole), ticks(c, whole)[1:])), "at its own time")
    torn.start()
    drain(c, torn)
    got = len(ticks(c, torn))
    check(0 < got < SWEEPS, f"control: of a spool that is damaged in the middle some are missing: {got}")


def test_what_a_spool_cannot_hold_is_told(lab):
    """Two agents were away for as long; the spool of one holds all of it, that of the other does not."""
    hook = lab.webhook()
    c = lab.collector(store="{raw: 64MiB}", extra="feeds: " + json.dumps(
        [{"name": "desk", "type": "webhook", "url": hook.url, "live": True}]) + "\n").start()
    roomy = lab.agent(c, name="roomy").enrol()
    small = lab.agent(c, name="small", extra="spool: {max: 1MiB}\n").enrol()
    c.stop()
    for agent in (roomy, small):
        kept = be_away(lab, agent, 10 * COLUMNS)
        check(kept["bytes"] > 3 << 19, f"that is more than the small one holds: {kept}")
        agent.start()
        agent.logged("watching")
        time.sleep(2)
        agent.stop()  # what it reads has to be written, whose room is another one's
    c.start()
    for agent in (roomy, small):
        agent.start()
    drain(c, roomy)
    told = until(60, "what is lost is told", lambda: hook.notices("firing", "SpoolDropping"))
    check([n[2]["alerts"][0]["labels"]["instance"] for n in told] == ["small"], f"of the small one alone: {told}")
    check("its spool was full" in told[0][2]["alerts"][0]["annotations"]["summary"], f"{told}")
    check(len(ticks(c, roomy)) == SWEEPS > len(ticks(c, small)), f"{len(ticks(c, small))} of the small one's are there")


def damage(agent):
    """A few bytes in the middle of the largest segment."""
    folder = os.path.join(agent.data, "spool")
    path = max((os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".seg")), key=os.path.getsize)
    with open(path, "r+b") as f:
        f.seek(os.path.getsize(path) // 2)
        f.write(b"damaged")


main()
