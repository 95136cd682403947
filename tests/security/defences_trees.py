"""Defences of mounts, RootFD and ceilings; see defences.py."""

CHILD, LAUNCH, LOOKUP, API = 'service/sandbox/child/child.c', 'service/sandbox/launch.c', 'service/rootfs/lookup-child.c', 'dbus/spawn.c'

DEFENCES = [
    ('B4', 'the check that a path leads back to RootFD', LOOKUP, '? check_reachable(STDIN_FILENO) : -ENOTDIR',
     '? 0 : -ENOTDIR', 'test_trees.RootFd'),
    ('B3', 'the silence on what is mounted where a caller may not look', 'service/rootfs/unmappable.c',
     'return may_look_up(tree->fd, part, tree->owner)', 'return true', 'test_b_unmappable'),
    ('B2', "the caller's right to read what it binds", LOOKUP, 'right = R_OK;', 'right = F_OK;', 'test_trees.WhoseFiles'),
    ('B2', 'the question for a writable bind of what is not the caller\'s', API, 'mount_spec_writes_to_host(mount) &&',
     'false &&', 'test_trees.WhoseFiles'),
    ('B6', 'the refusal of set-id bits in what is bound', 'service/sandbox/compile.c',
     'tree_spec_writes_to_host(&order->tree) &&',
     '!order->tree.read_only_root &&', 'test_trees.WhoseFiles'),
    ('A16', 'the flags of what is mounted below', 'service/rootfs/mount.c',
     'SYS_mount_setattr, mount, "", AT_EMPTY_PATH | AT_RECURSIVE, &change',
     'SYS_mount_setattr, mount, "", AT_EMPTY_PATH, &change', 'test_trees.WhoseFiles'),
    ('A2', 'the refusal of targets that a link moves into what is the service\'s', 'service/sandbox/child/root.c',
     '(step->keeps_out &&', '(false &&', 'test_trees.WrongMounts'),
    ('D9', 'the ceiling of a user', 'service/cgroup/ceilings.c',
     'if (owner == 0 || g_hash_table', 'if (true || g_hash_table', 'test_ceilings'),
]

LASTING = {}
