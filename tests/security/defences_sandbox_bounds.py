"""Defences that hold a container that was begun as a sandbox; see defences.py."""

BOUNDS = 'test_e_sandbox_bounds.Bounds'

DEFENCES = [
    ('E51', 'the bounds of sandboxes', 'service/cgroup/ceilings.c', ' || !cap_sandboxes(tree, level, error)) {', ') {', BOUNDS),
    ('E51', 'the place of sandboxes', 'service/manager/create.c', '.is_sandbox = order->is_sandbox,\n                .more', '.more', BOUNDS),
    ('E52', 'the watch that stays', 'dbus/container-methods.c', '(unwatches && !may_outlive_caller(container, error)) ||', '',
     BOUNDS + '.test_let_go'),
]
LASTING = {}
