#include "service/sandbox/maker.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/cgroup/copy.h"
#include "service/sandbox/memory.h"
#include "service/spec/error.h"
#include "service/util/fd.h"
#include "service/util/proc.h"
#include "service/util/watch.h"

#define MAKER_STUCK_USEC (5 * G_USEC_PER_SEC)
#define MAKER_COMM       "naive-runc-make" /* as many bytes as a name can have */

/* The service sends a MakerRequest; the maker answers each with a MakerAnswer, in the same
 * order. */
typedef struct MakerRequest {
        uint64_t serial;
        uid_t uid;
        gid_t gid;
        uint32_t id_base;
        bool wants_mount_namespace;
} MakerRequest;

enum {
        PART_PIDFD,
        PART_SYNC,
        PART_MOUNT_NAMESPACE,
        PART_PLAN,
        PART_IDS, /* the user namespace of id-mapped mounts */
        PART_CGROUP,
        PARTS = PART_CGROUP + CGROUP_FDS,
};

typedef struct MakerAnswer {
        pid_t pid; /* 0: it could not be made, and nothing was */
        /* Which parts come with it, as bits; their fds come in the order of the parts. */
        uint32_t present;
        uint64_t their_plan;
} MakerAnswer;

/* In memory that service and maker share. The kernel writes the pid of a new sandbox here before
 * the sandbox runs, so the service knows each of its children, wherever the maker was killed. */
typedef struct Birth {
        volatile uint64_t serial; /* changes after `pid` has become 0 */
        volatile pid_t pid;
} Birth;

typedef struct Pending {
        uint64_t serial;
        uid_t uid;
        IdMap *map;
        uint64_t ids_stamp; /* see id_map_keep_mount_namespace() */
        gint64 given;       /* time of the request */
} Pending;

struct Maker {
        MakerOptions options;
        int pidfd, socket;
        Watch *watch;
        Birth *birth;
        GQueue queue; /* Pending, the next to be answered first */
};

/* -- the maker itself -- */

static bool answer(int socket, const Sandbox *sandbox, const Cgroup *cgroup, int ids)
{
        MakerAnswer answer = {.pid = sandbox->pid, .their_plan = sandbox->their_plan};
        int parts[PARTS] = {[PART_PIDFD] = sandbox->pidfd,
                            [PART_SYNC] = sandbox->sync_fd,
                            [PART_MOUNT_NAMESPACE] = sandbox->mount_namespace,
                            [PART_PLAN] = sandbox->plan_fd,
                            [PART_IDS] = ids};
        size_t n = 0;

        cgroup_list_fds(cgroup, parts + PART_CGROUP);
        for (unsigned i = 0; i < PARTS; i++) {
                if (parts[i] < 0)
                        continue;
                answer.present |= 1u << i;
                parts[n++] = parts[i];
        }
        return fd_send_all(socket, &answer, sizeof answer, parts, n);
}

/* Once there is a process, only the service can end and reap it: after a failure the maker then
 * ends without an answer. */
static bool make(const MakerOptions *options, const MakerRequest *request, Birth *birth, int socket)
{
        g_autoptr(IdMap) map = id_map_copy(request->id_base, request->uid, request->gid);
        g_autoptr(GError) error = NULL;
        g_autoptr(Cgroup) cgroup = NULL;
        g_autoptr(Sandbox) sandbox = NULL;
        autofd int ids = -1;

        birth->pid = 0;
        birth->serial = request->serial;
        if (!cgroup_new(options->cgroups, request->uid, request->serial, NULL, &cgroup, &error) ||
            !sandbox_new(&(SandboxInput){.profile = options->profile,
                                         .map = map,
                                         .cgroup = cgroup,
                                         .owner = request->uid,
                                         .namespaces = SANDBOX_NAMESPACES,
                                         .announce = (pid_t *) &birth->pid},
                         &sandbox, &error)) {
                /* the reason is not sent: a run that makes its own sandbox will report it */
                g_debug("cannot prepare a sandbox: %s", error->message);
                if (cgroup && birth->pid == 0)
                        cgroup_remove(cgroup, NULL);
                return birth->pid == 0 &&
                       fd_send_all(socket, &(MakerAnswer){0}, sizeof(MakerAnswer), NULL, 0);
        }
        /* if this fails, the service makes the namespace itself, or reports why it cannot */
        if (request->wants_mount_namespace &&
            !id_map_open_mount_namespace(map, sandbox->pid, &ids, &error))
                g_debug("cannot prepare the ids of a mount: %s", error->message);
        if (!answer(socket, sandbox, cgroup, ids))
                return false;
        fd_clear(&sandbox->pidfd); /* from here on the service ends the process */
        return true;
}

static int compare_fds(const void *a, const void *b)
{
        return *(const int *) a - *(const int *) b;
}

static _Noreturn void work_for(pid_t service, const MakerOptions *options, Birth *birth, int socket)
{
        int keep[CGROUP_TREE_FDS_MAX + 2];
        size_t n = cgroup_tree_become_copy(options->cgroups, keep);
        MakerRequest request;
        ssize_t length;

        keep[n++] = options->profile->dev_fd;
        keep[n++] = socket;
        qsort(keep, n, sizeof keep[0], compare_fds);
        proc_detach(service, keep, n);
        prctl(PR_SET_NAME, MAKER_COMM, 0, 0, 0);
        madvise(birth, sizeof *birth, MADV_DONTFORK);
        /* Gives free memory of the heap back: otherwise this copy would keep the old pages once the
         * service uses that memory again. */
        malloc_trim(0);
        memory_hide_from_children();
        while ((length = recv(socket, &request, sizeof request, 0)) == (ssize_t) sizeof request ||
               (length < 0 && errno == EINTR))
                if (length > 0 && !make(options, &request, birth, socket))
                        break;
        _exit(EXIT_SUCCESS);
}

/* -- in the service -- */

/* Removes what is left of a request that brought no sandbox. */
static void pending_end(Maker *maker, Pending *pending, pid_t pid)
{
        if (pid > 0) { /* the number still means our child, which was not waited for */
                kill(pid, SIGKILL);
                while (waitid(P_PID, (id_t) pid, &(siginfo_t){0}, WEXITED) < 0 && errno == EINTR)
                        ;
        }
        cgroup_remove_empty(maker->options.cgroups, pending->uid, pending->serial);
        id_map_free(pending->map);
        g_free(pending);
}

/* Consumes `pending` and the parts. */
static bool complete(Maker *maker, Pending *pending, const MakerAnswer *answer, const int *parts,
                     Prepared *ret)
{
        const Sandbox made = {.pid = answer->pid,
                              .pidfd = parts[PART_PIDFD],
                              .sync_fd = parts[PART_SYNC],
                              .mount_namespace = parts[PART_MOUNT_NAMESPACE],
                              .plan_fd = parts[PART_PLAN],
                              .their_plan = (uintptr_t) answer->their_plan};
        g_autoptr(GError) error = NULL;

        *ret = (Prepared){
                .serial = pending->serial,
                .map = pending->map,
                .cgroup = cgroup_adopt(maker->options.cgroups, pending->uid, pending->serial,
                                       parts + PART_CGROUP),
        };
        if (parts[PART_IDS] >= 0)
                id_map_keep_mount_namespace(ret->map, parts[PART_IDS], pending->ids_stamp);
        g_free(pending);
        if (sandbox_adopt(&made, &ret->sandbox, &error))
                return true;
        g_debug("cannot use a prepared sandbox: %s", error->message);
        prepared_clear(ret);
        return false;
}

typedef enum Took { TOOK_NOTHING, TOOK_FAILURE, TOOK_ONE, TOOK_END } Took;

static Took take(Maker *maker, Prepared *ret, uid_t *ret_uid)
{
        MakerAnswer answer = {0};
        int fds[PARTS], parts[PARTS];
        size_t n = PARTS, next = 0;
        ssize_t length = fd_receive_all(maker->socket, &answer, sizeof answer, fds, &n);

        /* ECONNRESET: the maker ended without reading a request. The kernel says so once, before it
         * gives the answers: read again. */
        if (length == -ECONNRESET) {
                n = PARTS;
                length = fd_receive_all(maker->socket, &answer, sizeof answer, fds, &n);
        }
        if (length == -EAGAIN)
                return TOOK_NOTHING;
        if (length != (ssize_t) sizeof answer || maker->queue.length == 0)
                return TOOK_END;
        Pending *pending = g_queue_pop_head(&maker->queue);
        /* fewer fds come if the service may have no more open */
        if (answer.pid == 0 || n != (size_t) __builtin_popcount(answer.present)) {
                while (n > 0)
                        fd_close(fds[--n]);
                pending_end(maker, pending, answer.pid);
                return TOOK_FAILURE;
        }
        for (unsigned i = 0; i < PARTS; i++)
                parts[i] = answer.present & 1u << i ? fds[next++] : -1;
        *ret_uid = pending->uid;
        return complete(maker, pending, &answer, parts, ret) ? TOOK_ONE : TOOK_FAILURE;
}

static void on_answer(int fd, GIOCondition condition, void *data)
{
        Maker *maker = data;
        Prepared prepared;
        uid_t uid;

        switch (take(maker, &prepared, &uid)) {
        case TOOK_ONE:
                maker->options.made(&prepared, uid, maker->options.data);
                break;
        case TOOK_END:
                watch_clear(&maker->watch);
                maker->options.ended(maker->options.data);
                break;
        case TOOK_NOTHING:
        case TOOK_FAILURE:
                break;
        }
}

bool maker_ask(Maker *maker, uint64_t serial, uid_t uid, gid_t gid, IdMap *map, GError **error)
{
        uint64_t stamp = 0;
        const MakerRequest request = {.serial = serial,
                                      .uid = uid,
                                      .gid = gid,
                                      .id_base = id_map_base(map),
                                      .wants_mount_namespace =
                                              id_map_needs_mount_namespace(map, &stamp)};

        if (!cgroup_make_way(maker->options.cgroups, uid, serial, error)) {
                id_map_free(map);
                return false;
        }
        if (!fd_send_all(maker->socket, &request, sizeof request, NULL, 0)) {
                id_map_free(map);
                return error_set_errno(error, RUNTIME_ERROR_FAILED, errno, "cannot ask the maker");
        }
        Pending *pending = g_new(Pending, 1);
        *pending = (Pending){serial, uid, map, stamp, g_get_monotonic_time()};
        g_queue_push_tail(&maker->queue, pending);
        return true;
}

bool maker_is_stuck(const Maker *maker)
{
        const Pending *oldest = maker->queue.head ? maker->queue.head->data : NULL;

        return oldest && g_get_monotonic_time() - oldest->given > MAKER_STUCK_USEC;
}

unsigned maker_count(const Maker *maker)
{
        return maker->queue.length;
}

/* -- life -- */

static bool start(Maker *maker, GError **error)
{
        struct clone_args args = {.flags = CLONE_PIDFD,
                                  .exit_signal = SIGCHLD,
                                  .pidfd = (uint64_t) (uintptr_t) &maker->pidfd};
        pid_t service = getpid();
        int sockets[2];

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
                return error_set_errno(error, RUNTIME_ERROR_LIMITS_EXCEEDED, errno,
                                       "cannot make a socket");
        autofd int theirs = sockets[1];
        maker->socket = sockets[0];
        void *memory = mmap(NULL, sizeof(Birth), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                            -1, 0);
        if (memory == MAP_FAILED)
                return error_set_errno(error, RUNTIME_ERROR_NO_MEMORY, errno, "cannot map memory");
        maker->birth = memory;
        pid_t pid = (pid_t) syscall(SYS_clone3, &args, sizeof args);
        if (pid == 0)
                work_for(service, &maker->options, maker->birth, theirs);
        if (pid < 0)
                return error_set_errno(error, RUNTIME_ERROR_LIMITS_EXCEEDED, errno,
                                       "cannot clone the service");
        /* neither the next maker nor any child may have it */
        madvise(maker->birth, sizeof(Birth), MADV_DONTFORK);
        fcntl(maker->socket, F_SETFL, O_NONBLOCK);
        maker->watch = watch_new(maker->socket, G_IO_IN, on_answer, maker);
        return true;
}

bool maker_new(const MakerOptions *options, Maker **ret, GError **error)
{
        g_autoptr(Maker) maker = g_new0(Maker, 1);

        maker->options = *options;
        maker->pidfd = maker->socket = -1;
        g_queue_init(&maker->queue);
        if (!start(maker, error))
                return false;
        *ret = g_steal_pointer(&maker);
        return true;
}

/* Ends the maker first, then what it has made and reported, what it has made, and what it has
 * begun. */
static void end_all(Maker *maker)
{
        Prepared prepared;
        uid_t uid;
        Took took;

        syscall(SYS_pidfd_send_signal, maker->pidfd, SIGKILL, NULL, 0);
        while (waitid(P_PIDFD, (id_t) maker->pidfd, &(siginfo_t){0}, WEXITED) < 0 && errno == EINTR)
                ;
        while ((took = take(maker, &prepared, &uid)) == TOOK_ONE || took == TOOK_FAILURE)
                if (took == TOOK_ONE)
                        prepared_clear(&prepared);
        while (maker->queue.length > 0) {
                Pending *pending = g_queue_pop_head(&maker->queue);
                pending_end(maker, pending,
                            pending->serial == maker->birth->serial ? maker->birth->pid : 0);
        }
}

void maker_free(Maker *maker)
{
        if (!maker)
                return;
        watch_clear(&maker->watch);
        if (maker->pidfd >= 0)
                end_all(maker);
        fd_close(maker->pidfd);
        fd_close(maker->socket);
        if (maker->birth)
                munmap(maker->birth, sizeof(Birth));
        g_free(maker);
}
