"""Defences of the strict filter; see defences.py."""

DEFENCES = [
    ('E45', 'what is refused more', 'service/sandbox/seccomp.c', 'variant == SECCOMP_STRICT && g_strv_contains(',
     'false && g_strv_contains(', 'test_e_strict.Strict.test_calls'),
    ('E45', 'the refusal of what capabilities open', 'service/sandbox/compile.c',
     'rights.filter != RIGHTS_FILTER_STRICT &&', 'true &&', 'test_e_strict.Strict.test_capabilities'),
]
LASTING = {}
