#!/usr/bin/env python3
"""Bytes a sample and microseconds of each form of a batch, on a real host's capture.

usage: wire.py BUILD

What TLS, TCP and acknowledgements add is measured with the whole agent: agent.py.
"""
import os
import sys

here = os.path.dirname(os.path.abspath(__file__))
program = os.path.join(sys.argv[1], "tests", "bench", "bench_wire")
os.execv(program, [program, os.path.join(here, "host.frames")])
