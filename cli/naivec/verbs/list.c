#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/lib/pager.h"
#include "cli/lib/table.h"
#include "cli/lib/text.h"
#include "cli/naivec/listing.h"
#include "cli/naivec/verbs/verbs.h"

static const Flag list_flags[] = {
        {"filter", "label=KEY[=VALUE]", "only containers with this label; may be repeated", 'f'},
        {0},
};

const Flag *verb_list_flags(void)
{
        return list_flags;
}

static const Column columns[] = {
        {"ID", NULL, false},
        {NULL, "id", false},
        {"STATE", "state", false},
        {"OWNER", "owner", true},
        {"CREATED", "createdUSec", true},
        {NULL, "path", false},
        {0},
};

static void add_container(Table *table, const ListedContainer *container, bool is_remote)
{
        const struct passwd *user = is_remote ? NULL : getpwuid(container->owner);
        g_autofree char *created = text_time(container->created_usec);

        table_add_string(table, container->name);
        table_add_string(table, container->id);
        table_add_string(table, container->state);
        table_add_number(table, container->owner, user ? user->pw_name : NULL);
        table_add_number(table, container->created_usec, created);
        table_add_string(table, container->path);
}

int verb_list(Invocation *invocation)
{
        g_autoptr(Client) client = NULL;
        g_autoptr(GPtrArray) containers = NULL;
        g_autoptr(Table) table = table_new(columns);
        const Settings *settings = &invocation->settings;
        g_autoptr(GPtrArray) labels = g_ptr_array_new();
        const char *value = NULL;
        int id;

        while ((id = invocation_next(invocation, &value)) != FLAG_END) {
                if (id != 'f')
                        return invocation->status;
                if (!g_str_has_prefix(value, "label=") || !g_utf8_validate(value, -1, NULL))
                        return invocation_usage(invocation,
                                                "--filter=%s: it takes label=KEY or "
                                                "label=KEY=VALUE, in UTF-8",
                                                value);
                g_ptr_array_add(labels, (char *) value + strlen("label="));
        }
        g_ptr_array_add(labels, NULL);
        client = client_open(&settings->client);
        if (!client)
                return EXIT_FAILURE;
        containers = listing_fetch_labelled(client, (char **) labels->pdata);
        if (!containers)
                return EXIT_FAILURE;
        for (unsigned i = 0; i < containers->len; i++)
                add_container(table, containers->pdata[i], client_is_remote(client));
        g_autofree char *text = table_format(table, settings->json, settings->has_legend);
        pager_print(text, settings->has_pager);
        return EXIT_SUCCESS;
}
