#pragma once

/* The function and the flags of every verb, for the table in naivec.c. A verb returns an exit
 * status. */

#include "cli/naivec/invocation.h"

int verb_run(Invocation *invocation);
int verb_create(Invocation *invocation);
const Flag *verb_run_flags(void);
const Flag *verb_create_flags(void);

int verb_exec(Invocation *invocation);
const Flag *verb_exec_flags(void);

int verb_start(Invocation *invocation);
int verb_stop(Invocation *invocation);
int verb_kill(Invocation *invocation);
int verb_delete(Invocation *invocation);
int verb_wait(Invocation *invocation);
const Flag *verb_stop_flags(void);
const Flag *verb_kill_flags(void);

int verb_pause(Invocation *invocation);
int verb_resume(Invocation *invocation);
const Flag *verb_pause_flags(void);

int verb_update(Invocation *invocation);
const Flag *verb_update_flags(void);

int verb_inspect(Invocation *invocation);
int verb_features(Invocation *invocation);
int verb_version(Invocation *invocation);

int verb_list(Invocation *invocation);
const Flag *verb_list_flags(void);
int verb_status(Invocation *invocation);
const Flag *verb_status_flags(void);

int verb_ps(Invocation *invocation);

int verb_stats(Invocation *invocation);
const Flag *verb_stats_flags(void);

int verb_events(Invocation *invocation);
const Flag *verb_events_flags(void);

int verb_logs(Invocation *invocation);
const Flag *verb_logs_flags(void);

int verb_attach(Invocation *invocation);
const Flag *verb_attach_flags(void);
