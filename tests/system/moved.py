"""A fleet that moves to another collector, and back, while faults are open: nobody is told of them twice.

The other one is restored from a snapshot and takes over the address. FENWATCH_MOVED is the size of the fleet, 50.
"""
import json
import os
import time

from fleets import Fleet
from snapshot import restore, snapshot
from stage import check, main, until

AGENTS = int(os.environ.get("FENWATCH_MOVED", "50"))
PATIENCE = 30 + AGENTS // 5
# A fact that never changes: of half the fleet it is a fault. Who is not heard is told of at once.
RULES = """groups:
- name: fleet
  interval: 1s
  rules: [{alert: FactHigh, expr: 'fleet_fact_0_total{device="dev1"} > 500000'}]
"""


def config(lab, hook):
    with open(os.path.join(lab.dir, "rules.yml"), "w") as f:
        f.write(RULES)
    feeds = [{"name": "desk", "type": "webhook", "url": hook.url, "live": True}]
    return (f"rules: [rules.yml]\nfeeds: {json.dumps(feeds)}\nbuiltin_rules: {{HostSilent: {{hold: 0s}}}}\n"
            "noise: {storm: 0, host: 0, site: 0, estate: 0}\n")


def keys(hook, status):
    """As who honours keys has it."""
    return list({key: body["groupKey"] for _, key, body in hook.notices(status)}.values())


def hosts_with_a_sweep(c, since):
    return c.value(f"count(timestamp(fleet_tick) > {since})") or 0


def move(lab, collector, name, **more):
    """Another collector that goes on from a snapshot of this one, which was killed."""
    folder = snapshot(collector, "move")
    collector.kill()
    other = lab.collector(name=name, port=collector.port, **more)
    done = restore(other, folder)
    check(done.returncode == 0, f"restore: {done.stdout}{done.stderr}")
    return other.start()


def settled(c):
    """So many evaluations later that what rules do not find any more would be over."""
    seen = set()
    until(60, "rules were evaluated again and again", lambda: seen.add(
        c.get("/api/v1/rules")["groups"][0]["lastEvaluation"]) or len(seen) > 6)


def test_a_fleet_moves_and_comes_back(lab):
    hook = lab.webhook()
    more = {"extra": config(lab, hook), "store": "{raw: 32MiB}"}
    collector = lab.collector(name="one", **more).start()
    fleet = Fleet(lab, collector, AGENTS, series=10, interval=1000, pause=2, spread=AGENTS * 3).begin()
    fleet.all_connected(PATIENCE)
    until(PATIENCE, "every host is heard", lambda: collector.value("count(fleet_tick)") == AGENTS)
    wanted = int(collector.value('count(fleet_fact_0_total{device="dev1"} > 500000)'))
    check(AGENTS / 5 < wanted < AGENTS, f"of half the fleet it is a fault: {wanted}")
    until(PATIENCE, "each fault is told", lambda: len(keys(hook, "firing")) == wanted)
    for name in ("two", "three"):
        collector = move(lab, collector, name, **more)
        since = time.time()
        until(PATIENCE, f"all are heard by '{name}'", lambda: hosts_with_a_sweep(collector, since) == AGENTS)
        settled(collector)
        told = keys(hook, "firing")
        check(len(told) == len(set(told)) == wanted and not keys(hook, "resolved"),
              f"'{name}' tells nothing anew: {len(told)} of {wanted}, {len(keys(hook, 'resolved'))} closed")
        check(not hook.notices(rule="HostSilent"), "nobody is silent")
    # The control: the last one does tell, once its agents are gone for good.
    fleet.close()
    until(60, "they are missed", lambda: hook.notices("firing", "HostSilent"))
    collector.stop()


if __name__ == "__main__":
    main()
