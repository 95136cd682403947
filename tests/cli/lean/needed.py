#!/usr/bin/env python3
"""The lean naivec needs no library but libc: each further one costs its start more than the call does.
usage: needed.py NAIVEC"""

import re
import subprocess
import sys

dynamic = subprocess.run(['readelf', '-d', sys.argv[1]], check=True, capture_output=True, text=True).stdout
others = [name for name in re.findall(r'\(NEEDED\).*\[(.*)\]', dynamic)
          if not re.match(r'libc\.|libasan|libubsan|libgcc_s|ld-linux|libm\.|libclang_rt', name)]
if others:
    sys.exit(f'{sys.argv[1]} needs {", ".join(others)}')
