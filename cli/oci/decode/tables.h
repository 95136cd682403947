#pragma once

/* The tables of what a config.json says, one for each object of it. Called by config.c; the tests
 * walk them. */

#include "cli/oci/decode/decoder.h"

extern const DecodeObject decode_spec_object;        /* into an OciSpec */
extern const DecodeObject decode_linux_object;       /* into an OciSpec */
extern const DecodeObject decode_process_object;     /* into an OciProcess */
extern const DecodeObject decode_scheduler_object;   /* into an OciScheduler */
extern const DecodeObject decode_io_priority_object; /* into an OciIOPriority */
extern const DecodeObject decode_mount_object;       /* into an OciMount */
extern const DecodeObject decode_id_map_object;      /* into an OciIdMap */
extern const DecodeObject decode_resources_object;   /* into an OciResources */
extern const DecodeObject decode_seccomp_object;     /* into an OciSeccomp */

/* Capabilities by name; those that the kernel does not know are left out. */
bool decode_capabilities(Decoder *, const DecodeField *, json_object *, void *); /* uint64_t */
/* OciSeccomp *, made by it. */
bool decode_seccomp(Decoder *, const DecodeField *, json_object *, void *);
/* The options of an OciMount. */
bool decode_mount_options(Decoder *, const DecodeField *, json_object *, void *);
/* A propagation by its name ("rslave"): MS_SLAVE and so on, with MS_REC; 0: it is none. */
uint64_t mount_propagation(const char *word);

/* Words, for `features`. */
extern const DecodeWords decode_seccomp_actions, decode_seccomp_operators, decode_namespaces;
char **decode_list_mount_options(void); /* owned strv */
