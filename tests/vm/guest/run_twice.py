#!/usr/bin/python3
"""An application with one connection that runs two containers; BUS-ADDRESS ROOTFS. It brings its own agent."""

import os
import subprocess
import sys
import time

sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'integration'))
from harness.client import INTERACTIVE, RootClient  # noqa: E402

agent = subprocess.Popen(['pkttyagent', '--process', str(os.getpid())])
time.sleep(3)
client = RootClient(sys.argv[1])
for _ in range(2):
    client.run(sys.argv[2], 0, ['/bin/true'], flags=INTERACTIVE, timeout=50)
agent.kill()
agent.wait()
