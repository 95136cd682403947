"""Rows E30 to E33: what the kernel shares beside namespaces."""

DEFENCES = [
    ('E30', 'an owner of the namespaces that is not root', 'service/rootfs/id-map.c',
     'return range ? range->base + ID_RANGE_SIZE - 1 : 0;', 'return 0 * range->base;',
     'test_e_kernel.Shared.test_inotify'),
    ('E30', 'a range that `self` keeps over a restart', 'service/rootfs/id-map.c',
     'return range_of(map) ? range_of(map)->base : 0;', 'return map->range ? map->range->base : 0;',
     'test_e_kernel.Shared.test_inotify_over_restarts'),
    ('E30', 'no contexts of asynchronous I/O', 'service/sandbox/seccomp.c',
     '"inotify_rm_watch", "pipe",', '"inotify_rm_watch", "io_setup", "pipe",', 'test_e_kernel.Shared.test_aio'),
    ('E31', 'the limit of terminals', 'service/sandbox/profile.c',
     '                        {"max", G_STRINGIFY(TERMINALS_MAX)},\n', '', 'test_e_kernel.Shared.test_terminals'),
    ('E32', 'a /dev for each owner', 'service/sandbox/profile.c',
     'g_snprintf(name, sizeof name, "%u", (unsigned) owner);', 'g_snprintf(name, sizeof name, "%u", 0u * owner);',
     'test_e_kernel.Shared.test_devices'),
    ('E32', "covers that are not the host's", 'service/sandbox/child/root.c',
     'mount = (int) syscall(SYS_open_tree, stock->covers,\n'
     '                                      is_directory ? "directory" : "file", clone);',
     'mount = (int) syscall(SYS_open_tree, is_directory ? stock->covers : -100,\n'
     '                                      is_directory ? "directory" : "/dev/null", clone);',
     'test_e_kernel.Shared.test_covers'),
    ('E33', 'the controller of processors', 'service/cgroup/procs.c', '"memory", "pids", "cpu",',
     '"memory", "pids", "none",', 'test_e_kernel.Shared.test_processors'),
]

LASTING = {}
