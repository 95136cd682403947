#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli/oci/engine/build.h"
#include "service/spec/error.h"
#include "service/util/fd.h"

#define PATH_DEFAULT "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define PASSWD_MAX   (1024u * 1024u)

/* -- what the environment and PATH come to -- */

/* To open a device may do something on the host, so the file is looked at before. */
static int open_regular(int place, off_t size_max)
{
        char path[32];
        struct stat status;

        if (place < 0 || fstat(place, &status) < 0 || !S_ISREG(status.st_mode) ||
            status.st_size > size_max)
                return -1;
        g_snprintf(path, sizeof path, "/proc/self/fd/%d", place);
        return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

/* The container's own file, so a hostile one: no link of it leads out, it is a file and not large.
 */
static char *read_passwd(int root)
{
        struct open_how how = {.flags = O_PATH | O_CLOEXEC,
                               .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
        autofd int place = (int) syscall(SYS_openat2, root, "etc/passwd", &how, sizeof how);
        autofd int file = open_regular(place, PASSWD_MAX);

        if (file < 0)
                return NULL;
        g_autofree char *text = g_malloc(PASSWD_MAX + 1);
        ssize_t length = read(file, text, PASSWD_MAX);
        if (length < 0)
                return NULL;
        text[length] = '\0';
        return g_steal_pointer(&text);
}

static char *find_home(int root, uint32_t uid)
{
        g_autofree char *text = read_passwd(root), *number = g_strdup_printf("%u", uid);
        g_auto(GStrv) lines = g_strsplit(text ? text : "", "\n", -1);

        for (char **line = lines; *line; line++) {
                g_auto(GStrv) fields = g_strsplit(*line, ":", 7);
                if (g_strv_length(fields) == 7 && strcmp(fields[2], number) == 0 &&
                    fields[5][0] == '/')
                        return g_strdup(fields[5]);
        }
        return g_strdup(uid == 0 ? "/root" : "/");
}

static const char *find_variable(char **environment, const char *name)
{
        const char *found = NULL;

        for (char **variable = environment; *variable; variable++)
                if (g_str_has_prefix(*variable, name) && (*variable)[strlen(name)] == '=')
                        found = *variable + strlen(name) + 1;
        return found;
}

static void write_environment(Build *build, int root)
{
        const OciProcess *process = build->input->process;
        GPtrArray *list = g_ptr_array_new();
        unsigned listens = build->input->listen_fds;

        for (char **variable = process->env; *variable; variable++)
                g_ptr_array_add(list, *variable);
        if (!find_variable(process->env, "HOME")) {
                g_autofree char *home = find_home(root, process->uid);
                g_ptr_array_add(list, build_own(build, g_strconcat("HOME=", home, NULL)));
        }
        if (listens > 0) {
                g_ptr_array_add(list, build_own(build, g_strdup_printf("LISTEN_FDS=%u", listens)));
                g_ptr_array_add(list, (char *) "LISTEN_PID=1");
        }
        g_ptr_array_add(list, NULL);
        build->plan.process.environment = build_own(build, g_ptr_array_free(list, FALSE));
}

static void write_candidates(Build *build)
{
        const OciProcess *process = build->input->process;
        const char *command = process->args[0], *path = find_variable(process->env, "PATH");
        GPtrArray *list = g_ptr_array_new();

        if (strchr(command, '/')) {
                g_ptr_array_add(list, (char *) command);
        } else if (*command) {
                g_auto(GStrv) directories = g_strsplit(path ? path : PATH_DEFAULT, ":", -1);
                for (char **directory = directories; *directory; directory++)
                        g_ptr_array_add(list,
                                        build_own(build, g_strconcat(**directory ? *directory : ".",
                                                                     "/", command, NULL)));
        }
        g_ptr_array_add(list, NULL);
        build->plan.process.exec_paths = build_own(build, g_ptr_array_free(list, FALSE));
}

/* -- the rest -- */

static void write_limits(Build *build)
{
        const OciProcess *process = build->input->process;
        SandboxLimit *list = build_own(build, g_new0(SandboxLimit, process->n_rlimits + 1));

        for (size_t i = 0; i < process->n_rlimits; i++)
                list[i] = (SandboxLimit){process->rlimits[i].resource, process->rlimits[i].soft,
                                         process->rlimits[i].hard};
        build->plan.process.limits = list;
        build->plan.process.n_limits = process->n_rlimits;
}

static int last_capability(void)
{
        char text[16];

        return fd_read_file_at(AT_FDCWD, "/proc/sys/kernel/cap_last_cap", text, sizeof text) < 0
                       ? 40
                       : (int) g_ascii_strtoull(text, NULL, 10);
}

static bool check_terminal(const Build *build, GError **error)
{
        const EngineInput *input = build->input;

        return input->process->terminal || !input->console_socket ||
               error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                         "--console-socket is given, but process.terminal is not true");
}

/* What comes from outside has no close-on-exec; what is ours has. */
static bool check_kept(const Build *build, GError **error)
{
        unsigned n = build->plan.kept_fds;

        for (unsigned fd = 0; fd < n; fd++) {
                int flags = fcntl((int) fd, F_GETFD);
                if (flags < 0 || flags & FD_CLOEXEC)
                        return error_set(
                                error, RUNTIME_ERROR_INVALID_ARGS,
                                "file descriptor %u, which the process is to have, is not open",
                                fd);
        }
        return true;
}

bool build_process(Build *build, int root, GError **error)
{
        const EngineInput *input = build->input;
        const OciProcess *process = input->process;
        OciPlan *plan = &build->plan;

        plan->process.argv = process->args;
        plan->process.working_directory = process->cwd;
        plan->process.no_new_privileges = process->no_new_privileges;
        plan->process.last_capability = last_capability();
        plan->process.attributes =
                (ProcessAttributes){.terminal = process->terminal, .uid = process->uid};
        plan->umask = process->umask.is_given ? (uint32_t) process->umask.value : 022;
        if (input->filter)
                plan->process.seccomp = *input->filter;
        plan->filter_flags = input->filter_flags;
        plan->capabilities =
                (OciCapabilitySets){process->capabilities.bounding, process->capabilities.effective,
                                    process->capabilities.inheritable,
                                    process->capabilities.permitted, process->capabilities.ambient};
        plan->uid = process->uid;
        plan->gid = process->gid;
        plan->groups = process->groups;
        plan->n_groups = process->n_groups;
        plan->rows = process->rows;
        plan->columns = process->columns;
        plan->keeps_keyring = input->no_new_keyring;
        if (process->apparmor_profile && *process->apparmor_profile)
                plan->apparmor =
                        build_own(build, g_strconcat("exec ", process->apparmor_profile, NULL));
        plan->kept_fds = 3 + input->listen_fds + input->preserved_fds;
        write_environment(build, root);
        write_candidates(build);
        write_limits(build);
        return check_terminal(build, error) && check_kept(build, error);
}
