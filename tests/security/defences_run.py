"""What a container is promised beside SECURITY.md's rows; see defences.py."""

CHILD, MOUNTS, SANDBOX = 'service/sandbox/child/child.c', 'service/sandbox/child/root.c', 'service/sandbox/sandbox.c'

DEFENCES = [
    ('', 'the IPC namespace', 'service/sandbox/sandbox.h',
     'CLONE_NEWIPC | ',
     '', 'test_document'),
    ('', 'the UTS namespace', 'service/sandbox/sandbox.h',
     'CLONE_NEWUTS | ',
     '', 'test_document'),
    ('', 'the PID namespace', 'service/sandbox/sandbox.h',
     ' | CLONE_NEWPID',
     '', 'test_document'),
    ('', 'the host name', CHILD, 'sethostname(plan->hostname, plan->hostname_length) < 0', 'false',
     'test_document'),
    ('', 'the loopback interface', 'service/sandbox/child/child.c',
     '!steps_raise_loopback()',
     'false', 'test_run.Namespaces'),
    ('', 'the private /tmp', 'service/sandbox/profile.c',
     '.target = "tmp",', '.target = "missing",', 'test_run.Files'),
    ('', 'the fall-back of HOME', CHILD, 'plan->environment[plan->home_index] = (char *) "HOME=/"', '(void) 0',
     'test_run.Process'),
    ('', 'the reset of signals', 'service/sandbox/child/child.c',
     '!steps_reset_signals()',
     'false', 'test_document'),
    ('', 'the empty signal mask at exec', CHILD, 'sigemptyset(&none);', 'sigfillset(&none);', 'test_document'),
    ('', 'a session of its own', CHILD, 'setsid() < 0', 'false', 'test_terminal'),
    ('', 'the filter', CHILD, 'plan->seccomp.filter &&', 'false &&', 'test_document'),
    ('', 'no_new_privs', CHILD, 'prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0', 'false', 'test_document'),
    ('', 'the question for less isolation', 'dbus/spawn.c',
     'order_is_privileged(spawn->order)',
     'false', 'test_polkit.Privileged'),
    ('', 'the limit of memory in v1', 'service/cgroup/v1.c', 'static bool legacy_set_memory(int leaf, uint64_t '
     'memory_max, uint64_t swap_max, GError **error)\n{', 'static bool legacy_set_memory(int leaf, uint64_t '
     'memory_max, uint64_t swap_max, GError **error)\n{\n        if (memory_max < UINT64_MAX) return true;',
     'test_run.Memory'),
]

LASTING = {}
