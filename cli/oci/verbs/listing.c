/* list, ps: what there is. */

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/lib/json.h"
#include "cli/lib/table.h"
#include "cli/oci/state/container.h"
#include "cli/oci/verbs/verbs.h"
#include "service/cgroup/path/path.h"
#include "service/spec/error.h"

static const Column list_columns[] = {
        {"ID", "id"},         {"PID", "pid", true},   {"STATUS", "status"},
        {"BUNDLE", "bundle"}, {"CREATED", "created"}, {0},
};

static bool find_format(const OciCall *call, const char *usual, bool *ret_json, GError **error)
{
        const char *format = call->options->format ? call->options->format : usual;

        *ret_json = g_str_equal(format, "json");
        if (!*ret_json && !g_str_equal(format, "table"))
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "--format: neither \"json\" nor \"table\"");
        return true;
}

static void list_container(const OciCall *call, const char *id, Table *table)
{
        g_autoptr(OciContainer) container = NULL;

        /* half-made ones are none: `delete --force` takes them */
        if (!oci_container_open(call->root, id, false, &container, NULL) ||
            !container->state->created)
                return;
        if (call->options->quiet) {
                puts(id);
                return;
        }
        table_add_string(table, id);
        table_add_signed(table, container->pidfd >= 0 ? container->state->pid : 0);
        table_add_string(table, oci_status_word(container->status));
        table_add_string(table, container->state->bundle);
        table_add_string(table, container->state->created);
}

bool oci_verb_list(const OciCall *call, int *ret_status, GError **error)
{
        g_autoptr(Table) table = table_new(list_columns);
        g_auto(GStrv) ids = oci_state_list(call->root);
        bool as_json;

        if (!find_format(call, "table", &as_json, error))
                return false;
        for (size_t i = 0; ids[i]; i++)
                list_container(call, ids[i], table);
        if (call->options->quiet)
                return true;
        g_autofree char *text = table_format(table, as_json ? JSON_SHORT : JSON_OFF, true);
        fputs(text, stdout);
        return true;
}

#define PIDS_MAX 65536u

static void print_pids(const GArray *pids)
{
        Json json;

        json_init(&json, false);
        json_open(&json, '[');
        for (unsigned i = 0; i < pids->len; i++)
                json_signed(&json, g_array_index(pids, pid_t, i));
        json_close(&json, ']');
        g_autofree char *text = json_finish(&json);
        fputs(text, stdout);
}

/* ps(1) for these processes, with the caller's options for it. */
static bool execute_ps(const OciCall *call, const GArray *pids, GError **error)
{
        g_autoptr(GPtrArray) words = g_ptr_array_new();
        g_autoptr(GString) list = g_string_new("-p");

        for (unsigned i = 0; i < pids->len; i++)
                g_string_append_printf(list, "%s%d", i > 0 ? "," : "",
                                       (int) g_array_index(pids, pid_t, i));
        g_ptr_array_add(words, (gpointer) "ps");
        for (size_t i = 1; i < call->line->n_words; i++)
                g_ptr_array_add(words, call->line->words[i]);
        if (call->line->n_words == 1)
                g_ptr_array_add(words, (gpointer) "-f");
        g_ptr_array_add(words, list->str);
        g_ptr_array_add(words, NULL);
        execvp("ps", (char **) words->pdata);
        return error_set(error, RUNTIME_ERROR_FAILED, "cannot execute ps: try --format json");
}

bool oci_verb_ps(const OciCall *call, int *ret_status, GError **error)
{
        g_autoptr(GArray) pids = g_array_new(FALSE, FALSE, sizeof(pid_t));
        g_autoptr(OciContainer) container = NULL;
        g_autoptr(PathCgroup) cgroup = NULL;
        bool as_json;

        if (!find_format(call, "table", &as_json, error) ||
            !oci_container_open(call->root, call->id, false, &container, error) ||
            !path_cgroup_open((const char *const *) container->state->cgroups, &cgroup, error))
                return false;
        path_cgroup_list(cgroup, PIDS_MAX, pids);
        if (!as_json)
                return pids->len == 0 || execute_ps(call, pids, error);
        print_pids(pids);
        return true;
}
