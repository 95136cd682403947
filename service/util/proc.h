#pragma once

/* What /proc and the kernel tell of a process: enough to tell it from another that later has its
 * number, and how it has ended. Also what a copy of the service must do first. Knows no
 * containers. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define BOOT_ID_SIZE 37

/* For a child of `parent` that is a copy of the service, before it does anything that may take
 * long. From then on the child dies with the service, and has nothing of the service open (the bus
 * connection, the lock, the sockets of others) but stdio and the fds `keep`, which are sorted. A
 * change of ids makes the kernel forget the first: call this after it. */
void proc_detach(pid_t parent, const int *keep, size_t n);

/* From then on the calling process, such a copy, has no capability and gains none. */
void proc_drop_rights(void);

/* The start of `pid` in clock ticks since boot, from /proc/PID/stat. */
bool proc_start_time(pid_t pid, uint64_t *ret);
/* The same from the text of such a file, which contains a name that the process has chosen. */
bool proc_parse_start_time(const char *stat, uint64_t *ret);
/* The memory from which the kernel reads the command line of this process; false if it cannot be
 * found out. */
bool proc_title(char **ret, size_t *ret_size);
/* Has `pid` begun to end, or ended? The first process of a pid namespace waits for all others there
 * between the two, and the kernel tells whoever wants to join them that there is no memory. */
bool proc_is_ending(pid_t pid);
/* The kernel's random id of this boot, as text. */
bool proc_boot_id(char ret[BOOT_ID_SIZE]);
/* Is `pid` in the cgroup `path`, in whichever hierarchy? */
bool proc_is_in_cgroup(pid_t pid, const char *path);

/* A line of a /proc/PID/cgroup file. The path is as our cgroup namespace shows it. */
typedef struct ProcCgroup {
        bool is_unified; /* of the v2 hierarchy */
        const char *path;
} ProcCgroup;

/* Cuts the next line off `text`, what is left of a /proc/PID/cgroup file. A line that makes no
 * sense is left out. Returns false at the end. */
bool proc_next_cgroup(char **text, ProcCgroup *ret);

/* All of them of `pid`, in `text`. Returns how many there are; 0: there is no such process. */
#define PROC_CGROUP_SIZE 8192u
#define PROC_CGROUPS_MAX 32u
unsigned proc_list_cgroups(pid_t pid, char text[PROC_CGROUP_SIZE],
                           ProcCgroup ret[PROC_CGROUPS_MAX]);

/* The process of `pidfd`, as our /proc counts; 0: it has none, or is reaped. */
pid_t proc_of_pidfd(int pidfd);

/* How the process of `pidfd` has ended, which is no child of ours: 1 and the status as wait() gives
 * it; 0 as long as its parent has not reaped it; -1 if that will never be known (before Linux
 * 6.15). */
int proc_exit_status(int pidfd, int *ret_status);
