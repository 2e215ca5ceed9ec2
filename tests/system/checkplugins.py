"""Plugins of fenwatch-check: read as they speak, and whoever runs wild is ended."""
import os
import re
import time

from checker import Checker, Peer, run, script, silent
from stage import check, main, skip, until

PLUGINS = "/usr/lib/nagios/plugins/"


def test_plugins_are_read_as_they_speak(lab):
    if not os.path.exists(PLUGINS + "check_dummy"):
        skip("no plugins (Debian: monitoring-plugins-basic)")
    port = Peer(lab, silent).port
    disk = [PLUGINS + "check_disk", "-w", "1%", "-c", "1%", "-p", "/"]
    tcp = [PLUGINS + "check_tcp", "-H", "127.0.0.1", "-p", str(port), "-w", "5", "-c", "10"]
    commands = {"disk": disk, "tcp": tcp} | {f"dummy{i}": [PLUGINS + "check_dummy", str(i), "as told"] for i in range(4)}
    checker = Checker(lab, {name: f"type: plugin, command: [{', '.join(repr(word) for word in argv)}]"
                            for name, argv in commands.items()})
    for i, state in enumerate(("ok", "warning", "critical", "unknown")):
        went, values, said = checker.test(f"dummy{i}")
        check(went == (i == 0) and values["fenwatch_plugin_status"] == i, f"{i}: {values}")
        check(f"is {state}: " in said and said.endswith("as told"), said)
    line = run(*disk, env={"LC_ALL": "C"}).stdout
    warn = float(re.search(r"\| /=[\d.]+(?:B|MiB|MB)?;(\d+);", line).group(1))
    _, values, _ = checker.test("disk")
    thresholds = [v for k, v in values.items() if 'level="warning"' in k and 'label="/"' in k]
    check(thresholds == [warn] and any('fenwatch_plugin_value{label="/"' in k for k in values), f"{line} {values}")
    _, values, _ = checker.test("tcp")
    upper = 'fenwatch_plugin_threshold{bound="upper",label="time",level="%s",unit="s"}'
    check(values['fenwatch_plugin_value{label="time",unit="s"}'] < 5 and values[upper % "critical"] == 10, str(values))


def test_plugins_that_run_wild_are_ended(lab):
    left = os.path.join(lab.dir, "left")
    scripts = {
        "hangs": "sleep 300", "floods": "yes 'much too much'", "signal": "kill -SEGV $$", "strange": "exit 77",
        "leaves": f"sleep 300 & echo $! > {left}; echo 'gone without it'; exit 0",
        "rights": "grep -E 'CapEff|CapAmb|NoNewPrivs' /proc/self/status | tr -d '\\t' | tr '\\n' ' '; ls /proc/self/fd | wc -l",
        "fills": f"head -c 3000000 /dev/zero > {lab.dir}/filled; wc -c < {lab.dir}/filled",
        "place": "pwd; echo \"$HOME$SHELL$USER\"", "quoted": "echo \"$1\"", "lines": "printf 'one\\ntwo | a=1\\nb=2\\n'"}
    checks = {name: f"type: plugin, timeout: {2 if name == 'hangs' else 20}s, command: [{script(lab, name, text)}]"
              for name, text in scripts.items()}
    checks["quoted"] = checks["quoted"].replace("]", f", '; touch {lab.dir}/shell | $(id)']")
    checks["missing"] = "type: plugin, command: [/nowhere/check]"
    for name, text, mode in (("locked", "#!/bin/sh\n", 0o644), ("bare", "echo well\n", 0o755), ("lost", "#!/nowhere/sh\n", 0o755)):
        path = os.path.join(lab.dir, name)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, mode)
        checks[name] = f"type: plugin, command: [{path}]"
    checker = Checker(lab, checks)
    said = {name: checker.test(name) for name in checks}
    for name, why in (("hangs", "no answer within 2s"), ("floods", "prints more than 64 KiB"), ("missing", "'/nowhere/check' cannot be run: No such file"),
                      ("locked", "locked' cannot be run: Permission denied"), ("bare", "bare' cannot be run: it is no program"),
                      ("lost", "lost' cannot be run: what its first line"),
                      ("signal", "ended by signal 11"), ("strange", "ended with 77")):
        went, values, text = said[name]
        check(not went and values["fenwatch_plugin_status"] == 3 and why in text, f"{name}: {text}")
    check(said["leaves"][0] and "gone without it" in said["leaves"][2], said["leaves"][2])
    with open(left) as f:
        pid = f.read().strip()
    until(5, "what it had left behind is gone", lambda: not os.path.exists(f"/proc/{pid}") or " Z " in open(
        f"/proc/{pid}/stat").read())
    check("NoNewPrivs:1" in said["rights"][2] and "CapAmb:0000000000000000" in said["rights"][2], said["rights"][2])
    check(os.path.getsize(lab.dir + "/filled") == 1 << 20, "it fills no disk")
    check(said["place"][2].endswith("is ok: /"), said["place"][2])
    check(not os.path.exists(lab.dir + "/shell") and "$(id)" not in said["quoted"][1], "no shell sees its arguments")
    check([v for k, v in said["lines"][1].items() if "plugin_value" in k] == [1, 2], str(said["lines"][1]))
    check(not run("pgrep", "-f", lab.dir + "/hangs").stdout, "nothing is left of what hung")


def test_plugins_wait_for_each_other(lab):
    """Six of half a second each: one at once where it is said so, and each has its turn."""
    c, a = lab.pair()
    place = os.path.join(lab.dir, "running")
    os.mkdir(place, 0o777)
    os.chmod(place, 0o777)
    text = f"touch {place}/$$; n=$(ls {place} | wc -l); sleep 0.5; rm {place}/$$; echo \"many | n=$n\""
    command = script(lab, "counts", text)
    checks = {f"p{i}": f"type: plugin, every: 6s, timeout: 6s, command: [{command}]" for i in range(6)}

    def most(at_once):
        checker = Checker(lab, checks, a, f"plugins_at_once: {at_once}\n").start()
        begun = time.time()

        def over(what):
            return f"{what}[{time.time() - begun + 1:.0f}s]"
        until(60, "each twice", lambda: c.value(
            f"count(count_over_time({over('fenwatch_plugin_status')}) >= 2)") == 6)
        checker.stop()
        return c.value(f'max(max_over_time({over("fenwatch_plugin_value")}))')
    check(most(1) == 1, "one at once")
    check(most(32) > 1, "and where more may, more do")


main()
