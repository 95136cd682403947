"""Defences of containers that the OCI command line makes; see defences.py."""

CHILD = 'service/sandbox/child/oci/'

DEFENCES = [
    ('E58', 'the loss of rights before it is seen', CHILD + 'oci.c',
     '''        if (!oci_process_drop_all(plan))
                report_failure(base, STAGE_CAPABILITIES);
        if (!join_processes(base))
                report_failure(base, STAGE_JOIN);
''', '''        if (!join_processes(base))
                report_failure(base, STAGE_JOIN);
        if (!oci_process_drop_all(plan))
                report_failure(base, STAGE_CAPABILITIES);
''', 'test_e_oci_engine.Engine.test_joiner_rights'),
    ('E59', 'the reset of what a caller ignores', CHILD + 'oci.c', 'sigaction(number, &action, NULL);', '(void) action;',
     'test_e_oci_rows.Rows.test_attributes'),
    ('E65', 'the root as the end of all links', CHILD + 'place.c', '(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)',
     '(RESOLVE_NO_MAGICLINKS)', 'test_e_oci_engine.Engine.test_links'),
    ('E65', 'the plain directory for proc', 'cli/oci/engine/mounts.c', 'strcmp(mount->type, "proc") == 0', 'false',
     'test_e_oci_engine.Engine.test_proc'),
    ('E66', "covers of the runtime's own", CHILD + 'tree.c', 'syscall(SYS_open_tree, tree->covers,',
     'syscall(SYS_open_tree, tree->root,', 'test_e_oci_engine.Engine.test_covers'),
    ('E67', 'the end of all other descriptors', CHILD + 'oci.c', 'if (!close_others(plan, base->sync_fd, plan->start))',
     'if (false && !close_others(plan, base->sync_fd, plan->start))', 'test_e_oci_engine.Engine.test_waits'),
    ('E68', 'the cut to the host before anything is mounted', 'cli/oci/engine/create.c',
     'spec->root_propagation & MS_PRIVATE ? MS_PRIVATE : MS_SLAVE);', 'MS_SHARED);',
     'test_e_oci_engine.Engine.test_propagation'),
    ('E69', "the hook's loss of rights", CHILD + 'oci.c', 'plan->n_start_hooks, oci_process_drop_all);',
     'plan->n_start_hooks, NULL);', 'test_e_oci_engine.Engine.test_hook_inside'),
]

LASTING = {}
