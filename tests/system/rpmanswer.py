"""The agent's answer and dnf's and zypper's own, on the same files.

Repositories are built of real packages with hostile versions, and an installed root of
others. Then dnf and zypper, which may run here although the agent never does it, are
asked what is pending, what is for security and what is held, and the agent the same.
"""
import glob
import os
import random
import re
import shutil
import subprocess

from stage import check, main, skip, write_file

TOOLS = ("rpm", "rpmbuild", "dnf", "zypper", "createrepo_c", "modifyrepo_c")
FAMILIES = 420
QUERY = r"%{NAME}\t%{EPOCH}\t%{VERSION}\t%{RELEASE}\t%{ARCH}\t%{SOURCERPM}\t%{INSTALLTIME}\t%{VENDOR}\n"
SEVERITIES = ("Critical", "Important", "Moderate", "Low", "None")


class Package:
    def __init__(self, name, epoch, version, release, arch="x86_64", obsoletes="", vendor="Fenwatch"):
        self.name, self.epoch, self.version, self.release = name, epoch, version, release
        self.arch, self.obsoletes, self.vendor = arch, obsoletes, vendor

    def spec(self):
        lines = [f"%package -n {self.name}", f"Version: {self.version}", f"Release: {self.release}",
                 "Summary: of a test", f"Vendor: {self.vendor}"]
        lines += [f"Epoch: {self.epoch}"] if self.epoch else []
        lines += ["BuildArch: noarch"] if self.arch == "noarch" else []
        lines += [f"Obsoletes: {self.obsoletes}"] if self.obsoletes else []
        return "\n".join(lines + [f"%description -n {self.name}", "Of a test.", f"%files -n {self.name}", ""])

    def evr(self):
        return (f"{self.epoch}:" if self.epoch else "") + f"{self.version}-{self.release}"

    def key(self):
        return f"{self.name}:{self.arch}"


def hostile(rng):
    """A version as nobody should write it, and some do."""
    length = rng.randint(1, 6)
    text = rng.choice("0123456789") + "".join(
        rng.choice(("0", "00", "1", "9", "10", "a", "rc", "Z", ".", "_", "+", "~", "^", ".1", "~rc1", "^git2"))
        for _ in range(length)) + rng.choice("0123456789ab")
    return re.sub(r"\.\.+", ".", text)


class World:
    """What is installed, and what the repositories have."""

    def __init__(self, seed, multilib):
        self.rng, self.multilib = random.Random(seed), multilib
        self.installed, self.repos = [], {"base": [], "updates": [], "low": []}
        self.excluded, self.locked = [], []
        for i in range(FAMILIES):
            self.family(i)
        self.kernels()

    def some(self, name, arch):
        rng = self.rng
        return Package(name, rng.choice((0, 0, 0, 0, 1, 2)), hostile(rng), hostile(rng), arch)

    def family(self, i):
        rng = self.rng
        name = f"pkg{i:03}" + rng.choice(("", "-lib", "-2", "++", "_x.y"))
        arch = rng.choice(("x86_64", "x86_64", "x86_64", "noarch"))
        own = self.some(name, arch)
        self.installed.append(own)
        kind = i % 12
        if kind in (0, 1, 2, 3):
            self.repos["updates"].append(self.some(name, arch))
            self.repos["base"].append(own)
        elif kind == 4:  # the same version again, or with another release
            self.repos["base"].append(own)
            self.repos["updates"].append(Package(name, own.epoch, own.version, hostile(rng), arch))
        elif kind == 5:  # of two architectures
            if arch != "noarch" and self.multilib:
                self.installed.append(Package(name, own.epoch, own.version, own.release, "i686"))
                self.repos["base"].append(self.some(name, "i686"))
            self.repos["updates"].append(self.some(name, arch))
        elif kind == 6:  # to noarch, or from it
            self.repos["updates"].append(self.some(name, "noarch" if arch == "x86_64" else "x86_64"))
        elif kind == 7:  # a repository that comes last has something newer
            self.repos["base"].append(self.some(name, arch))
            self.repos["low"].append(Package(name, 9, "9", "9", arch))
        elif kind == 8:  # what another one takes the place of
            limit = rng.choice(("", " < 9:0", f" <= {own.evr()}", " < 0~", " = 3"))
            self.repos["updates"].append(Package(f"new-{name}", 0, hostile(rng), "1", arch, f"{name}{limit}"))
        elif kind == 9:
            self.excluded.append(rng.choice((name, f"{name}*", f"{name}.{arch}")))
            self.repos["updates"].append(self.some(name, arch))
        elif kind == 10:
            newer = self.some(name, arch)
            self.locked.append(name)
            self.excluded.append(f"{name}-{newer.epoch}:{newer.version}-{newer.release}.{arch}")
            self.repos["updates"].append(newer)
        elif kind == 11:  # of another vendor, or of the same one by another name
            vendors = ("Stranger", "fenwatch", "SUSE LLC <https://www.suse.com/>", "SUSE LINUX Products GmbH",
                       "openSUSE", "openSUSE Build Service", "Allied", "Allied East", "Friends of Fenwatch")
            own.vendor = rng.choice(("Fenwatch",) + vendors[2:])
            self.repos["updates"].append(Package(name, 8, hostile(rng), "1", arch, vendor=rng.choice(vendors)))

    def kernels(self):
        for release in ("100.el9", "200.el9"):
            self.installed.append(Package("kernel-core", 0, "5.14.0", release))
        self.repos["base"].append(Package("kernel-core", 0, "5.14.0", "100.el9"))
        self.repos["updates"] += [Package("kernel-core", 0, "5.14.0", r) for r in ("150.el9", "300.el9")]

    def layers(self, packages):
        """rpmbuild makes one package of a name and architecture at a time."""
        layers = []
        for p in packages:
            for layer in layers:
                if (p.name, p.arch == "i686") not in layer["names"]:
                    break
            else:
                layer = {"names": set(), "packages": []}
                layers.append(layer)
            layer["names"].add((p.name, p.arch == "i686"))
            layer["packages"].append(p)
        return [layer["packages"] for layer in layers]


class Place:
    def __init__(self, lab, seed, multilib=True):
        missing = [t for t in TOOLS if not shutil.which(t)]
        if missing:
            skip(f"this machine has no {missing[0]}")
        self.lab, self.world = lab, World(seed, multilib)
        self.root = os.path.join(lab.dir, f"root{seed}")
        self.env = dict(os.environ, HOME=os.path.join(lab.dir, "home"), LC_ALL="C", TZ="UTC")
        write_file(f"{lab.dir}/home/.rpmmacros", "%_dbpath /var/lib/rpm\n%_build_id_links none\n%_binary_payload w0.gzdio\n")

    def run(self, *argv, fine=(0,)):
        done = subprocess.run(argv, capture_output=True, text=True, env=self.env)
        check(done.returncode in fine, f"{argv[:6]}: {done.returncode} {done.stdout[-800:]}{done.stderr[-1500:]}")
        return done.stdout

    def build(self, packages, into):
        os.makedirs(into, exist_ok=True)
        for i, layer in enumerate(self.world.layers(packages)):
            for target in ("x86_64", "i686"):
                some = [p for p in layer if (p.arch == "i686") == (target == "i686")]
                if not some:
                    continue
                top = f"{self.lab.dir}/build"
                spec = f"{self.lab.dir}/some.spec"
                write_file(spec, "Name: frame\nVersion: 1\nRelease: 1\nSummary: x\nLicense: x\n%description\nx\n"
                           + "\n".join(p.spec() for p in some))
                self.run("rpmbuild", "-bb", "--quiet", "--target", target, "--define", f"_topdir {top}", spec)
                for made in glob.glob(f"{top}/RPMS/*/*.rpm"):
                    shutil.move(made, os.path.join(into, f"{i}-{target}-" + os.path.basename(made)))

    def install(self):
        folder = f"{self.lab.dir}/installed"
        shutil.rmtree(folder, ignore_errors=True)
        self.build(self.world.installed, folder)
        self.run("rpm", "--root", self.root, "--initdb")
        self.run("rpm", "--root", self.root, "-i", "--justdb", "--nodeps", "--noscripts", "--ignorearch",
                 "--oldpackage", *sorted(glob.glob(f"{folder}/*.rpm")))
        answer = self.run("rpm", "--root", self.root, "-qa", "--qf", QUERY)
        write_file(f"{self.root}/recorded/rpm-qa", answer)
        write_file(f"{self.root}/proc/sys/kernel/osrelease", "5.14.0-200.el9.x86_64\n")

    def updateinfo(self, packages):
        """An advisory for two of three packages, some of them for several."""
        rng, text, self.advisories = self.world.rng, ["<updates>"], []
        rest = [p for p in packages if rng.random() < 0.66]
        while rest:
            some, rest = rest[:rng.randint(1, 3)], rest[3:]
            kind, severity = rng.choice(("security", "security", "bugfix", "enhancement")), rng.choice(SEVERITIES)
            name = f"FWSA-2026:{len(self.advisories):04}"
            self.advisories.append((name, kind, severity, some))
            text.append(f'<update from="x" status="final" type="{kind}" version="1"><id>{name}</id><title>t</title>'
                        f'<issued date="2026-11-{rng.randint(1, 20):02} 10:00:00"/><severity>{severity}</severity>'
                        '<description>d</description><pkglist><collection short="c"><name>c</name>'
                        + "".join(f'<package name="{p.name}" version="{p.version}" release="{p.release}" '
                                  f'epoch="{p.epoch}" arch="{p.arch}" src="s.src.rpm"><filename>x.rpm</filename></package>'
                                  for p in some) + "</collection></pkglist></update>")
        return "\n".join(text + ["</updates>"])

    def publish(self):
        for repo, packages in self.world.repos.items():
            folder = f"{self.lab.dir}/repo/{repo}"
            shutil.rmtree(folder, ignore_errors=True)
            self.build(packages, folder)
            self.run("createrepo_c", "--quiet", folder)
            if repo == "updates":
                write_file(f"{self.lab.dir}/updateinfo.xml", self.updateinfo(packages))
                self.run("modifyrepo_c", f"{self.lab.dir}/updateinfo.xml", f"{folder}/repodata")

    def write_definitions(self, folder, extra=""):
        for repo in self.world.repos:
            write_file(f"{self.root}/{folder}/{repo}.repo",
                       f"[{repo}]\nname={repo}\nbaseurl=file://{self.lab.dir}/repo/{repo}\nenabled=1\ngpgcheck=0\n"
                       f"priority={98 if repo == 'low' else 50}\n{extra}")
        write_file(f"{self.root}/{folder}/off.repo", "[off]\nname=off\nbaseurl=file:///nowhere\nenabled=0\n")

    def agent(self):
        config = os.path.join(self.lab.dir, "agent.yml")
        write_file(config, f"root: {self.root}\ndata: {self.lab.dir}/data\n")
        done = subprocess.run([self.lab.program("agent"), "--config", config, "--print", "rpm"],
                              capture_output=True, text=True)
        check(done.returncode == 0, done.stderr)
        items = {}
        for key, rest in re.findall(r"^# INVENTORY patches (\S+)\t(.*)$", done.stdout, re.M):
            items[key] = dict(part.split("=", 1) for part in rest.split("\t"))
        check(items["source/rpm"]["state"] == "ok", f"{items['source/rpm']}")
        check('fenwatch_patch_source_ok{source="rpm"} 1' in done.stdout, done.stdout[-500:])
        return {k: v for k, v in items.items() if ":" in k}


def compare(what, theirs, ours, of):
    differ = sorted(k for k in theirs.keys() | ours.keys() if theirs.get(k) != ours.get(k))
    agree = 100 * (1 - len(differ) / max(of, 1))
    print(f"# {what}: {len(theirs)} theirs, {len(ours)} ours, {len(differ)} of {of} answers differ ({agree:.1f} % agree)")
    check(agree >= 99.5, f"{what}: " + "; ".join(f"{k}: {theirs.get(k)} there, {ours.get(k)} here" for k in differ[:6]))
    missed = sorted(theirs.keys() - ours.keys())
    check(not missed, f"{what}: compliant here, and not there: {missed[:6]}")


def dnf(place, *argv, fine=(0,)):
    return place.run("dnf", "-q", "-C", f"--installroot={place.root}", "--releasever=9", "--forcearch=x86_64",
                     *argv, fine=fine)


def rows(text):
    return re.findall(r"^(\S+)\.(\S+?)\s+(\S+)\s+(\S+)\s*$", text, re.M)


def dnf_place(lab, seed):
    place = Place(lab, seed)
    place.install()
    place.publish()
    place.write_definitions("etc/yum.repos.d")
    write_file(f"{place.root}/etc/dnf/dnf.conf", "[main]\ngpgcheck=0\ninstallonlypkgs=kernel-core\nkeepcache=1\n"
               "exclude=" + "\n  ".join(place.world.excluded) + "\n")
    place.run("dnf", "-q", f"--installroot={place.root}", "--releasever=9", "--forcearch=x86_64", "makecache")
    return place


def test_as_dnf(lab):
    place = dnf_place(lab, 1)
    answer = dnf(place, "check-update", fine=(0, 100))
    upgrades, _, obsoleting = answer.partition("Obsoleting Packages")
    theirs = {f"{n}:{a}": v for n, a, v, _ in rows(upgrades)}
    items = place.agent()
    ours = {k: v["candidate"] for k, v in items.items() if v["state"] == "pending" and "replaces" not in v}
    check(len(theirs) > 80, f"dnf has {len(theirs)} of {len(place.world.installed)}")
    compare("dnf check-update", theirs, ours, len(place.world.installed))
    theirs = {f"{n}:{a}": old for n, a, old in re.findall(r"^(\S+)\.(\S+?)\s+\S+\s+\S+\s*\n\s+(\S+)\.\S+\s", obsoleting, re.M)}
    ours = {k: v["replaces"] for k, v in items.items() if v["state"] == "pending" and "replaces" in v}
    check(len(theirs) > 10, f"{obsoleting}")
    compare("dnf's obsoleting packages", theirs, ours, len(place.world.installed))


def test_security_as_dnf(lab):
    place = dnf_place(lab, 2)
    items = place.agent()
    answer = dnf(place, "check-update", "--security", fine=(0, 100)).partition("Obsoleting Packages")[0]
    theirs = {f"{n}:{a}": True for n, a, _, _ in rows(answer)}
    ours = {k: True for k, v in items.items()
            if v["state"] == "pending" and v["class"] == "security" and "replaces" not in v}
    # dnf passes over what comes from or to noarch, though the package itself is in the advisory.
    own = {p.key() for p in place.world.installed}
    more = {k for k in ours.keys() - theirs.keys() if k not in own}
    check(len(more) < 12, f"{sorted(more)}")
    ours = {k: True for k in ours if k not in more}
    check(len(theirs) > 20, f"{answer}")
    compare("dnf check-update --security", theirs, ours, len(place.world.installed))
    # An advisory's line: "FWSA-2026:0001 Important/Sec. pkg-1-1.x86_64"
    listed = dnf(place, "updateinfo", "list", "--available")
    names = {}
    for name, _, nevra in re.findall(r"^(\S+)\s+(\S+)\s+(\S+)$", listed, re.M):
        names.setdefault(name, []).append(nevra)
    told = {name for v in items.values() for name in v.get("advisory", "").split()}
    missed = {n for n in names if n not in told}
    print(f"# {len(names)} advisories apply, {len(missed)} are not told of")
    check(len(names) > 20 and not missed, f"{sorted(missed)[:5]}")


def test_held_as_dnf(lab):
    place = dnf_place(lab, 3)
    held = {k: v["candidate"] for k, v in place.agent().items() if v["state"] == "held" and "replaces" not in v}
    with_all = dnf(place, "--disableexcludes=all", "check-update", fine=(0, 100))
    without = {f"{n}:{a}" for n, a, _, _ in rows(dnf(place, "check-update", fine=(0, 100)).partition("Obsoleting")[0])}
    theirs = {f"{n}:{a}": v for n, a, v, _ in rows(with_all.partition("Obsoleting Packages")[0])
              if f"{n}:{a}" not in without}
    check(len(theirs) > 10, f"{with_all[:2000]}")
    compare("what dnf holds back", theirs, held, len(place.world.installed))


def stream(module, name, package):
    return ("---\ndocument: modulemd\nversion: 2\ndata:\n"
            f"  name: {module}\n  stream: \"{name}\"\n  version: 1\n  context: 0123abcd\n  arch: x86_64\n"
            "  summary: of a test\n  description: of a test\n  license: {module: [MIT]}\n"
            f"  artifacts:\n    rpms:\n    - {package.name}-{package.epoch}:{package.version}-{package.release}.{package.arch}\n...\n")


def default(module, name):
    return f'---\ndocument: modulemd-defaults\nversion: 1\ndata:\n  module: {module}\n  stream: "{name}"\n...\n'


def test_modules_as_dnf(lab):
    """Of two streams and a package that belongs to none, by what is enabled and what is default."""
    place = Place(lab, 5)
    modules = {"chosen": ("1", "enabled"), "usual": None, "unasked": None, "off": ("", "disabled")}
    world, text = place.world, ""
    world.installed, world.repos, world.excluded = [], {"base": [], "updates": [], "low": []}, []
    for module, state in modules.items():
        world.installed.append(Package(module, 0, "1", "1"))
        first, second = Package(module, 0, "2", "1"), Package(module, 0, "3", "1")
        world.repos["base"] += [first, second]
        world.repos["updates"].append(Package(module, 0, "9", "1"))
        text += stream(module, "1", first) + stream(module, "2", second)
        text += "" if module == "unasked" else default(module, "2")
        if state:
            write_file(f"{place.root}/etc/dnf/modules.d/{module}.module",
                       f"[{module}]\nname={module}\nstream={state[0]}\nprofiles=\nstate={state[1]}\n")
    place.install()
    place.publish()
    write_file(f"{lab.dir}/modules.yaml", text)
    place.run("modifyrepo_c", "--mdtype=modules", f"{lab.dir}/modules.yaml", f"{lab.dir}/repo/base/repodata")
    place.write_definitions("etc/yum.repos.d")
    write_file(f"{place.root}/etc/dnf/dnf.conf", "[main]\ngpgcheck=0\nmodule_platform_id=platform:el9\n")
    answer = place.run("dnf", "-q", f"--installroot={place.root}", "--releasever=9", "--forcearch=x86_64", "check-update", fine=(0, 100))
    theirs = {f"{n}:{a}": v for n, a, v, _ in rows(answer)}
    ours = {k: v["candidate"] for k, v in place.agent().items() if v["state"] == "pending"}
    check(len(set(theirs.values())) > 2, answer)
    compare("dnf's modules", theirs, ours, len(world.installed))


def test_as_zypper(lab):
    # SUSE has names of their own for a second architecture.
    place = Place(lab, 4, multilib=False)
    place.install()
    place.publish()
    place.write_definitions("etc/zypp/repos.d", "type=rpm-md\nautorefresh=0\n")
    write_file(f"{place.root}/etc/zypp/vendors.d/friends.conf", "[main]\nvendors = Fenwatch, Friends\n")
    write_file(f"{place.root}/etc/zypp/vendors.d/allies.conf", "[main]\nvendors = Allied\n")
    write_file(f"{place.root}/etc/zypp/locks", "".join(
        f"\ntype: package\nmatch_type: glob\ncase_sensitive: on\nsolvable_name: {name}\n" for name in place.world.locked))
    zypper = ["zypper", "--root", place.root, "--non-interactive", "--no-gpg-checks", "--quiet"]
    place.run(*zypper, "refresh")
    answer = place.run(*zypper, "--no-refresh", "list-updates")
    theirs = {}
    for line in answer.splitlines():
        cells = [c.strip() for c in line.split("|")]
        if len(cells) == 6 and cells[0].startswith("v"):
            theirs[f"{cells[2]}:{cells[5]}"] = cells[4]
    ours = {k: v["candidate"] for k, v in place.agent().items() if v["state"] == "pending" and "replaces" not in v}
    check(len(theirs) > 80, answer[-2000:])
    compare("zypper list-updates", theirs, ours, len(place.world.installed))


main()
