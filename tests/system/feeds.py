"""Where notices go: real receivers, and what they made of them."""
import json
import os
import re
import shutil
import signal
import subprocess
import urllib.error
import urllib.parse
from xml.etree import ElementTree

from desks import Desks, Freshservice, Halo, Jira, PagerDuty, ServiceNow, Sms, Teams, Topdesk
from listeners import ATOM, MIBS, OUR_MIBS, Reader, alertmanager, certificate, mailbox, need, secret, snmptrapd
from stage import Process, check, free_port, main, skip, until

RULE = "FilesystemAlmostFull"
FULL = f"builtin_rules: {{{RULE}: {{threshold: 100%, recovery: 101%, hold: 0s}}}}\n"
OF_ROOT = {"match": [{"mountpoint": "/"}]}  # other filesystems come and go on a busy machine
NO_RULE = f"builtin_rules: {{{RULE}: {{enabled: false}}}}\n"


def everything_is_full(lab, *feeds):
    """A collector for which every filesystem is too full, an agent, and feeds."""
    return lab.pair(extra=FULL + f"feeds: {json.dumps(feeds)}\n")[0]


def end_it(collector):
    """What was opened is over: the rule is switched off. What is under way then would be sent once more."""
    until(30, "nothing waits", lambda: all(f["waiting"] == 0 for f in collector.get("/api/fenwatch/v1/feeds")))
    collector.reconfigure(FULL, NO_RULE)
    collector.child.send_signal(signal.SIGHUP)


def feed_of(collector, name=None):
    return next(f for f in collector.get("/api/fenwatch/v1/feeds") if name in (None, f["name"]))


# ---- rehearsal ----

def test_a_rehearsal_that_goes_and_begins_again(lab):
    hook = lab.webhook()
    c = everything_is_full(lab, {"name": "desk", "type": "webhook", "url": hook.url, "cost_per_ticket": "12.50", **OF_ROOT})
    count = until(30, "it is rehearsed", lambda: feed_of(c)["rehearsed"])
    feed = feed_of(c)
    check(hook.got == [] and not feed["live"] and feed["rehearsed_cost"] == 12.5 * count, f"{feed}")
    done = c.cli("feed", "list")
    check(f"{12.5 * count:g}" in done.stdout, done.stdout)
    done = c.cli("feed", "test", "desk")
    check(done.returncode == 0 and len(hook.notices(rule="FeedTest")) == 2, f"{done.stdout} {done.stderr}")
    done = c.cli("feed", "go", "nobody")
    check(done.returncode != 0 and "there is no feed 'nobody'" in done.stderr, done.stderr)

    # It goes, is killed, and still goes.
    done = c.cli("feed", "go", "desk")
    check(done.stdout == f"feed 'desk' goes; {count} alerts that go on are told now\n", done.stdout)
    until(20, "they are told", lambda: len(hook.notices("firing", RULE)) == count)
    c.kill()
    c.start()
    check(feed_of(c)["live"], "it goes after a kill")

    # In rehearsal again, the ends of what was told are told.
    check(c.cli("feed", "rehearse", "desk").returncode == 0, "rehearse")
    end_it(c)
    until(20, "ends are told", lambda: len(hook.notices("resolved", RULE)) == count)
    # One whose receipt the kill took is sent again, under the same key.
    opened = {(key, body["alerts"][0]["startsAt"]) for _, key, body in hook.notices("firing", RULE)}
    check(len(opened) == count, f"each opened once: {opened}")


def test_what_was_refused_is_sent_again(lab):
    hook = lab.webhook(status=400)
    c = everything_is_full(lab, {"name": "desk", "type": "webhook", "url": hook.url, "live": True, **OF_ROOT})
    until(30, "it is refused", lambda: feed_of(c)["refused"])
    letters = c.get("/api/fenwatch/v1/feeds/desk/notices", state="refused")
    check(letters[0]["why"] and letters[0]["tries"] == 1, f"{letters[0]}")
    check(RULE in c.cli("feed", "letters", "desk").stdout, "listed")
    check(c.cli("feed", "test", "desk").returncode == 1, "a test is refused, too")
    hook.status = 200
    hook.got.clear()
    done = c.cli("feed", "retry", "desk")
    check(f"{len(letters)} notices are sent again, 1 dropped as over" in done.stdout, done.stdout)
    until(20, "they are told", lambda: len(hook.notices("firing", RULE)) == len(letters))
    check(c.cli("feed", "letters", "desk").stdout == "no notices\n", "none is left")


def test_a_desk_that_is_deployed_anew_loses_nothing(lab):
    moved, strict = lab.webhook(status=301), lab.webhook(status=422)
    c = everything_is_full(lab, *({"name": name, "type": "webhook", "url": hook.url, "live": True}
                                  for name, hook in (("moved", moved), ("strict", strict))))
    until(30, "both were told", lambda: moved.got and strict.got)
    moved.status = 404
    until(30, "it is tried again", lambda: feed_of(c, "moved")["tries"] > 2 * len({key for _, key, _ in moved.got}))
    check(feed_of(c, "moved")["refused"] == 0 and feed_of(c, "moved")["waiting"], f"{feed_of(c, 'moved')}")
    check(feed_of(c, "strict")["refused"], "what a desk does not want is refused at once")
    moved.status = strict.status = 200
    until(60, "all is delivered", lambda: feed_of(c, "moved")["waiting"] == 0)
    check(feed_of(c, "moved")["delivered"] and not feed_of(c, "moved")["refused"], f"{feed_of(c, 'moved')}")
    check(feed_of(c, "strict")["refused"], "and stays so")


# ---- what is fetched ----

def test_a_reader_fetches_each_notice_once(lab):
    token = secret(lab, "shelf.token", "shelf-secret")
    c = everything_is_full(lab, {"name": "shelf", "type": "pull", "token_file": token, "live": True})
    reader = Reader(c, "shelf", "shelf-secret")
    for token in (c.token, "shelf-secreT"):
        try:
            reader.ask(token=token)
            check(False, "another's token is taken")
        except urllib.error.HTTPError as error:
            check(error.code == 401, f"{error.code}")
    count = until(30, "there are some", lambda: reader.fetch_all())
    check(c.cli("feed", "test", "shelf").returncode == 0, "a test")
    c.kill()
    c.start()
    end_it(c)
    until(20, "all that opened has ended", lambda: reader.fetch_all() and all(
        n["status"] == "resolved" for n in {n["key"]: n for n in reader.got}.values()))
    told = [(n["key"], n["starts"], n["status"]) for n in reader.got]
    check(len(told) == len(set(told)) >= 2 * count + 2, f"each once: {told}")
    check([n["id"] for n in reader.got] == sorted(n["id"] for n in reader.got), "in order")
    for key, starts, status in told:
        check(status == "firing" or told.index((key, starts, "firing")) < told.index((key, starts, status)), key)
    feed = ElementTree.fromstring(reader.ask(after=0, format="atom", limit=1000))
    check([e.find(ATOM + "id").text.split(":")[3] for e in feed.iter(ATOM + "entry")] == [n["key"] for n in reader.got], "Atom")


# ---- a desk answers ----

def answer(c, feed, token, **said):
    """The status that the desk's answer is met with, and what is said to it."""
    status, body = c.request(f"/api/fenwatch/v1/feeds/{feed}/answer?" + urllib.parse.urlencode(said), "POST", token=token)
    return status, json.dumps(body)


def test_a_desk_answers_with_a_token_of_its_own(lab):
    hook, tokens = lab.webhook(), {name: secret(lab, name, f"{name}-secret") for name in ("desk", "other")}
    c = everything_is_full(lab, *(
        {"name": name, "type": "webhook", "url": hook.url, "live": True, "answer_token_file": tokens[name],
         "match": [{"alertname": RULE if name == "desk" else "AlertStorm"}]} for name in ("desk", "other")))
    key = until(30, "it is told", lambda: told_of_root(c, hook))
    said = {"key": key, "state": "accepted", "note": "Ann"}
    until(10, "it was told for certain", lambda: feed_of(c)["delivered"])
    check(answer(c, "desk", "other-secret", **said)[0] == 401, "another feed's token")
    nothing = "fw1-" + "0" * 32
    unheard, unknown = (answer(c, "other", "other-secret", **dict(said, key=k)) for k in (key, nothing))
    check(unheard[0] == 404 and unheard == (unknown[0], unknown[1].replace(nothing, key)), f"not told: {unheard}, none: {unknown}")
    check(c.request("/api/fenwatch/v1/alerts", token="desk-secret")[0] == 401, "nothing is read with it")
    status, told = answer(c, "desk", "desk-secret", **said)
    check(status == 200, told)
    check(c.alerts(key=key)[0]["acknowledged"]["who"] == "feed desk", "it counts")
    check(answer(c, "desk", c.token, key=key, state="resolved")[0] == 200, "an engineer's goes on to hold")


def test_what_nobody_can_tell_is_closed_by_hand(lab):
    hook = lab.webhook()
    desk = {"name": "desk", "type": "webhook", "url": hook.url, "live": True}
    c, agent = lab.pair(extra=FULL + f"feeds: {json.dumps([desk])}\n")
    key = until(30, "it is told", lambda: told_of_root(c, hook))
    refused = c.cli("resolve", key, "--note", "scrapped")
    check(refused.returncode != 0 and "it is firing" in refused.stderr, f"what fires: {refused}")
    agent.stop()
    c.stop()
    shutil.rmtree(os.path.join(c.data, "store"))
    c.start()
    check("nothing is stored of its host" in c.cli("alerts").stdout, "the ring is lost, and the host with it")
    done = c.cli("resolve", key, "--note", "scrapped")
    check(done.returncode == 0 and f"{key} is closed" in done.stdout, f"{done}")
    body = next(b for _, _, b in until(30, "its close is told", lambda: hook.notices("resolved", RULE)) if b["groupKey"] == key)
    check(body["alerts"][0]["annotations"]["closed_because"] == "scrapped", f"{body}")
    check(c.cli("resolve", key, "--note", "scrapped").returncode != 0, "once")


# ---- Alertmanager ----

def amtool(url, *matchers):
    done = subprocess.run([need("amtool", "prometheus-alertmanager"), "--alertmanager.url", url, "-o", "json",
                           "alert", "query", *matchers], capture_output=True, text=True, timeout=30)
    check(done.returncode == 0, done.stderr)
    return json.loads(done.stdout)


def test_alertmanager_has_the_alert_and_its_end(lab):
    hook = lab.webhook()
    url = alertmanager(lab, hook)
    until(20, "Alertmanager answers", lambda: amtool(url) == [])
    c = everything_is_full(lab, {"name": "am", "type": "alertmanager", "url": url, "live": True})
    alert = until(30, "amtool sees it", lambda: amtool(url, f"alertname={RULE}", "mountpoint=/"))[0]
    check(alert["labels"]["instance"] == "agent" and alert["labels"]["severity"] == "warning", str(alert))
    check(alert["annotations"]["fenwatch_key"].startswith("fw1-"), str(alert))
    check(alert["startsAt"] < alert["updatedAt"] < alert["endsAt"], f"it holds for a while: {alert}")
    until(20, "it is passed on", lambda: hook.notices("firing", RULE))
    end_it(c)
    until(20, "amtool sees it no longer", lambda: not amtool(url, f"alertname={RULE}"))
    until(20, "the end is passed on", lambda: [
        n for n in hook.notices("resolved", RULE) if n[2]["alerts"][0]["labels"].get("mountpoint") == "/"])
    until(20, "nothing waits", lambda: feed_of(c)["waiting"] == 0)
    check(feed_of(c)["refused"] == 0, str(feed_of(c)))


# ---- desks ----

def of_root(lines, key):
    """Those about the root filesystem: others come and go on a busy machine."""
    return [line for line in lines if key in line or "agent: / has " in line]


def root_key(collector):
    return next((a["key"] for a in collector.alerts(rule=RULE, state="firing") if a["labels"]["mountpoint"] == "/"), None)


def told_of_root(collector, hook):
    """Its key, once the hook has it."""
    key = root_key(collector)
    return key if key in [body["groupKey"] for _, _, body in hook.notices("firing", RULE)] else None


def desks_of(lab, **vendors):
    desks = Desks(**vendors)
    lab.closers.append(desks.close)
    return desks


def follow(c, desks, closing):
    """The alert becomes one ticket at each desk, and is closed where the desk is told of closes."""
    key = until(20, "the alert", lambda: root_key(c))
    for name, vendor in desks.vendors.items():
        until(30, f"{name} has a ticket", lambda v=vendor: of_root(v.opened, key))
    end_it(c)
    for name in closing:
        until(30, f"{name} has closed it", lambda v=desks.vendors[name]: of_root(v.closed, key))
    until(20, "nothing waits", lambda: all(f["waiting"] == 0 for f in c.get("/api/fenwatch/v1/feeds")))
    check(not desks.mistakes, f"{desks.mistakes}")
    for name, vendor in desks.vendors.items():
        check(len(of_root(vendor.opened, key)) == 1, f"{name}: one of {vendor.opened}")
        check(len(of_root(vendor.closed, key)) == (name in closing), f"{name}: closed {vendor.closed}")


def examples(port, token, names=None):
    """Those of packaging/feeds, against our port and live."""
    folder = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))),
                          "packaging", "feeds")
    text = ""
    for name in names or sorted(os.listdir(folder)):
        with open(os.path.join(folder, name)) as f:
            one = f.read()
        check(len(re.findall("live: false", one)) == 1, f"{name} starts in rehearsal")
        one = re.sub(r"https://[^/]+", f"http://127.0.0.1:{port}/{name[:-4]}", one.replace("live: false", "live: true"))
        one = one.replace(f"/etc/fenwatch/{name[:-4]}.token", token[name[:-4]])
        text += one.replace("feeds:\n", "").replace("every: 2m", "every: 1s")
    return "feeds:\n" + text


def test_desks_described_as_data_have_one_ticket_each_and_its_end(lab):
    desks = desks_of(lab, halo=Halo(), topdesk=Topdesk(), freshservice=Freshservice(), teams=Teams(), sms=Sms())
    secrets = {"halo": "halo", "topdesk": "topdesk:pw", "freshservice": "key:X", "sms": "AC:s",
               "teams": "workflows/1/invoke?sig=a%2Fb"}
    token = {name: secret(lab, name + ".token", text) for name, text in secrets.items()}
    c = lab.pair(extra=FULL + examples(desks.port, token))[0]
    follow(c, desks, ["halo", "topdesk", "freshservice", "teams"])
    for text in secrets.values():
        if len(text) > 4:
            check(text not in c.log() and text not in json.dumps(c.get("/api/fenwatch/v1/feeds")), "a secret is told")


REGISTER = """sites: [{name: Hall, tier: %s}]
hosts: [{host: agent, site: Hall}]
"""


def test_a_desk_hears_of_what_has_changed(lab):
    desks = desks_of(lab, topdesk=Topdesk())
    token = {"topdesk": secret(lab, "topdesk.token", "topdesk:pw")}
    os.mkdir(os.path.join(lab.dir, "register.d"))

    def tier(name):
        with open(os.path.join(lab.dir, "register.d", "all.yml"), "w") as f:
            f.write(REGISTER % name)
    tier("standard")
    c = lab.pair(extra=FULL + "register: register.d/\n" + examples(desks.port, token, ["topdesk.yml"]))[0]
    key, desk = until(20, "the alert", lambda: root_key(c)), desks.vendors["topdesk"]
    until(30, "a ticket", lambda: key in desk.opened)
    check(c.cli("ack", key, "--note", "on my way").returncode == 0, "ack")
    until(20, "it is told", lambda: [text for text in desk.changed if "on my way" in text])
    before = re.search("Priority (P.)", desk.changed[-1]).group(1)
    tier("blue-light")
    c.reload("read anew")
    changed = until(20, "it is more urgent", lambda: [text for text in desk.changed if "on my way" in text
                                                      and f"Priority {before}" not in text])
    check(re.search("Priority (P.)", changed[0]).group(1) < before, f"{before}: {changed}")
    end_it(c)
    until(30, "it is closed", lambda: key in desk.closed)
    check(not desks.mistakes and desk.opened.count(key) == 1, f"{desks.mistakes} {desk.opened}")


def test_a_desk_is_asked_what_has_become_of_its_ticket(lab):
    desk = Freshservice()
    desks = desks_of(lab, freshservice=desk)
    token = {"freshservice": secret(lab, "freshservice.token", "key:X")}
    c = lab.pair(extra=FULL + examples(desks.port, token, ["freshservice.yml"]))[0]
    key = until(20, "the alert", lambda: root_key(c))

    def answered(kind):
        return [e for e in c.get("/api/fenwatch/v1/audit", subject=key) if e["kind"] == kind]
    until(30, "a ticket", lambda: of_root(desk.opened, key))
    check(not answered("accepted"), "nobody has taken it up")
    desk.status = 3
    until(30, "it is acknowledged", lambda: answered("accepted"))
    check(answered("accepted")[0]["who"] == "desk 'freshservice'", f"{answered('accepted')}")
    desk.status = 5
    until(30, "it is resolved", lambda: answered("resolved"))
    check(not desks.mistakes and len(answered("resolved")) == 1, f"{desks.mistakes}")


def test_desks_of_vendors_that_are_moody_have_one_ticket_each_and_its_end(lab):
    desks = desks_of(lab, pagerduty=PagerDuty(), events=ServiceNow(), incidents=ServiceNow(), jira=Jira())
    for vendor in desks.vendors.values():
        vendor.moods = [(401, {}), (429, {"Retry-After": "1"}), (503, {})]
    url, password = f"http://127.0.0.1:{desks.port}", secret(lab, "password", "pw")
    now = {"type": "servicenow", "user": "fenwatch", "password_file": password, "live": True}
    c = everything_is_full(
        lab,
        {"name": "pager", "type": "pagerduty", "url": url + "/pagerduty/v2/enqueue", "live": True,
         "routing_key_file": secret(lab, "key", "0123456789abcdef" * 2)},
        {"name": "jira", "type": "jira", "url": url + "/jira", "project": "OPS", "live": True,
         "token_file": secret(lab, "token", "jira")},
        dict(now, name="events", url=url + "/events"),
        dict(now, name="incidents", url=url + "/incidents", table="incident"))
    follow(c, desks, desks.vendors)
    check(not any(vendor.moods for vendor in desks.vendors.values()), "each has had its moods")


# ---- mail ----

def mail_feed(lab, port, cert):
    return {"name": "mail", "type": "mail", "server": f"localhost:{port}", "from": "fenwatch@council.example",
            "to": ["desk@council.example"], "user": "fenwatch", "ca_file": cert, "live": True,
            "password_file": secret(lab, "password", "correct horse")}


def test_a_mail_is_answered_by_its_close(lab):
    cert, key = certificate(lab, "localhost")
    port, mails = mailbox(lab, cert, key)
    c = everything_is_full(lab, mail_feed(lab, port, cert))
    alert = until(20, "the alert", lambda: root_key(c))

    def about_root():
        return [m for m in mails() if m["mail"]["X-Fenwatch-Key"] == alert]
    opened = until(30, "the mail", about_root)[0]
    check(opened["tls"] and opened["to"] == ["desk@council.example"], f"{opened}")
    check("agent: / has" in opened["mail"]["Subject"], opened["mail"]["Subject"])
    check("agent: / has" in opened["mail"].get_payload(decode=True).decode(), "the body can be read")
    end_it(c)
    closed = until(30, "its close", lambda: about_root()[1:])[0]
    check(closed["mail"]["In-Reply-To"] == closed["mail"]["References"] == opened["mail"]["Message-ID"],
          "the close replies to the open")
    check(len(about_root()) == 2 and "correct horse" not in c.log(), "two mails, and no password told")


def test_no_mail_goes_to_a_server_of_another_name(lab):
    cert, key = certificate(lab, "mail.example")
    port, mails = mailbox(lab, cert, key)
    c = everything_is_full(lab, mail_feed(lab, port, cert))
    until(30, "it is noticed", lambda: "localhost" in feed_of(c)["last_error"])
    check(not mails() and feed_of(c)["waiting"] > 0, f"{feed_of(c)}")


# ---- syslog ----

def rsyslog(lab, cert, key):
    """(port, the lines so far) of rsyslog, which takes TLS from anybody and writes an alert's fields a line."""
    program, port = need("rsyslogd", "rsyslog"), free_port()
    config, path = os.path.join(lab.dir, "rsyslog.conf"), os.path.join(lab.dir, "messages")
    with open(config, "w") as f:
        f.write(f"""global(defaultNetstreamDriverCAFile="{cert}" defaultNetstreamDriverCertFile="{cert}"
       defaultNetstreamDriverKeyFile="{key}" workDirectory="{lab.dir}")
module(load="imtcp" StreamDriver.Name="ossl" StreamDriver.Mode="1" StreamDriver.AuthMode="anon")
module(load="mmpstrucdata")
template(name="fields" type="string"
  string="%pri-text% %timereported:::date-rfc3339% %hostname% %procid% %msgid% %$!rfc5424-sd!alarm!perceivedseverity% %msg%\\n")
action(type="mmpstrucdata")
action(type="omfile" file="{path}" template="fields")
input(type="imtcp" port="{port}" address="127.0.0.1")
""")
    if subprocess.run([program, "-N1", "-f", config], capture_output=True).returncode:
        skip("rsyslog cannot do TLS (Debian: rsyslog-openssl)")
    process = Process(lab, "rsyslogd", [program, "-n", "-f", config, "-i", os.path.join(lab.dir, "rsyslogd.pid")])
    lab.processes.append(process)

    def lines():
        if not os.path.exists(path):
            return []
        with open(path) as f:
            return f.read().splitlines()
    return process, port, lines


def syslog_feed(port, ca):
    return {"name": "siem", "type": "syslog", "server": f"localhost:{port}", "ca_file": ca, "live": True}


def test_rsyslog_has_the_alarm_and_its_end_once_it_is_there(lab):
    cert, key = certificate(lab, "localhost")
    process, port, lines = rsyslog(lab, cert, key)
    c = everything_is_full(lab, syslog_feed(port, cert))
    alert = until(20, "the alert", lambda: root_key(c))
    until(20, "nobody answers", lambda: "refused" in feed_of(c)["last_error"])
    process.start()
    opened = until(30, "the alarm", lambda: [line for line in lines() if alert in line])
    check(f" agent {alert} {RULE} warning " in opened[0] and "agent: / has" in opened[0], opened[0])
    check(opened[0].startswith("local0.warning "), opened[0])
    end_it(c)
    closed = until(30, "its end", lambda: [line for line in lines() if alert in line][1:])
    check(f" agent {alert} {RULE} cleared " in closed[0] and closed[0].startswith("local0.notice "), closed[0])
    check(len([line for line in lines() if alert in line]) == 2, f"{lines()}")


def test_no_alarm_goes_to_a_syslog_server_that_nobody_vouches_for(lab):
    cert, key = certificate(lab, "localhost")
    process, port, lines = rsyslog(lab, cert, key)
    process.start()
    stranger, _ = certificate(lab, "localhost", "stranger")
    c = everything_is_full(lab, syslog_feed(port, stranger))
    until(30, "it is noticed", lambda: "certificate" in feed_of(c)["last_error"])
    check(not lines() and feed_of(c)["waiting"] > 0, f"{lines()} {feed_of(c)}")


# ---- SNMP ----

def mib(program, *argv, ours=OUR_MIBS):
    """The tool's words about our MIB, of which it may have no complaint. It keeps nothing: its first run would say so."""
    done = subprocess.run([need(program, "snmp"), "-M", f"{MIBS}:{ours}", "-m", "FENWATCH-MIB", *argv],
                          capture_output=True, text=True, timeout=30,
                          env=dict(os.environ, LC_ALL="C.UTF-8", SNMP_PERSISTENT_DIR="/dev/null"))
    check(done.returncode == 0 and not done.stderr, f"{program}: {done.stderr}")
    return done.stdout


def snmp_feed(lab, port, auth="correct horse"):
    return {"name": "nms", "type": "snmp", "server": f"127.0.0.1:{port}", "user": "fenwatch", "live": True,
            "auth_file": secret(lab, "auth", auth), "privacy_file": secret(lab, "privacy", "battery staple")}


def test_the_mib_loads(lab):
    check(mib("snmptranslate", "-On", "-IR", "fenwatchAlertResolved").strip() == ".1.3.6.1.4.1.32473.7480.0.2", "OID")
    check("critical(3)" in mib("snmptranslate", "-Td", "-IR", "fenwatchAlertSeverity"), "severities")
    with open(os.path.join(OUR_MIBS, "FENWATCH-MIB.txt")) as f:
        text = f.read()
    check(text.count("enterprises 32473") == 1, "there is one place to change its number")
    with open(os.path.join(lab.dir, "FENWATCH-MIB.txt"), "w") as f:
        f.write(text.replace("enterprises 32473", "enterprises 99999"))
    moved = mib("snmptranslate", "-On", "-IR", "fenwatchAlertKey", ours=lab.dir)
    check(moved.strip() == ".1.3.6.1.4.1.99999.7480.1.1", f"under another: {moved}")


def test_snmptrapd_takes_informs_of_version_3_once_the_password_is_right(lab):
    process, port, traps = snmptrapd(lab)
    process.start()
    c = everything_is_full(lab, snmp_feed(lab, port, auth="wrong pony"))
    alert = until(20, "the alert", lambda: root_key(c))
    until(30, "it is refused", lambda: "password of auth_file" in feed_of(c)["last_error"])
    check(not traps() and feed_of(c)["refused"] == 0 and feed_of(c)["waiting"] > 0, f"{feed_of(c)}")
    secret(lab, "auth", "correct horse")
    opened = until(60, "the inform", lambda: [line for line in traps() if alert in line])[0]
    for text in ("fenwatchAlertFiring", "fenwatchAlertSeverity.0 = INTEGER: warning(6)", "agent: / has ",
                 'fenwatchAlertHost.0 = STRING: agent', f"fenwatchAlertRule.0 = STRING: {RULE}", "user fenwatch"):
        check(text in opened, f"{text}: {opened}")
    end_it(c)
    lines = lambda: list(dict.fromkeys(line for line in traps() if alert in line))  # an inform may come again
    closed = until(60, "its end", lambda: lines()[1:])[0]
    check("fenwatchAlertResolved" in closed and "cleared(1)" in closed, closed)
    check("correct horse" not in c.log() and len(lines()) == 2, f"{traps()}")


def test_snmptrapd_takes_what_has_its_community(lab):
    process, port, traps = snmptrapd(lab)
    feed = {"type": "snmp", "server": f"127.0.0.1:{port}", "version": "2c", "live": True}
    c = everything_is_full(
        lab, dict(feed, name="informs", community_file=secret(lab, "community", "council")),
        dict(feed, name="strangers", community_file=secret(lab, "another", "public")))
    alert = until(20, "the alert", lambda: root_key(c))
    until(30, "nobody answers", lambda: "does not answer" in feed_of(c)["last_error"])
    process.start()
    opened = until(60, "the inform", lambda: [line for line in traps() if alert in line])
    check("fenwatchAlertFiring" in opened[0] and "community council" in opened[0], opened[0])
    check(not [line for line in traps() if "community public" in line], "a stranger is not heard")


main()
