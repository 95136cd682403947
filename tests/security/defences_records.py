"""Defences of what is kept on disk; see defences.py."""

LOG, RECORD = 'service/container/output-log.c', 'service/container/record.c'

DEFENCES = [
    ('E34', 'the checksum of a log', LOG, 'has_sum ? sum_of(log, &header, name) : sum', 'sum',
     'test_e_records.Records.test_damaged_log'),
    ('E34', "the log's name in its checksum", LOG,
     'g_checksum_update(checksum, (const guchar *) name, (gssize) strlen(name) + 1);', '',
     'test_e_records.Records.test_another_containers_log'),
    ('E34', 'a damaged log that stays damaged', 'service/manager/table.c', '!record_has_log(records, info.serial)', 'true',
     'test_e_records.Records.test_damaged_log_of_what_ended'),
    ('E34', 'the end of what is half-written', RECORD, 'unlinkat(dirfd, name, 0); /* half-written by a killed service */', '{}',
     'test_e_records.Records.test_leftovers'),
    ('E34', 'the end of a log without a record', RECORD, 'drop_lone_logs(dirfd, logs);', '',
     'test_e_records.Records.test_leftovers'),
    ('E36', "Hold, which is the owner's and root's", 'dbus/live/output-calls.c',
     'options.hold && caller->uid != 0', 'false && caller->uid != 0', 'test_e_hold'),
]
LASTING = {}
