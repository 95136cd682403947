"""Defences against what callers pass as file descriptors; see defences.py."""

RECEIVE, RECEIVER, CLOSERS = 'service/receive.c', 'service/receiver.c', 'service/closers.c'
PROCESS = 'service/container/process.c'
STATUS = 'service/container/status/status-fd.c'

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
    ('E23', "the bound of a user's closers", CLOSERS, 'user->n_closers < closers_max', 'true',
     'test_e_descriptors.Descriptors.test_bounded'),
    ('E23', "a user's share of the room", CLOSERS, 'find_user(closers, uid, 0)->n_fds < left / 8', 'true',
     'test_e_descriptors.Descriptors.test_share'),
    ('E23', 'the share of those who are not known', CLOSERS, 'closers->unknown.n_fds < left', 'true',
     'test_e_descriptors.Descriptors.test_ever_new_names'),
    ('E23', 'a closer for each sender that is never known', CLOSERS, 'return stranger ? find(', 'return false ? find(',
     'test_e_descriptors.Descriptors.test_gone_before_known'),
    ('E23', 'the signal that ends a wait of a closer', CLOSERS, 'setitimer(ITIMER_REAL, &timer, NULL)', '(void) timer',
     'test_e_descriptors.Descriptors.test_lingers'),
    ('E23', 'the bound of the processes that write to StatusFD', STATUS, '+ 1 >= TELLERS_PER_UID_MAX', '+ 1 >= 1000',
     'test_e_status.Status.test_bounded'),
]
LASTING = {}
