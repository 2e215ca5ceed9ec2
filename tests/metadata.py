#!/usr/bin/env python3
"""Every metric that a probe or the collector makes has a help text in what its API tells.

usage: metadata.py METRIC-TABLE SOURCE-ROOT

The table is what the build writes of the sources', the programs' and the modules' own
tables; the collector's rows stand beside it. What the documents name, and what the modules
for SNMP read, must be among them, in order, since they are searched by halves. Speaks TAP.
"""
import glob
import os
import re
import sys

MADE = re.compile(r"\b(?:probe|snmp_scrape|fenwatch_(?:capture|check|dns|plugin|snmp|host|os|patch|filesystem))"
                  r"_[a-z0-9_]*[a-z0-9]\b")
ENTRY = re.compile(r"\bname: (\w+)[,\n]\s*oid: \S+?(?:,|\n|\})(?:\s*type: (\w+))?")


def text_of(path):
    with open(path) as f:
        return f.read()


def table(text):
    """{name: help}"""
    return dict(re.findall(r'^\s*\{"(\w+)", "\w*",\s+"((?:[^"\\]|\\.)*)"\},$', text, re.M))


def documented(root):
    paths = sorted(glob.glob(root + "/docs/*.md") + glob.glob(root + "/packaging/man/*.scd"))
    return {(name, os.path.relpath(path, root)) for path in paths for name in MADE.findall(text_of(path))}


def of_modules(root):
    """What a module names an enum is a series NAME_info; inventory has no series."""
    found = set()
    for path in sorted(glob.glob(root + "/packaging/snmp-modules/*.yml")):
        text = text_of(path)
        if not re.search(r"^documents:", text, re.M):
            found |= {(name + "_info" if kind == "enum" else name, os.path.relpath(path, root))
                      for name, kind in ENTRY.findall(text)}
    return found


def untold(rows, made):
    return sorted(f"{name} of {where} has no help" for name, where in made if not rows.get(name))


def main():
    text, root = text_of(sys.argv[1]), sys.argv[2]
    built, ours = table(text), table(text_of(root + "/collector/api/metadata.c"))
    rows, said, read = dict(built, **ours), documented(root), of_modules(root)
    made = said | read | {(name, "the table") for name in rows}
    found = untold(rows, made)
    name = "fenwatch_capture_packets_total"
    lost = [untold({k: v for k, v in rows.items() if k != gone}, made)
            for gone in (name, "probe_success", "upsOutputSource", "ifType_info", "fenwatch_patch_overdue")]
    mute = untold(dict(rows, **{name: ""}), made)
    results = [
        (len(built) == text.count("\n") > 1000 and len(ours) > 10, "each line of the table is a row"),
        (list(built) == sorted(built) and list(ours) == sorted(ours), "they are in order"),
        (len(said) > 80 and len(read) > 80, f"the documents name {len(said)} and the modules {len(read)}"),
        (not found, "each that is made has a help text"),
        (all(len(l) > len(found) for l in lost), "one that the table lacked would be found"),
        (len(mute) > len(found), "and one without a help text"),
    ]
    print(f"1..{len(results)}")
    for number, (good, what) in enumerate(results, 1):
        print(f"{'ok' if good else 'not ok'} {number} - {what}")
    for line in found:
        print("# " + line)
    sys.exit(not all(good for good, _ in results))


main()
