#!/bin/bash
# cgroup v1 counts in memory.failcnt how often memory.limit_in_bytes was met, and in memory.memsw.failcnt how often
# memory.memsw.limit_in_bytes was. Where both limits are the same number, which is how "no swap" is said in v1, a
# process that is killed for them leaves both counters at 0: only oom_kill in memory.oom_control tells. With the
# first limit alone, and the same command, memory.failcnt counts.
#
# One would guess that the counter of the limit that was met is above 0 once the kernel has killed for it, so that
# "failcnt is 0" tells a kill for the group's own limit from one for a limit above it.
#
# Seen on Linux 6.18.44. Needs root and the memory controller on cgroup v1, with memsw. Output seen:
#
#   memory alone: killed 1, memory.failcnt above 0
#   memory and memsw alike: killed 1, memory.failcnt 0, memory.memsw.failcnt 0
set -euo pipefail

top=$(findmnt -n -t cgroup -O memory -o TARGET | head -1)
[ -e "$top/memory.memsw.limit_in_bytes" ] || { echo "no memory controller of cgroup v1 with memsw here"; exit 2; }
work=$(mktemp -d "$top/finding.XXXXXX")
trap 'sleep 0.2; rmdir "$work"' EXIT

# A process that takes 64 MiB in the group, whose limits are 8 MiB.
take() {
        sh -c 'echo $$ > "$1/cgroup.procs"; exec python3 -c "bytearray(b\"x\") * (64 << 20)"' - "$work" || true
}
figure() { cat "$work/$1"; }
killed() { sed -n 's/^oom_kill //p' "$work/memory.oom_control"; }

echo $((8 << 20)) > "$work/memory.limit_in_bytes"
take 2>/dev/null
first="memory alone: killed $(killed), memory.failcnt $([ "$(figure memory.failcnt)" -gt 0 ] && echo above 0)"
rmdir "$work"
mkdir "$work"
echo $((8 << 20)) > "$work/memory.limit_in_bytes"
echo $((8 << 20)) > "$work/memory.memsw.limit_in_bytes"
take 2>/dev/null
second="memory and memsw alike: killed $(killed), memory.failcnt $(figure memory.failcnt)"
second+=", memory.memsw.failcnt $(figure memory.memsw.failcnt)"
echo "$first"
echo "$second"
[ "$first" = "memory alone: killed 1, memory.failcnt above 0" ]
[ "$second" = "memory and memsw alike: killed 1, memory.failcnt 0, memory.memsw.failcnt 0" ]
