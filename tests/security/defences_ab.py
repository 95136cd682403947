"""Defences of rows A and B; see defences.py."""

CHILD, LAUNCH, ROOTFS, MAP = 'service/sandbox-child.c', 'service/launch.c', 'service/rootfs.c', 'service/id-map.c'

DEFENCES = [
    ('A12', 'the cgroup namespace', CHILD, 'unshare(CLONE_NEWCGROUP) < 0', 'false', 'test_run.Namespaces'),
    ('A14', 'the detaching of the old root', CHILD, 'syscall(SYS_umount2, ".", UMOUNT_DETACH) < 0 || ', '',
     'test_run.Files'),
]

LASTING = {}
