"""What a container gets from whoever started the service: nothing."""

import os
import sys

import document
from harness.case import Case
from harness.files import read
from harness.place import Place

# Everything that fork and exec hand down, set to something odd; then the service.
ODD = '''
import ctypes, os, resource, signal, sys
libc = ctypes.CDLL(None, use_errno=True)
IOPRIO_SET, KEYCTL, ADD_KEY = (251, 250, 248) if os.uname().machine == "x86_64" else (30, 219, 217)
def must(result):
    if result < 0:
        sys.exit(f"{os.strerror(ctypes.get_errno())}")
    return result
os.umask(0)
os.chdir("/tmp")
os.setpriority(os.PRIO_PROCESS, 0, 7)
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
must(libc.syscall(IOPRIO_SET, 1, 0, 3 << 13))
must(libc.personality(0x0040000))          # ADDR_NO_RANDOMIZE
must(libc.prctl(41, 1, 0, 0, 0))           # PR_SET_THP_DISABLE
must(libc.prctl(29, 1, 0, 0, 0))           # PR_SET_TIMERSLACK
must(libc.prctl(36, 1, 0, 0, 0))           # PR_SET_CHILD_SUBREAPER
resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2)
for limit in resource.RLIMIT_MSGQUEUE, resource.RLIMIT_SIGPENDING, resource.RLIMIT_MEMLOCK:
    resource.setrlimit(limit, (9999, resource.getrlimit(limit)[1]))
for number in range(1, 65):
    if number not in (9, 19, 32, 33):
        signal.signal(number, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, set(range(1, 65)) - {32, 33})
os.environ.update(SECRET="environment of the service", NOTIFY_SOCKET="/nowhere")
for number in range(100, 120):
    os.dup2(os.open("/", os.O_RDONLY), number, inheritable=True)
if libc.syscall(KEYCTL, 1, None) >= 0:     # KEYCTL_JOIN_SESSION_KEYRING
    must(libc.syscall(ADD_KEY, b"user", b"naive-secret", b"kept", 4, -3))
os.execv(sys.argv[1], sys.argv[1:])
'''


class Inherited(Case):
    def odd(self, name):
        return Place(self, name, prefix=(sys.executable, '-c', ODD))

    def test_attributes(self):
        """D10 CVE-2025-4598: with a service of odd attributes a container is as with any other."""
        place = self.odd('odd')
        self.assertIn('SigIgn', read(f'/proc/{place.process.pid}/status'))
        text = self.spawn_output(['/bin/inside', 'self'], client=place.client)
        found = document.load(text, document.limits_of(os.getpid()), len(os.sched_getaffinity(0)))
        wanted = {name: value for name, value in document.expected('root', place.state).items() if name in found}
        self.assertEqual(document.differences(wanted, found), [])
