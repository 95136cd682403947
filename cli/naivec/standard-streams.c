#include "cli/naivec/standard-streams.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "cli/lib/child.h"
#include "service/util/fd.h"

#define FINISH_MSEC 10000 /* for a disk that is slow */

static bool is_anonymous_pipe(int fd)
{
        struct statfs fs;

        return fstatfs(fd, &fs) == 0 && fs.f_type == PIPEFS_MAGIC;
}

/* The command is neither its owner nor in its group. Input is left alone: what carries it reads
 * ahead, and a shell's loop over the lines of a file would miss those. */
static bool is_closed_to_command(const struct stat *status, int number)
{
        return number != STDIN_FILENO && (S_ISREG(status->st_mode) || S_ISFIFO(status->st_mode)) &&
               !(status->st_mode & S_IWOTH);
}

/* stdout and stderr in one file stay in the order in which they were written. */
static int share_pipe(const StandardStreams *streams, int number, const struct stat *status)
{
        struct stat other;

        if (number != STDERR_FILENO || !streams->carriers[STDOUT_FILENO] ||
            fstat(STDOUT_FILENO, &other) < 0 || other.st_dev != status->st_dev ||
            other.st_ino != status->st_ino)
                return -1;
        return fcntl(streams->pipes[STDOUT_FILENO], F_DUPFD_CLOEXEC, 3);
}

/* In a session of its own: Ctrl-C is for the command, whose last words are still carried. */
static int put_pipe_between(StandardStreams *streams, int number)
{
        static const char *const cat[] = {"cat", NULL};
        int ends[2];

        if (pipe2(ends, O_CLOEXEC) < 0)
                return number;
        autofd int reads = ends[0], writes = ends[1];
        const ChildSpec carrier = {
                .argv = cat,
                .input = reads,
                .output = number,
                .errors = -1,
                .kept_fd = -1,
                .has_own_session = true,
        };
        const pid_t pid = child_start(&carrier);
        if (pid < 0)
                return number;
        streams->carriers[number] = pid;
        streams->pipes[number] = steal_fd(&writes);
        return streams->pipes[number];
}

/* Only its owner, or root, may do so to a pipe. */
static bool open_pipe_up(int fd)
{
        return is_anonymous_pipe(fd) && fchmod(fd, 0666) == 0;
}

int standard_stream_open_up(StandardStreams *streams, int number, bool carries)
{
        struct stat status;

        if (open_pipe_up(number) || !carries || fstat(number, &status) < 0 ||
            !is_closed_to_command(&status, number))
                return number;
        int shared = share_pipe(streams, number, &status);
        int passed = shared >= 0 ? shared : put_pipe_between(streams, number);
        (void) open_pipe_up(passed);
        return passed;
}

void standard_streams_finish(StandardStreams *streams, bool has_ended)
{
        for (int number = STDOUT_FILENO; has_ended && number <= STDERR_FILENO; number++)
                if (streams->carriers[number] &&
                    !child_wait(streams->carriers[number], FINISH_MSEC))
                        child_end(streams->carriers[number], 0);
        *streams = (StandardStreams){0};
}
