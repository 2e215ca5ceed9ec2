#!/usr/bin/env python3
"""Each folder has its door: others include that and nothing else of it.

usage: layers.py SOURCE-ROOT

The door of collector/store is store.h; what is private lies beside it. What lib and proto
share is in include/fenwatch. Which folders a folder may see at all, the build says. Tests
may use each other's kits.

A function that a header declares is the only one of its name in its program: of two the
linker takes one for both and says nothing. Speaks TAP.
"""
import os
import re
import sys

# Where it is not one of the folder's name: samples go in, out and are read by doors of their
# own, and who follows the store's log needs nothing else of the store.
DOORS = {"feeds": {"feed.h"}, "remote": {"remote.h", "read.h", "send.h"}, "store": {"store.h", "follow.h"}}
KITS = {"test_pki.h", "test_tree.h", "testkit.h", "receiver.h", "fakes.h", "place.h"}

PROGRAMS = {"collector": ("collector", "lib", "proto", "promql", "rules"), "agent": ("agent", "lib", "proto"),
            "cli": ("cli", "lib", "proto", "promql", "rules")}


def folder_of(path):
    """The part of the tree that has a door of its own."""
    parts = path.split("/")
    return "/".join(parts[:2]) if parts[0] == "collector" and len(parts) > 2 else parts[0]


def doors_of(folder):
    name = folder.split("/")[-1]
    return DOORS.get(name, {name + ".h"})


def tree(root):
    """{path: [what it includes in quotes]}"""
    files = {}
    for top in ("lib", "proto", "agent", "collector", "cli"):
        for folder, _, names in os.walk(os.path.join(root, top)):
            for name in names:
                if name.endswith((".c", ".h", ".cc")):
                    path = os.path.join(folder, name)
                    with open(path) as f:
                        files[os.path.relpath(path, root)] = re.findall(r'^#include "(.+?)"', f.read(), re.M)
    return files


def trespasses(files):
    found = []
    for path, includes in sorted(files.items()):
        for name in includes:
            homes = {folder_of(p) for p in files if os.path.basename(p) == os.path.basename(name)}
            if not homes or folder_of(path) in homes or os.path.basename(name) in KITS:
                continue
            if not any(os.path.basename(name) in doors_of(home) for home in homes):
                found.append(f"{path} includes {name}, which is private to {' or '.join(sorted(homes))}")
    return found


def declarations(root):
    """[(function, header)]"""
    found = []
    for top in ("lib", "proto", "promql", "rules", "agent", "collector", "cli"):
        for folder, _, names in os.walk(os.path.join(root, top)):
            for path in (os.path.join(folder, n) for n in names if n.endswith(".h") and not n.startswith("test")):
                with open(path) as f:
                    functions = re.findall(r"^(?!static|typedef|return|else)[a-z][\w ]*?[ *]+(\w+)\(", f.read(), re.M)
                found += [(function, os.path.relpath(path, root)) for function in functions]
    return found


def namesakes(declared):
    found = []
    for program, tops in PROGRAMS.items():
        homes = {}
        for function, header in declared:
            if header.split("/")[0] in tops:
                homes.setdefault(function, set()).add(header)
        found += [f"{program} has {function}() of {' and of '.join(sorted(h))}" for function, h in homes.items()
                  if len(h) > 1]
    return found


def main():
    files = tree(sys.argv[1])
    found = trespasses(files)
    thief = trespasses(dict(files, **{"collector/api/thief.c": ["ring.h", "store.h"]}))
    declared = declarations(sys.argv[1])
    twins = namesakes(declared)
    twin = namesakes(declared + [("store_open", "collector/api/thief.h")])
    results = [
        (not found, "nobody includes what is private to another folder"),
        (len(thief) == len(found) + 1, "who did would be found"),
        (not twins, "no two functions of a program have one name"),
        (len(twin) == len(twins) + 1, "two that had would be found"),
    ]
    print(f"1..{len(results)}")
    for number, (good, what) in enumerate(results, 1):
        print(f"{'ok' if good else 'not ok'} {number} - {what}")
    for text in found + twins:
        print("# " + text)
    sys.exit(not all(good for good, _ in results))


main()
