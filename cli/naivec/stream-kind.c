#include "cli/naivec/stream-kind.h"

#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

static bool is_anonymous_pipe(int fd)
{
        struct statfs fs;

        return fstatfs(fd, &fs) == 0 && fs.f_type == PIPEFS_MAGIC;
}

bool stream_open_up(int fd)
{
        return is_anonymous_pipe(fd) && fchmod(fd, 0666) == 0;
}

bool stream_is_closed_to_command(int number, const struct stat *status)
{
        return number != STDIN_FILENO && (S_ISREG(status->st_mode) || S_ISFIFO(status->st_mode)) &&
               !(status->st_mode & S_IWOTH);
}
