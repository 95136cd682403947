"""Defences of the calls that wait to be handled; see defences.py."""

INTAKE, QUEUE, WATCH = 'dbus/connection/intake.c', 'dbus/connection/call-queue.c', 'dbus/connection/peer-watch.c'

DEFENCES = [
    ('E24', 'the queue of calls', INTAKE, 'else if (!intake->options.is_private)', 'else if (false)',
     'test_e_intake.Intake.test_users_take_turns'),
    ('E24', 'the turn of who has cost least', QUEUE, 'cost_of(link->data) < best->cost', 'cost_of(link->data) > best->cost',
     'test_e_intake.Intake.test_users_take_turns'),
    ('E24', "the bound of a user's calls", QUEUE, 'user->n_calls >= QUEUED_PER_UID_MAX ||', 'false ||',
     'test_e_intake.Intake.test_bounded_calls'),
    ('E24', "the bound of a user's bytes", INTAKE, 'intake->next_size = head.size +', 'intake->next_size = 0 * head.size +',
     'test_e_intake.Intake.test_large_ones'),
    ('E25', 'the end of the calls of who has left', INTAKE, 'call_queue_drop(intake->queue, name, NULL, NULL);', '',
     'test_e_intake.Intake.test_room_of_who_left'),
    ('E26', 'the one rule for all', WATCH, "arg2=\'\'\"", "arg2=\'\',arg0=\':1.1\'\"",
     'test_e_intake.Intake.test_rules'),
]
LASTING = {}
