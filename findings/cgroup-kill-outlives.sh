#!/bin/bash
# A cgroup that was once written to cgroup.kill, emptied, and is in use again: a process in it loses every child
# that it makes with clone3(CLONE_INTO_CGROUP) in another, fresh cgroup. The child is ended by SIGKILL before its
# first instruction, and clone3() itself reports success. A plain fork() in the same place lives, and so does the
# same clone3() of a process in a cgroup that was never killed.
#
# One would guess that cgroup.kill ends what is inside at that moment and leaves nothing behind: its documentation
# says no more than that. The kernel counts the kills of a cgroup; with CLONE_INTO_CGROUP it seems to compare the
# count of the parent's cgroup with that of the child's.
#
# Seen on Linux 6.18.44 (unified hierarchy of a hybrid layout); the same is told of 6.1, and not of 6.12.
# Needs root and a cgroup2 mount that may be written to. Output seen:
#
#   never killed, clone3 into a fresh cgroup: exit status 0
#   once killed, fork: exit status 0
#   once killed, clone3 into a fresh cgroup: signal 9
set -euo pipefail

top=$(findmnt -n -t cgroup2 -o TARGET | head -1)
[ -n "$top" ] || { echo "no cgroup2 mount here"; exit 2; }
work=$(mktemp -d "$top/finding.XXXXXX")
trap 'sleep 0.2; rmdir "$work"/*/ "$work"' EXIT
mkdir "$work/fresh1" "$work/fresh2" "$work/used" "$work/clean"

# usage: child WHERE fork|FRESH: joins WHERE, makes one child there, tells how that ended
child() {
        python3 - "$@" <<'P'
import ctypes, os, struct, sys
where, how = sys.argv[1:]
open(where + '/cgroup.procs', 'w').write(str(os.getpid()))
if how == 'fork':
    pid = os.fork()
else:
    fd = os.open(how, os.O_RDONLY | os.O_DIRECTORY)
    # struct clone_args: flags (CLONE_INTO_CGROUP), pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls,
    # set_tid, set_tid_size, cgroup
    args = struct.pack('11Q', 0x200000000, 0, 0, 0, 17, 0, 0, 0, 0, 0, fd)
    pid = ctypes.CDLL(None, use_errno=True).syscall(435, args, len(args))
if pid == 0:
    os._exit(0)
if pid < 0:
    sys.exit('clone3 failed: errno %d' % ctypes.get_errno())
status = os.waitpid(pid, 0)[1]
print('signal %d' % os.WTERMSIG(status) if os.WIFSIGNALED(status) else 'exit status %d' % os.WEXITSTATUS(status))
P
}

sleep 60 &
echo $! > "$work/used/cgroup.procs"
echo 1 > "$work/used/cgroup.kill"
wait $! || true

seen="never killed, clone3 into a fresh cgroup: $(child "$work/clean" "$work/fresh1")
once killed, fork: $(child "$work/used" fork)
once killed, clone3 into a fresh cgroup: $(child "$work/used" "$work/fresh2")"
echo "$seen"
[ "$seen" = "never killed, clone3 into a fresh cgroup: exit status 0
once killed, fork: exit status 0
once killed, clone3 into a fresh cgroup: signal 9" ]
