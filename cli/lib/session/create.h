#pragma once

/* The call that makes a container, by every command line that does. Knows no command line. Called
 * by `run`, `create` and naive-bwrap. */

#include "cli/lib/client.h"
#include "cli/lib/spawn-request.h"

typedef struct NewContainer {
        const SpawnRequest *request;
        const char *rootfs; /* "": none */
        const char *const *argv;
        const char *member;      /* Spawn or Create */
        const char *denied_hint; /* for who is not allowed this; NULL: none */
} NewContainer;

/* 0 with the container's path in *ret_path, or an exit status after a complaint. */
int session_make_container(Client *client, const NewContainer *container, char **ret_path);
