#include "service/sandbox/child/oci/process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "service/sandbox/child/oci/place.h"
#include "service/sandbox/child/root.h"

/* A pipe, so that /dev/stdout can be opened by its name. A terminal that is not the container's own
 * is somebody else's, and stays that. */
void oci_process_own_stdio(const OciPlan *plan)
{
        struct stat status;

        for (int fd = 0; fd < 3; fd++)
                if (fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode) &&
                    status.st_uid != plan->uid)
                        syscall(SYS_fchown, fd, plan->uid, -1);
}

bool oci_process_go_to_work(const OciPlan *plan)
{
        const char *path = plan->process.working_directory;
        int root = (int) syscall(SYS_openat, AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        int work = place_open(root, path, PLACE_DIRECTORY, false);
        bool done = work >= 0 && fchdir(work) == 0;

        if (work >= 0)
                root_close(work);
        if (root >= 0)
                root_close(root);
        return done;
}

static bool set_capabilities(const OciCapabilitySets *sets)
{
        struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
        const struct __user_cap_data_struct data[2] = {
                {(uint32_t) sets->effective, (uint32_t) sets->permitted,
                 (uint32_t) sets->inheritable},
                {(uint32_t) (sets->effective >> 32), (uint32_t) (sets->permitted >> 32),
                 (uint32_t) (sets->inheritable >> 32)},
        };

        return syscall(SYS_capset, &header, data) == 0;
}

static bool read_permitted(uint64_t *ret)
{
        struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct data[2];

        if (syscall(SYS_capget, &header, data) < 0)
                return false;
        *ret = data[0].permitted | (uint64_t) data[1].permitted << 32;
        return true;
}

bool oci_process_become_user(const OciPlan *plan)
{
        uint64_t permitted;

        return prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0 &&
               (syscall(SYS_setgroups, plan->n_groups, plan->groups) == 0 ||
                (plan->n_groups == 0 && errno == EPERM)) &&
               syscall(SYS_setresgid, plan->gid, plan->gid, plan->gid) == 0 &&
               syscall(SYS_setresuid, plan->uid, plan->uid, plan->uid) == 0 &&
               prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) == 0 && read_permitted(&permitted) &&
               set_capabilities(&(OciCapabilitySets){.permitted = permitted,
                                                     .effective = permitted &
                                                                  plan->capabilities.effective}) &&
               /* a change of ids may undo it, and this is still the runtime's memory */
               prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
}

static bool is_executable(const char *path)
{
        struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_MAGICLINKS};
        int fd = (int) syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
        struct stat status;
        bool done;

        if (fd < 0)
                return false;
        done = fstat(fd, &status) == 0 &&
               syscall(SYS_faccessat2, fd, "", X_OK, AT_EMPTY_PATH | AT_EACCESS) == 0;
        if (done && !S_ISREG(status.st_mode)) {
                errno = S_ISDIR(status.st_mode) ? EISDIR : EACCES;
                done = false;
        }
        root_close(fd);
        return done;
}

bool oci_process_can_execute(const OciPlan *plan)
{
        int error = ENOENT;

        for (char **path = plan->process.exec_paths; *path; path++) {
                if (is_executable(*path))
                        return true;
                if (errno != ENOENT && errno != ENOTDIR &&
                    (errno != EISDIR || !plan->process.exec_paths[1]))
                        error = errno;
        }
        errno = error;
        return false;
}

/* By the container's own proc or the host's, which no tree has a say in (CVE-2025-52881). */
bool oci_process_confine(const OciPlan *plan, int proc)
{
        struct open_how how = {.flags = O_WRONLY | O_CLOEXEC,
                               .resolve = RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS};
        size_t length = plan->apparmor ? strlen(plan->apparmor) : 0;
        int fd;
        bool done;

        if (plan->personality != UINT64_MAX && syscall(SYS_personality, plan->personality) < 0)
                return false;
        if (!plan->apparmor)
                return true;
        fd = (int) syscall(SYS_openat2, proc, "thread-self/attr/apparmor/exec", &how, sizeof how);
        if (fd < 0)
                return false;
        done = write(fd, plan->apparmor, length) == (ssize_t) length;
        root_close(fd);
        return done;
}

static bool load_filter(const OciPlan *plan)
{
        return !plan->process.seccomp.filter ||
               syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, plan->filter_flags,
                       &plan->process.seccomp) == 0;
}

/* What this process does not have it cannot pass on: a caller may be confined itself. */
static bool raise_ambient(const OciPlan *plan, uint64_t permitted)
{
        const OciCapabilitySets *sets = &plan->capabilities;
        const uint64_t ambient = sets->ambient & sets->permitted & sets->inheritable & permitted;

        if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
                return false;
        for (int i = 0; i < 64 && ambient >> i; i++)
                if (ambient >> i & 1 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0) < 0)
                        return false;
        return true;
}

bool oci_process_drop_all(const OciPlan *plan)
{
        const SandboxPlan *process = &plan->process;
        uint64_t permitted;

        /* the bounding set, and a filter without no_new_privs, take capabilities */
        if (!read_permitted(&permitted) ||
            !set_capabilities(&(OciCapabilitySets){.permitted = permitted, .effective = permitted}))
                return false;
        for (int i = 0; i <= process->last_capability; i++)
                if (!(plan->capabilities.bounding >> i & 1) &&
                    prctl(PR_CAPBSET_DROP, i, 0, 0, 0) < 0)
                        return false;
        if (!process->no_new_privileges && !load_filter(plan))
                return false;
        const OciCapabilitySets sets = {
                .effective =
                        plan->capabilities.effective & plan->capabilities.permitted & permitted,
                .permitted = plan->capabilities.permitted & permitted,
                .inheritable = plan->capabilities.inheritable & permitted,
        };
        if (!set_capabilities(&sets) || !raise_ambient(plan, permitted) ||
            prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
                return false;
        if (!process->no_new_privileges)
                return true;
        return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && load_filter(plan);
}
