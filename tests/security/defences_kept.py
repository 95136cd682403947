"""Defences against what polkit keeps; see defences.py."""

POLICY = 'polkit/org.naive.Runc.policy'
DEFAULTS = ('\n    <icon_name>{}</icon_name>\n    <defaults>\n      <allow_any>auth_admin</allow_any>\n'
            '      <allow_inactive>auth_admin</allow_inactive>\n      <allow_active>{}</allow_active>')

DEFENCES = [
    ('E16', 'the password for each request that may equal root', POLICY, DEFAULTS.format('dialog-warning', 'auth_admin'),
     DEFAULTS.format('dialog-warning', 'auth_admin_keep'), 'test_e_kept.Kept.test_no_privilege_is_kept'),
    ('E16', 'the password for each look into the container of another', POLICY, DEFAULTS.format('system-run', 'auth_admin'),
     DEFAULTS.format('system-run', 'auth_admin_keep'), 'test_e_kept.Kept.test_no_privilege_is_kept'),
]
LASTING = {}
