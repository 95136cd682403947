#pragma once

/* What a bundle's process is given. As steps.h: false means that it failed, with errno. */

#include "service/sandbox/child/oci/plan.h"

void oci_process_own_stdio(const OciPlan *plan);
/* Into the working directory, which is made if it is missing. */
bool oci_process_go_to_work(const OciPlan *plan);
/* All ids are its user's, and it can have all capabilities again still. */
bool oci_process_become_user(const OciPlan *plan);
/* Whether its user could execute the command: whoever creates a container wants to know at once. */
bool oci_process_can_execute(const OciPlan *plan);
bool oci_process_confine(const OciPlan *plan, int proc);
/* The capabilities, no_new_privs, the filter. */
bool oci_process_drop_all(const OciPlan *plan);
