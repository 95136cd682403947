"""Defences against what callers pass as file descriptors; see defences.py."""

RECEIVE, RECEIVER, PROCESS = 'service/receive.c', 'service/receiver.c', 'service/container/process.c'

DEFENCES = [
    ('E22', 'the process that receives them', RECEIVE, 'if (fd == guarded && message->msg_control && getpid() == service)', 'if (false)',
     'test_e_descriptors.Descriptors.test_flush_that_never_ends'),
    ('E22', 'the second look for descriptors that came meanwhile', RECEIVE, 'if (peek(fd, &brings) < 0)', 'if (peek(fd, &brings) == INT_MIN)',
     'test_e_descriptors.Moments.test_at_any_moment'),
    ('E22', 'the wait for a killed process that ends', PROCESS, 'poll(&end, 1, patience)', 'poll(&end, 1, -1)',
     'test_e_descriptors.Descriptors.test_own_container'),
    ('E23', "the end of the receiver's copy of the connection", RECEIVER,
     'close(bus); /* a child that is stuck would keep it */', '',
     'test_e_descriptors.Descriptors.test_end_and_start'),
    ('E23', "the bound of a user's closers", RECEIVER, 'user->n_closers < CLOSERS_PER_UID_MAX', 'true',
     'test_e_descriptors.Descriptors.test_bounded'),
]
LASTING = {}
