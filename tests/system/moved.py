"""A fleet that moves to another collector, and back, while faults are open: nobody is told of them twice.

The other one is restored from a snapshot and takes over the address. FENWATCH_MOVED is the size of the fleet, 50.
"""
import json
import os
import time

import hostile
from desks import Desks, Jira, PagerDuty, ServiceNow
from fleets import Fleet
from samples import send
from snapshot import restore, snapshot
from stage import check, main, until

AGENTS = int(os.environ.get("FENWATCH_MOVED", "50"))
PATIENCE = 30 + AGENTS // 5
# A fact that never changes: of half the fleet it is a fault. Who is not heard is told of soon, but no machine that
# stands still for seconds is taken for a fleet that does.
RULES = """groups:
- name: fleet
  interval: 1s
  rules: [{alert: FactHigh, expr: 'fleet_fact_0_total{device="dev1"} > 500000'}]
"""


def config(lab, hook):
    with open(os.path.join(lab.dir, "rules.yml"), "w") as f:
        f.write(RULES)
    feeds = [{"name": "desk", "type": "webhook", "url": hook.url, "live": True}]
    return (f"rules: [rules.yml]\nfeeds: {json.dumps(feeds)}\nbuiltin_rules: {{HostSilent: {{hold: 8s}}}}\n"
            "noise: {storm: 0, host: 0, site: 0, estate: 0}\n")


def keys(hook, status):
    """As who honours keys has it."""
    return list({key: body["groupKey"] for _, key, body in hook.notices(status, "FactHigh")}.values())


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


BETWEEN = """groups:
- {name: g, interval: 1s, rules: [{alert: Between, expr: 'fault == 1'}]}
"""


def say(c, fault):
    send(f"http://127.0.0.1:{c.api}/api/v1/write", [({"__name__": "fault", "instance": "web01", "job": "x"},
                                                     [(int(time.time() * 1000), fault)])], token=c.token)


def test_a_fault_between_the_snapshot_and_the_move_is_one_ticket(lab):
    """The other collector cannot know that it was told: its key does. A webhook that has no use for keys is the control."""
    with open(os.path.join(lab.dir, "rules.yml"), "w") as f:
        f.write(BETWEEN)
    desks, hook = Desks(events=ServiceNow(), table=ServiceNow(), jira=Jira(), pager=PagerDuty()), lab.webhook()
    lab.closers.append(desks.close)
    more = {"extra": f"rules: [rules.yml]\nfeeds: {json.dumps(hostile.feeds_of(lab, desks, hook))}\n"}
    one = lab.collector(name="one", **more).start()

    def have(which, n):
        return all(len(getattr(v, which)) == n for v in desks.vendors.values())
    folder = snapshot(one, "move")
    until(30, "each desk has it", lambda: say(one, 1) or have("opened", 1) and len(hook.notices("firing")) == 1, 0.5)
    one.kill()
    two = lab.collector(name="two", port=one.port, **more)
    done = restore(two, folder)
    check(done.returncode == 0, f"restore: {done.stdout}{done.stderr}")
    two.start()
    until(30, "it is told again, under its key", lambda: say(two, 1) or len(hook.notices("firing")) == 2, 0.5)
    until(30, "nothing waits", lambda: not any(f["waiting"] for f in two.get("/api/fenwatch/v1/feeds")))
    check(have("opened", 1) and have("closed", 0), f"one ticket each: { {n: v.opened for n, v in desks.vendors.items()} }")
    check(len({body["groupKey"] for _, _, body in hook.notices("firing")}) == 1, "it has one key")
    until(30, "it ends", lambda: say(two, 0) or have("closed", 1), 0.5)
    check(have("opened", 1) and not desks.mistakes, f"and nothing else: {desks.mistakes}")


if __name__ == "__main__":
    main()
