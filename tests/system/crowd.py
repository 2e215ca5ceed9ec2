"""A whole estate that falls silent at once: a few tickets and a roll-up, not one a host.

FENWATCH_CROWD is how many hosts there are, 300, each with its own agent: those behind one are told of as that one.
"""
import json
import os
import time

from fleets import Fleet
from stage import check, main, until

HOSTS = int(os.environ.get("FENWATCH_CROWD", "300"))
MOST_TICKETS, WITHIN_S = 5, 60
RAMP, HOLD = "hold: 10m", "hold: 2s"  # so many agents that enrol on one machine's cores speak seconds late


def tickets(hook):
    """{rule: how many keys were told of}"""
    told = {}
    for _, _, body in hook.notices("firing"):
        told.setdefault(body["alerts"][0]["labels"]["alertname"], set()).add(body["groupKey"])
    return {rule: len(keys) for rule, keys in told.items()}


def silent(c):
    return len(c.alerts(rule="HostSilent", state="firing"))


def test_all_are_silent_at_once(lab):
    hook = lab.webhook()
    feeds = [{"name": "desk", "type": "webhook", "url": hook.url, "live": True}]
    c = lab.collector(extra=f"feeds: {json.dumps(feeds)}\nbuiltin_rules: {{HostSilent: {{{RAMP}}}}}\n",
                      store="{raw: 64MiB}").start(wait=False)
    c.wait_ready(120)
    fleet = Fleet(lab, c, HOSTS, series=1, interval=2000, jitter=0).begin()
    until(180 + HOSTS // 50, "every host has its pace", lambda: c.value("count(count_over_time(fleet_tick[1m]) > 3)") == HOSTS, 1)
    check(not tickets(hook), f"nothing is told while all speak: {tickets(hook)}")
    fleet.close()
    c.reconfigure(RAMP, HOLD)
    c.reload("read anew")
    since = time.monotonic()
    until(WITHIN_S, "there is a roll-up", lambda: tickets(hook).get("AlertStorm"))
    took_s = time.monotonic() - since
    until(WITHIN_S, "each host is known to be silent", lambda: silent(c) == HOSTS, 1)
    told = tickets(hook)
    print(f"# {HOSTS} hosts: {told} after {took_s:.0f} s")
    check(told == {"HostSilent": MOST_TICKETS, "AlertStorm": 1}, f"five and a roll-up: {told}")


if __name__ == "__main__":
    main()
