"""Defences of empty and volatile roots, and of a caller's own ids; see defences.py."""

TARGET, MOUNT = 'service/sandbox/child/target.c', 'service/rootfs/mount.c'

DEFENCES = [
    ('E40', 'the look whose directory it is', TARGET, 'if (own->ids[i] == id)', 'if (true)',
     'test_e_roots.Empty'),
    ('E41', 'the refusal of setgroups', 'service/rootfs/id-map.c', 'if (deny_groups && (r', 'if (false && (r',
     'test_e_roots.KeepId'),
    ('E42', 'the look for what is mounted in the tree', MOUNT,
     'if (!submounts_is_covered(&submounts, submounts.list->pdata[i]))', 'if (false)', 'test_e_roots.Volatile'),
]

LASTING = {}
