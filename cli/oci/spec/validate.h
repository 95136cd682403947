#pragma once

/* What a config.json may not say though each value of it is right: members that are missing, that
 * contradict each other, or that ask for what nobody here gives. Pure checks, called by the
 * decoder. */

#include "cli/oci/spec/spec.h"

bool oci_spec_validate(const OciSpec *spec, GError **error);

/* The namespace, CLONE_NEW…, that has the setting `key` of linux.sysctl; 0: none has. */
int oci_sysctl_namespace(const char *key);
