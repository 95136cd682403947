#include <stdlib.h>
#include <unistd.h>

#include "cli/lib/session.h"
#include "cli/lib/text.h"
#include "cli/naivec/verbs/verbs.h"
#include "dbus/names.h"

enum { FLAG_READ_ONLY = FLAG_OF_VERB };

static const Flag attach_flags[] = {
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
        TerminalOptions options = {.has_detach_keys = true};
        const char *value = NULL;
        int id, status;

        while ((id = invocation_next(invocation, &value)) != FLAG_END) {
                if (id != FLAG_READ_ONLY)
                        return invocation->status;
                options.is_read_only = true;
        }
        client = client_open(&invocation->settings.client);
        if (!client || !client_passes_fds(client, "attach"))
                return EXIT_FAILURE;
        path = client_find_container(client, invocation->arguments[0]);
        if (!path)
                return EXIT_FAILURE;
        if (!options.is_read_only && isatty(STDIN_FILENO))
                hint("Ctrl-P Ctrl-Q detaches");
        session = session_new(client, path, INTERFACE_CONTAINER);
        status = session_attach(session, options);
        if (status != 0)
                return EXIT_FAILURE;
        return session_run(session, false);
}
