"""Defences against those who call from inside a container; see defences.py."""

INSIDE = 'test_e_inside.Inside'

DEFENCES = [
    ('E20', 'the look at the cgroups of who has connected', 'dbus/connection/callers.c',
     'credentials->is_inside = is_known && is_inside(', 'credentials->is_inside = false && is_inside(', INSIDE),
    ('E20', 'the look whether that process is there', 'dbus/connection/callers.c',
     'return pid <= 0 || !cgroup_is_outside(cgroups, pid)', 'uint64_t start;\n        return proc_start_time(pid, &start) && !cgroup_is_outside(cgroups, pid)',
     INSIDE + '.test_whose_process_has_ended'),
    ('E20', 'the refusal before polkit is asked', 'dbus/judge.c', 'if (!rule || caller->is_inside)', 'if (!rule)',
     INSIDE + '.test_roots'),
]
LASTING = {}
