"""Defences of what the service believes of the index; see defences.py."""

INDEX = 'service/manager/index.c'

DEFENCES = [
    ('E55', 'the start time', INDEX, ' || start != entry->start_time', '', 'test_e_index.Index.test_not_believed'),
    ('E55', 'the look into the cgroup', 'service/cgroup/path/borrow.c', '!below || !is_in(h, path, cgroups, n)', '!below',
     'test_e_index.Index.test_not_believed'),
    ('E55', "the file, root's alone", INDEX, 'status.st_uid != geteuid() || status.st_mode & 022', 'false',
     'test_e_index.Index.test_no_file_of_ours'),
    ('E55', 'the name, of one alone', INDEX, '!check_name(manager, entry, error) || ', '',
     'test_e_index.Index.test_name_of_another'),
    ('E56', 'the owner', INDEX, '.owner = 0,', '.owner = 20006,', 'test_e_index.Index.test_stranger'),
    ('E57', 'the end of the service, which ends nothing', 'service/container/container.c',
     'container->process && !container->info.belongs_to', 'container->process', 'test_e_index.Index.test_stays'),
]
LASTING = {}
