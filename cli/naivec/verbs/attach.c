#include <stdlib.h>

#include "cli/lib/session.h"
#include "cli/naivec/more-flags.h"
#include "cli/naivec/verbs/verbs.h"
#include "dbus/names.h"

enum { FLAG_READ_ONLY = FLAG_OF_VERB, FLAG_DETACH_KEYS };

static const Flag attach_flags[] = {
        {"detach-keys", "KEYS",
         "the keys that leave, '' for none (default: " DETACH_KEYS_DEFAULT ")", FLAG_DETACH_KEYS},
        {"read-only", NULL, "only watch; Ctrl-C leaves", FLAG_READ_ONLY},
        {0},
};

const Flag *verb_attach_flags(void)
{
        return attach_flags;
}

int verb_attach(Invocation *invocation)
{
        g_autoptr(Client) client = NULL;
        g_autofree char *path = NULL;
        g_autoptr(Session) session = NULL;
        TerminalOptions options = {0};
        const char *value = NULL;
        int id, status;

        detach_keys_parse(&options.detach_keys, DETACH_KEYS_DEFAULT);
        while ((id = invocation_next(invocation, &value)) != FLAG_END) {
                g_autofree char *wrong = NULL;
                if (id == FLAG_READ_ONLY)
                        options.is_read_only = true;
                else if (id != FLAG_DETACH_KEYS)
                        return invocation->status;
                else if ((wrong = more_flags_take_detach_keys(&options.detach_keys, value)))
                        return invocation_usage(invocation, "%s", wrong);
        }
        client = client_open(&invocation->settings.client);
        if (!client || !client_passes_fds(client, "attach"))
                return EXIT_FAILURE;
        path = client_find_container(client, invocation->arguments[0]);
        if (!path)
                return EXIT_FAILURE;
        session = session_new(client, path, INTERFACE_CONTAINER);
        status = session_attach(session, options);
        if (status != 0)
                return EXIT_FAILURE;
        return session_run(session, false);
}
