#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/lib/json.h"
#include "cli/lib/pager.h"
#include "cli/lib/properties.h"
#include "cli/lib/text.h"
#include "cli/lib/values.h"
#include "cli/naivec/log-reader.h"
#include "cli/naivec/verbs/verbs.h"

static const Flag status_flags[] = {
        {"lines", "N", "how many lines of output to show (default: 10)", 'n'},
        {0},
};

const Flag *verb_status_flags(void)
{
        return status_flags;
}

static void append_line(GString *text, const char *title, const char *value)
{
        g_autofree char *escaped = text_escape(value);

        if (*value)
                g_string_append_printf(text, "%11s: %s\n", title, escaped);
}

/* When the container got into its present state. */
static uint64_t state_usec(const Properties *properties)
{
        static const char *const times[] = {"ExitedUSec", "StartedUSec", "CreatedUSec"};
        uint64_t usec = 0;

        for (unsigned i = 0; i < G_N_ELEMENTS(times) && !usec; i++)
                usec = properties_number(properties, times[i]);
        return usec;
}

static void append_state(GString *text, const Properties *properties)
{
        const char *state = properties_text(properties, "State");
        const char *result = properties_text(properties, "Result");
        g_autofree char *since = text_time(state_usec(properties));
        g_autofree char *line = NULL;

        if (!*result)
                line = g_strdup_printf("%s since %s", state, since);
        else if (!strcmp(result, "success"))
                line = g_strdup_printf("%s (success) since %s", state, since);
        else
                line = g_strdup_printf("%s (%s, %d) since %s", state, result,
                                       (int) properties_number(properties, "ExitCode"), since);
        append_line(text, "State", line);
}

static void append_memory(GString *text, const Properties *properties)
{
        uint64_t kills = properties_number(properties, "OOMKills");
        g_autofree char *limit = text_size(properties_number(properties, "MemoryMax"));
        g_autofree char *line = g_strdup_printf("limit %s", limit);
        g_autofree char *with_kills =
                g_strdup_printf("%s, processes killed for it: %" G_GUINT64_FORMAT, line, kills);

        append_line(text, "Memory", kills ? with_kills : line);
}

static void append_isolation(GString *text, const Properties *properties)
{
        g_autofree char *deviations = properties_line(properties, "Deviations");

        append_line(text, "Isolation", *deviations ? deviations : "default");
}

static void append_summary(GString *text, Client *client, const Properties *properties)
{
        unsigned owner = (unsigned) properties_number(properties, "OwnerUID");
        unsigned pid = (unsigned) properties_number(properties, "Pid");
        const struct passwd *user = client_is_remote(client) ? NULL : getpwuid(owner);
        g_autofree char *owner_line =
                g_strdup_printf("%s (%u)", user ? user->pw_name : "uid", owner);
        g_autofree char *pid_line = pid ? g_strdup_printf("%u", pid) : g_strdup("");
        g_autofree char *created = text_time(properties_number(properties, "CreatedUSec"));
        g_autofree char *id = text_escape(properties_text(properties, "Id"));

        g_string_append_printf(text, "%s\n", id);
        append_state(text, properties);
        append_line(text, "Owner", owner_line);
        append_line(text, "Created", created);
        append_line(text, "Main PID", pid_line);
        append_memory(text, properties);
        append_isolation(text, properties);
        append_line(text, "CGroup", properties_text(properties, "ControlGroup"));
}

static int append_log(GString *text, Client *client, const char *path, uint64_t n_lines)
{
        g_auto(LogPart) part = {0};
        g_auto(sd_bus_error) error = SD_BUS_ERROR_NULL;
        uint64_t offset = 0;

        if (n_lines == 0)
                return EXIT_SUCCESS;
        if (log_read(client, path, &offset, &part, &error) < 0)
                return client_complain(client, "its output", &error);
        const GString *log = part.text;
        size_t start = log_tail_start(log, n_lines);
        g_autofree char *tail = text_escape_bytes(log->str + start, log->len - start, true);
        if (*tail)
                g_string_append_printf(text, "\n%s%s", tail,
                                       g_str_has_suffix(tail, "\n") ? "" : "\n");
        return EXIT_SUCCESS;
}

typedef struct {
        Client *client;
        uint64_t n_lines;
        GString *text;
        Json *json; /* NULL: for people */
} Report;

static int add_container(Report *report, const char *id)
{
        g_autofree char *path = client_find_container(report->client, id);
        g_auto(sd_bus_error) error = SD_BUS_ERROR_NULL;
        g_auto(Properties) properties = {0};

        if (!path)
                return EXIT_FAILURE;
        if (properties_fetch(&properties, report->client, path, &error) < 0)
                return client_complain(report->client, id, &error);
        if (report->json) {
                properties_to_json(&properties, report->json);
                return EXIT_SUCCESS;
        }
        if (report->text->len)
                g_string_append_c(report->text, '\n');
        append_summary(report->text, report->client, &properties);
        return append_log(report->text, report->client, path, report->n_lines);
}

static int parse(Invocation *invocation, Report *report)
{
        const char *value = NULL;
        int id;

        while ((id = invocation_next(invocation, &value)) != FLAG_END) {
                if (id != 'n')
                        return invocation->status;
                if (!value_parse_number(value, 0, UINT32_MAX, &report->n_lines))
                        return invocation_usage(invocation, "--lines=%s: it takes a number", value);
        }
        return -1;
}

int verb_status(Invocation *invocation)
{
        g_autoptr(Client) client = NULL;
        g_autoptr(GString) text = g_string_new(NULL);
        const Settings *settings = &invocation->settings;
        Report report = {.n_lines = 10, .text = text};
        Json json;
        int status = parse(invocation, &report);

        if (status >= 0)
                return status;
        report.client = client = client_open(&settings->client);
        if (!client)
                return EXIT_FAILURE;
        json_init(&json, settings->json == JSON_PRETTY);
        report.json = settings->json == JSON_OFF ? NULL : &json;
        json_open(&json, '[');
        status = EXIT_SUCCESS;
        for (char **id = invocation->arguments; *id; id++)
                if (add_container(&report, *id) != EXIT_SUCCESS)
                        status = EXIT_FAILURE;
        json_close(&json, ']');
        g_autofree char *json_text = json_finish(&json);
        pager_print(report.json ? json_text : text->str, settings->has_pager);
        return status;
}
