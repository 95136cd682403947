"""Defences of empty and volatile roots, and of a caller's own ids; see defences.py."""

TARGET, MOUNT = 'service/sandbox/child/target.c', 'service/rootfs/mount.c'

DEFENCES = [
    ('E40', 'the look whose directory it is', TARGET, 'if (own->ids[i] == id)', 'if (true)',
     'test_e_roots.Empty'),
    ('E44', 'the look whose directory it is, beside a race', TARGET, 'if (own->ids[i] == id)', 'if (true)',
     'test_e_kinds.Racing'),
    ('E40', 'the refusal of what is mounted on ptmx', 'service/sandbox/child/steps.c',
     '.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS', '.resolve = RESOLVE_NO_SYMLINKS', 'test_e_roots.Terminals'),
    ('E42', "the flags of the lower tree's mount", 'service/rootfs/apart.c', 'attributes |= MOUNT_ATTR_NOEXEC;', '{}',
     'test_e_roots.Volatile'),
    ('E41', 'the refusal of setgroups', 'service/rootfs/id-map.c', 'if (deny_groups && (r', 'if (false && (r',
     'test_e_roots.KeepId'),
    ('E42', 'the look for what is mounted in the tree', MOUNT, 'if (seen == SUBMOUNTS_OTHERS)', 'if (false)',
     'test_e_roots.Volatile'),
    ('E43', "the look into the kernel's copy of the tree", 'service/rootfs/submounts.c',
     'MAX(copied, told)', '((void) copied, told)', 'test_e_roots.Renamed'),
    ('A10', 'an owner of the namespaces that nobody is, of each kind of root', 'service/sandbox/sandbox.c', 'if (owner == 0)',
     'if (true)', 'test_e_kinds_process.Spies.test_ids'),
    ('A11', 'the refusal of magic links as a command, of each kind of root', 'service/sandbox/child/child.c',
     'steps_is_magic_command(plan)', 'false', 'test_e_kinds_process.Program.test_not_by_name'),
    ('E3', 'the look whose directory it is, among those who share it', TARGET, 'if (own->ids[i] == id)', 'if (true)',
     'test_e_kinds_paths.Shared'),
    ('E4', 'the look whose directory a link has led to', TARGET, 'if (own->ids[i] == id)', 'if (true)',
     'test_e_kinds_paths.Names.test_links_of_the_caller'),
    ('E9', 'the refusal of dots in a target', 'service/spec/mount-spec.c',
     'if (!**part || strcmp(*part, ".") == 0 || strcmp(*part, "..") == 0)', 'if (false)',
     'test_e_kinds_paths.Names.test_dots'),
    ('E71', 'the look for mounts that the copy of a tree lacks', 'service/sandbox/launch.c',
     'return rootfs_check_whole(trees->of, trees->n, error);', 'return true;', 'test_e_hidden.Hidden.test_unbindable'),
    ('E71', 'the way up from a mount to the tree, beside a race', 'service/rootfs/uncopied.c', 'if (lies != 0)',
     'if (lies > 0 && strstr(mount->point, "/with/"))', 'test_e_hidden.Racing'),
]

LASTING = {}
