"""Defences of the line of requests that wait; see defences.py."""

LINE, REQUESTS = 'dbus/line/line.c', 'dbus/requests.c'

DEFENCES = [
    ('E35', 'the place that is left for the next user', REQUESTS, ' && own < PENDING_MAX - requests->of_users', '',
     'test_e_line.Line.test_few_keep_nobody_out'),
    ('E35', 'the end of what waits with its caller', REQUESTS, 'if (!gone)', 'if (true)', 'test_e_line.Line.test_who_leaves'),
    ('E35', 'the bound of what a user may have waiting', REQUESTS, 'line_length(requests->line, uid) >= LINE_PER_UID_MAX',
     'false', 'test_e_line.Line.test_bounded'),
    ('E35', 'the refusal of who has most in the line', LINE, 'queue->weight > heaviest->weight',
     'queue->weight < heaviest->weight', 'test_e_line.Line.test_heavy'),
]
LASTING = {}
