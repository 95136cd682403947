#include "cli/lib/session/hints.h"

#include <string.h>
#include <systemd/sd-bus.h>

#include "cli/lib/text.h"
#include "dbus/names.h"

static const struct {
        const char *name;
        const char *hint;
} hints[] = {
        {SD_BUS_ERROR_SERVICE_UNKNOWN,
         "is naive-runc installed on that system? 'naivec --embedded' works without it"},
        {SD_BUS_ERROR_NAME_HAS_NO_OWNER, "the service is not running: see 'systemctl status "
                                         "naive-runc.service', or try --embedded"},
        {"org.freedesktop.DBus.Error.Spawn.ChildExited",
         "the service did not start: see 'systemctl status naive-runc.service', or try --embedded"},
        {SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED,
         "a password is needed: try from a terminal and without --no-ask-password, or as root; "
         "or let a polkit rule grant it"},
        {SD_BUS_ERROR_ACCESS_DENIED,
         "polkit refused: see 'pkaction --verbose' for the org.naive.Runc actions; "
         "'naivec --embedded' runs with your own rights"},
        {ERROR_AUTHORIZATION_UNAVAILABLE,
         "is polkit installed and running? it is not asked about root, nor with --embedded"},
        {SD_BUS_ERROR_NO_REPLY, "the service has ended or did not answer: see its journal"},
        {ERROR_NO_SUCH_CONTAINER, "'naivec list' shows the containers that you may see; "
                                  "that of another user is named UID/ID"},
        {ERROR_CONTAINER_EXISTS, "'naivec delete' frees the name of a container that has ended"},
        {ERROR_NO_TERMINAL,
         "'naivec logs -f' follows the output of a container without a terminal"},
        {ERROR_MEMORY_TOO_LOW, "try a greater --memory="},
};

void hints_of_error(const char *name)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(hints); i++)
                if (name && !strcmp(name, hints[i].name))
                        hint("%s", hints[i].hint);
}
