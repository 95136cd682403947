"""Defences of the action sandbox; see defences.py."""

CONFINED, ASKED = 'test_e_sandbox.Confined', 'test_e_sandbox.Asked'
LOOK, ORDER, SPAWN = 'dbus/connection/unconfined.c', 'service/spec/order.c', 'dbus/spawn.c'

DEFENCES = [
    ('E19', 'the look at no_new_privs, for Landlock', LOOK, r'is_zero(status, "\nNoNewPrivs:\t")', 'true', CONFINED),
    ('E19', 'the look at filters', LOOK, r'is_zero(status, "\nSeccomp:\t")', 'true', CONFINED + '.test_filter'),
    ('E19', 'the look at the ids of the process', LOOK, 'has_ids(status, caller) &&', '', CONFINED + '.test_lost_ids'),
    ('E19', 'the look at the mount namespace', LOOK, 'is_namespace_ours(process, thread, "mnt") &&', '',
     CONFINED + '.test_mount_namespace'),
    ('E19', 'the look at the user namespace', LOOK, 'is_namespace_ours(process, thread, "user") &&', '',
     CONFINED + '.test_user_namespace'),
    ('E19', 'the look at the root directory', LOOK, 'is_root_ours(process, thread) &&', '', CONFINED + '.test_root_directory'),
    ('E19', 'the look at each thread', LOOK, 'while (are && (entry', 'while (are && n == 0 && (entry', CONFINED + '.test_one_thread'),
    ('E47', 'what the order may say', ORDER, 'g_strv_length(deviations) == 1 &&', '', 'test_e_sandbox'),
    ('E47', 'the strict filter', ORDER, '!order->tree.is_volatile && order->process.seccomp_strict &&', '', ASKED + '.test_more'),
    ('E47', 'an end with the caller', ORDER, 'order->owner && order->watch_bus &&', 'order->owner &&', ASKED + '.test_more'),
    ('E49', 'the look after the answer', SPAWN, 'if (may_be_sandbox(spawn)) {', 'if (true) {',
     CONFINED + '.test_confines_itself_meanwhile'),
]
LASTING = {}
