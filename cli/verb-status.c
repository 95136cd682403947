#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/client.h"
#include "cli/json.h"
#include "cli/log-reader.h"
#include "cli/pager.h"
#include "cli/text.h"
#include "cli/values.h"
#include "cli/verbs.h"
#include "dbus/names.h"

static const Flag status_flags[] = {
        {"lines", "N", "how many lines of output to show (default: 10)", 'n'},
        {0},
};

const Flag *verb_status_flags(void)
{
        return status_flags;
}

/* One property of any basic type; texts are owned by the reply. */
typedef struct {
        const char *name;
        char type;
        const char *text;
        uint64_t number; /* of u and t; i as a sign-extended bit pattern; b */
} Property;

static int read_value(sd_bus_message *reply, char type, Property *property)
{
        uint32_t u = 0;
        int32_t i = 0;
        int r;

        switch (type) {
        case 's':
        case 'o':
                return sd_bus_message_read_basic(reply, type, (void *) &property->text);
        case 't':
                return sd_bus_message_read_basic(reply, type, &property->number);
        case 'u':
                r = sd_bus_message_read_basic(reply, type, &u);
                property->number = u;
                return r;
        case 'i':
        case 'b':
                r = sd_bus_message_read_basic(reply, type, &i);
                property->number = (uint64_t) (int64_t) i;
                return r;
        default:
                return -EBADMSG;
        }
}

/* Adds the next property if it is of a basic type: a later service may have more of others. */
static int read_property(sd_bus_message *reply, GArray *properties)
{
        Property property = {0};
        const char *contents;
        int r = sd_bus_message_read(reply, "s", &property.name);

        if (r >= 0)
                r = sd_bus_message_peek_type(reply, NULL, &contents);
        if (r < 0)
                return r;
        property.type = contents[0];
        if (contents[1] || !strchr("sotuib", property.type))
                return sd_bus_message_skip(reply, "v");
        r = sd_bus_message_enter_container(reply, 'v', contents);
        if (r >= 0)
                r = read_value(reply, property.type, &property);
        if (r >= 0)
                r = sd_bus_message_exit_container(reply);
        if (r >= 0)
                g_array_append_val(properties, property);
        return r;
}

static int read_properties(sd_bus_message *reply, GArray *properties)
{
        int r = sd_bus_message_enter_container(reply, 'a', "{sv}");

        while (r >= 0 && (r = sd_bus_message_enter_container(reply, 'e', "sv")) > 0) {
                r = read_property(reply, properties);
                if (r >= 0)
                        r = sd_bus_message_exit_container(reply);
        }
        return r;
}

static const Property *find(const GArray *properties, const char *name)
{
        static const Property none = {.text = ""};

        for (unsigned i = 0; i < properties->len; i++)
                if (!strcmp(g_array_index(properties, Property, i).name, name))
                        return &g_array_index(properties, Property, i);
        return &none;
}

static const char *text_of(const GArray *properties, const char *name)
{
        const Property *property = find(properties, name);

        return property->text ? property->text : "";
}

static uint64_t number_of(const GArray *properties, const char *name)
{
        return find(properties, name)->number;
}

static void append_line(GString *text, const char *title, const char *value)
{
        g_autofree char *escaped = text_escape(value);

        if (*value)
                g_string_append_printf(text, "%11s: %s\n", title, escaped);
}

static void append_state(GString *text, const GArray *properties)
{
        const char *result = text_of(properties, "Result");
        uint64_t exited = number_of(properties, "ExitedUSec");
        g_autofree char *since = text_time(exited ? exited : number_of(properties, "StartedUSec"));
        g_autofree char *state = NULL;

        if (*result && strcmp(result, "success") != 0)
                state = g_strdup_printf("%s (%s, %d) since %s", text_of(properties, "State"),
                                        result, (int) number_of(properties, "ExitCode"), since);
        else if (*result)
                state = g_strdup_printf("%s (success) since %s", text_of(properties, "State"),
                                        since);
        else
                state = g_strdup_printf("%s since %s", text_of(properties, "State"), since);
        append_line(text, "State", state);
}

static void append_memory(GString *text, const GArray *properties)
{
        uint64_t kills = number_of(properties, "OOMKills");
        g_autofree char *limit = text_size(number_of(properties, "MemoryMax"));
        g_autofree char *line = g_strdup_printf("limit %s", limit);
        g_autofree char *with_kills =
                g_strdup_printf("%s, processes killed for it: %" G_GUINT64_FORMAT, line, kills);

        append_line(text, "Memory", kills ? with_kills : line);
}

static void append_summary(GString *text, Client *client, const GArray *properties)
{
        unsigned owner = (unsigned) number_of(properties, "OwnerUID");
        unsigned pid = (unsigned) number_of(properties, "Pid");
        const struct passwd *user = client_is_remote(client) ? NULL : getpwuid(owner);
        g_autofree char *owner_line =
                g_strdup_printf("%s (%u)", user ? user->pw_name : "uid", owner);
        g_autofree char *pid_line = pid ? g_strdup_printf("%u", pid) : g_strdup("");
        g_autofree char *created = text_time(number_of(properties, "CreatedUSec"));
        g_autofree char *id = text_escape(text_of(properties, "Id"));

        g_string_append_printf(text, "%s\n", id);
        append_state(text, properties);
        append_line(text, "Owner", owner_line);
        append_line(text, "Created", created);
        append_line(text, "Main PID", pid_line);
        append_memory(text, properties);
        append_line(text, "CGroup", text_of(properties, "ControlGroup"));
}

static int append_log(GString *text, Client *client, const char *path, uint64_t n_lines)
{
        g_autoptr(GString) log = g_string_new(NULL);
        g_auto(sd_bus_error) error = SD_BUS_ERROR_NULL;
        uint64_t offset = 0;

        if (n_lines == 0)
                return EXIT_SUCCESS;
        if (log_read_available(client, path, &offset, log, &error) < 0)
                return client_complain(client, "its output", &error);
        size_t start = log_tail_start(log, n_lines);
        g_autofree char *tail = text_escape_bytes(log->str + start, log->len - start, true);
        if (*tail)
                g_string_append_printf(text, "\n%s%s", tail,
                                       g_str_has_suffix(tail, "\n") ? "" : "\n");
        return EXIT_SUCCESS;
}

static void append_json(Json *json, const GArray *properties)
{
        json_open(json, '{');
        for (unsigned i = 0; i < properties->len; i++) {
                const Property *property = &g_array_index(properties, Property, i);

                json_key(json, property->name);
                if (property->text)
                        json_string(json, property->text);
                else if (property->type == 'i')
                        json_signed(json, (int64_t) property->number);
                else if (property->type == 'b')
                        json_bool(json, property->number);
                else
                        json_unsigned(json, property->number);
        }
        json_close(json, '}');
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
        g_autoptr(sd_bus_message) call = NULL, reply = NULL;
        g_auto(sd_bus_error) error = SD_BUS_ERROR_NULL;
        g_autoptr(GArray) properties = g_array_new(FALSE, FALSE, sizeof(Property));
        int r;

        if (!path)
                return EXIT_FAILURE;
        r = client_new_call(report->client, path, "org.freedesktop.DBus.Properties", "GetAll",
                            &call);
        if (r >= 0)
                r = sd_bus_message_append(call, "s", INTERFACE_CONTAINER);
        if (r >= 0 && client_call(report->client, call, 0, &error, &reply) < 0)
                return client_complain(report->client, id, &error);
        if (r >= 0)
                r = read_properties(reply, properties);
        if (r < 0)
                return client_complain_errno(report->client, id, r);
        if (report->json) {
                append_json(report->json, properties);
                return EXIT_SUCCESS;
        }
        if (report->text->len)
                g_string_append_c(report->text, '\n');
        append_summary(report->text, report->client, properties);
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
        report.client = client = client_open(settings);
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
        pager_print(settings, report.json ? json_text : text->str);
        return status;
}
