#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/oci/engine/child.h"
#include "cli/oci/engine/report.h"
#include "service/spec/error.h"
#include "service/util/fd.h"

static int connect_to(int directory)
{
        autofd int own = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        struct sockaddr_un address = {.sun_family = AF_UNIX};

        g_snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/" OCI_SOCKET,
                   directory);
        if (own < 0 || connect(own, (struct sockaddr *) &address, sizeof address) < 0)
                return -1;
        return steal_fd(&own);
}

/* The end of the stream means that the command was executed. */
bool engine_start(int state_directory, const OciProcess *process, GError **error)
{
        autofd int own = connect_to(state_directory);
        SandboxReport report;
        int fd;

        /* its first word says that it goes on, whoever hears the next one */
        if (own < 0 || !child_say(own, SANDBOX_EXEC) ||
            child_receive(own, &report, &fd) != (ssize_t) sizeof report)
                return error_set(error, RUNTIME_ERROR_INVALID_STATE,
                                 "the container does not wait for its start");
        fd_close(fd);
        ssize_t n = child_receive(own, &report, &fd);
        fd_close(fd);
        if (n == (ssize_t) sizeof report) {
                report_to_error(&report, NULL, process, error);
                return false;
        }
        return true;
}
