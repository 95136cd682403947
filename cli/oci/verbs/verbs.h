#pragma once

/* The commands. Each does its whole work and returns; what it answers goes to stdout, what went
 * wrong into `error`. Called by naive-oci.c. */

#include <stdio.h>

#include "cli/oci/line/line.h"
#include "cli/oci/spec/spec.h"
#include "cli/oci/state/state.h"

typedef struct OciCall {
        const OciLine *line;
        const OciOptions *options;
        const char *root; /* directory of the states */
        const char *id;   /* NULL: the command takes none */
} OciCall;

/* `*ret_status` is the program's, 0 before the call. */
typedef bool (*OciVerbFunc)(const OciCall *call, int *ret_status, GError **error);

bool oci_verb_create(const OciCall *call, int *ret_status, GError **error);
bool oci_verb_start(const OciCall *call, int *ret_status, GError **error);
bool oci_verb_run(const OciCall *call, int *ret_status, GError **error);
bool oci_verb_state(const OciCall *call, int *ret_status, GError **error);
bool oci_verb_kill(const OciCall *call, int *ret_status, GError **error);
bool oci_verb_delete(const OciCall *call, int *ret_status, GError **error);
bool oci_verb_exec(const OciCall *call, int *ret_status, GError **error);
bool oci_verb_pause(const OciCall *call, int *ret_status, GError **error);
bool oci_verb_resume(const OciCall *call, int *ret_status, GError **error);
bool oci_verb_ps(const OciCall *call, int *ret_status, GError **error);
bool oci_verb_list(const OciCall *call, int *ret_status, GError **error);
bool oci_verb_update(const OciCall *call, int *ret_status, GError **error);
bool oci_verb_events(const OciCall *call, int *ret_status, GError **error);
bool oci_verb_features(const OciCall *call, int *ret_status, GError **error);
bool oci_verb_spec(const OciCall *call, int *ret_status, GError **error);
