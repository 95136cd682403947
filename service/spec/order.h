#pragma once

/* One request, said once: what is to run, where, and with how much. Whoever receives a request
 * makes its Order (dbus/decode/spec-decode.c from a message), fills in what the caller said, then
 * the places that the look-up pinned, and hands it to manager_create(). The service fills in only
 * what the caller left open (user namespace, TasksMax, host name). The container owns the Order
 * from there on until exec, and the sandbox's plan is compiled from it. */

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

#include "service/spec/credentials.h"
#include "service/spec/process-spec.h"
#include "service/spec/resources.h"
#include "service/spec/tree-spec.h"

typedef struct OrderFd {
        int source; /* number in the service, owned; -1: closed */
        int target; /* number inside the container */
} OrderFd;

typedef struct Order {
        ProcessSpec process;
        TreeSpec tree;
        Resources resources;
        char *id;            /* NULL: the manager picks container-N */
        Credentials *owner;  /* NULL until the caller is known */
        char *watcher;       /* see ContainerInfo; NULL: none */
        char **labels;       /* see labels.h; NULL: none */
        GVariant *made_with; /* see ContainerInfo */
        OrderFd *fds;        /* the caller's, for the command: owned */
        size_t n_fds;
        int status_fd;       /* see status/status-fd.h; owned, -1: none */
        bool status_is_read; /* it is open to be read as well */
        bool watch_fd;       /* the container ends when nobody reads it any more */
        bool watch_bus;      /* the container ends when its caller leaves */
        bool has_watch_bus;  /* the caller has said so, or not so */
        bool remove;         /* the container is forgotten after its exit */
        bool execute;        /* at once, without waiting for Start */
        bool is_sandbox;     /* the action `sandbox` covers it: its caller needed no other right */
} Order;

Order *order_new(void); /* the default profile */
void order_free(Order *order);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Order, order_free)

void order_add_fd(Order *order, int source, int target); /* `source` is consumed */
/* Closes all fds: the process has copies, or will never need them. */
void order_close_fds(Order *order);

/* A list of small pure checks; the first that fails names the option and the reason. */
bool order_validate(const Order *order, GError **error);
/* The part of it that concerns one process and its fds: for an order to join a container. */
bool order_validate_process(const Order *order, GError **error);

/* The options in which the isolation is less than the default profile's: "Network=host" and so on.
 * Owned strv, empty for the default. */
char **order_deviations(const Order *order);
/* Is the fd that the caller wants as `target` the content of a file of `Mounts`? Then the command
 * does not get it. */
bool order_fd_is_file(const Order *order, int target);
/* Does the order ask for what may equal root on the host? A user namespace of the caller alone does
 * not. */
bool order_is_privileged(const Order *order);
/* Does the order give a process less than its caller has, and for no longer than the caller is
 * there? Root's never does. Whether the caller itself has all that its uid may have, is another
 * question: see caller_is_unconfined(). */
bool order_qualifies_as_sandbox(const Order *order);
/* The limit of memory, as it will be if the order is allowed as a sandbox. */
uint64_t order_memory_max(const Order *order, bool as_sandbox);
void order_make_sandbox(Order *order); /* fills in what is not said */

/* [a-zA-Z0-9][a-zA-Z0-9_.-]{0,63} */
bool order_id_is_valid(const char *id);
