#include "cli/lean/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SYSTEM_BUS "unix:path=/run/dbus/system_bus_socket"
#define N(array)   (sizeof(array) / sizeof(array)[0])

/* The flags that are taken here, among those of dbus/options.h. */
static const struct {
        const char *flag, *key, *signature;
        char letter;
} rows[] = {
        {"name", "Id", "s", 0},
        {"hostname", "Hostname", "s", 0},
        {"cpuset-cpus", "AllowedCPUs", "s", 0},
        {"memory", "MemoryMax", "t", 'm'},
        {"memory-swap-max", "MemorySwapMax", "t", 0},
        {"memory-high", "MemoryHigh", "t", 0},
        {"memory-reservation", "MemoryLow", "t", 0},
        {"pids-limit", "TasksMax", "t", 0},
        {"root-size", "RootSize", "t", 0},
        {"workdir", "WorkingDirectory", "ay", 'w'},
        {"rm", "Remove", "b", 0},
        {"read-only", "ReadOnlyRoot", "b", 0},
        {"volatile", "Volatile", "b", 0},
        {"init", "Init", "b", 0},
        {"no-new-privileges", "NoNewPrivileges", "b", 0},
};
_Static_assert(N(rows) <= PLAN_OPTIONS_MAX, "a value for each");

/* -- values -- */

/* Of the many spellings of a size, digits and one letter at most. 0 has meanings of its own. */
static bool read_size(const char *text, uint64_t *ret)
{
        static const char units[] = "KMGT";
        size_t digits = strspn(text, "0123456789");
        const char *unit = text[digits] ? strchr(units, text[digits]) : NULL;

        if (digits == 0 || digits > 15 || (text[digits] && (!unit || text[digits + 1])))
                return false;
        *ret = strtoull(text, NULL, 10);
        return *ret > 0 && (!unit || !__builtin_mul_overflow(
                                             *ret, UINT64_C(1) << (10 * (unit - units + 1)), ret));
}

static bool is_plain(const char *text)
{
        for (; *text; text++)
                if (*text < ' ' || *text > '~')
                        return false;
        return true;
}

static bool accepts(char type, const char *value)
{
        uint64_t size;

        switch (type) {
        case 's':
                return *value && is_plain(value);
        case 't':
                return read_size(value, &size);
        case 'b':
                return !strcmp(value, "yes") || !strcmp(value, "no");
        default:
                return *value;
        }
}

/* NAME=VALUE, each name once. */
static bool take_variable(Plan *plan, const char *text)
{
        const char *equals = strchr(text, '=');

        if (!equals || equals == text || plan->n_variables == PLAN_VARIABLES_MAX)
                return false;
        for (unsigned i = 0; i < plan->n_variables; i++)
                if (!strncmp(plan->variables[i], text, (size_t) (equals + 1 - text)))
                        return false;
        plan->variables[plan->n_variables++] = text;
        return true;
}

/* The path of a socket, without what an address may have beside it. */
static bool take_address(Plan *plan, const char *address)
{
        static const char prefix[] = "unix:path=/";

        if (strncmp(address, prefix, strlen(prefix)) != 0 || strpbrk(address, ",;%"))
                return false;
        plan->bus_path = address + strlen(prefix) - 1;
        return true;
}

/* -- the line -- */

/* A word that begins with "--name=", or "--name" with the value in the next word, or "-x" so. NULL:
 * another one. A flag that is a switch has its value in its own word, if any. */
static const char *value_of(char *const **word, const char *flag, char letter, bool is_switch)
{
        const char *text = **word;
        const char short_form[] = {'-', letter, '\0'};
        size_t length = strlen(flag);
        bool is_long = !strncmp(text, "--", 2) && !strncmp(text + 2, flag, length);

        if (is_long && text[2 + length] == '=')
                return text + 2 + length + 1;
        if (!(is_long && !text[2 + length]) && !(letter && !strcmp(text, short_form)))
                return NULL;
        if (is_switch)
                return "yes";
        const char *next = (*word)[1];
        return next && *next != '-' ? *++*word : NULL;
}

static bool take_option(Plan *plan, char *const **word)
{
        const char *value = value_of(word, "env", 'e', false);

        if (value)
                return take_variable(plan, value);
        for (unsigned i = 0; i < N(rows); i++) {
                value = value_of(word, rows[i].flag, rows[i].letter, *rows[i].signature == 'b');
                if (!value)
                        continue;
                plan->values[i] = value;
                return accepts(*rows[i].signature, value);
        }
        return !strcmp(**word, "-i") || !strcmp(**word, "--interactive");
}

static bool take_global(Plan *plan, char *const **word)
{
        const char *address = value_of(word, "address", 0, false);

        if (address)
                return take_address(plan, address);
        if (!strcmp(**word, "--no-ask-password"))
                plan->asks_password = false;
        else if (!strcmp(**word, "-q") || !strcmp(**word, "--quiet"))
                plan->is_quiet = true;
        else
                return false;
        return true;
}

/* The flags before `run`, and behind it up to ROOTFS. */
static bool take_flags(Plan *plan, char *const **word, bool is_run)
{
        for (; **word && ***word == '-'; ++*word) {
                if (!strcmp(**word, "--")) {
                        ++*word;
                        return is_run;
                }
                if (!take_global(plan, word) && !(is_run && take_option(plan, word)))
                        return false;
        }
        return **word;
}

bool plan_read(Plan *plan, char *const *argv)
{
        const char *address = secure_getenv("DBUS_SYSTEM_BUS_ADDRESS");
        char *const *word = argv + 1;

        *plan = (Plan){.asks_password = true};
        if (!take_address(plan, address && *address ? address : SYSTEM_BUS) ||
            !take_flags(plan, &word, false) || strcmp(*word++, "run") != 0 ||
            !take_flags(plan, &word, true) || !*word || !**word)
                return false;
        plan->rootfs = *word++;
        plan->argv = word + (*word && !strcmp(*word, "--"));
        return true;
}

/* -- the message -- */

static void open_option(WireBody *body, const char *key, const char *signature)
{
        wire_align(body, 8);
        wire_add_string(body, key);
        wire_add_signature(body, signature);
}

static void write_value(WireBody *body, const char *signature, const char *value)
{
        uint64_t size = 0;

        switch (*signature) {
        case 's':
                wire_add_string(body, value);
                break;
        case 't':
                read_size(value, &size);
                wire_add_u64(body, size);
                break;
        case 'b':
                wire_add_u32(body, *value == 'y');
                break;
        default:
                wire_add_byte_string(body, value);
        }
}

static void write_strings(WireBody *body, const char *const *strings, size_t n)
{
        size_t array = wire_open_array(body, 4);

        for (size_t i = 0; i < n; i++)
                wire_add_byte_string(body, strings[i]);
        wire_close_array(body, array, 4);
}

static void write_options(const Plan *plan, int status_fd, WireBody *body)
{
        for (unsigned i = 0; i < N(rows); i++) {
                const char *value = plan->values[i];
                if (!value && !strcmp(rows[i].flag, "rm"))
                        value = "yes";
                if (!value)
                        continue;
                open_option(body, rows[i].key, rows[i].signature);
                write_value(body, rows[i].signature, value);
        }
        if (plan->n_variables > 0) {
                open_option(body, "Environment", "aay");
                write_strings(body, plan->variables, plan->n_variables);
        }
        open_option(body, "StatusFD", "h");
        wire_add_fd(body, status_fd);
        open_option(body, "WatchFD", "b");
        wire_add_u32(body, 1);
}

static void write_rootfs(const Plan *plan, WireBody *body)
{
        char *directory = *plan->rootfs == '/' ? NULL : getcwd(NULL, 0);
        size_t array = wire_open_array(body, 1);

        if (directory) {
                wire_add_bytes(body, directory);
                wire_add_bytes(body, "/");
        } else if (*plan->rootfs != '/') {
                body->is_full = true;
        }
        wire_add_bytes(body, plan->rootfs);
        wire_close_array(body, array, 1);
        free(directory);
}

void plan_write(const Plan *plan, int status_fd, WireBody *body)
{
        static const char *const shell[] = {"/bin/sh"};
        size_t n = 0;

        body->n = 0;
        body->n_fds = 0;
        body->is_full = false;
        write_rootfs(plan, body);
        while (plan->argv[n])
                n++;
        write_strings(body, n > 0 ? (const char *const *) plan->argv : shell, n > 0 ? n : 1);
        size_t fds = wire_open_array(body, 8);
        for (int fd = 0; fd <= 2; fd++) {
                wire_align(body, 8);
                wire_add_u32(body, (uint32_t) fd);
                wire_add_fd(body, fd);
        }
        wire_close_array(body, fds, 8);
        size_t options = wire_open_array(body, 8);
        write_options(plan, status_fd, body);
        wire_close_array(body, options, 8);
}
