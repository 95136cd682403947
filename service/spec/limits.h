#pragma once

/* The limits that a caller, a file or time can meet, each with its reason. An argument that is too
 * large is InvalidArgs (a path of the root: RootfsInvalid), too many of what is counted is
 * LimitsExceeded; what passes with time is Busy. */

#include <stdint.h>

#define ROOTFS_PATH_MAX 4095u             /* PATH_MAX without its NUL */
#define ARG_LENGTH_MAX  (128u * 1024 - 1) /* the kernel's MAX_ARG_STRLEN without its NUL */
/* argv and environment together, counted as the kernel does, a pointer for each string included:
 * what it takes with a stack of 8 MiB */
#define ARGV_BYTES_MAX      (2u * 1024 * 1024)
#define EXEC_PATHS_MAX      256u /* directories of a PATH that are tried */
#define ID_LENGTH_MAX       64u
#define HOSTNAME_LENGTH_MAX 64u /* the kernel's __NEW_UTS_LEN */
#define LABELS_MAX          64u /* as many as an image has, and some more */
#define LABEL_KEY_MAX       128u
#define LABELS_BYTES_MAX    16384u       /* keys and values together; of Sysctl as well */
#define MADE_WITH_BYTES_MAX (64u * 1024) /* for GetConfig: /run has few MiB for a user's 128 */
#define OBJECT_PATH_MAX     512u         /* no object has a path of half that length */
#define SPAWN_FDS_MAX       16u          /* dbus-daemon passes no more in one message */
#define MOUNTS_MAX          256u         /* each may be an fd of the look-up, and one of a launch */
#define MOUNT_FILES_MAX     (1024u * 1024) /* bytes of all files that come with a request's Mounts */
#define SPAWN_FD_NUMBER_MAX 255u           /* highest fd number a caller may ask for inside */
/* Processes that close what callers passed, stuck ones included: of a receiver, of a user there. */
#define CLOSERS_MAX         256u
#define CLOSERS_PER_UID_MAX 16u
#define TELLERS_PER_UID_MAX 4u /* write to what a user passed as StatusFD, also in vain */

/* Calls that were taken off the bus and wait to be served. No legitimate caller comes near. */
#define QUEUED_PER_UID_MAX       4096u
#define QUEUED_BYTES_PER_UID_MAX (64u * 1024 * 1024)  /* twice the bus's largest message */
#define QUEUED_BYTES_MAX         (128u * 1024 * 1024) /* of all users together, */
#define QUEUED_FD_WEIGHT         (16u * 1024) /* bytes that a descriptor counts for: 8192 in all */
#define QUEUED_BYTES_ALWAYS      (64u * 1024) /* which each user may have beyond */

/* Requests of users at work. Root has no line: it is not asked, so polkit is not flooded. */
#define PENDING_PER_UID_MAX 8u  /* a storm must not flood polkitd */
#define PENDING_MAX         64u /* dbus-daemon allows 128 pending replies a connection */

/* Requests that wait for those: each is its message, a Spawn with up to 16 file descriptors. So all
 * of them together have 131,072, a quarter of what the unit lets the service open; where that is
 * less, fewer wait. */
#define LINE_PER_UID_MAX       1024u /* far more than make or xargs start at a time */
#define LINE_PLACES_MAX        8192u
#define LINE_BYTES_MAX         (64u * 1024 * 1024)
#define LINE_MESSAGE_BYTES_MAX (4u * 1024 * 1024) /* twice what argv and environment may have */

#define WAITING_PER_UID_MAX    1024u /* calls kept until a container ends: 16 for each of a user's */
#define REFUSALS_MAX           100u /* refused requests of a user in REFUSALS_USEC; then it waits */
#define REFUSALS_USEC          (20u * UINT64_C(1000000))
#define CONTAINERS_PER_UID_MAX 64u    /* live ones, callers other than root */
#define CONTAINERS_MAX         1024u  /* live ones in total, root's included */
#define STOPPED_PER_UID_MAX    64u    /* stopped ones kept for reading; the oldest go first */
#define CPU_WEIGHT_MAX         10000u /* the kernel's, of cgroup v2 */
/* Microseconds in a second: the kernel's least in a tenth of one. What had less would be gone late
 * when it is killed, and the service waits for that. */
#define CPU_QUOTA_MIN              10000u
#define TASKS_MAX_DEFAULT          4096u                 /* a fork bomb ends here */
#define SANDBOX_MEMORY_MAX_DEFAULT (1024u * 1024 * 1024) /* of a sandbox that says nothing */
/* Pseudo-terminals of one container: in CONTAINERS_PER_UID_MAX of them a user has two thirds of the
 * 3072 that the kernel leaves to what has a devpts of its own (kernel.pty.max less reserve). */
#define TERMINALS_MAX 32
/* As systemd's services have them; of signals, as many as the kernel allows with 4 GiB. */
#define PENDING_SIGNALS_MAX     16384u             /* and timers, for each keeps room for one */
#define MESSAGE_QUEUE_BYTES_MAX 819200u            /* POSIX message queues */
#define LOCKED_BYTES_MAX        (8u * 1024 * 1024) /* of shared memory, and of one process */
#define USER_TASKS_MAX_DEFAULT  16384u /* of all of a user: half of what pid_max is by default */
/* Of all sandboxes of a user, which begin without a password: what one container may have. */
#define SANDBOX_TASKS_MAX_DEFAULT 4096u
#define SANDBOXES_CPU_WEIGHT      20u /* against the user's other containers, which have 100 */

#define EXECS_MAX         64u  /* of one container, with those that have ended and are kept */
#define EXECS_PER_UID_MAX 256u /* of all of a user's containers: each keeps a log */

/* Signals to single connections: of triggers there could be hundreds, for each of hundreds. */
#define NOTICES_PER_SEC_MAX      512u  /* about all of a user's containers */
#define KILL_NOTICES_PER_SEC_MAX 4096u /* 16 kills, where a user has 256 connections */

#define PRESSURE_WINDOW_USEC_MIN 500000u /* the kernel's, as are these */
#define PRESSURE_WINDOW_USEC_MAX 10000000u
#define PRESSURE_PERIOD_USEC     2000000u /* for those who lack CAP_SYS_RESOURCE */

/* Programs of SeccompFilters, which the kernel goes through at every call, and a record has. */
#define FILTERS_MAX        8u
#define FILTERS_LENGTH_MAX 4096u /* instructions, of all together */

#define DENIED_PER_SEC_MAX 8u   /* signals about refused calls of a container, in a second */
#define DENIED_ANSWERS_MAX 256u /* the calls, each of which makes the service work */

#define LOG_BYTES_MAX     (256u * 1024) /* output kept of one container; the oldest bytes go */
#define RECORDS_ASIDE_MAX 16u           /* records that could not be read, kept to be looked at */
#define ATTACHMENTS_MAX   16u           /* readers of one container's output */

/* A user's lines in the journal in JOURNAL_USEC: half of what the journal takes of a unit by
 * default, so that one user who prints much keeps no other's lines out, nor the service's own. Two
 * such users can: a share that leaves room for any number of them would be too small for anyone. */
#define JOURNAL_ENTRIES_MAX 5000u
#define JOURNAL_USEC        (30u * UINT64_C(1000000))

#define ID_RANGE_SIZE 65536u /* host ids of one container: what an image may use of them */

#define PROCESSES_MAX          4096u /* of a container that are told: as many as it has by default */
#define COMMAND_LENGTH_MAX     251u /* of a command line that is told: 256 bytes for each process */
#define PROCESSES_TIMEOUT_MSEC 2000u /* to read them: a process can make that last */

#define SAVE_DELAY_MSEC        20u    /* until a container's record is written */
#define RESOLVE_TIMEOUT_MSEC   5000u  /* a file system that does not answer */
#define RESOLVE_ABANDONED_MAX  8u     /* lookups of one user that were given up and still hang */
#define SETUP_TIMEOUT_MSEC     30000u /* from clone to exec */
#define AUTHORITY_TIMEOUT_USEC (120u * UINT64_C(1000000)) /* somebody types a password */
#define PREPARED_SANDBOXES     4u     /* kept ready; each is a process that waits */
#define PREPARE_DELAY_MSEC     10u    /* since the last run, until another one is made */
#define PREPARED_HOLD_MSEC     15000u /* since the last run, or up to a second less: all end */
#define MAKER_PAUSE_MSEC       1000   /* from the start of their maker to that of another */
#define PAUSE_TIMEOUT_MSEC     10000u /* until all processes stand still, or go on */
#define STATUS_WAIT_MSEC       30000u /* for room for the last line of a StatusFD */
#define STOP_TIMEOUT_USEC      (10u * UINT64_C(1000000)) /* default grace time of Stop */
#define IDLE_TIMEOUT_SEC       30u
