#!/bin/bash
# cgroup.kill does not end a process whose first thread has ended while another thread goes on. The write succeeds, and
# the cgroup stays populated. A signal by a pidfd (or kill) ends the same process at once.
#
# One would guess that cgroup.kill ends everything in the cgroup: its documentation says that all processes there are
# killed. The kernel seems to signal the first thread of each process alone, and one that has ended takes no signal.
#
# Seen on Linux 6.18.44 (unified hierarchy of a hybrid layout).
# Needs root and a cgroup2 mount that may be written to. Output seen:
#
#   by cgroup.kill: populated 1
#   by a pidfd: populated 0
set -euo pipefail

top=$(findmnt -n -t cgroup2 -o TARGET | head -1)
[ -n "$top" ] || { echo "no cgroup2 mount here"; exit 2; }
work=$(mktemp -d "$top/finding.XXXXXX")
trap 'sleep 0.2; rmdir "$work"' EXIT

seen=$(python3 - "$work" <<'P'
import ctypes, os, platform, signal, sys, threading, time
work = sys.argv[1]
exit_thread = {'x86_64': 60, 'aarch64': 93}[platform.machine()]
pid = os.fork()
if pid == 0:
    signal.alarm(60)
    open(work + '/cgroup.procs', 'w').write('0')
    threading.Thread(target=time.sleep, args=(50,)).start()
    ctypes.CDLL(None).syscall(exit_thread, 0)
while open(f'/proc/{pid}/stat').read().rsplit(')', 1)[1].split()[0] != 'Z':
    time.sleep(0.01)

def told(how):
    time.sleep(1)
    print(f'by {how}:', open(work + '/cgroup.events').read().split('\n')[0])

open(work + '/cgroup.kill', 'w').write('1')
told('cgroup.kill')
signal.pidfd_send_signal(os.pidfd_open(pid), signal.SIGKILL)
told('a pidfd')
os.waitpid(pid, 0)
P
)
echo "$seen"
[ "$seen" = "by cgroup.kill: populated 1
by a pidfd: populated 0" ]
