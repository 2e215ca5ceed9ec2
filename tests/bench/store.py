#!/usr/bin/env python3
"""Bytes a sample and nanoseconds of the store: blocks by themselves, and a store with a day of hosts.

usage: store.py BUILD [HOSTS]

50 made-up hosts are what the recorded figures of others were measured with; 5 are quick.
"""
import os
import subprocess
import sys
import tempfile

here = os.path.dirname(os.path.abspath(__file__))
program = os.path.join(sys.argv[1], "tests", "bench", "bench_store")
hosts = sys.argv[2] if len(sys.argv) > 2 else "50"
with tempfile.TemporaryDirectory(prefix="fenwatch-store-") as folder:
    sys.exit(subprocess.run([program, os.path.join(here, "host.bin.gz"), folder, hosts]).returncode)
