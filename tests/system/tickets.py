"""Tickets and their clocks, from the fact to the report; and a trail that shows who meddled with it."""
import json
import os
import sqlite3
import time

from stage import check, main, until

RULE = "FilesystemAlmostFull"
FULL = f"builtin_rules: {{{RULE}: {{threshold: 100%, recovery: 101%, hold: 0s}}}}\n"
NO_RULE = f"builtin_rules: {{{RULE}: {{enabled: false}}}}\n"
REGISTER = """
suppliers: [{name: Contoso}]
sites: [{name: Hall}]
hosts: [{match: {instance: ".*"}, supplier: Contoso, site: Hall}]
targets: [{supplier: Contoso, respond: 10s, resolve: 1h}]
"""


def estate(lab, hook, chat=None):
    os.makedirs(os.path.join(lab.dir, "register.d"))
    with open(os.path.join(lab.dir, "register.d", "all.yml"), "w") as f:
        f.write(REGISTER)
    feeds = [{"name": "desk", "type": "webhook", "url": hook.url, "live": True}]
    if chat:
        feeds.append({"name": "chat", "type": "webhook", "url": chat.url, "live": True, "match": {"alertname": "TargetAtRisk"}})
    return lab.pair(extra=f"register: register.d/\n{FULL}feeds: {json.dumps(feeds)}\n")[0]


def tickets(c):
    return c.get("/api/fenwatch/v1/tickets")


def ticket_of(c, key):
    return next((t for t in tickets(c) if t["key"] == key), None)


def key_of(c, mountpoint):
    return next((a["key"] for a in c.alerts(rule=RULE) if a["labels"]["mountpoint"] == mountpoint), None)


def report(c, *args):
    done = c.cli("report", "sla", *args)
    check(done.returncode == 0, done.stderr)
    return done.stdout


def repair(c):
    c.reconfigure(FULL, NO_RULE)
    c.reload("read anew")


def test_clocks_run_from_the_desk_s_yes_to_the_end_of_the_fault(lab):
    desk, chat = lab.webhook(), lab.webhook()
    c = estate(lab, desk, chat)
    key = until(30, "the alert", lambda: key_of(c, "/"))
    until(30, "a ticket with targets", lambda: (ticket_of(c, key) or {"respond": {}})["respond"].get("due"))
    first = ticket_of(c, key)
    check((first["host"], first["supplier"], first["site"], first["target"]) ==
          ("agent", "Contoso", "Hall", "all.yml, line 5"), str(first))
    check(c.cli("ticket", "pause", key, "--reason", "lunch").returncode != 0, "no such reason")
    late = lambda: {a["labels"]["ticket"] for a in c.alerts(rule="TargetAtRisk") if a["labels"]["target"] == "respond"}
    until(30, "nobody has taken any of them up", lambda: late() >= {t["key"] for t in tickets(c)})
    check(not desk.notices(rule="TargetAtRisk") and chat.notices("firing", "TargetAtRisk"), "who is paid by the ticket hears nothing")
    done = c.cli("ticket", "pause", key, "--reason", "user")
    check(done.returncode == 0 and done.stdout == f"{key} is paused: its clocks stand still\n", f"{done}")
    check("paused: user" in c.cli("tickets").stdout, c.cli("tickets").stdout)
    paused = ticket_of(c, key)
    check(paused["paused"] == "user", str(paused))
    c.kill()
    c.start()
    after = until(20, "as it was", lambda: ticket_of(c, key))
    check(after["paused"] == "user" and after["raised"] == first["raised"], f"over kill -9: {after}")
    check(c.cli("ticket", "resume", key).stdout == f"{key} goes on\n", "it goes on")
    moved = ticket_of(c, key)
    check(moved["resolve"]["due"] > first["resolve"]["due"], f"its target has moved: {moved}")
    repair(c)
    until(30, "the fault is gone", lambda: all(t["restored"] for t in tickets(c)))
    check(not any(t["rule"] == "TargetAtRisk" for t in tickets(c)), "what is said of a ticket is none")

    at = f"{time.time():.3f}"
    once = report(c, "--at", at, "--csv")
    check('"Contoso"' in once and '"met"' in once, once)
    check(report(c, "--at", at, "--csv") == once, "the same question has the same answer")
    page = report(c, "--at", at, "--html")
    check("<svg" in page and page.rstrip().endswith("</html>"), page[-200:])
    volumes = json.loads(c.cli("--json", "report", "tickets", "--by", "host").stdout)
    check(volumes["groups"][0]["name"] == "agent" and volumes["tickets"] >= 1, str(volumes))
    c.stop()


def test_a_trail_shows_who_meddled_with_it(lab):
    c = estate(lab, lab.webhook())
    until(30, "a ticket", lambda: tickets(c))
    until(30, "what was done is written down", lambda: {"fired", "told"} <= {
        e["kind"] for e in c.get("/api/fenwatch/v1/audit")})
    check(c.cli("audit", "check").returncode == 0, "the chain holds")
    key = tickets(c)[0]["key"]
    check("fired" in c.cli("audit", "list", key).stdout, "what happened to one alert")
    c.stop()
    with sqlite3.connect(os.path.join(c.data, "state.db")) as db:
        db.execute("UPDATE audit SET at_ms = at_ms - 60000 WHERE id = 1")
    c.start()
    check(c.cli("audit", "check").returncode == 1, "the chain is broken")
    check("broken at entry 1" in c.cli("audit", "check").stdout, c.cli("audit", "check").stdout)
    c.stop()


main()
