#pragma once

/* A config.json as plain structs, every field of runtime-spec 1.3 that has an effect here. Filled
 * by cli/oci/decode, judged by oci_spec_validate(), read by the engine and the cgroups, none of
 * which know JSON. It owns all it points to and no descriptor; filled or not, it can be freed. */

#include <sys/types.h>

#include "cli/oci/spec/mounts.h"
#include "cli/oci/spec/process.h"
#include "cli/oci/spec/resources.h"
#include "cli/oci/spec/seccomp.h"
#include "cli/oci/spec/values.h"

typedef struct OciNamespace {
        int type;   /* CLONE_NEWPID …; each type once */
        char *path; /* absolute: to be joined; NULL: a new one */
} OciNamespace;

typedef struct OciDevice {
        char *path;  /* inside */
        mode_t type; /* S_IFCHR, S_IFBLK, S_IFIFO */
        uint32_t major, minor;
        mode_t mode; /* permissions alone; 0666 if not said */
        uint32_t uid, gid;
} OciDevice;

typedef struct OciHook {
        char *path;       /* absolute, of the host unless it is startContainer's */
        char **args;      /* NULL: `path` alone */
        char **env;       /* never NULL; empty unless said */
        uint32_t timeout; /* seconds; 0: none */
} OciHook;

typedef enum OciHookKind {
        OCI_HOOK_PRESTART,
        OCI_HOOK_CREATE_RUNTIME,
        OCI_HOOK_CREATE_CONTAINER,
        OCI_HOOK_START_CONTAINER,
        OCI_HOOK_POSTSTART,
        OCI_HOOK_POSTSTOP,
        OCI_HOOK_KINDS,
} OciHookKind;

typedef struct OciHooks {
        OciHook *items;
        size_t n;
} OciHooks;

typedef struct OciSpec {
        char *version;   /* ociVersion */
        char *root_path; /* as it stands: from the bundle if relative */
        bool root_read_only;
        OciProcess process;
        char *hostname, *domainname; /* NULL: not said */
        OciMount *mounts;            /* in the config's order */
        size_t n_mounts;
        OciHooks hooks[OCI_HOOK_KINDS];
        OciPairs annotations;

        /* `linux` */
        OciNamespace *namespaces; /* a type that is not here is the caller's own */
        size_t n_namespaces;
        OciIdMaps uid_maps, gid_maps;
        OciDevice *devices; /* beside those that every container has */
        size_t n_devices;
        char *cgroups_path; /* NULL: not said */
        OciResources resources;
        OciPairs sysctls;                       /* dots, not slashes, as in sysctl(8) */
        OciSeccomp *seccomp;                    /* NULL: none */
        uint64_t root_propagation;              /* MS_…, with MS_REC if recursive; 0: not said */
        char **masked_paths, **read_only_paths; /* absolute; never NULL */
        bool has_personality;
        uint64_t personality; /* PER_LINUX, PER_LINUX32 */
} OciSpec;

OciSpec *oci_spec_new(void);
void oci_spec_free(OciSpec *spec);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(OciSpec, oci_spec_free)

/* The namespace of this type; NULL: the caller's own is kept. */
const OciNamespace *oci_spec_find_namespace(const OciSpec *spec, int type);
