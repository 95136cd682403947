#include "cli/naivec/run-command.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "cli/lib/values.h"
#include "cli/naivec/host-usr.h"
#include "service/spec/limits.h"
#include "service/util/fd.h"

enum {
        FLAG_FD = FLAG_OF_VERB,
        FLAG_TMPFS,
        FLAG_ULIMIT,
        FLAG_CAP_DROP,
        FLAG_ENV_FILE,
        FLAG_MOUNT,
        FLAG_DETACH_KEYS,
        FLAG_HOST_USR,
};

/* The flags that `create` does not have come first, those that `exec` does not have last. */
static const Flag run_flags[] = {
        {"detach", NULL, "run in the background; output goes to the log; print the id", 'd'},
        {"interactive", NULL, "does nothing: input always reaches the command", 'i'},
        {"detach-keys", "KEYS",
         "the keys that leave a terminal, '' for none (default: " DETACH_KEYS_DEFAULT ")",
         FLAG_DETACH_KEYS},
        {"env-file", "FILE", "set the environment variables of a file; may be repeated",
         FLAG_ENV_FILE},
        {"fd", "N", "pass file descriptor N as well; may be repeated", FLAG_FD},
        {"tmpfs", "DST[:OPTIONS]",
         "mount an empty directory in memory; options size=, mode=, ro, noexec; may be repeated",
         FLAG_TMPFS},
        {"mount", "type=TYPE,…",
         "bind a file or directory, or mount a tmpfs, in podman's long form; may be repeated",
         FLAG_MOUNT},
        {"ulimit", "NAME=SOFT[:HARD]",
         "a limit of the command: core, fsize, memlock, nofile, nproc or stack; -1 for none",
         FLAG_ULIMIT},
        {"cap-drop", "CAP", "take a capability from the default set, or 'all'; may be repeated",
         FLAG_CAP_DROP},
        {"host-usr", NULL, "no ROOTFS: a sandbox of this machine's own programs", FLAG_HOST_USR},
        {0},
};

const Flag *run_command_flags(Flag storage[SPAWN_FLAGS_SIZE])
{
        return spawn_flags(storage, run_flags);
}

const Flag *run_command_create_flags(Flag storage[SPAWN_FLAGS_SIZE])
{
        const Flag *flags = run_flags;

        while (flags->id != FLAG_ENV_FILE)
                flags++;
        return spawn_flags(storage, flags);
}

const Flag *run_command_exec_flags(Flag storage[SPAWN_FLAGS_SIZE])
{
        Flag flags[G_N_ELEMENTS(run_flags)] = {0};

        for (unsigned i = 0; i == 0 || run_flags[i - 1].id != FLAG_FD; i++)
                flags[i] = run_flags[i];
        return spawn_flags_of_exec(storage, flags);
}

void run_command_clear(RunCommand *command)
{
        spawn_request_clear(&command->request);
        g_clear_pointer(&command->file_variables, g_ptr_array_unref);
        g_free(command->rootfs);
}

static bool take_fd(RunCommand *command, Invocation *invocation, const char *value)
{
        uint64_t number;

        if (!value_parse_number(value, 3, SPAWN_FD_NUMBER_MAX, &number)) {
                invocation_usage(invocation, "--fd=%s: it takes a number from 3 to %u", value,
                                 SPAWN_FD_NUMBER_MAX);
                return false;
        }
        if (fcntl((int) number, F_GETFD) < 0) {
                invocation_usage(invocation, "--fd=%s: no such file descriptor is open", value);
                return false;
        }
        spawn_request_add_fd(&command->request, (int) number, (int) number);
        return true;
}

static bool take_flag(RunCommand *command, Invocation *invocation, int id, const char *value)
{
        g_autofree char *wrong = NULL;

        switch (id) {
        case 'd':
                command->is_detached = true;
                return true;
        case 'i':
                return true;
        case FLAG_FD:
                return take_fd(command, invocation, value);
        case FLAG_DETACH_KEYS:
                wrong = more_flags_take_detach_keys(&command->detach_keys, value);
                break;
        case FLAG_TMPFS:
                wrong = spawn_flags_take_tmpfs(&command->request, value);
                break;
        case FLAG_ENV_FILE:
                wrong = more_flags_take_env_file(command->file_variables, value);
                break;
        case FLAG_MOUNT:
                wrong = more_flags_take_mount(&command->request, value);
                break;
        case FLAG_ULIMIT:
                wrong = more_flags_take_ulimit(&command->request, value);
                break;
        case FLAG_HOST_USR:
                command->is_host_usr = true;
                return true;
        case FLAG_CAP_DROP:
                wrong = more_flags_take_cap_drop(&command->cap_drop, value);
                break;
        default:
                wrong = spawn_flags_take(&command->request, id, value);
        }
        if (wrong)
                invocation_usage(invocation, "%s", wrong);
        return !wrong;
}

static void pass_term(RunCommand *command)
{
        const char *term = g_getenv("TERM");

        if (term && *term && run_command_has_terminal(command))
                spawn_request_default_variable(&command->request, "TERM", term);
}

/* A "--" directly behind ROOTFS or CONTAINER says that the command follows, and is left out. */
static void take_command(RunCommand *command, const char *const *arguments)
{
        command->argv = arguments + (g_strcmp0(arguments[0], "--") == 0);
}

/* Without ROOTFS, all arguments are the command. */
static bool take_host_usr(RunCommand *command, Invocation *invocation)
{
        bool is_remote = invocation->settings.client.host || invocation->settings.client.machine;
        g_autofree char *wrong = is_remote ? g_strdup("--host-usr is for this machine")
                                           : host_usr_add(&command->request);

        command->rootfs = g_strdup("");
        take_command(command, (const char *const *) invocation->arguments);
        if (!wrong && !command->argv[0])
                wrong = g_strdup("--host-usr needs a command");
        if (wrong)
                invocation_usage(invocation, "%s", wrong);
        pass_term(command);
        return !wrong;
}

static bool take_arguments(RunCommand *command, Invocation *invocation)
{
        static const char *const shell[] = {"/bin/sh", NULL};
        const ClientOptions *options = &invocation->settings.client;
        const char *const *arguments = (const char *const *) invocation->arguments;

        if ((options->host || options->machine) && *arguments[0] != '/') {
                invocation_usage(invocation, "ROOTFS must be absolute on another machine");
                return false;
        }
        command->rootfs = value_absolute_path(arguments[0]);
        if (!command->rootfs)
                invocation_usage(invocation, "ROOTFS '%s': %s", arguments[0], g_strerror(errno));
        take_command(command, arguments + 1);
        if (!command->argv[0])
                command->argv = shell;
        pass_term(command);
        return command->rootfs;
}

static bool take_flags(RunCommand *command, Invocation *invocation)
{
        const char *value = NULL;
        int id;

        *command = (RunCommand){0};
        detach_keys_parse(&command->detach_keys, DETACH_KEYS_DEFAULT);
        spawn_request_init(&command->request);
        command->is_auto = !invocation->settings.client.is_embedded || geteuid() == 0;
        command->file_variables = g_ptr_array_new_with_free_func(g_free);
        while ((id = invocation_next(invocation, &value)) != FLAG_END)
                if (id == FLAG_STOP || !take_flag(command, invocation, id, value))
                        return false;
        more_flags_settle_env_files(command->file_variables, &command->request);
        g_autofree char *wrong = more_flags_settle_cap_drop(&command->cap_drop, &command->request);
        if (wrong)
                invocation_usage(invocation, "%s", wrong);
        return !wrong;
}

bool run_command_parse(RunCommand *command, Invocation *invocation)
{
        return take_flags(command, invocation) &&
               (command->is_host_usr ? take_host_usr(command, invocation)
                                     : take_arguments(command, invocation));
}

bool run_command_parse_exec(RunCommand *command, Invocation *invocation)
{
        if (!take_flags(command, invocation))
                return false;
        command->container = invocation->arguments[0];
        take_command(command, (const char *const *) invocation->arguments + 1);
        pass_term(command);
        if (!command->argv[0])
                invocation_usage(invocation, "'exec' needs a command");
        return command->argv[0];
}

/* Not in a container that is there already: whose ids it has is not known here. */
static bool has_private_ids(const RunCommand *command)
{
        const GPtrArray *mode = command->request.values[SPAWN_UserNamespace];

        if (command->container)
                return false;
        return mode ? g_str_equal(mode->pdata[mode->len - 1], "auto") : command->is_auto;
}

void run_command_attach(RunCommand *command)
{
        SpawnRequest *request = &command->request;

        if (!spawn_request_has(request, SPAWN_Terminal) && isatty(STDIN_FILENO) &&
            isatty(STDOUT_FILENO))
                spawn_request_set(request, SPAWN_Terminal, "yes");
        if (!command->container && !spawn_request_has(request, SPAWN_Remove))
                spawn_request_set(request, SPAWN_Remove, "yes");
        spawn_request_set(request, SPAWN_WatchBus, "yes");
        for (int fd = 0; !run_command_has_terminal(command) && fd <= 2; fd++)
                spawn_request_add_fd(
                        request,
                        standard_stream_open_up(&command->streams, fd, has_private_ids(command)),
                        fd);
        pass_term(command);
}

bool run_command_has_terminal(const RunCommand *command)
{
        return spawn_request_is_true(&command->request, SPAWN_Terminal);
}

TerminalOptions run_command_terminal_options(const RunCommand *command)
{
        return (TerminalOptions){
                .is_watched = true, .sends_eof = true, .detach_keys = command->detach_keys};
}

bool run_command_check_fds(const RunCommand *command, Invocation *invocation)
{
        const unsigned n = spawn_request_count_fds(&command->request);

        if (n <= SPAWN_FDS_MAX)
                return true;
        invocation_usage(invocation,
                         "%u file descriptors, stdin, stdout and stderr among them: a bus message "
                         "carries %u, and the bus cuts off who sends more",
                         n, SPAWN_FDS_MAX);
        return false;
}
