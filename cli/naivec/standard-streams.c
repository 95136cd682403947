#include "cli/naivec/standard-streams.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/lib/child.h"
#include "cli/naivec/stream-kind.h"
#include "service/util/fd.h"

#define FINISH_MSEC 10000 /* for a disk that is slow */

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

int standard_stream_open_up(StandardStreams *streams, int number, bool carries)
{
        struct stat status;

        if (stream_open_up(number) || !carries || fstat(number, &status) < 0 ||
            !stream_is_closed_to_command(number, &status))
                return number;
        int shared = share_pipe(streams, number, &status);
        int passed = shared >= 0 ? shared : put_pipe_between(streams, number);
        (void) stream_open_up(passed);
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
