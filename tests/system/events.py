"""What happens at one moment: kept, found, and what of it opens and closes an alert."""
import time

import wire
from stage import check, main, until

DOWN, UP = "1.3.6.1.6.3.1.1.5.3", "1.3.6.1.6.3.1.1.5.4"


def desk(hook):
    return f"feeds: [{{name: desk, type: webhook, url: '{hook.url}', live: true}}]\n"


class Trapper:
    """An agent that sends nothing but traps."""

    def __init__(self, collector, name="sw1"):
        self.identity, self.number = wire.enrolled(collector, name), 0
        self.connect(collector)

    def connect(self, collector):
        self.peer = wire.Peer(collector, self.identity, next_live=self.number + 1)

    def trap(self, oid, at=None, **fields):
        self.number += 1
        text = b"".join(wire.label(6, *pair) for pair in {"oid": oid, **fields}.items())
        self.peer.send(wire.EVENT, wire.u(1, self.number) + wire.b(4, "trap") +
                       wire.u(5, int((at or time.time()) * 1000)) + text)

    def acked(self):
        check(self.peer.wait_acked(self.number, 30), "they are durable")


def test_a_trap_is_one_ticket_and_its_pair_the_end(lab):
    hook = lab.webhook()
    c = lab.collector(extra=desk(hook)).start()
    sw1 = Trapper(c)
    sw1.trap(DOWN, at=time.time() - 3600, ifIndex="3", ifDescr="too late")
    for _ in range(3):
        sw1.trap(DOWN, ifIndex="3", ifDescr="Gi0/3")
    sw1.trap("1.3.6.1.4.1.9.9.41.2.0.1", text="nothing that a rule knows")
    opened = until(10, "the ticket", lambda: hook.notices("firing", "LinkDown"))
    alert = opened[0][2]["alerts"][0]
    check(alert["labels"]["instance"] == "sw1" and alert["labels"]["ifIndex"] == "3", str(alert))
    check(alert["annotations"]["summary"] == "interface 3 has lost its link Gi0/3", str(alert))
    sw1.acked()
    c.kill()
    c.start()
    check(c.alerts()[0]["state"] == "firing", "it goes on after a kill")
    sw1.connect(c)
    sw1.trap(UP, ifIndex="3")
    until(10, "its end", lambda: hook.notices("resolved", "LinkDown"))
    check(len(hook.notices("firing", "LinkDown")) == 1, "one ticket")

    found = c.cli("events", "sw1", "--text", "gi0/3")
    check(found.returncode == 0 and found.stdout.count("Gi0/3") == 3, found.stdout)
    check(len(c.get("/api/fenwatch/v1/events", host="sw1")) == 6, "all are kept, those of no rule and the late one, too")
    check(len(c.get("/api/fenwatch/v1/events", host="sw1", limit="2")) == 2, "a limit")
    check(c.cli("events", "sw9").stdout == "no events\n", "of another")


def test_four_thousand_are_filed_though_the_collector_is_killed(lab):
    c = lab.collector().start()
    sw1 = Trapper(c)
    for i in range(4000):
        sw1.trap("1.3.6.1.4.1.8072.2.3.0.1", number=str(i))
    sw1.acked()
    c.kill()
    c.start()

    def filed():
        return {e["fields"]["number"] for e in c.get("/api/fenwatch/v1/events", host="sw1", limit="4000")}
    until(30, "each is filed", lambda: len(filed()) == 4000)
    check(len(c.get("/api/fenwatch/v1/events", host="sw1", limit="4000")) == 4000, "once")


main()
