"""Defences against processes whose first thread has ended; see defences.py."""

DEFENCES = [
    ('E46', 'the signal to each process', 'service/cgroup/v2.c', '(void) cgroup_signal_all(leaf, SIGKILL);', '',
     'test_e_first_thread.FirstThread'),
]
LASTING = {}
