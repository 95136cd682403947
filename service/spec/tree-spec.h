#pragma once

/* Where a command is to run: the root tree, an ordered list of mounts in it, the namespaces and the
 * host name. The part of an Order that makes a container's surroundings. Valid or not, it can
 * always be cleared. */

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "service/spec/mount-spec.h"
#include "service/spec/place.h"
#include "service/spec/sysctl.h"

typedef enum UserNamespaceMode {
        USER_NAMESPACE_AUTO, /* a range of host ids that nobody else uses */
        USER_NAMESPACE_SELF, /* container root is the caller, and there is nobody else */
        USER_NAMESPACE_HOST, /* none: container root is the host's */
        /* the caller is in it under its own number, or that of `User`, with its groups, and there
         * is nobody else */
        USER_NAMESPACE_KEEP_ID,
} UserNamespaceMode;

/* A network that somebody else has made. */
typedef struct NetworkNamespace {
        bool is_given;
        int fd;         /* perhaps an envelope (envelope.h); owned, -1: closed */
        bool has_owner; /* else it is the host's, or may be */
        uid_t owner;    /* of the user namespace that it belongs to */
} NetworkNamespace;

typedef struct TreeSpec {
        char *rootfs;     /* absolute path, any bytes; with `has_root_fd` known after the look-up */
        bool has_root_fd; /* the caller holds the root tree: `root.fd` until the look-up */
        Place root;       /* owned fd */
        bool empty_root;  /* there is no root tree: a new tmpfs, in which `mounts` are made */
        bool is_volatile; /* what is written to the root tree is kept in a tmpfs, and ends with it
                           */
        bool has_root_size;
        uint64_t root_size; /* of that tmpfs, in bytes */
        bool read_only_root;
        bool has_read_only_root; /* said by the caller, not the default */
        MountSpec *mounts;       /* in the caller's order */
        size_t n_mounts;
        UserNamespaceMode user_namespace;
        bool has_user_namespace; /* said by the caller, not the default */
        bool host_network;
        bool has_network; /* said by the caller, not the default */
        NetworkNamespace network_namespace;
        char *hostname; /* NULL: the container's id */
        Sysctls sysctls;
} TreeSpec;

void tree_spec_init(TreeSpec *spec); /* the default profile */
void tree_spec_clear(TreeSpec *spec);
void tree_spec_close(TreeSpec *spec); /* the fds alone */
bool tree_spec_validate(const TreeSpec *spec, GError **error);

/* Is the root read-only for the command? Where what is written ends with the container, only if the
 * caller says so. */
bool tree_spec_root_is_read_only(const TreeSpec *spec);
/* Can the container write to the root tree on the host? To anything of the host's? Can it, by a
 * mount, write to what the caller does not own? */
bool tree_spec_root_writes_to_host(const TreeSpec *spec);
bool tree_spec_writes_to_host(const TreeSpec *spec);
bool tree_spec_has_privileged_mount(const TreeSpec *spec);
/* Is the network of the container's own making, and nobody else's? */
bool tree_spec_has_own_network(const TreeSpec *spec);
/* Is there a mount that shows what other mounts hide from its caller? */
bool tree_spec_uncovers(const TreeSpec *spec);
