"""Defences of rows A and B; see defences.py."""

CHILD, LAUNCH, ROOTFS, MAP = 'service/sandbox-child.c', 'service/launch.c', 'service/rootfs.c', 'service/id-map.c'

DEFENCES = [
    ('A12', 'the cgroup namespace', CHILD, 'unshare(CLONE_NEWCGROUP) < 0', 'false', 'test_run.Namespaces'),
    ('A11', 'the read-only program', 'service/main.c', '!own_program_protect(argv, &error)', 'false',
     'test_a_process.Program'),
    ('A17', 'the second user namespace', LAUNCH, 'has_user_namespace && spec->capabilities & CAPABILITY(SYS_ADMIN)',
     'false', 'test_rights.Unmaking'),
    ('A17', 'the lock on the mounts', CHILD, ' || unshare(CLONE_NEWNS) < 0', '', 'test_rights.Unmaking'),
    ('B6', "the host's root without CAP_MKNOD", 'service/profile.c', ' | CAPABILITY(MKNOD)', '', 'test_rights.Planting'),
    ('B6', 'the refusal of calls where files could get rights', LAUNCH, 'spec->seccomp && !plants && seccomp_opens',
     'spec->seccomp && seccomp_opens', 'test_rights.Planting'),
    ('A14', 'the detaching of the old root', CHILD, 'syscall(SYS_umount2, ".", UMOUNT_DETACH) < 0 || ', '',
     'test_run.Files'),
]

LASTING = {}
