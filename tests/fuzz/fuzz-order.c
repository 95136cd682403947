/* The input is a spec: a byte of flags, then texts that end in NUL: rootfs, working directory, id,
 * host name, arguments up to an empty one, variables. What is accepted can be prepared for exec,
 * and keeps its promises. */

#include <string.h>

#include "service/spec/error.h"
#include "service/spec/limits.h"
#include "service/spec/order.h"
#include "tests/fuzz/target.h"
#include "tests/lib/strv.h"

typedef struct Input {
        const char *at, *end;
} Input;

/* NULL at the end of the input. */
static char *take_text(Input *input)
{
        if (input->at >= input->end)
                return NULL;
        size_t n = strnlen(input->at, (size_t) (input->end - input->at));
        char *text = g_strndup(input->at, n);
        input->at += n + 1;
        return text;
}

static char **take_list(Input *input)
{
        GPtrArray *list = g_ptr_array_new();

        for (char *text; (text = take_text(input));) {
                if (!*text && list->len > 0) {
                        g_free(text);
                        break;
                }
                g_ptr_array_add(list, text);
        }
        g_ptr_array_add(list, NULL);
        return (char **) g_ptr_array_free(list, FALSE);
}

static size_t name_length(const char *pair)
{
        return strcspn(pair, "=") + 1;
}

static void check_environment(char **environment, int home)
{
        guint n = g_strv_length(environment);

        g_assert_cmpint(home, >=, -1);
        g_assert_cmpint(home, <, (int) n);
        if (home >= 0)
                g_assert_cmpstr(environment[home], ==, "HOME=/root");
        for (guint i = 0; i < n; i++) {
                g_assert_nonnull(strchr(environment[i], '='));
                for (guint k = 0; k < i; k++)
                        g_assert_true(strncmp(environment[i], environment[k],
                                              name_length(environment[i])) != 0);
        }
}

static bool check_path(const char *directory, size_t length, const char *name, void *data)
{
        g_assert_true(directory ? length > 0 : strchr(name, '/') != NULL);
        ++*(unsigned *) data;
        return true;
}

static void check_accepted(const Order *order)
{
        int home = -2;
        unsigned n_paths = 0;
        g_autofree char **environment = process_spec_list_environment(&order->process, &home);

        g_assert_cmpint(order->tree.rootfs[0], ==, '/');
        g_assert_cmpuint(strlen(order->tree.rootfs), <=, ROOTFS_PATH_MAX);
        g_assert_true(!order->id || (!strchr(order->id, '/') && order->id[0] != '.'));
        check_environment(environment, home);
        g_assert_true(
                process_spec_foreach_exec_path(&order->process, environment, check_path, &n_paths));
        g_assert_cmpuint(n_paths, >=, 1);
        g_assert_cmpuint(n_paths, <=, 256);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        Input input = {(const char *) data, (const char *) data + size};
        g_autoptr(Order) order = order_new();
        g_autoptr(GError) error = NULL;
        unsigned flags = size > 0 ? (unsigned char) *input.at++ : 0;

        order->process.attributes.terminal = flags & 1;
        order->resources.tasks_max = flags & 2 ? 0 : 1;
        order->tree.rootfs = take_text(&input);
        order->process.working_directory = flags & 4 ? take_text(&input) : NULL;
        order->id = flags & 8 ? take_text(&input) : NULL;
        order->tree.hostname = flags & 16 ? take_text(&input) : NULL;
        order->process.argv = strv_pack(take_list(&input));
        order->process.environment = strv_pack(take_list(&input));
        bool accepted = order_validate(order, &error);
        g_assert_true(accepted == !error);
        if (accepted)
                check_accepted(order);
        else
                g_assert_true(error->domain == RUNTIME_ERROR);
        return 0;
}
