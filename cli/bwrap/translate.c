#include "cli/bwrap/translate.h"

#include <string.h>

#include "cli/bwrap/content.h"
#include "service/spec/limits.h"
#include "service/util/capability.h"

static void set_tree(const BwrapLine *line, const BwrapCaller *caller, const Tree *tree,
                     SpawnRequest *request)
{
        bool is_on_host = bwrap_line_has_host_network(line);
        const char *name = line->texts[TEXT_HOSTNAME];

        spawn_request_set(request, SPAWN_EmptyRoot, "yes");
        spawn_request_set(request, SPAWN_ReadOnlyRoot, tree->root_is_read_only ? "yes" : "no");
        spawn_request_set(request, SPAWN_UserNamespace, "keep-id");
        spawn_request_set(request, SPAWN_Network, is_on_host ? "host" : "private");
        spawn_request_set(request, SPAWN_Hostname, name ? name : caller->hostname);
        tree_request(tree, request);
}

/* As bubblewrap: where we are, else the home, else the root. */
static void set_directory(BwrapLine *line, const BwrapCaller *caller, const Tree *tree,
                          SpawnRequest *request)
{
        const char *home = g_environ_getenv(line->environment, "HOME");
        g_autofree char *directory = g_strdup(line->texts[TEXT_CHDIR]);

        if (!directory && caller->directory && tree_has_directory(tree, caller->directory))
                directory = g_strdup(caller->directory);
        else if (!directory && home && *home == '/' && tree_has_directory(tree, home))
                directory = g_strdup(home);
        else if (!directory)
                directory = g_strdup("/");
        g_autofree char *absolute =
                *directory == '/' ? g_strdup(directory) : g_strconcat("/", directory, NULL);
        spawn_request_set(request, SPAWN_WorkingDirectory, absolute);
        line->environment = g_environ_setenv(line->environment, "PWD", directory, TRUE);
}

/* All of it, and none of what the service would add. */
static void set_environment(const BwrapLine *line, SpawnRequest *request)
{
        static const char *const added[] = {"HOME", "PATH", "PS1", "TERM"};

        spawn_request_set_empty(request, SPAWN_Environment);
        for (char **variable = line->environment; *variable; variable++)
                spawn_request_set_variable(request, *variable);
        for (unsigned i = 0; i < G_N_ELEMENTS(added); i++)
                if (!g_environ_getenv(line->environment, added[i]))
                        spawn_request_add(request, SPAWN_Environment, added[i]);
}

/* Root keeps what it has by default, everybody else has nothing, unless it is asked for. In the
 * default set, what root inside may have, is no more than that; the rest is told to polkit. */
static void set_capabilities(const BwrapLine *line, uid_t uid, uid_t caller, SpawnRequest *request)
{
        if (caller == 0 && !line->has_capabilities)
                return;
        spawn_request_set_empty(request, SPAWN_CapabilityBoundingSet);
        for (unsigned i = 0; capability_name(i); i++) {
                uint64_t bit = UINT64_C(1) << i;
                if (!(line->capabilities & bit))
                        continue;
                spawn_request_add(request, SPAWN_CapabilityBoundingSet, capability_name(i));
                if (uid != 0 || !(CAPABILITIES_DEFAULT & bit))
                        spawn_request_add(request, SPAWN_Capabilities, capability_name(i));
        }
}

static void set_user(const BwrapLine *line, const BwrapCaller *caller, SpawnRequest *request)
{
        int64_t uid = line->numbers[NUMBER_UID], gid = line->numbers[NUMBER_GID];
        uint64_t user = uid < 0 ? caller->uid : (uint64_t) uid;
        uint64_t group = gid < 0 ? caller->gid : (uint64_t) gid;
        char mask[16];

        g_snprintf(mask, sizeof mask, "%u", (unsigned) caller->umask);
        spawn_request_set_pair(request, SPAWN_User, user, group);
        spawn_request_set(request, SPAWN_UMask, mask);
        set_capabilities(line, (uid_t) user, caller->uid, request);
}

static char *add_filter(SpawnRequest *request, int fd)
{
        g_autoptr(GBytes) program = NULL;
        char *wrong = content_read(fd, FILTERS_LENGTH_MAX * 8, &program);

        if (!wrong)
                spawn_request_add_bytes(request, SPAWN_SeccompFilters, program);
        return wrong;
}

static char *set_filters(const BwrapLine *line, SpawnRequest *request)
{
        char *wrong = NULL;

        if (line->fds[FD_FILTER] >= 0)
                wrong = add_filter(request, line->fds[FD_FILTER]);
        for (unsigned i = 0; !wrong && i < line->filters->len; i++)
                wrong = add_filter(request, g_array_index(line->filters, int, i));
        return wrong;
}

/* A line that asks for no more than its caller has needs no password: see the action sandbox. */
static bool is_modest(const BwrapLine *line, const BwrapCaller *caller)
{
        return caller->uid != 0 && !line->has_capabilities && !bwrap_line_has_host_network(line);
}

char *bwrap_translate(BwrapLine *line, const BwrapCaller *caller, Tree *tree, SpawnRequest *request)
{
        char *wrong = NULL;

        for (unsigned i = 0; !wrong && i < line->steps->len; i++)
                wrong = tree_add(tree, &g_array_index(line->steps, BwrapStep, i));
        if (wrong || (wrong = set_filters(line, request)))
                return wrong;
        set_tree(line, caller, tree, request);
        set_directory(line, caller, tree, request);
        set_environment(line, request);
        set_user(line, caller, request);
        spawn_request_set(request, SPAWN_Init, line->flags[FLAG_AS_PID_1] ? "no" : "yes");
        spawn_request_set(request, SPAWN_Remove, "yes");
        if (is_modest(line, caller))
                spawn_request_set(request, SPAWN_Seccomp, "strict");
        if (is_modest(line, caller) || line->flags[FLAG_DIE_WITH_PARENT])
                spawn_request_set(request, SPAWN_WatchBus, "yes");
        if (caller->has_terminal && !line->flags[FLAG_NEW_SESSION])
                spawn_request_set(request, SPAWN_Terminal, "yes");
        return NULL;
}
