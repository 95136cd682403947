"""Defences of Exec; see defences.py."""

RIGHTS = 'service/spec/rights.c'
REFUSED = 'test_e_exec.Rights.test_more_is_refused'

DEFENCES = [
    ('E37', 'the user of the first process', RIGHTS, '(attributes->uid != first->uid || attributes->gid != first->gid))',
     'false)', REFUSED),
    ('E37', 'the groups of the first process', RIGHTS, '(attributes->n_groups != first->n_groups ||', '(false &&', REFUSED),
    ('E37', 'the capabilities of the first process', RIGHTS, 'more = attributes->user_capabilities & ~most;',
     'more = attributes->user_capabilities & ~most & 0;', REFUSED),
    ('E37', 'no_new_privs of the first process', RIGHTS, 'first->no_new_privileges || process->no_new_privileges',
     'process->no_new_privileges', 'test_e_exec.Rights.test_default'),
    ('E37', 'the limits of the first process', 'service/sandbox/join.c', '!files->is_given || files->hard <= most ||',
     'true ||', REFUSED),
    ('E37', 'the device in the place of /dev/null', 'service/sandbox/child/steps.c',
     '!S_ISCHR(status.st_mode) || status.st_rdev != NULL_DEVICE', 'false', 'test_e_exec.Rights.test_dev_null'),
]
LASTING = {}
