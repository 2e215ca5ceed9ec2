"""Where notices go: real receivers, and what they made of them."""
import json
import os
import shutil
import signal
import subprocess

from stage import Process, check, free_port, main, skip, until

RULE = "FilesystemAlmostFull"
FULL = f"builtin_rules: {{{RULE}: {{threshold: 100%, recovery: 101%, hold: 0s}}}}\n"
NO_RULE = f"builtin_rules: {{{RULE}: {{enabled: false}}}}\n"


def need(program, package):
    path = shutil.which(program) or f"/usr/sbin/{program}"
    if not os.path.exists(path):
        skip(f"{program} is not installed (Debian: {package})")
    return path


def everything_is_full(lab, feed):
    """A collector for which every filesystem is too full, an agent, and a feed."""
    return lab.pair(extra=FULL + f"feeds: [{json.dumps(feed)}]\n")[0]


def end_it(collector):
    """What was opened is over: the rule is switched off."""
    with open(collector.config) as f:
        text = f.read()
    with open(collector.config, "w") as f:
        f.write(text.replace(FULL, NO_RULE))
    collector.child.send_signal(signal.SIGHUP)


def feed_of(collector):
    return collector.get("/api/fenwatch/v1/feeds")[0]


# ---- Alertmanager ----

def alertmanager(lab, hook):
    program, port = need("prometheus-alertmanager", "prometheus-alertmanager"), free_port()
    config = os.path.join(lab.dir, "alertmanager.yml")
    with open(config, "w") as f:
        f.write("route: {receiver: desk, group_wait: 0s, group_interval: 1s, group_by: ['...']}\n"
                f"receivers: [{{name: desk, webhook_configs: [{{url: '{hook.url}'}}]}}]\n")
    process = Process(lab, "alertmanager", [
        program, "--config.file", config, "--storage.path", os.path.join(lab.dir, "am"),
        "--web.listen-address", f"127.0.0.1:{port}", "--cluster.listen-address="])
    lab.processes.append(process)
    process.start()
    return f"http://127.0.0.1:{port}"


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
    check(feed_of(c)["waiting"] == 0 and feed_of(c)["refused"] == 0, str(feed_of(c)))


main()
