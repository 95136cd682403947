#pragma once

/* Who may do what: one rule for each method, from its row in methods.h. Read by the handlers, which
 * ask polkit; a test holds the rules against the live objects. */

#include <stdbool.h>

#include "service/spec/credentials.h"

typedef struct MethodRule {
        const char *interface, *member;
        const char *action; /* polkit's; NULL: changes nothing and tells nothing of others */
        bool owner_is_free; /* the container's owner needs no permission */
} MethodRule;
extern const MethodRule method_rules[]; /* ends with a NULL interface */

const MethodRule *rules_find(const char *interface, const char *member); /* NULL: no such method */

/* Whoever may not see a container is answered as if there were none. */
bool rules_may_see(const Credentials *caller, uid_t owner);
