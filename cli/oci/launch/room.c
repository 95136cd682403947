#include "cli/oci/launch/room.h"

#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "cli/oci/seccomp.h"
#include "service/spec/error.h"
#include "service/util/fd.h"

#define CGROUP_TOP "/sys/fs/cgroup"
#define FDS_MAX    200

void room_init(Room *room)
{
        *room = (Room){.hierarchies = g_array_new(FALSE, TRUE, sizeof(EngineHierarchy))};
        room->entries[0] = -1;
}

static void clear_hierarchies(GArray *hierarchies)
{
        for (unsigned i = 0; i < hierarchies->len; i++)
                g_free((char *) g_array_index(hierarchies, EngineHierarchy, i).name);
        g_array_unref(hierarchies);
}

void room_clear(Room *room)
{
        for (unsigned i = 0; room->entries[i] >= 0; i++)
                fd_close(room->entries[i]);
        g_clear_pointer(&room->hierarchies, clear_hierarchies);
        g_clear_pointer(&room->directories, g_strfreev);
        g_clear_pointer(&room->cgroup, path_cgroup_free);
        g_clear_pointer(&room->filter, seccomp_program_free);
}

/* The mount of a hierarchy is called like its controllers, but for v2 alone, which has no name. */
static void list_hierarchies(Room *room)
{
        struct statfs status;
        bool is_unified = statfs(CGROUP_TOP, &status) == 0 && status.f_type == CGROUP2_SUPER_MAGIC;

        for (size_t i = 0; room->directories && room->directories[i]; i++) {
                const char *directory = room->directories[i];
                const char *below = directory + strlen(CGROUP_TOP "/");

                if (!g_str_has_prefix(directory, CGROUP_TOP "/"))
                        continue;
                EngineHierarchy hierarchy = {
                        .name = is_unified ? g_strdup("") : g_strndup(below, strcspn(below, "/")),
                        .directory = directory,
                };
                g_array_append_val(room->hierarchies, hierarchy);
        }
}

bool room_furnish(Room *room, PathCgroup *cgroup, const OciSpec *spec, GError **error)
{
        room->cgroup = cgroup;
        if (cgroup) {
                room->directories = path_cgroup_directories(cgroup);
                list_hierarchies(room);
                if (!path_cgroup_open_entries(cgroup, room->entries, error))
                        return false;
        }
        return !spec->seccomp ||
               oci_seccomp_compile(spec->seccomp, &room->filter, &room->filter_flags, error);
}

/* Descriptors that are meant for the process, and not only inherited by chance. */
static unsigned count_listen_fds(void)
{
        const char *pid = g_getenv("LISTEN_PID"), *fds = g_getenv("LISTEN_FDS");
        guint64 number;

        if (!pid || !fds || !g_ascii_string_to_unsigned(pid, 10, 0, INT32_MAX, &number, NULL) ||
            (pid_t) number != getpid() ||
            !g_ascii_string_to_unsigned(fds, 10, 0, FDS_MAX, &number, NULL))
                return 0;
        return (unsigned) number;
}

bool room_fill_input(const Room *room, const OciCall *call, EngineInput *input, GError **error)
{
        const OciOptions *options = call->options;
        guint64 preserved = 0;

        if (options->preserve_fds &&
            !g_ascii_string_to_unsigned(options->preserve_fds, 10, 0, FDS_MAX, &preserved, NULL))
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "--preserve-fds: not a number up to %d", FDS_MAX);
        input->preserved_fds = (unsigned) preserved;
        input->listen_fds = count_listen_fds();
        input->console_socket = options->console_socket;
        input->no_pivot = options->no_pivot;
        input->no_new_keyring = options->no_new_keyring;
        input->birth_cgroup = room->cgroup ? path_cgroup_birth_fd(room->cgroup) : -1;
        input->cgroup_entries = room->entries;
        input->hierarchies = (const EngineHierarchy *) (void *) room->hierarchies->data;
        input->n_hierarchies = room->hierarchies->len;
        input->filter = room->filter ? &room->filter->program : NULL;
        input->filter_flags = room->filter_flags;
        return true;
}

bool room_check_console(const OciProcess *process, const OciCall *call, bool has_relay,
                        GError **error)
{
        bool has_socket = call->options->console_socket;

        if (process->terminal && !has_socket && !has_relay)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "process.terminal: needs --console-socket");
        if (!process->terminal && has_socket)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "--console-socket: needs process.terminal");
        return true;
}

static bool send_pidfd(const char *path, int pidfd, GError **error)
{
        autofd int connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_un address = {.sun_family = AF_UNIX};

        if (strlen(path) >= sizeof address.sun_path)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "--pidfd-socket: the path is too long");
        memcpy(address.sun_path, path, strlen(path));
        if (connection < 0 ||
            connect(connection, (const struct sockaddr *) &address, sizeof address) < 0 ||
            !fd_send_all(connection, "p", 1, &pidfd, 1))
                return error_set_errno(error, RUNTIME_ERROR_FAILED, errno,
                                       "cannot send to --pidfd-socket %s", path);
        return true;
}

/* Whole or not at all, since somebody waits for the file's name. */
static bool write_pid_file(const char *path, pid_t pid, GError **error)
{
        g_autofree char *temporary = g_strdup_printf("%s.tmp", path);
        g_autofree char *text = g_strdup_printf("%d", (int) pid);
        g_autoptr(GError) problem = NULL;

        if (!g_file_set_contents_full(temporary, text, -1, G_FILE_SET_CONTENTS_NONE, 0644,
                                      &problem))
                return error_set(error, RUNTIME_ERROR_FAILED, "cannot write --pid-file: %s",
                                 problem->message);
        if (rename(temporary, path) < 0)
                return error_set_errno(error, RUNTIME_ERROR_FAILED, errno,
                                       "cannot write --pid-file %s", path);
        return true;
}

bool room_tell_process(const OciCall *call, pid_t pid, int pidfd, GError **error)
{
        const OciOptions *options = call->options;

        if (options->pidfd_socket && !send_pidfd(options->pidfd_socket, pidfd, error))
                return false;
        return !options->pid_file || write_pid_file(options->pid_file, pid, error);
}
