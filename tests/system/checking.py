"""fenwatch-check at work beside an agent: whoever hangs delays nobody, what fails is an alert, what stops is missed."""
import os
import shutil
import signal
import socket
import time

from checker import Checker, Peer, Web, run, script, silent
from stage import check, free_port, main, skip, until


def test_whoever_hangs_delays_nobody(lab):
    """Forty that hang, and one that answers every second: it does so every second."""
    c, a = lab.pair()
    quiet, hang = Peer(lab, silent), script(lab, "hangs", "sleep 300")
    checks = {"quick": f"type: tcp, target: '127.0.0.1:{quiet.port}', every: 1s"}
    for i in range(13):
        checks[f"http{i}"] = f"type: http, target: 'http://127.0.0.1:{quiet.port}/{i}', every: 5s, timeout: 5s"
        checks[f"tls{i}"] = f"type: tls, target: '127.0.0.1:{quiet.port}', every: 5s, timeout: 5s"
        checks[f"plugin{i}"] = f"type: plugin, command: [{hang}], every: 5s, timeout: 5s"
    Checker(lab, checks, a).start()
    until(60, "all that hang have been told so",
          lambda: c.value('count(probe_success{check!="quick"} == 0 or fenwatch_plugin_status == 3)') == 39)

    def readings(name):
        return c.value(f'count_over_time(probe_success{{check="{name}"}}[5m])') or 0
    until(60, "four rounds of one that hangs", lambda: readings("http0") >= 4)
    check(c.value('min_over_time(probe_duration_seconds{check="http0"}[5m])') > 4.9, "it hangs until its timeout")
    check(readings("quick") >= 3 * readings("http0"), f"{readings('quick')} in {readings('http0')} rounds: whoever waited "
          "for 39 that hang would have one a round")


def test_its_file_is_read_anew(lab):
    """What stays goes on, what is new begins, what is gone ends; a file that is wrong changes nothing."""
    c, a = lab.pair()
    quiet, dead = Peer(lab, silent), free_port()
    well, ill = (f"type: tcp, target: '127.0.0.1:{port}', every: 4s" for port in (quiet.port, dead))
    checker = Checker(lab, {"stays": well, "fails": ill, "goes": well}, a)
    os.chown(checker.config, 0, 0)
    checker.start()
    until(30, "three are read", lambda: c.value("count(probe_success)") == 3)

    def reload(checks, said):
        Checker(lab, checks, a)
        checker.reload(said)
    reload({"stays": well, "wrong": "type: tcp, target: nowhere"}, "the checks stay as they were")
    at = c.value('timestamp(probe_success{check="goes"})')
    until(30, "what was there goes on", lambda: (c.value('timestamp(probe_success{check="goes"})') or 0) > at + 1)
    check(not c.query('probe_success{check="wrong"}'), "nothing of a file that is wrong")
    reload({"stays": well, "fails": ill, "new": well}, "there are 3 checks now")
    until(30, "the new one", lambda: c.value('probe_success{check="new"}') == 1)

    def readings(name):
        return c.value(f'count_over_time(probe_success{{check="{name}"}}[5m])')
    until(30, "an old one goes on", lambda: readings("fails") > 1)
    counts = {name: readings(name) for name in ("goes", "fails", "stays")}
    until(30, "both do", lambda: min(readings(name) - counts[name] for name in ("fails", "stays")) > 1)
    check(readings("goes") == counts["goes"], "and what is gone is not read any more")
    told = [e["fields"]["check"] for e in c.get("/api/fenwatch/v1/events", kind="check")]
    check(told == ["fails"], f"what was told once is not told again: {told}")
    os.chmod(checker.config, 0o666)
    checker.child.send_signal(signal.SIGHUP)
    checker.logged("it must be root's")
    check(checker.alive() and checker.stop() == 0, "it ends well")


def test_who_may_own_its_file(lab):
    if os.geteuid() != 0:
        skip("not root")
    os.chmod(lab.dir, 0o755)
    checker = Checker(lab, {"dead": f"type: tcp, target: '127.0.0.1:{free_port()}'"})
    program = lab.program("check")

    def ended(*more, seconds="60"):
        return run("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "timeout", seconds, program, "--config",
                   checker.config, *more)
    check(ended("--check-config").returncode == 0 and ended(seconds="3").returncode == 124, "root's file")
    shutil.chown(checker.config, "nobody")
    refused = ended()
    check(refused.returncode == 1 and "it must be root's" in refused.stderr, f"the service's own: {refused}")
    check(ended("--check-config").returncode == 0 and "is critical" in ended("test", "dead").stdout, "but a person's own is")


def test_what_fails_is_an_alert_of_its_own(lab):
    """Two checks of one target fail: two alerts, and a third that goes well has none."""
    hook, quiet, dead = lab.webhook(), Peer(lab, silent), free_port()
    rules = ", ".join(f"{name}: {{hold: 1s}}" for name in ("CheckFailing", "PluginWarning", "PluginCritical"))
    c, a = lab.pair(extra=f"feeds: [{{name: desk, type: webhook, url: '{hook.url}', live: true}}]\n"
                          f"builtin_rules: {{{rules}}}\n")
    state = os.path.join(lab.dir, "state")
    with open(state, "w") as f:
        f.write("1")
    web = Web(lab)
    plugin = script(lab, "says", f"echo as told; exit $(cat {state})")
    checks = {"one": f"type: tcp, target: '127.0.0.1:{dead}', every: 1s", "two": f"type: tcp, target: '127.0.0.1:{dead}', every: 1s",
              "well": f"type: tcp, target: '127.0.0.1:{quiet.port}', every: 4s",
              "oven": f"type: plugin, command: [{plugin}], every: 4s",
              "cert": f"type: tls, target: '127.0.0.1:{web.ports['good']}', ca: {web.ca}, every: 4s"}
    Checker(lab, checks, a).start()

    def open_now():
        return sorted((d["alerts"][0]["labels"]["alertname"], d["alerts"][0]["labels"]["check"])
                      for _, _, d in hook.notices("firing"))
    wanted = [("CheckFailing", "one"), ("CheckFailing", "two"), ("CheckedCertificateEnds", "cert"), ("PluginWarning", "oven")]
    until(60, "four are told", lambda: open_now() == wanted)
    with open(state, "w") as f:
        f.write("2")
    until(30, "it gets worse", lambda: open_now() == sorted(wanted + [("PluginCritical", "oven")]))
    until(30, "which ends the warning", lambda: hook.notices("resolved", "PluginWarning"))
    server = socket.create_server(("127.0.0.1", dead))
    lab.closers.append(server.close)
    until(30, "both end", lambda: len(hook.notices("resolved", "CheckFailing")) == 2)
    check(open_now() == sorted(wanted + [("PluginCritical", "oven")]), f"and nothing else was told: {open_now()}")


def test_a_check_that_stops_is_missed(lab):
    """Its plugin is stopped: it is read on, and unknown. fenwatch-check is: its checks are silent, the agent is not."""
    hook, quiet = lab.webhook(), Peer(lab, silent)
    c = lab.collector(extra=f"feeds: [{{name: desk, type: webhook, url: '{hook.url}', live: true}}]\n"
                            "builtin_rules: {HostSilent: {hold: 8s}, PluginCritical: {hold: 1s}}\n").start()
    # A machine that stands still for seconds makes none of it silent, nor its checks unobserved.
    a = lab.agent(c, interval="8s").enrol().start()
    a.wait_probe()
    turn = os.path.join(lab.dir, "turn")
    plugin = script(lab, "stops", f"if [ -e {turn} ]; then kill -STOP $$; fi; echo well")
    checker = Checker(lab, {"oven": f"type: plugin, target: oven1, every: 1s, timeout: 1s, command: [{plugin}]",
                            "port": f"type: tcp, target: '127.0.0.1:{quiet.port}', every: 1s"}, a).start()

    def told(rule, status="firing"):
        return sorted({d["alerts"][0]["labels"].get("check", "") for _, _, d in hook.notices(status, rule)})

    def last(series):
        return float((c.query(f"timestamp({series})") or [{"value": [0, 0]}])[0]["value"][1])
    until(30, "their pace is known", lambda: all(
        (c.value(f"count_over_time({series}[1m])") or 0) > 6 for series in ("fenwatch_plugin_status", "probe_success")))
    open(turn, "w").close()
    until(30, "it is critical", lambda: told("PluginCritical") == ["oven"])
    stopped = time.time()
    until(30, "and read on", lambda: last("fenwatch_plugin_status") > stopped + 5)
    check(told("HostSilent") == [], f"nothing is silent: {told('HostSilent')}")
    os.unlink(turn)
    until(30, "it goes on", lambda: told("PluginCritical", "resolved") == ["oven"])
    checker.child.send_signal(signal.SIGSTOP)
    until(60, "both are silent", lambda: told("HostSilent") == ["oven", "port"])
    checker.child.send_signal(signal.SIGCONT)
    until(60, "both are back", lambda: told("HostSilent", "resolved") == ["oven", "port"])
    check(told("HostSilent") == ["oven", "port"], f"and the agent was never missed: {told('HostSilent')}")


def test_a_check_is_a_host_and_its_change_an_event(lab):
    c, a = lab.pair()
    turn = os.path.join(lab.dir, "turn")
    plugin = script(lab, "turns", f"if [ -e {turn} ]; then echo 'it burns | heat=99;50;90'; exit 2; fi; echo 'all cool'")
    quiet = Peer(lab, silent)
    checker = Checker(lab, {"port": f"type: tcp, target: '127.0.0.1:{quiet.port}', every: 1s",
                            "oven": f"type: plugin, target: oven1, every: 4s, command: [{plugin}]",
                            "ping": "type: icmp, target: 127.0.0.1, every: 1s"}, a).start()
    port = f'{{check="port",instance="127.0.0.1:{quiet.port}",job="blackbox"}}'
    until(30, "a series of its own", lambda: c.value("probe_success" + port) == 1)
    until(30, "the plugin's", lambda: c.value('fenwatch_plugin_status{check="oven",instance="oven1"}') == 0)
    until(30, "it is up", lambda: c.value("up" + port) == 1)
    until(30, "the echo", lambda: c.value('probe_icmp_duration_seconds{check="ping",phase="rtt"}') > 0)
    about = c.get("/api/v1/metadata")
    check("probe_icmp_duration_seconds" in about and "fenwatch_plugin_status" in about, f"{sorted(about)}")
    mute = [name for name, rows in about.items() if not rows[0]["help"]]
    check(not mute, f"each of them says what it means: {mute}")
    open(turn, "w").close()
    until(30, "it burns", lambda: c.value('fenwatch_plugin_value{check="oven",label="heat"}') == 99)

    def told():
        return [e["fields"] for e in c.get("/api/fenwatch/v1/events", host="oven1")]
    until(30, "an event", lambda: [e for e in told() if e["state"] == "critical" and e["text"] == "it burns"
                                   and e["was"] == "ok"])
    os.unlink(turn)
    until(30, "and its end", lambda: [e for e in told() if e["state"] == "ok" and e["was"] == "critical"])
    time.sleep(5)
    check(len(told()) == 2, f"one a change: {told()}")
    check(not c.query('{__name__=~".+",text!=""}'), "a text stands in no label")
    a.kill()
    checker.logged("which waits")
    a.start()
    until(30, "it goes on", lambda: time.time() - float(c.query("timestamp(probe_success" + port + ")")[0]["value"][1]) < 5)
    check(checker.stop() == 0, "it ends when it is told to")


main()
