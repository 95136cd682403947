/* naivec: the commonest `run` without the libraries that take longer to load than a container takes
 * to start. Everything else is executed as naivec-full. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/lean/run.h"
#include "cli/lib/session.h"
#include "cli/lib/text.h"
#include "cli/naivec/stream-kind.h"
#include "service/util/fd.h"

#define SELF_MAX 4096

/* Where this program lies, whatever PATH and argv[0] say. */
static bool find_self(char ret[SELF_MAX])
{
        ssize_t n = readlink("/proc/self/exe", ret, SELF_MAX);

        if (n <= 0 || n == SELF_MAX || *ret != '/')
                return false;
        ret[n] = '\0';
        return true;
}

static bool ends_with(const char *text, const char *end)
{
        size_t length = strlen(text), other = strlen(end);

        return length >= other && !strcmp(text + length - other, end);
}

/* In the tree that both were installed into, wherever that is now; else in the folder of a build.
 */
static void replace_by_full(char *self, size_t size)
{
        bool is_installed = ends_with(self, SELF_PATH);
        size_t length = is_installed ? strlen(self) - strlen(SELF_PATH)
                                     : (size_t) (strrchr(self, '/') + 1 - self);

        snprintf(self + length, size - length, "%s", is_installed ? FULL_PATH : "naivec-full");
}

/* Not another's, who may make files where a copy of this program lies. */
static bool has_owner(const char *path, uid_t owner)
{
        struct stat status;

        return stat(path, &status) == 0 && (status.st_uid == owner || status.st_uid == 0);
}

static int execute_full(char **argv)
{
        char path[SELF_MAX + sizeof FULL_PATH];
        struct stat self;

        if (find_self(path) && stat("/proc/self/exe", &self) == 0) {
                replace_by_full(path, sizeof path);
                if (has_owner(path, self.st_uid))
                        execv(path, argv);
        }
        execv(FULL_PATH, argv);
        fprintf(stderr, "naivec: %s: %s\n", FULL_PATH, strerror(errno));
        return EXIT_RUNTIME_FAILED;
}

/* Whether the command can have our streams as they are, without a terminal between, and without
 * somebody who carries its output. */
static bool has_plain_streams(void)
{
        struct stat status;

        if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO))
                return false;
        for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
                if (!stream_open_up(fd) &&
                    (fstat(fd, &status) < 0 || stream_is_closed_to_command(fd, &status)))
                        return false;
        return true;
}

int main(int argc, char **argv)
{
        Plan plan;

        /* execve() allows an empty argv; argv[1] would then be in the environment (CVE-2021-4034).
         */
        if (argc < 1 || !fd_open_standard())
                return 2;
        if (!plan_read(&plan, argv) || !has_plain_streams())
                return execute_full(argv);
        if (plan.is_quiet)
                hints_silence();
        int status = run_plan(&plan);
        if (status == RUN_NOT)
                return execute_full(argv);
        _exit(status);
}
