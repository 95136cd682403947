/* What comes with SANDBOX_GO. */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "service/sandbox/child/root.h"
#include "service/sandbox/child/steps.h"

/* A copy of what the caller passed in an envelope; -1: it is empty. Looks without taking, for the
 * caller may have named it twice. */
static int open_envelope(int envelope)
{
        char note;
        struct iovec iov = {.iov_base = &note, .iov_len = 1};
        union {
                struct cmsghdr header;
                char space[CMSG_SPACE(sizeof(int))];
        } control;
        struct msghdr message = {.msg_iov = &iov,
                                 .msg_iovlen = 1,
                                 .msg_control = &control,
                                 .msg_controllen = sizeof control};
        ssize_t length = recvmsg(envelope, &message, MSG_PEEK | MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
        int inside = -1;

        if (length > 0 && message.msg_controllen >= CMSG_LEN(sizeof(int)))
                memcpy(&inside, CMSG_DATA(&control.header), sizeof inside);
        root_close(envelope);
        return inside;
}

/* One message: its first byte, 0 at the end of the stream, and how many fds came with it. */
static size_t receive_some(const SandboxBase *base, char *ret_word, int fds[SANDBOX_MESSAGE_FDS])
{
        char word = 0;
        struct iovec iov = {.iov_base = &word, .iov_len = 1};
        union {
                struct cmsghdr header;
                char space[CMSG_SPACE(SANDBOX_MESSAGE_FDS * sizeof(int))];
        } control;
        struct msghdr message = {.msg_iov = &iov,
                                 .msg_iovlen = 1,
                                 .msg_control = &control,
                                 .msg_controllen = sizeof control};

        while (recvmsg(base->sync_fd, &message, MSG_CMSG_CLOEXEC) < 0 && errno == EINTR)
                ;
        *ret_word = word;
        if (message.msg_controllen < sizeof control.header)
                return 0;
        size_t n = (control.header.cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(fds, CMSG_DATA(&control.header), n * sizeof(int));
        return n;
}

/* What is more than the kernel passes with one message comes with others behind it. */
static bool receive_all(const SandboxBase *base, int fds[SANDBOX_FDS_MAX])
{
        int batch[SANDBOX_MESSAGE_FDS];
        size_t came, n = 0, all;
        char word;

        came = receive_some(base, &word, batch);
        if (word != SANDBOX_GO)
                _exit(255);
        /* read the plan only now: it was written before GO */
        all = base->plan->first_target + base->plan->n_targets + base->plan->n_sources;
        for (;;) {
                if (n + came > all || all > SANDBOX_FDS_MAX)
                        return false;
                memcpy(fds + n, batch, came * sizeof(int));
                n += came;
                if (n == all)
                        return true;
                if (came < SANDBOX_MESSAGE_FDS)
                        return false;
                came = receive_some(base, &word, batch);
        }
}

bool steps_receive_go(const SandboxBase *base, int fds[SANDBOX_FDS_MAX])
{
        const SandboxPlan *plan = base->plan;

        if (!receive_all(base, fds))
                return false;
        for (size_t i = 0; i < plan->first_target + plan->n_targets + plan->n_sources; i++) {
                bool is_envelope =
                        i >= plan->first_target && plan->envelopes >> (i - plan->first_target) & 1;
                int low = is_envelope ? open_envelope(fds[i]) : fds[i];
                fds[i] = fcntl(low, F_DUPFD_CLOEXEC, SANDBOX_FD_BASE);
                root_close(low);
                if (fds[i] < 0)
                        return false;
        }
        return true;
}
