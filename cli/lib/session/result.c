#include <signal.h>
#include <string.h>

#include "cli/lib/session.h"
#include "cli/lib/text.h"
#include "dbus/names.h"

int session_status_of(const char *result, int code)
{
        static const char *const by_signal[] = {"signal", "core-dump", "oom-kill", "timeout"};

        if (!strcmp(result, "success"))
                return 0;
        if (!strcmp(result, "exit-code"))
                return code & 0xff;
        for (unsigned i = 0; i < G_N_ELEMENTS(by_signal); i++)
                if (!strcmp(result, by_signal[i]))
                        return (EXIT_SIGNAL_BASE + code) & 0xff;
        return EXIT_RUNTIME_FAILED;
}

int session_status_of_error(const char *name)
{
        if (!name)
                return EXIT_RUNTIME_FAILED;
        if (!strcmp(name, ERROR_COMMAND_NOT_FOUND))
                return EXIT_NOT_FOUND;
        if (!strcmp(name, ERROR_COMMAND_NOT_EXECUTABLE))
                return EXIT_NOT_EXECUTABLE;
        return EXIT_RUNTIME_FAILED;
}

void session_explain(const char *result, int code)
{
        if (!strcmp(result, "oom-kill"))
                hint("killed: the container needed more memory than its limit allows");
        else if (code == SIGSYS && (!strcmp(result, "signal") || !strcmp(result, "core-dump")))
                hint("killed by the filter of system calls (SIGSYS), as is every program of "
                     "another "
                     "architecture");
        else if (session_status_of(result, 0) == EXIT_RUNTIME_FAILED)
                complain("the container's result is '%s'", result);
}
