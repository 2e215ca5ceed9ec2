"""Real snmpd of Debian's on loopback, and fenwatch-snmp, which reads them."""
import os
import shutil
import subprocess

from stage import Process, check, free_port, skip, write_file

MODULES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "packaging", "snmp-modules")
COMMUNITY, AUTH, PRIV = "canary-community", "canary-auth-password", "canary-priv-password"
SNMPD = shutil.which("snmpd", path="/usr/sbin:/usr/bin") or "/usr/sbin/snmpd"


class Snmpd(Process):
    """The agent of net-snmp with a configuration and a memory of its own."""

    def __init__(self, lab, name="snmpd", auth=AUTH, extra="", address="127.0.0.1", port=None):
        if not os.path.exists(SNMPD):
            skip("snmpd is not installed")
        self.port = port or free_port()
        folder, conf = os.path.join(lab.dir, name), os.path.join(lab.dir, name + ".conf")
        os.makedirs(folder)  # it keeps its engine and users there, in a file of its own
        with open(conf, "w") as f:
            f.write(f"agentaddress udp:{address}:{self.port}\nrocommunity {COMMUNITY}\n"
                    f"createUser watcher SHA-256 \"{auth}\" AES \"{PRIV}\"\nrouser watcher authPriv\n"
                    f"sysLocation <script>alert(1)</script>\n{extra}")
        super().__init__(lab, name, [SNMPD, "-f", "-C", "-c", conf, "-I", "-smux", "-Lo", "-p",
                                     os.path.join(folder, "pid")], {"SNMP_PERSISTENT_DIR": folder, "MIBS": ""})
        lab.processes.append(self)

    def walk(self, version, *oids):
        """{OID: value} as net-snmp's own tool reads it."""
        who = (["-v3", "-u", "watcher", "-l", "authPriv", "-a", "SHA-256", "-A", AUTH, "-x", "AES", "-X", PRIV]
               if version == "3" else ["-v" + version, "-c", COMMUNITY])
        tool = "snmpwalk" if version == "1" else "snmpbulkwalk"
        found = {}
        for oid in oids:
            done = subprocess.run([tool, *who, "-On", "-Oe", "-OU", "-Ot", "-Oq", f"127.0.0.1:{self.port}", oid],
                                  capture_output=True, text=True, timeout=60, env=dict(os.environ, MIBS=""))
            check(done.returncode == 0, f"{tool}: {done.stderr}")
            found.update(line.lstrip(".").split(" ", 1) for line in done.stdout.splitlines() if " " in line)
        return found


def credentials(lab, name, text):
    path = os.path.join(lab.dir, name)
    write_file(path, text, 0o640)
    return path


class Reader(Process):
    """fenwatch-snmp; `devices` are (name, port, version, more keys)."""

    def __init__(self, lab, agent, *devices, auth=AUTH, way=None):
        self.config = os.path.join(lab.dir, "snmp.yml")
        community = credentials(lab, "community", f"community: {COMMUNITY}\n")
        user = credentials(lab, "user", f"user: watcher\nauth: {auth}\npriv: {PRIV}\n")
        with open(self.config, "w") as f:
            f.write(f"addresses: {os.path.join(lab.dir, 'addresses')}\ncounters: {os.path.join(lab.dir, 'counters')}\nsocket: {way or (agent.probe if agent else '/nowhere')}\nmodules: [{MODULES}]\ndevices:\n")
            for name, port, version, more in devices:
                f.write(f"  - {{name: {name}, address: \"127.0.0.1:{port}\", version: {version}, "
                        f"credentials: {user if version == '3' else community}, {more}}}\n")
        super().__init__(lab, "snmp", [lab.program("snmp"), "--config", self.config])
        lab.processes.append(self)

    def test(self, name):
        done = subprocess.run([self.lab.program("snmp"), "--config", self.config, "test", name],
                              capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout, done.stderr
