/* naivec: the command line of naive-runc. This file knows the verbs' names and nothing of what they
 * do. */

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/invocation.h"
#include "cli/verbs.h"

static const Verb verbs[] = {
        {"run", "[OPTIONS…] ROOTFS [COMMAND [ARGUMENT…]]", "Run a command in a root file system", 1,
         -1, true, verb_run_flags, verb_run},
        {"create", "[OPTIONS…] ROOTFS [COMMAND [ARGUMENT…]]", "Prepare a container, for start", 1,
         -1, true, verb_create_flags, verb_create},
        {"start", "ID…", "Start created containers", 1, -1, false, NULL, verb_start},
        {"list", "", "List containers", 0, 0, false, NULL, verb_list},
        {"status", "ID…", "Show containers and their last output", 1, -1, false, verb_status_flags,
         verb_status},
        {"wait", "ID…", "Wait for containers to end and show their results", 1, -1, false, NULL,
         verb_wait},
        {"kill", "[-s SIGNAL] [--all] ID…", "Send a signal to containers", 1, -1, false,
         verb_kill_flags, verb_kill},
        {"stop", "[-s SIGNAL] [--time=SECONDS] ID…|--all", "End containers, by force if need be", 0,
         -1, false, verb_stop_flags, verb_stop},
        {"delete", "ID…", "Forget containers that have ended", 1, -1, false, NULL, verb_delete},
        {"logs", "[-f] [-n LINES] ID", "Show a container's output", 1, 1, false, verb_logs_flags,
         verb_logs},
        {"attach", "[--read-only] ID", "Attach to a container's terminal", 1, 1, false,
         verb_attach_flags, verb_attach},
        {0},
};

/* execve() allows an empty argv, and what then lies behind argv[0] is the environment
 * (CVE-2021-4034). */
static void require_program_name(int argc)
{
        if (argc < 1)
                exit(EXIT_USAGE);
}

int main(int argc, char **argv)
{
        Invocation invocation;
        int status;

        require_program_name(argc);
        setlocale(LC_ALL, "");
        invocation_init(&invocation);
        if (invocation_find_verb(&invocation, verbs, argc, argv))
                status = invocation.verb->run(&invocation);
        else
                status = invocation.status;
        invocation_clear(&invocation);
        /* A full disk must not pass for success. */
        if (fflush(stdout) == EOF && status == EXIT_SUCCESS)
                status = EXIT_FAILURE;
        return status;
}
