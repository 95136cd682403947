#include "service/sandbox/child/report.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

bool report(const SandboxBase *base, SandboxReport record, int fd)
{
        struct iovec iov = {.iov_base = &record, .iov_len = sizeof record};
        union {
                struct cmsghdr header;
                char space[CMSG_SPACE(sizeof(int))];
        } control;
        struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};

        if (fd >= 0) {
                memset(&control, 0, sizeof control);
                message.msg_control = &control;
                message.msg_controllen = sizeof control;
                control.header.cmsg_level = SOL_SOCKET;
                control.header.cmsg_type = SCM_RIGHTS;
                control.header.cmsg_len = CMSG_LEN(sizeof(int));
                memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
        }
        return sendmsg(base->sync_fd, &message, MSG_NOSIGNAL) == (ssize_t) sizeof record;
}

_Noreturn void report_failure_at(const SandboxBase *base, SandboxStage stage, uint32_t number)
{
        report(base, (SandboxReport){stage, errno ? errno : EINVAL, number}, -1);
        _exit(255);
}

_Noreturn void report_failure(const SandboxBase *base, SandboxStage stage)
{
        report_failure_at(base, stage, 0);
}
